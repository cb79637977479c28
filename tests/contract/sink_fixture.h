/* tests/contract/sink_fixture.h
 *
 * One destination under test in a fresh folder: epochs written by the real writer, loaded
 * through sink/sink.h, read back by the destination's own statements. A step that must
 * not fail fails the test.
 */
#ifndef CONTRACT_SINK_FIXTURE_H
#define CONTRACT_SINK_FIXTURE_H

#include "row/schema.h"
#include "sink/duckdb.h"
#include "support/test.h"

struct fixture {
    char dir[64];     /* a fresh folder */
    const char *file; /* the destination's name in it; NULL: dest.duckdb */
    struct arena *arena;
    struct sink *sink;
    struct cancel *cancel;
    char id[64];
};

/* What a statement answered. */
struct grid {
    struct buf text;  /* cells by '|', rows by '\n' */
    struct buf types; /* by '|' */
};

/* What an epoch holds of one stream. */
struct test_stream {
    const char *table;
    uint64_t version;
    unsigned actions;
    bool keyless;
    const struct table_schema *shape;
    const struct value *rows; /* row_count times column_count cells */
    size_t row_count;
    const struct table_schema
        *next_shape; /* a second segment at a wider shape, or NULL */
    const struct value *next_rows;
    size_t next_row_count;
    size_t rejects;
    int64_t sequence;          /* of the copy; 0: 42 */
    const char *reject_record; /* NULL: {"id": 1} */
    bool damaged_shape;        /* shape text that no reader takes */
    const struct str *kept;
    size_t kept_count;
    enum join_kind join;
    uint64_t live_version;
    const char *bookmark;
    size_t first_row; /* of a read of changes: rows in the epochs before */
};

/* A fresh folder and a new destination in it; cmocka's set-up and tear-down. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Open the destination, again after closing it; its file. */
void fixture_open(struct fixture *f);
void fixture_reopen(struct fixture *f);
const char *fixture_file(const struct fixture *f);

/* One statement; grid_done() ends what it answered, also after a failure. */
int fixture_read(struct fixture *f, const char *sql, struct grid *g,
                 const struct read_limits *limits, struct read_result *out,
                 struct error *err);
void grid_done(struct grid *g);
void fixture_expect(struct fixture *f, const char *sql, const char *want);
void fixture_expect_refused(struct fixture *f, const char *sql, const char *words);

/* A statement of somebody else's, who changes what the destination holds. */
void fixture_run(struct fixture *f, const char *sql);

/* Epochs of lane "full" of integration "shop", loaded into schema "shop_copy". */
void fixture_write_epoch(struct fixture *f, uint64_t number,
                         const struct test_stream *all, size_t count);
const char *fixture_epoch_dir(const struct fixture *f, uint64_t number);
struct load_outcome fixture_load(struct fixture *f, uint64_t number);
/* Write it and load it. */
struct load_outcome fixture_load_one(struct fixture *f, uint64_t number,
                                     const struct test_stream *t);
/* The streams' counts of this outcome. */
void fixture_expect_counts(const struct load_outcome *o, uint64_t applied,
                           uint64_t superseded, uint64_t known);
struct error fixture_load_fails(struct fixture *f, uint64_t number, const bool *excluded,
                                struct load_outcome *out);

/* ---- shapes and cells ------------------------------------------------------------- */

#define COLUMN(n, t, ...)                                                        \
    {                                                                            \
        .name = STR(n), .avro_name = STR(n), .source_type = STR(n), .type = (t), \
        .nullable = true, .selected = true, __VA_ARGS__                          \
    }
#define KEY_COLUMN(n)                                                    \
    {                                                                    \
        .name = STR(n), .avro_name = STR(n), .source_type = STR("int"),  \
        .type = TYPE_INT, .bytes = 4, .key_ordinal = 1, .selected = true \
    }
#define INT(n) ((struct value){ .as.i = (n), .kind = VALUE_INT })
#define UINT(n) ((struct value){ .as.u = (n), .kind = VALUE_UINT })
#define BYTES(k, s) \
    ((struct value){ .as.bytes = (s), .len = sizeof(s) - 1, .kind = (uint8_t)(k) })
#define TEXT(s) BYTES(VALUE_TEXT, s)
#define MOMENT(k, n) ((struct value){ .as.i = (n), .kind = (uint8_t)(k) })
#define NIL ((struct value){ .kind = VALUE_NULL })

#define FLOATING(n) ((struct value){ .as.f = (n), .kind = VALUE_FLOAT })
#define DOUBLE(n) ((struct value){ .as.d = (n), .kind = VALUE_DOUBLE })

#define BEGIN_JOIN (ACTION_BEGIN | ACTION_JOIN)

/* Table t: (id, flag BOOLEAN), and after a promotion (id, flag TINYINT, extra). */
extern const struct table_schema two, promoted;
extern const struct value rows_a[4]; /* (1, true), (2, NULL) */
extern const struct value rows_b[3]; /* (3, 7, 'new') */

#endif
