/* tests/support/log_server.h
 *
 * A server for log readers that has one log file, from memory; its connection can be made
 * to break, and its GTIDs are what the test says.
 */
#ifndef SUPPORT_LOG_SERVER_H
#define SUPPORT_LOG_SERVER_H

#include "base/alloc.h"
#include "source/log_feed.h"
#include "source/log_internal.h"
#include "support/test.h"

#define FILE_NAME "bin.000001"

struct fake {
    struct log_feed feed;
    struct str bytes; /* the whole log */
    struct str rest;
    struct binlog *log;
    struct binlog_place place;
    struct log_server server;
    struct gtid_set skip; /* what was asked to be left out */
    const char *executed, *purged;
    bool by_gtid, skipping;
    bool no_sums;   /* damage is not found by its checksum */
    int fail_after; /* events of this stream, then the connection breaks; 0: never */
    int opened;
    bool *closed;
};

static struct fake *fake_of(const struct log_feed *f)
{
    return (struct fake *)(uintptr_t)f;
}

static void fake_shut(struct fake *f)
{
    binlog_free(f->log);
    f->log = NULL;
    gtid_set_done(&f->skip);
    f->skip = (struct gtid_set){ 0 };
}

static int fake_open(struct log_feed *feed, const struct log_start *s, int64_t patience,
                     struct error *err)
{
    struct fake *f = fake_of(feed);
    struct binlog_options o = { .name = "x",
                                .row_limit = 1u << 24,
                                .event_limit = 1u << 24,
                                .skip_checksums = f->no_sums };
    struct event e;
    (void)patience;
    fake_shut(f);
    f->opened++;
    if (s->file.len > 0 && !str_eq(s->file, STR(FILE_NAME)))
        return error_set(err, ERR_POSITION, "no such file");
    f->by_gtid = s->file.len == 0 && s->gtids != NULL;
    f->skipping = false;
    if (f->by_gtid && gtid_set_copy(s->gtids, &f->skip, err) != 0)
        return -1;
    f->rest = f->bytes;
    f->log = binlog_new(binlog_source_memory(&f->rest), 0, &o);
    uint64_t offset = s->file.len > 0 ? s->offset : 0;
    if (offset <= 4)
        return 0;
    /* the format, then from there on */
    assert_int_equal(binlog_next(f->log, &e, err), 1);
    struct binlog_format format = *binlog_format(f->log);
    binlog_free(f->log);
    f->log = NULL;
    if (offset > f->bytes.len)
        return error_set(err, ERR_POSITION, "behind the end");
    f->rest = (struct str){ f->bytes.ptr + offset, f->bytes.len - offset };
    f->log = binlog_new(binlog_source_memory(&f->rest), offset, &o);
    binlog_set_format(f->log, &format);
    return 0;
}

static bool left_out(struct fake *f, const struct event *e)
{
    struct gtid_event id;
    struct error err = { 0 };
    if (!f->by_gtid)
        return false;
    if (e->header.type == GTID_EVENT) {
        struct gtid g = { 0 };
        assert_int_equal(event_read_gtid(e->header.type, e->body, &id, &err), 0);
        memcpy(g.source.uuid, id.uuid, 16);
        g.number = id.number;
        f->skipping = gtid_set_contains(&f->skip, &g);
    }
    return f->skipping;
}

static int fake_next(struct log_feed *feed, struct event *e, struct error *err)
{
    struct fake *f = fake_of(feed);
    for (;;) {
        if (f->fail_after > 0 && --f->fail_after == 0)
            return error_set(err, ERR_NETWORK, "the connection was lost");
        int got = binlog_next(f->log, e, err);
        if (got <= 0)
            return got;
        memcpy(f->place.file, FILE_NAME, sizeof FILE_NAME);
        f->place.offset = e->offset;
        f->place.end = f->place.next = e->end;
        f->place.real = true;
        if (!left_out(f, e))
            return 1;
    }
}

static struct binlog *fake_binlog(struct log_feed *f)
{
    return fake_of(f)->log;
}

static const struct binlog_place *fake_place(const struct log_feed *f)
{
    return &fake_of(f)->place;
}

static const struct log_server *fake_server(const struct log_feed *f)
{
    return &fake_of(f)->server;
}

static int fake_sets(struct log_feed *f, struct arena *a, struct log_sets *out,
                     struct error *err)
{
    (void)a, (void)err;
    out->executed = str_of(fake_of(f)->executed);
    out->purged = str_of(fake_of(f)->purged);
    return 0;
}

static struct catalog *fake_find(struct log_feed *f, const struct table_schema *named,
                                 struct log_end *end, struct error *err)
{
    (void)f, (void)named, (void)end;
    (void)error_set(err, ERR_SCHEMA, "the table is gone");
    return NULL;
}

static int fake_files(struct log_feed *f, struct arena *a, struct str **out,
                      size_t *count, struct error *err)
{
    (void)f, (void)err;
    *out = ARENA_ARRAY(a, struct str, 1);
    (*out)[0] = STR(FILE_NAME);
    *count = 1;
    return 0;
}

static struct log_feed *fake_another(const struct log_feed *f);

static void fake_close(struct log_feed *f)
{
    fake_shut(fake_of(f));
    free(f);
}

static const struct log_feed_type fake_type = {
    .open = fake_open,
    .next = fake_next,
    .binlog = fake_binlog,
    .place = fake_place,
    .server = fake_server,
    .sets = fake_sets,
    .find = fake_find,
    .files = fake_files,
    .another = fake_another,
    .close = fake_close,
};

static struct fake *new_fake(struct str bytes)
{
    struct fake *f = xcalloc(1, sizeof *f);
    f->feed.type = &fake_type;
    f->bytes = bytes;
    f->server.uuid = STR("a-server");
    return f;
}

static struct log_feed *fake_another(const struct log_feed *f)
{
    struct fake *other = new_fake(fake_of(f)->bytes);
    other->no_sums = fake_of(f)->no_sums;
    return &other->feed;
}

#endif
