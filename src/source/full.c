#include "source/full.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "mysql/statement.h"
#include "mysql/type.h"
#include "source/full_internal.h"

/* Pages begin small, since a row's size is not known before, and grow quickly. */
#define PAGE_ROWS_FIRST 256
#define PAGE_ROWS_MOST 16777216
#define PAGE_GROWTH 8
/* The governor hears of bytes in pieces of this size. */
#define METER_BYTES 65536
/* A view's age is looked at once in this many rows. */
#define AGE_ROWS 256
/* With less than this in the window the next row probably waits for the network. */
#define WINDOW_LOW 4096
/* MySQL Error Message Reference: "Invalid %s character string". */
#define ER_INVALID_CHARACTER_STRING 1300

struct full_reader {
    struct session *session;                    /* borrowed */
    const struct full_table *t;                 /* borrowed */
    const struct column *by;                    /* of t->shape; NULL: by the key */
    const struct column *tuple[KEY_PARTS_MOST]; /* what a key tuple has, of t->shape */
    unsigned tuple_count;
    struct governor *governor; /* borrowed; may be NULL */
    struct full_options o;
    struct statement *statement; /* owned; of the page being read */
    struct type_plan *plan;      /* owned; of the page read last */
    struct value *cells;         /* owned */
    char *table_name;            /* owned; for the governor's log events */
    struct buf after;            /* the last key of the pages before, a tuple */
    struct buf upto;
    uint64_t page_rows; /* LIMIT of the page */
    uint64_t rows;      /* so far in the page */
    uint64_t bytes;     /* likewise */
    uint64_t row_bytes;
    uint64_t metered;  /* bytes that the governor has not heard of */
    uint64_t replaced; /* by plans that are gone */
    int64_t page_began;
    int64_t waited_us;  /* for the server, in this page */
    int64_t view_began; /* 0: no view is open */
    int64_t seen_at;    /* wall time: before a page, right after opening the one view */
    bool has_turn;
    bool page_open;
    bool at_row; /* the plan holds a row whose bytes are still there */
    bool ended;
    bool failed;
};

/* ---- life ---- */

static void set_tuple(struct buf *b, struct str tuple)
{
    buf_clear(b);
    buf_add_str(b, tuple);
}

struct full_reader *full_reader_open(struct session *s, const struct full_table *t,
                                     const struct page_range *range,
                                     const struct full_options *o, struct governor *g,
                                     struct error *err)
{
    if (t->method == FULL_PAGES && t->shape->key_count == 0) {
        error_set(err, ERR_BUG, "pages of '" STR_FMT "' without its key",
                  STR_ARG(t->shape->name));
        return NULL;
    }
    const struct column *by = NULL;
    if (t->by != NULL && (by = schema_find_column(t->shape, t->by->name)) == NULL) {
        error_set(err, ERR_BUG,
                  "'" STR_FMT "' is read by column '" STR_FMT "' unselected",
                  STR_ARG(t->shape->name), STR_ARG(t->by->name));
        return NULL;
    }
    struct full_reader *r = xcalloc(1, sizeof *r);
    r->by = by;
    r->tuple_count = full_tuple_columns(t->shape, by, r->tuple);
    r->session = s;
    r->t = t;
    r->governor = g;
    r->o = *o;
    r->page_rows = PAGE_ROWS_FIRST;
    r->cells = xcalloc(t->shape->column_count, sizeof *r->cells);
    buf_init(&r->after, FULL_SQL_BYTES);
    buf_init(&r->upto, FULL_SQL_BYTES);
    set_tuple(&r->after, range->after);
    set_tuple(&r->upto, range->upto);
    r->ended = range->done;
    struct buf name;
    buf_init(&name, 4096);
    buf_printf(&name, STR_FMT "." STR_FMT, STR_ARG(t->shape->database),
               STR_ARG(t->shape->name));
    r->table_name = xstrdup(buf_text(&name));
    buf_done(&name);
    return r;
}

static void leave_turn(struct full_reader *r)
{
    if (r->has_turn)
        governor_leave(r->governor);
    r->has_turn = false;
}

static void drop_plan(struct full_reader *r)
{
    if (r->plan != NULL)
        r->replaced += type_plan_replaced(r->plan);
    type_plan_free(r->plan);
    r->plan = NULL;
}

static void end_view(struct full_reader *r)
{
    struct error ignored = { 0 };
    /* a session that does not answer is retired by its owner, and its view with it */
    if (r->view_began != 0 && session_is_usable(r->session))
        (void)session_exec(r->session, STR("ROLLBACK"), &ignored);
    r->view_began = 0;
}

void full_reader_close(struct full_reader *r)
{
    if (r == NULL)
        return;
    statement_close(r->statement);
    drop_plan(r);
    leave_turn(r);
    end_view(r);
    buf_done(&r->after);
    buf_done(&r->upto);
    free(r->cells);
    free(r->table_name);
    free(r);
}

/* ---- pages ---- */

static int open_view(struct full_reader *r, struct error *err)
{
    r->view_began = clock_mono_us();
    if (r->o.point != NULL) {
        int rc = handover_view(r->session, r->t->shape, r->o.point, err);
        r->view_began = clock_mono_us(); /* it may have waited */
        return rc;
    }
    return session_exec(
        r->session, STR("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"), err);
}

static struct str index_of(const struct full_table *t)
{
    return t->by != NULL ? t->by_index : t->found->key_name;
}

static int start_statement(struct full_reader *r, struct error *err)
{
    bool pages = r->t->method == FULL_PAGES;
    struct full_query q = {
        .shape = r->t->shape,
        .key_name = pages ? index_of(r->t) : (struct str){ 0 },
        .after = pages ? buf_str(&r->after) : (struct str){ 0 },
        .upto = pages ? buf_str(&r->upto) : (struct str){ 0 },
        .where = r->t->where,
        .by = r->by,
        .from = r->t->from,
        .to = r->t->to,
        .ordered = pages,
        .limit = pages ? r->page_rows : 0,
    };
    CLEANUP(buf_done) struct buf sql;
    buf_init(&sql, FULL_SQL_BYTES);
    if (full_query_sql(&q, &sql, err) != 0)
        return -1;
    r->statement = statement_prepare(r->session, buf_str(&sql), err);
    if (r->statement == NULL ||
        statement_execute(r->statement, NULL, 0, r->o.row_limit, err) != 0)
        return -1;
    unsigned count;
    unsigned generation;
    const struct result_column *columns =
        statement_columns(r->statement, &count, &generation);
    struct type_options options = {
        .family = session_is_mariadb(r->session) ? CHARSET_MARIADB : CHARSET_MYSQL,
        .bad_text = r->o.replace_bad_text ? CHARSET_REPLACE : CHARSET_REJECT,
        .row_limit = r->o.row_limit,
    };
    drop_plan(r);
    r->plan = type_plan_new(columns, count, r->t->shape, &options, err);
    return r->plan == NULL ? -1 : 0;
}

/* What a server's refusal of a page means beyond its number. */
static int explain_failure(struct error *err)
{
    if (err->remote == ER_INVALID_CHARACTER_STRING) {
        err->code = ERR_SCHEMA;
        err->hint =
            "A key holds bytes that are no text in its character set: repair it, or "
            "read the table in one view.";
    }
    return -1;
}

static int page_begin(struct full_reader *r, struct error *err)
{
    /* closing the page before may have found the connection gone, and could not say so */
    if (session_packets(r->session)->broken)
        return error_set(err, ERR_NETWORK, "the connection was lost between two pages");
    if (r->governor != NULL) {
        if (governor_enter(r->governor, err) != 0)
            return -1;
        r->has_turn = true;
    }
    r->seen_at = clock_wall_us();
    if (r->t->method == FULL_ONE_VIEW) {
        if (open_view(r, err) != 0)
            return -1;
        r->seen_at = clock_wall_us();
    }
    r->rows = 0;
    r->bytes = 0;
    r->page_began = clock_mono_us();
    if (start_statement(r, err) != 0)
        return explain_failure(err);
    r->waited_us = clock_mono_us() - r->page_began;
    r->page_open = true;
    return 0;
}

static uint64_t clamp_rows(double want, uint64_t now)
{
    double most = (double)now * PAGE_GROWTH;
    if (want > most)
        want = most;
    if (want > PAGE_ROWS_MOST)
        want = PAGE_ROWS_MOST;
    return want < 1 ? 1 : (uint64_t)want;
}

/* The next page's rows from the bytes and the time of this one's. */
static void adapt_page(struct full_reader *r)
{
    if (r->rows == 0 || r->bytes == 0)
        return;
    double rows = (double)r->rows;
    double want = PAGE_ROWS_MOST;
    if (r->o.page_bytes > 0)
        want = rows * (double)r->o.page_bytes / (double)r->bytes;
    int64_t took = clock_mono_us() - r->page_began;
    if (took > 0 && r->o.page_time_us > 0) {
        double by_time = rows * (double)r->o.page_time_us / (double)took;
        want = by_time < want ? by_time : want;
    }
    r->page_rows = clamp_rows(want, r->page_rows);
}

static int meter(struct full_reader *r, bool all, struct error *err)
{
    if (r->governor == NULL || (!all && r->metered < METER_BYTES))
        return 0;
    uint64_t bytes = r->metered;
    r->metered = 0;
    return governor_bytes(r->governor, bytes, err);
}

/* The server's last row of the page has come. */
static enum full_next page_end(struct full_reader *r, struct error *err)
{
    r->page_open = false;
    r->at_row = false;
    statement_close(r->statement);
    r->statement = NULL;
    if (r->governor != NULL)
        governor_page(r->governor, r->t->pace, r->table_name, r->bytes, r->waited_us);
    leave_turn(r);
    end_view(r);
    if (meter(r, true, err) != 0)
        return FULL_ERROR;
    r->ended = r->t->method == FULL_ONE_VIEW || r->rows < r->page_rows;
    adapt_page(r);
    return r->ended ? FULL_END : FULL_PAGE;
}

/* ---- rows ---- */

static int check_age(const struct full_reader *r, struct error *err)
{
    if (r->view_began == 0 || r->o.view_age_us <= 0 || r->rows % AGE_ROWS != 0 ||
        clock_mono_us() - r->view_began <= r->o.view_age_us)
        return 0;
    error_set(err, ERR_LIMIT, "reading '%s' in one view took longer than view_age_limit",
              r->table_name);
    err->hint = "Raise view_age_limit, give the table a primary key, or read it when the "
                "source has less to do.";
    return -1;
}

/* statement_next(), with the time that it spent waiting for the server. */
static int next_packet(struct full_reader *r, struct packet *row, struct error *err)
{
    const struct packet_stream *p = session_packets(r->session);
    if (p->end - p->pos > WINDOW_LOW + 2 * r->row_bytes)
        return statement_next(r->statement, row, err);
    int64_t before = clock_mono_us();
    int rc = statement_next(r->statement, row, err);
    r->waited_us += clock_mono_us() - before;
    return rc;
}

static void keep_only_key(struct full_reader *r)
{
    const struct column *columns = r->t->shape->columns;
    for (unsigned i = 0; i < r->t->shape->column_count; i++)
        if (columns[i].key_ordinal == 0 && &columns[i] != r->by)
            r->cells[i] = (struct value){ .kind = VALUE_ABSENT };
}

/* A row that was cut before the column that pages go by gives no place to go on from. */
static int check_by(const struct full_reader *r, struct error *err)
{
    if (r->by == NULL || r->t->method != FULL_PAGES ||
        r->cells[r->by - r->t->shape->columns].kind > VALUE_NULL)
        return 0;
    return error_set(err, ERR_LIMIT,
                     "a row has more than row_limit before column '" STR_FMT "'",
                     STR_ARG(r->by->name));
}

static void append_key(const struct full_reader *r, struct buf *tuple)
{
    for (unsigned k = 0; k < r->tuple_count && r->t->shape->key_count > 0; k++) {
        size_t part = key_tuple_begin(tuple);
        type_key_part(r->plan, (unsigned)(r->tuple[k] - r->t->shape->columns), tuple);
        key_tuple_end(tuple, part);
    }
}

static enum full_next take_row(struct full_reader *r, const struct packet *row,
                               struct error *err)
{
    r->rows++;
    r->row_bytes = row->size;
    r->bytes += row->size;
    r->metered += row->size;
    if (meter(r, false, err) != 0 || check_age(r, err) != 0 ||
        type_decode_row(r->plan, row, r->cells, err) != 0 || check_by(r, err) != 0)
        return FULL_ERROR;
    r->at_row = true;
    if (r->t->method == FULL_PAGES && r->rows == r->page_rows) {
        /* the next page begins behind this row */
        buf_clear(&r->after);
        append_key(r, &r->after);
        if (buf_check(&r->after, "a key", err) != 0)
            return FULL_ERROR;
    }
    if (row->cut) {
        keep_only_key(r);
        return FULL_TOO_BIG;
    }
    return FULL_ROW;
}

static enum full_next reader_step(struct full_reader *r, struct error *err)
{
    if (!r->page_open && page_begin(r, err) != 0)
        return FULL_ERROR;
    struct packet row;
    int rc = next_packet(r, &row, err);
    if (rc < 0)
        return FULL_ERROR;
    return rc == 0 ? page_end(r, err) : take_row(r, &row, err);
}

enum full_next full_reader_next(struct full_reader *r, const struct value **cells,
                                struct error *err)
{
    *cells = r->cells;
    if (r->ended)
        return FULL_END;
    if (r->failed) {
        error_set(err, ERR_BUG, "a reader was asked on after its error");
        return FULL_ERROR;
    }
    r->at_row = false;
    enum full_next next = reader_step(r, err);
    if (next == FULL_ERROR) {
        r->failed = true;
        leave_turn(r);
        error_wrap(err, "reading '%s'", r->table_name);
    }
    return next;
}

void full_reader_key(const struct full_reader *r, struct buf *tuple)
{
    if (r->at_row)
        append_key(r, tuple);
    else
        buf_add_str(tuple, buf_str(&r->after));
}

uint64_t full_reader_row_bytes(const struct full_reader *r)
{
    return r->row_bytes;
}

int64_t full_reader_seen_at(const struct full_reader *r)
{
    return r->seen_at;
}

uint64_t full_reader_replaced(const struct full_reader *r)
{
    return r->replaced + (r->plan == NULL ? 0 : type_plan_replaced(r->plan));
}

void full_reader_set_upto(struct full_reader *r, struct str upto)
{
    set_tuple(&r->upto, upto);
}
