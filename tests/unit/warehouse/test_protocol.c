#include "base/buf.h"
#include "support/test.h"
#include "warehouse/frame.h"
#include "warehouse/protocol.h"

#include <fcntl.h>
#include <sys/socket.h>

static struct str json_of(const struct buf *b)
{
    return (struct str){ b->data + FRAME_HEAD_BYTES, b->len - FRAME_HEAD_BYTES };
}

static void open_buf(struct buf *b)
{
    buf_init(b, FRAME_LIMIT_BYTES);
}

static struct request round_trip(struct arena *a, const struct request *r)
{
    struct error err = { 0 };
    struct request back = { 0 };
    struct buf b;
    open_buf(&b);
    assert_int_equal(request_encode(&b, r, &err), 0);
    assert_int_equal(request_decode(json_of(&b), a, &back, &err), 0);
    assert_int_equal(back.kind, r->kind);
    buf_done(&b);
    return back;
}

static void requests_survive_the_trip(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    bool excluded[] = { false, true, false };
    struct request hello = { .kind = REQUEST_HELLO,
                             .format = 7,
                             .path = STR("/a/\"ä\"") };
    struct request load = { .kind = REQUEST_LOAD,
                            .epoch_dir = STR("/spool/x/0000000001.epoch"),
                            .excluded = excluded,
                            .excluded_count = 3 };
    struct request reset = { .kind = REQUEST_RESET,
                             .reset = { STR("i"), STR("s"), STR("d"), STR("t"), true,
                                        true, STR("key1;c") } };
    struct request query = { .kind = REQUEST_QUERY,
                             .sql = STR("SELECT 'a\0b\n'"),
                             .limits = { .time_us = 5, .rows = UINT64_MAX } };
    struct request back = round_trip(a, &hello);
    assert_int_equal(back.format, 7);
    assert_str(back.path, "/a/\"ä\"");
    back = round_trip(a, &load);
    assert_str(back.epoch_dir, "/spool/x/0000000001.epoch");
    assert_int_equal(back.epoch_dir.ptr[back.epoch_dir.len], 0);
    assert_int_equal(back.excluded_count, 3);
    assert_true(!back.excluded[0] && back.excluded[1] && !back.excluded[2]);
    load.excluded = NULL;
    assert_null(round_trip(a, &load).excluded);
    back = round_trip(a, &reset);
    assert_str(back.reset.integration, "i");
    assert_str(back.reset.target_schema, "s");
    assert_str(back.reset.database, "d");
    assert_str(back.reset.table, "t");
    assert_true(back.reset.everything && back.reset.set_bookmark);
    assert_str(back.reset.bookmark, "key1;c");
    back = round_trip(a, &query);
    assert_str(back.sql, "SELECT 'a\0b\n'");
    assert_true(back.limits.rows == UINT64_MAX && back.limits.time_us == 5);
    arena_free(a);
}

static void text_that_is_no_utf8_is_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct request marks = { .kind = REQUEST_MARKS, .integration = STR("\xff") };
    struct buf b;
    open_buf(&b);
    assert_int_equal(request_encode(&b, &marks, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    buf_done(&b);
}

static void marks_survive_the_trip(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct arena *a = arena_new(1 << 20);
    struct lane_mark lane = { STR("i"), STR("full"), 9, STR("p"), -3, INT64_MAX };
    struct stream_mark streams[2] = {
        { .integration = STR("i"),
          .table = STR("t"),
          .state = STREAM_FAILED,
          .live_version = UINT64_MAX,
          .copy_version = 2,
          .copy_sequence = 3,
          .copy_progress = STR("{\"a\":1}"),
          .copy_join = JOIN_SWEEP,
          .copy_bookmark = STR("key1;a"),
          .bookmark = STR("key1;b"),
          .live_state = STREAM_PARKED,
          .copied = true,
          .held_version = 31,
          .held_epoch = 32,
          .left_version = 30,
          .note = STR("a column came"),
          .joined_epoch = 4,
          .loaded_at = 5,
          .first_read_at = INT64_MIN,
          .last_read_at = 6,
          .rows = 7,
          .schema_json = STR("{}") },
        { .database = STR("d"), .target = STR("x"), .lane = STR("l") },
    };
    struct mark_list marks = { STR("id"), &lane, 1, streams, 2 }, back = { 0 };
    struct reply reply = { 0 };
    struct buf b;
    open_buf(&b);
    assert_int_equal(reply_encode_marks(&b, &marks, &err), 0);
    assert_int_equal(reply_read(json_of(&b), &reply, &err), 0);
    assert_int_equal(reply.kind, REPLY_OK);
    assert_int_equal(reply_decode_marks(&reply, a, &back, &err), 0);
    reply_done(&reply);
    buf_done(&b);
    assert_str(back.destination_id, "id");
    assert_int_equal(back.lane_count, 1);
    assert_str(back.lanes[0].lane, "full");
    assert_str(back.lanes[0].position, "p");
    assert_true(back.lanes[0].epoch == 9 && back.lanes[0].sequence == -3);
    assert_true(back.lanes[0].loaded_at == INT64_MAX);
    assert_int_equal(back.stream_count, 2);
    const struct stream_mark *s = &back.streams[0];
    assert_true(s->state == STREAM_FAILED && s->live_version == UINT64_MAX);
    assert_true(s->copy_version == 2 && s->copy_sequence == 3 && s->joined_epoch == 4);
    assert_true(s->loaded_at == 5 && s->first_read_at == INT64_MIN);
    assert_true(s->last_read_at == 6 && s->rows == 7);
    assert_str(s->copy_progress, "{\"a\":1}");
    assert_str(s->schema_json, "{}");
    assert_int_equal(s->copy_join, JOIN_SWEEP);
    assert_str(s->copy_bookmark, "key1;a");
    assert_str(s->bookmark, "key1;b");
    assert_int_equal(s->live_state, STREAM_PARKED);
    assert_true(s->copied && s->held_version == 31 && s->held_epoch == 32);
    assert_int_equal(s->left_version, 30);
    assert_str(s->note, "a column came");
    assert_str(back.streams[1].target, "x");
    arena_free(a);
}

static void marks_past_the_arena_are_an_error(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct arena *a = arena_new(256);
    struct lane_mark lanes[8] = { 0 };
    struct mark_list marks = { .lanes = lanes, .lane_count = 8 }, back = { 0 };
    struct reply reply = { 0 };
    struct buf b;
    open_buf(&b);
    assert_int_equal(reply_encode_marks(&b, &marks, &err), 0);
    assert_int_equal(reply_read(json_of(&b), &reply, &err), 0);
    assert_int_equal(reply_decode_marks(&reply, a, &back, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    reply_done(&reply);
    buf_done(&b);
    arena_free(a);
}

static void outcomes_survive_the_trip(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct arena *a = arena_new(1 << 20);
    struct load_stream streams[1] = { { STR("d"), STR("t"), 1, 2, 3, 4, 5 } };
    struct load_outcome o = { true, streams, 1, -1, 4, 5 }, back = { 0 };
    struct reply reply = { 0 };
    struct buf b;
    open_buf(&b);
    assert_int_equal(reply_encode_load(&b, &o, &err), 0);
    assert_int_equal(reply_read(json_of(&b), &reply, &err), 0);
    assert_int_equal(reply_decode_load(&reply, a, &back, &err), 0);
    assert_true(back.already_loaded && back.failed_stream == -1);
    assert_true(back.bytes == 4 && back.took_us == 5 && back.stream_count == 1);
    assert_str(back.streams[0].table, "t");
    assert_true(back.streams[0].applied == 1 && back.streams[0].superseded == 2);
    assert_true(back.streams[0].known == 3 && back.streams[0].derived == 4 &&
                back.streams[0].rejected == 5);
    reply_done(&reply);
    buf_done(&b);
    arena_free(a);
}

static void errors_travel_with_code_text_and_hint(void **state)
{
    (void)state;
    struct error made = { 0 }, ignored = { 0 }, got = { 0 };
    struct reply reply = { 0 };
    struct buf b;
    int failed = -1;
    char hint[] = "Do this.";
    open_buf(&b);
    (void)error_set(&made, ERR_DATA, "row of '%s' \xff", "t");
    made.hint = hint;
    made.sys = 28;
    made.remote = 4000000000U;
    made.row = 12;
    assert_int_equal(reply_encode_error(&b, &made, 3, &ignored), 0);
    memset(hint, 'x', sizeof(hint) - 1);
    assert_int_equal(reply_read(json_of(&b), &reply, &ignored), 0);
    assert_int_equal(reply_decode_error(&reply, &failed, &got), -1);
    reply_done(&reply);
    buf_done(&b);
    assert_int_equal(got.code, ERR_DATA);
    assert_string_equal(got.text, "row of 't' \xef\xbf\xbd");
    assert_string_equal(got.hint, "Do this.");
    assert_true(got.sys == 28 && got.remote == 4000000000U && got.row == 12);
    assert_int_equal(failed, 3);
    assert_ptr_equal(got.hint, protocol_hint(STR("Do this.")));
}

static void hints_are_bounded(void **state)
{
    (void)state;
    char text[HINT_BYTES + 1] = { 0 };
    for (int i = 0; i < HINT_COUNT; i++) {
        (void)snprintf(text, sizeof(text), "Hint %d.", i);
        (void)protocol_hint(str_of(text));
    }
    assert_null(protocol_hint(STR("One more.")));
    assert_string_equal(protocol_hint(STR("Hint 1.")), "Hint 1.");
    memset(text, 'x', HINT_BYTES);
    assert_null(protocol_hint((struct str){ text, HINT_BYTES }));
}

struct seen {
    unsigned rows;
    bool fail;
};

static int see_row(void *ctx, const struct query_column *columns, size_t count,
                   const struct str *cells, struct error *err)
{
    struct seen *seen = ctx;
    assert_int_equal(count, 2);
    assert_str(columns[1].type, "BIGINT");
    if (seen->rows == 0) {
        assert_str(cells[0], "a\"\n");
        assert_null(cells[1].ptr);
    } else {
        assert_str(cells[0], "");
        assert_non_null(cells[0].ptr);
        assert_str(cells[1], "-1");
    }
    seen->rows++;
    return seen->fail ? error_set(err, ERR_IO, "enough") : 0;
}

static void rows_survive_the_trip(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct arena *a = arena_new(1 << 20);
    struct query_column columns[] = { { STR("x"), STR("VARCHAR") },
                                      { STR("x"), STR("BIGINT") } };
    struct query_column *got = NULL;
    struct str first[] = { STR("a\"\n"), { 0 } }, second[] = { STR(""), STR("-1") };
    struct seen seen = { 0 };
    struct reply reply = { 0 };
    size_t count = 0;
    struct buf b;
    open_buf(&b);
    assert_int_equal(reply_encode_columns(&b, columns, 2, &err), 0);
    assert_int_equal(reply_read(json_of(&b), &reply, &err), 0);
    assert_int_equal(reply_decode_columns(&reply, a, &got, &count, &err), 0);
    reply_done(&reply);
    assert_int_equal(count, 2);
    rows_begin(&b);
    assert_int_equal(rows_add(&b, first, 2, &err), 0);
    assert_int_equal(rows_add(&b, second, 2, &err), 0);
    assert_int_equal(rows_end(&b, &err), 0);
    assert_int_equal(reply_read(json_of(&b), &reply, &err), 0);
    assert_int_equal(reply.kind, REPLY_ROWS);
    assert_int_equal(rows_decode(&reply, got, count, see_row, &seen, &err), 0);
    assert_int_equal(seen.rows, 2);
    assert_int_equal(rows_decode(&reply, got, 1, see_row, &seen, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    seen = (struct seen){ .fail = true };
    assert_int_equal(rows_decode(&reply, got, count, see_row, &seen, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    reply_done(&reply);
    buf_done(&b);
    arena_free(a);
}

static void damaged_requests_are_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"do\":1}",
        "{\"do\":\"dance\"}",
        "{\"do\":\"marks\"}",
        "{\"do\":\"marks\",\"integration\":null}",
        "{\"do\":\"marks\",\"integration\":\"\\ud800\"}",
        "{\"do\":\"marks\",\"do\":\"marks\",\"integration\":\"\"}",
        "{\"do\":\"load\",\"epoch_dir\":\"/x\"}",
        "{\"do\":\"load\",\"epoch_dir\":\"/x\",\"excluded\":[1]}",
        "{\"do\":\"query\",\"sql\":\"\",\"limits.time_us\":1,\"limits.rows\":-1}",
        "{\"do\":\"query\",\"sql\":\"\",\"limits.time_us\":1.5,\"limits.rows\":1}",
        "{\"do\":\"query\",\"sql\":\"\",\"limits.time_us\":1,\"limits.rows\":\"1\"}",
        "{\"do\":\"hello\",\"path\":\"/x\",\"format\":99999999999999999999}",
        "{\"do\":\"release\"} x",
    };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct error err = { 0 };
        struct request r = { 0 };
        struct arena *a = arena_new(1 << 16);
        if (request_decode(str_of(damaged[i]), a, &r, &err) == 0)
            print_error("accepted: %s\n", damaged[i]);
        assert_int_equal(err.code, ERR_PROTOCOL);
        arena_free(a);
    }
}

static void damaged_replies_are_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "{\"error\":{}}",
        "{\"error\":{\"text\":\"\",\"hint\":null,\"code\":\"none\",\"sys\":0,\"remote\":"
        "0,"
        "\"row\":0,\"failed_stream\":-1}}",
        "{\"error\":{\"text\":\"\",\"hint\":1,\"code\":\"data\",\"sys\":0,\"remote\":0,"
        "\"row\":0,\"failed_stream\":-1}}",
        "{\"error\":{\"text\":\"\",\"hint\":null,\"code\":\"data\",\"sys\":0,\"remote\":"
        "0,"
        "\"row\":0,\"failed_stream\":-2}}",
        "{\"error\":7}",
    };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct error err = { 0 };
        struct reply reply = { 0 };
        assert_int_equal(reply_read(str_of(damaged[i]), &reply, &err), 0);
        assert_int_equal(reply_decode_error(&reply, NULL, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
        reply_done(&reply);
    }
    struct error err = { 0 };
    struct reply reply = { 0 };
    assert_int_equal(reply_read(STR("{\"maybe\":1}"), &reply, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
}

static void frames_are_cut_and_bounded(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct buf out, in;
    int pair[2];
    open_buf(&out);
    open_buf(&in);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    frame_begin(&out);
    buf_add_text(&out, "{}");
    assert_int_equal(frame_end(&out, &err), 0);
    assert_int_equal(frame_send(pair[0], buf_str(&out), NULL, &err), 0);
    assert_int_equal(frame_send(pair[0], buf_str(&out), NULL, &err), 0);
    assert_int_equal(frame_receive(pair[1], &in, NULL, &err), 1);
    assert_str(buf_str(&in), "{}");
    assert_int_equal(frame_receive(pair[1], &in, NULL, &err), 1);
    /* half a message, then the end */
    assert_int_equal(write(pair[0], out.data, out.len - 1), (ssize_t)out.len - 1);
    (void)close(pair[0]);
    assert_int_equal(frame_receive(pair[1], &in, NULL, &err), -1);
    assert_int_equal(err.code, ERR_TARGET);
    assert_int_equal(frame_receive(pair[1], &in, NULL, &err), 0);
    assert_int_equal(frame_send(pair[1], buf_str(&out), NULL, &err), -1);
    assert_int_equal(err.code, ERR_TARGET);
    (void)close(pair[1]);
    buf_done(&out);
    buf_done(&in);
}

static void lengths_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const heads[] = { "\xff\xff\xff\xff", "\0\0\0\0" };
    for (size_t i = 0; i < 2; i++) {
        struct error err = { 0 };
        struct buf in;
        int pair[2];
        open_buf(&in);
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        assert_int_equal(write(pair[1], heads[i], 4), 4);
        assert_int_equal(frame_receive(pair[0], &in, NULL, &err), -1);
        assert_int_equal(err.code, ERR_PROTOCOL);
        (void)close(pair[0]);
        (void)close(pair[1]);
        buf_done(&in);
    }
}

static void a_message_past_the_ceiling_is_not_sent(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct buf b;
    buf_init(&b, 16);
    frame_begin(&b);
    buf_add_text(&b, "{\"a\":\"0123456789\"}");
    assert_int_equal(frame_end(&b, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_done(&b);
}

static void receiving_stops_on_request(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct cancel *c = cancel_new();
    struct buf in;
    int pair[2];
    open_buf(&in);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    cancel_request(c, CANCEL_GRACEFUL);
    assert_int_equal(frame_receive(pair[0], &in, c, &err), -1);
    assert_int_equal(err.code, ERR_CANCELLED);
    (void)close(pair[0]);
    (void)close(pair[1]);
    buf_done(&in);
    cancel_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_survive_the_trip),
        cmocka_unit_test(text_that_is_no_utf8_is_refused),
        cmocka_unit_test(marks_survive_the_trip),
        cmocka_unit_test(marks_past_the_arena_are_an_error),
        cmocka_unit_test(outcomes_survive_the_trip),
        cmocka_unit_test(errors_travel_with_code_text_and_hint),
        cmocka_unit_test(rows_survive_the_trip),
        cmocka_unit_test(damaged_requests_are_refused),
        cmocka_unit_test(damaged_replies_are_refused),
        cmocka_unit_test(frames_are_cut_and_bounded),
        cmocka_unit_test(lengths_that_cannot_be_are_refused),
        cmocka_unit_test(a_message_past_the_ceiling_is_not_sent),
        cmocka_unit_test(receiving_stops_on_request),
        cmocka_unit_test(hints_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
