#include "mysql/binlog_place.h"

#include "mysql/event.h"

#include <string.h>

/* Made up by the server, or a rotation as old servers make it up: without time. */
static bool is_artificial(const struct event_header *h)
{
    return (h->flags & EVENT_ARTIFICIAL) != 0 ||
           (h->type == ROTATE_EVENT && h->timestamp == 0 && h->end_log_pos == 0) ||
           (h->type == FORMAT_DESCRIPTION_EVENT && h->end_log_pos == 0);
}

/* Events between transactions, and those that begin one. */
static bool is_boundary(uint8_t type)
{
    switch (type) {
    case FORMAT_DESCRIPTION_EVENT:
    case PREVIOUS_GTIDS_EVENT:
    case GTID_EVENT:
    case GTID_TAGGED_EVENT:
    case ANONYMOUS_GTID_EVENT:
    case MARIA_GTID_EVENT:
    case MARIA_GTID_LIST_EVENT:
    case MARIA_CHECKPOINT_EVENT:
    case MARIA_START_ENCRYPTION_EVENT:
    case ROTATE_EVENT:
    case STOP_EVENT:
        return true;
    default:
        return false;
    }
}

static int enter_file(struct binlog_place *p, const struct event *e, struct error *err)
{
    struct rotate_event r;
    if (event_read_rotate(e->body, &r, err) != 0)
        return -1;
    if (r.file.len == 0 || r.file.len > BINLOG_NAME_MAX || r.file.ptr[0] == '\0')
        return error_set(err, ERR_PROTOCOL, "a rotation to a file without a usable name");
    memcpy(p->file, r.file.ptr, r.file.len);
    p->file[r.file.len] = '\0';
    p->next = r.position;
    return 0;
}

/* Says how far the server has come, past what it left out. */
static int beat(struct binlog_place *p, const struct event *e, struct error *err)
{
    struct heartbeat_event h;
    if (event_read_heartbeat(e->header.type, e->body, &h, err) != 0)
        return -1;
    if (!str_eq(h.file, str_of(p->file)))
        return 0;
    uint32_t ahead = e->header.end_log_pos - (uint32_t)p->next;
    if (h.position > p->next)
        p->next = h.position;
    else if (h.position == 0 && ahead <= INT32_MAX)
        p->next += ahead;
    return 0;
}

int binlog_place_follow(struct binlog_place *p, const struct event *e, struct error *err)
{
    const struct event_header *h = &e->header;
    if (e->packed)
        return 0; /* that of the event that holds it */
    p->real = false;
    p->offset = p->end = p->next;
    if (h->type == HEARTBEAT_EVENT || h->type == HEARTBEAT_EVENT_V2) {
        if (beat(p, e, err) != 0)
            return -1;
        p->offset = p->end = p->next;
        return 0;
    }
    if (is_artificial(h)) {
        if (h->type == ROTATE_EVENT && enter_file(p, e, err) != 0)
            return -1;
        p->offset = p->end = p->next;
        return 0;
    }
    uint32_t left_out = h->end_log_pos - (uint32_t)(p->next + h->size);
    if (h->end_log_pos != 0 && is_boundary(h->type))
        p->offset += left_out;
    p->end = p->next = p->offset + h->size;
    p->real = true;
    return 0;
}
