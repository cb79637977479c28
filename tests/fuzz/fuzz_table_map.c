/* A table map and rows by it. The first bytes say how long its parts are:
 *
 *   how:1 changes:1 map:2 | the map's body | changes | the body of a rows event
 *
 * The rows are read by a plan that the map makes, and by one of a shape such as a catalog
 * gives: the map's, each column changed as its byte among the changes says, perhaps less
 * columns that MariaDB hides. Both find as many rows, but for MariaDB's old times, whose
 * lengths the catalog knows alone. */
#include "mysql/lenenc.h"
#include "mysql/table_map.h"
#include "read_log.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum change {
    CHANGE_NONE = 0, /* and 1 */
    CHANGE_TYPE = 2,
    CHANGE_CHARSET,
    CHANGE_DROP,
    CHANGE_SKIP,
    CHANGE_SIGN,
    CHANGE_SIZES,
};

static const uint8_t types[] = {
    WRITE_ROWS_EVENT,
    UPDATE_ROWS_EVENT,
    DELETE_ROWS_EVENT,
    PARTIAL_UPDATE_ROWS_EVENT,
    WRITE_ROWS_EVENT_V1,
    UPDATE_ROWS_EVENT_V1,
    MARIA_UPDATE_ROWS_COMPRESSED_EVENT_V1,
    MARIA_WRITE_ROWS_COMPRESSED_EVENT,
};

#define NAME(s)            \
    {                      \
        (s), sizeof(s) - 1 \
    }

/* false: the column is not in the shape. */
static bool change_column(struct column *c, uint8_t how)
{
    static const struct str charsets[] = { NAME("latin1"), NAME("utf8mb4"), NAME("utf16"),
                                           NAME("gbk"),    NAME("ucs2"),    NAME("") };
    static const struct str labels[] = { NAME("one"), NAME("two"), NAME("") };
    unsigned detail = how >> 3;
    switch (how & 7) {
    case CHANGE_TYPE:
        c->type = (enum logical_type)(detail % TYPE_COUNT);
        if (c->type == TYPE_ENUM || c->type == TYPE_SET) {
            c->labels = labels;
            c->label_count = 3;
        }
        break;
    case CHANGE_CHARSET:
        c->charset = charsets[detail % (sizeof charsets / sizeof *charsets)];
        break;
    case CHANGE_DROP:
        return false;
    case CHANGE_SKIP:
        c->selected = false;
        break;
    case CHANGE_SIGN:
        c->is_unsigned = !c->is_unsigned;
        break;
    case CHANGE_SIZES:
        c->bytes = (uint8_t)(detail % 9);
        c->length = detail;
        c->fraction = (uint8_t)(detail % 7);
        break;
    default:
        break;
    }
    return true;
}

static struct table_schema *catalog_shape(const struct table_map *m, struct str changes,
                                          uint8_t hidden, struct arena *a)
{
    struct table_schema *s = table_map_shape(m, a);
    struct column *columns = ARENA_ARRAY(a, struct column, s->column_count);
    uint16_t count = 0;
    for (unsigned i = 0; i < s->column_count; i++) {
        struct column c = s->columns[i];
        uint8_t how = i < changes.len ? (uint8_t)changes.ptr[i] : 0;
        if (change_column(&c, how))
            columns[count++] = c;
    }
    s->columns = columns;
    s->column_count = count;
    s->hidden_versions = (hidden & 1) != 0 && count >= 2;
    s->hidden_hashes = (hidden & 2) != 0 && count >= 3;
    if (!m->has_names)
        s->column_count =
            (uint16_t)(count - (s->hidden_versions ? 2 : 0) - s->hidden_hashes);
    return s;
}

/* The number of rows, or -1. */
static int read_by(const struct table_map *m, const struct table_schema *shape,
                   const struct binlog_format *f, uint8_t type, struct str body)
{
    const struct type_options o = { .row_limit = READ_LOG_LIMIT, .family = f->family };
    struct event e = { .header.type = type, .whole = true, .body = body };
    struct error err = { 0 };
    struct rows_head head;
    struct window w;
    int count = -1;
    struct rows_reader *reader = rows_reader_new(READ_LOG_LIMIT);
    struct rows_plan *plan = rows_plan_new(m, shape, &o, &err);
    window_over(&w, body);
    if (plan != NULL && rows_read_head(reader, &e, &w, f, &head, &err) == 0)
        count = read_all_rows(reader, plan, &err);
    if (count < 0 && err.code != ERR_PROTOCOL && err.code != ERR_LIMIT &&
        err.code != ERR_SCHEMA)
        abort();
    rows_plan_free(plan);
    rows_reader_free(reader);
    window_done(&w);
    return count;
}

static void read_table(struct str map, struct str changes, struct str rows, uint8_t how)
{
    struct binlog_format f = { .version = 90704, .family = CHARSET_MYSQL };
    struct error err = { 0 };
    uint8_t type = types[how & 7];
    if (how & 8) {
        f.family = CHARSET_MARIADB;
        f.version = 101118;
    }
    f.post_header[TABLE_MAP_EVENT] = f.post_header[type] = how & 16 ? 6 : 8;
    struct table_map *m = table_map_new(map, &f, &err);
    if (m == NULL) {
        if (err.code != ERR_PROTOCOL && err.code != ERR_SCHEMA)
            abort();
        return;
    }
    struct arena *a = arena_new((size_t)8 << 20);
    int own = read_by(m, NULL, &f, type, rows);
    int catalog = read_by(m, catalog_shape(m, changes, how >> 5 & 3, a), &f, type, rows);
    if (f.family == CHARSET_MYSQL && own >= 0 && catalog >= 0 && own != catalog)
        abort();
    arena_free(a);
    table_map_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over((struct str){ (const char *)data, size });
    uint8_t how = (uint8_t)reader_le(&r, 1);
    size_t change_bytes = (size_t)reader_le(&r, 1);
    struct str map = reader_bytes(&r, (size_t)reader_le(&r, 2));
    struct str changes = reader_bytes(&r, change_bytes);
    if (r.bad)
        return 0;
    read_table(map, changes, (struct str){ r.pos, (size_t)(r.end - r.pos) }, how);
    return 0;
}
