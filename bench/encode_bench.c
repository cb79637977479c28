/* bench/encode_bench.c
 *
 * How fast rows become Avro blocks and what each codec makes of them: rows/s of a narrow
 * and a wide table, MB/s and ratio of every codec both ways. Figures are
 * processor time of one core.
 *
 * Build against libcore.a of a release build folder, with the libraries of meson.build.
 */
#include "avro/container.h"
#include "avro/decode.h"
#include "avro/encode.h"
#include "avro/schema.h"
#include "base/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BLOCKS 24
#define COLUMNS_MAX 25

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* The columns in turn; a narrow table is the first four. */
static const struct {
    const char *name;
    enum logical_type type;
} kinds[] = {
    { "id", TYPE_LONG },      { "name", TYPE_TEXT }, { "amount", TYPE_DECIMAL },
    { "at", TYPE_TIMESTAMP }, { "qty", TYPE_INT },   { "note", TYPE_TEXT },
    { "paid", TYPE_BOOL },    { "day", TYPE_DATE },  { "ratio", TYPE_DOUBLE },
    { "state", TYPE_ENUM },   { "city", TYPE_TEXT }, { "ref", TYPE_UBIGINT },
    { "score", TYPE_FLOAT },
};

static const struct str labels[] = { { "new", 3 }, { "sent", 4 }, { "done", 4 } };
static const char *const words[] = { "river", "turbine", "gate",    "water", "mill",
                                     "wheel", "stone",   "channel", "power", "house" };

static void make_schema(struct table_schema *s, struct column *columns, unsigned count)
{
    static char names[COLUMNS_MAX][16];
    for (unsigned i = 0; i < count; i++) {
        unsigned k = i % (sizeof(kinds) / sizeof(kinds[0]));
        int n = snprintf(names[i], sizeof(names[i]), "%s%u", kinds[k].name, i);
        columns[i] = (struct column){
            .name = { names[i], (size_t)n },
            .avro_name = { names[i], (size_t)n },
            .type = kinds[k].type,
            .precision = 18,
            .scale = 4,
            .bytes = 4,
            .fraction = 6,
            .labels = labels,
            .label_count = 3,
            .nullable = i > 0,
            .key_ordinal = i == 0,
            .selected = true,
        };
    }
    *s = (struct table_schema){ .database = STR("bench"),
                                .name = STR("t"),
                                .version = 1,
                                .column_count = (uint16_t)count,
                                .key_count = 1,
                                .columns = columns };
}

/* Distinct rows, made before the clock runs: more than a block holds, so that no codec
 * finds a row twice. The encoder is timed over the first few, which stay in the cache as
 * a reader's scratch row does. */
#define ROWS 32768
#define ROWS_TIMED 128
static char texts[ROWS][COLUMNS_MAX][48];

static void make_text(char *to, unsigned word_count, struct value *v)
{
    size_t n = 0;
    for (unsigned w = 0; w < word_count; w++)
        n += (size_t)snprintf(to + n, 48 - n, "%s ", words[random_next() % 10]);
    *v = value_of_bytes(VALUE_TEXT, (struct str){ to, n });
}

static void make_cell(const struct column *c, char *text, unsigned row, struct value *v)
{
    uint64_t x = random_next();
    *v = (struct value){ .kind = (uint8_t)type_get(c->type)->value };
    if (c->type == TYPE_LONG)
        v->as.i = row;
    else if (c->type == TYPE_TEXT)
        make_text(text, c->name.ptr[0] == 'n' ? 4 : 1, v);
    else if (c->type == TYPE_DECIMAL)
        *v = value_of_bytes(
            VALUE_DECIMAL,
            (struct str){ text, (size_t)snprintf(text, 48, "%" PRIu64 ".%04u", x % 100000,
                                                 (unsigned)(x >> 40) % 10000) });
    else if (c->type == TYPE_TIMESTAMP)
        v->as.i = 1700000000000000 + (int64_t)(x % 100000000000);
    else if (c->type == TYPE_INT || c->type == TYPE_DATE)
        v->as.i = (int64_t)(x % 20000);
    else if (c->type == TYPE_BOOL)
        v->as.i = (int64_t)(x & 1);
    else if (c->type == TYPE_DOUBLE)
        v->as.d = (double)(x % 1000000) / 997.0;
    else if (c->type == TYPE_FLOAT)
        v->as.f = (float)(x % 1000) / 8.0f;
    else if (c->type == TYPE_ENUM)
        *v = value_of_bytes(VALUE_TEXT, labels[x % 3]);
    else
        v->as.u = x;
    if (c->nullable && random_next() % 8 == 0)
        v->kind = VALUE_NULL;
}

static int count_bytes(void *ctx, const void *bytes, size_t n, struct error *err)
{
    (void)err;
    buf_add(ctx, bytes, n);
    return 0;
}

/* Time of this thread on a processor: other work on the machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double seconds_since(int64_t start)
{
    return (double)(cpu_us() - start) / 1e6;
}

static void bench_codec(enum avro_codec codec, struct block *const blocks[BLOCKS],
                        struct str schema)
{
    static const uint8_t marker[16] = "benchbenchbench";
    struct error err = { 0 };
    struct buf file;
    buf_init(&file, 1u << 30);
    double raw = 0;
    int64_t start = cpu_us();
    struct container_writer *w =
        container_writer_new(codec, schema, marker, count_bytes, &file, &err);
    for (unsigned i = 0; i < BLOCKS; i++) {
        raw += (double)blocks[i]->bytes.len;
        (void)container_write_block(w, buf_str(&blocks[i]->bytes), blocks[i]->rows, &err);
    }
    double packed = (double)container_bytes_written(w);
    double write_s = seconds_since(start);
    container_writer_free(w);
    start = cpu_us();
    struct container_reader *r = container_reader_new(buf_str(&file), 16u << 20, &err);
    struct str rows;
    uint64_t count;
    while (container_next_block(r, &rows, &count, &err) == 1)
        ;
    double read_s = seconds_since(start);
    container_reader_free(r);
    buf_done(&file);
    printf("  %-10s write %7.0f MB/s  read %7.0f MB/s  ratio %5.2f\n", codec_name(codec),
           raw / 1e6 / write_s, raw / 1e6 / read_s, raw / packed);
}

static void bench_decode(struct block *const blocks[BLOCKS], struct str schema)
{
    struct error err = { 0 };
    struct decode_plan *p = decode_plan_new(schema, &err);
    struct value cells[COLUMNS_MAX];
    struct row_meta meta;
    uint64_t rows = 0;
    int64_t start = cpu_us();
    for (unsigned i = 0; i < BLOCKS; i++) {
        struct reader in = reader_over(buf_str(&blocks[i]->bytes));
        while (in.pos < in.end && decode_row(p, &in, &meta, cells, NULL, &err) == 0)
            rows++;
    }
    printf("  decode     %.2f M rows/s\n", (double)rows / 1e6 / seconds_since(start));
    decode_plan_free(p);
}

static struct block *fill_block(const struct encode_plan *plan,
                                const struct table_schema *s,
                                struct value cells[][COLUMNS_MAX], unsigned distinct,
                                uint64_t *rows)
{
    struct block *b = block_new(1, s, 1u << 20);
    struct encode_fault fault;
    const struct row_meta meta = { OP_SNAPSHOT, 1700000000000000000, 1700000000000000 };
    while (b->bytes.len < BLOCK_SOFT_BYTES) {
        struct value *row = cells[*rows % distinct];
        row[0].as.i = (int64_t)(*rows)++; /* every row is another one */
        if (encode_row(plan, b, &meta, row, &fault) != ENCODE_OK)
            abort();
    }
    return b;
}

static void bench_table(const char *name, unsigned columns_count)
{
    static struct value cells[ROWS][COLUMNS_MAX];
    struct column columns[COLUMNS_MAX];
    struct table_schema s;
    struct block *blocks[BLOCKS];
    const struct encode_policy policy = { DATE_NULL };
    make_schema(&s, columns, columns_count);
    for (unsigned r = 0; r < ROWS; r++)
        for (unsigned c = 0; c < columns_count; c++)
            make_cell(&columns[c], texts[r][c], r, &cells[r][c]);
    struct encode_plan *plan = encode_plan_new(&s, &policy);
    uint64_t rows = 0;
    double bytes = 0;
    int64_t start = cpu_us();
    for (unsigned i = 0; i < BLOCKS; i++)
        block_free(fill_block(plan, &s, cells, ROWS_TIMED, &rows));
    double took = seconds_since(start);
    double rate = (double)rows / 1e6 / took;
    rows = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = fill_block(plan, &s, cells, ROWS, &rows);
        bytes += (double)blocks[i]->bytes.len;
    }
    double row_bytes = bytes / (double)rows;
    printf("%s, %u columns, %.0f bytes a row\n  encode     %.2f M rows/s, %.0f MB/s\n",
           name, columns_count, row_bytes, rate, rate * row_bytes);
    struct buf schema;
    buf_init(&schema, 1u << 20);
    avro_schema_write(&s, AVRO_CHANGE, &schema);
    bench_decode(blocks, buf_str(&schema));
    for (unsigned c = CODEC_NULL; c <= CODEC_DEFLATE; c++)
        bench_codec((enum avro_codec)c, blocks, buf_str(&schema));
    buf_done(&schema);
    for (unsigned i = 0; i < BLOCKS; i++)
        block_free(blocks[i]);
    encode_plan_free(plan);
}

int main(void)
{
    bench_table("narrow", 4);
    bench_table("wide", 25);
    return 0;
}
