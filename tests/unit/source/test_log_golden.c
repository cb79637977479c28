/* The log reader over the logs of tests/golden/binlog. */
#include "base/alloc.h"
#include "support/log_server.h"
#include "support/log_text.h"
#include "support/test.h"

#define GOLDEN_TABLES 256
#define SAME_FROM 5 /* of the logs */

struct golden {
    struct arena *arena;
    struct buf bytes;
    struct catalog_table tables[GOLDEN_TABLES];
    const char *names[GOLDEN_TABLES];
    unsigned count;
    bool mariadb;
};

static bool unpack(struct buf *out, const char *name)
{
    char command[200], part[65536];
    size_t n;
    (void)snprintf(command, sizeof command,
                   "xz -dc tests/golden/binlog/%s.binlog.xz 2>&1", name);
    FILE *f = popen(command, "r"); /* NOLINT: a program of the system, for tests */
    if (f == NULL)
        return false;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(out, part, n);
    return pclose(f) == 0 && !out->failed;
}

static bool is_known(const struct golden *g, const struct table_map *m)
{
    for (unsigned i = 0; i < g->count; i++)
        if (str_eq(g->tables[i].schema.name, m->name) &&
            str_eq(g->tables[i].schema.database, m->database))
            return true;
    return false;
}

/* Every table, as its first map has it. */
static void find_tables(struct golden *g)
{
    static const struct binlog_options o = { .name = "x",
                                             .row_limit = 1u << 24,
                                             .event_limit = 1u << 24 };
    struct str rest = buf_str(&g->bytes);
    struct error err = { 0 };
    struct event e;
    struct binlog *b = binlog_new(binlog_source_memory(&rest), 0, &o);
    while (binlog_next(b, &e, &err) == 1) {
        if (e.header.type != TABLE_MAP_EVENT)
            continue;
        struct table_map *m = table_map_new(e.body, binlog_format(b), &err);
        assert_non_null(m);
        g->mariadb = m->family == CHARSET_MARIADB;
        if (!is_known(g, m) && g->count < GOLDEN_TABLES) {
            struct catalog_table *t = &g->tables[g->count];
            t->schema = *schema_copy(g->arena, table_map_shape(m, g->arena));
            g->names[g->count++] = t->schema.name.ptr;
        }
        table_map_free(m);
    }
    assert_int_equal(err.code, ERR_NONE);
    binlog_free(b);
}

static void watch_again(struct log_reader *r, const struct golden *g, bool *lost)
{
    struct error err = { 0 };
    for (unsigned i = 0; i < g->count; i++) {
        if (lost[i])
            assert_int_equal(log_reader_watch(r, i, &g->tables[i], &err), 0);
        lost[i] = false;
    }
}

/* Read all of it, by readers that each end after so many commits. What is lost in a
 * transaction is watched again from the next one on. */
static struct buf read_golden(struct golden *g, unsigned commits)
{
    struct log_options o = { .row_limit = 1u << 24 };
    struct log_position place = { .file = STR(FILE_NAME), .offset = 4 };
    struct log_text *text = xcalloc(1, sizeof *text);
    bool lost[GOLDEN_TABLES];
    struct log_item item = { 0 };
    struct error err = { 0 };
    buf_init(&text->out, (size_t)256 << 20);
    text->names = g->names;
    text->no_reasons = true; /* whether names are told is learned again */
    while (item.kind != LOG_END) {
        struct fake *f = new_fake(buf_str(&g->bytes));
        f->server.mariadb = g->mariadb;
        struct log_reader *r = log_reader_over(&f->feed, &place, &o, NULL, &err);
        for (unsigned i = 0; r != NULL && i < g->count; i++) {
            text->columns[i] = g->tables[i].schema.column_count;
            lost[i] = true;
        }
        if (r != NULL)
            watch_again(r, g, lost);
        item.kind = LOG_ROW;
        for (unsigned n = 0; r != NULL && n < commits && item.kind != LOG_END;) {
            if (log_reader_next(r, &item, &err) != 1)
                break;
            log_text_add(text, &item);
            if (item.kind == LOG_COMMIT) {
                watch_again(r, g, lost);
                n++;
            }
            if (item.kind == LOG_CHANGED &&
                (item.change == LOG_LOST || item.change == LOG_GONE))
                lost[item.table] = true;
        }
        if (err.code != ERR_NONE)
            fail_msg("%s", err.text);
        place = *log_reader_position(r);
        struct str kept_text = log_position_format(g->arena, &place);
        assert_int_equal(log_position_parse(g->arena, kept_text, &place, &err), 0);
        log_reader_close(r);
    }
    struct buf out = text->out;
    free(text);
    return out;
}

/* It makes no difference where reading stopped and went on. */
static void real_logs_are_the_same_in_pieces(void **state)
{
    (void)state;
    static const char *const logs[] = {
        "mariadb1011-full",      "mariadb105-minimal-nolog", "mariadb118-compress",
        "mysql97-full",          "mysql97-minimal",          "mysql97-partialjson",
        "mysql97-zstd-rowsquery"
    };
    struct buf same;
    buf_init(&same, (size_t)256 << 20);
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        struct golden *g = xcalloc(1, sizeof *g);
        g->arena = arena_new((size_t)256 << 20);
        buf_init(&g->bytes, (size_t)64 << 20);
        if (!unpack(&g->bytes, logs[i])) {
            buf_done(&g->bytes);
            arena_free(g->arena);
            free(g);
            skip(); /* there is no xz */
        }
        find_tables(g);
        struct buf whole = read_golden(g, UINT32_MAX);
        struct buf pieces = read_golden(g, 7);
        assert_true(whole.len > 10000);
        if (!str_eq(buf_str(&whole), buf_str(&pieces)))
            fail_msg("%s: in pieces it is another log", logs[i]);
        /* one workload, whatever form its rows have in the log */
        if (strcmp(logs[i], "mysql97-full") == 0)
            buf_add_str(&same, buf_str(&whole));
        if (i >= SAME_FROM)
            assert_true(str_eq(buf_str(&whole), buf_str(&same)));
        print_message("# %s: %u tables, %zu bytes\n", logs[i], g->count, whole.len);
        buf_done(&whole);
        buf_done(&pieces);
        buf_done(&g->bytes);
        arena_free(g->arena);
        free(g);
    }
    buf_done(&same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_logs_are_the_same_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
