/* The bodies of events that hold no rows. */
#include "mysql/event.h"
#include "support/log.h"
#include "support/test.h"

static const struct binlog_format format = { .version = 80040,
                                             .post_header = { [QUERY_EVENT] = 13 } };

static void put_query(struct buf *b, struct str vars)
{
    buf_init(b, 4096);
    put_le(b, 77, 4);
    put_le(b, 3, 4);
    put_le(b, 2, 1);
    put_le(b, 0, 2);
    put_le(b, vars.len, 2);
    buf_add_str(b, vars);
    buf_add_str(b, STR("db\0UPDATE t SET a=1"));
}

static void a_query_has_its_session(void **state)
{
    (void)state;
    struct buf b;
    struct query_event q;
    struct error err = { 0 };
    put_query(&b, STR("\0\0\0\0\4"
                      "\1\1\0\0\0\0\0\0\0"
                      "\6\3std"
                      "\4\x21\0\x21\0\xff\0"
                      "\5\6SYSTEM"
                      "\x0c\1db\0"
                      "\x0d\1\0\0"
                      "\x11\7\0\0\0\0\0\0\0"));
    assert_int_equal(event_read_query(QUERY_EVENT, buf_str(&b), &format, NULL, &q, &err),
                     0);
    assert_str(q.database, "db");
    assert_str(q.sql, "UPDATE t SET a=1");
    assert_str(q.time_zone, "SYSTEM");
    assert_int_equal(q.flags2, QUERY_NO_FOREIGN_KEY_CHECKS);
    assert_int_equal(q.sql_mode, 1);
    assert_int_equal(q.charset_client, 33);
    assert_int_equal(q.ddl_xid, 7);
    assert_false(q.unknown_vars);
    for (size_t n = 0; n < b.len - 17; n++) {
        struct str cut = { b.data, n };
        assert_int_equal(event_read_query(QUERY_EVENT, cut, &format, NULL, &q, &err), -1);
    }
    buf_done(&b);
}

static void a_variable_of_a_newer_server_ends_the_list_not_the_query(void **state)
{
    (void)state;
    struct buf b;
    struct query_event q;
    struct error err = { 0 };
    put_query(&b, STR("\x63???"));
    assert_int_equal(event_read_query(QUERY_EVENT, buf_str(&b), &format, NULL, &q, &err),
                     0);
    assert_true(q.unknown_vars);
    assert_str(q.sql, "UPDATE t SET a=1");
    buf_done(&b);
}

/* The body of the one in a log of 9.6. */
static void a_tagged_gtid_is_read_field_by_field(void **state)
{
    (void)state;
    static const char body[] =
        "\x02\x78\x00\x00\x00\x02\xaa\xee\x25\x02\x08\x04\x65\x02\x22\xc5\x03\xc5\x02\xe1"
        "\x02"
        "\x9c\xc1\x03\x11\x03\x55\x02\xde\xad\x03\x04\x0c\x06\x0a\x6d\x79\x74\x61\x67\x08"
        "\x00\x0a\x04\x0c\x7f\x1c\xf3\xb8\x14\x24\x4a\x06\x10\xa1\x04\x12\x43\x0f\x0b";
    static const uint8_t uuid[16] = { 0x55, 0x77, 0x89, 0x04, 0x02, 0x99, 0x11, 0xf1,
                                      0xb1, 0xb8, 0x4e, 0xf0, 0xc4, 0x95, 0x6f, 0xeb };
    struct str s = { body, sizeof body - 1 };
    struct gtid_event g;
    struct error err = { 0 };
    assert_int_equal(event_read_gtid(GTID_TAGGED_EVENT, s, &g, &err), 0);
    assert_str(g.tag, "mytag");
    assert_memory_equal(g.uuid, uuid, 16);
    assert_int_equal(g.number, 3);
    assert_int_equal(g.last_committed, 0);
    assert_int_equal(g.sequence_number, 1);
    assert_int_equal(g.transaction_bytes, 296);
    assert_int_equal(g.immediate_version, 90600);
    assert_int_equal(g.original_commit_at, g.immediate_commit_at);
    s.len--;
    assert_int_equal(event_read_gtid(GTID_TAGGED_EVENT, s, &g, &err), -1);
}

static void a_gtid_has_what_its_server_knew(void **state)
{
    (void)state;
    struct buf b;
    struct gtid_event g;
    struct error err = { 0 };
    buf_init(&b, 4096);
    buf_add_str(&b, STR("\1"
                        "0123456789abcdef"));
    put_le(&b, 9, 8);
    assert_int_equal(event_read_gtid(GTID_EVENT, buf_str(&b), &g, &err), 0); /* 5.6 */
    assert_int_equal(g.number, 9);
    put_le(&b, 2, 1);
    put_le(&b, 5, 8);
    put_le(&b, 6, 8);
    put_le(&b, UINT64_C(1) << 55 | 1000, 7);
    put_le(&b, 900, 7);
    put_le(&b, 200, 1);
    put_le(&b, 80040, 4);
    assert_int_equal(event_read_gtid(GTID_EVENT, buf_str(&b), &g, &err), 0);
    assert_int_equal(g.sequence_number, 6);
    assert_int_equal(g.immediate_commit_at, 1000);
    assert_int_equal(g.original_commit_at, 900);
    assert_int_equal(g.transaction_bytes, 200);
    assert_int_equal(g.original_version, 80040);
    buf_done(&b);
}

static void count_interval(void *ctx, const uint8_t uuid[16], struct str tag,
                           uint64_t first, uint64_t end)
{
    (void)uuid;
    *(uint64_t *)ctx += (end - first) * (tag.len + 1);
}

static void intervals_ascend_and_may_have_tags(void **state)
{
    (void)state;
    struct buf b;
    struct error err = { 0 };
    uint64_t sum = 0;
    buf_init(&b, 4096);
    put_le(&b, 1, 8);
    buf_add_str(&b, STR("0123456789abcdef"));
    put_le(&b, 1, 8);
    put_le(&b, 1, 8);
    put_le(&b, 6, 8);
    assert_int_equal(event_read_previous_gtids(buf_str(&b), count_interval, &sum, &err),
                     0);
    assert_int_equal(sum, 5);
    b.data[8 + 16 + 8 + 8] = 1; /* ends where it begins */
    assert_int_equal(event_read_previous_gtids(buf_str(&b), count_interval, &sum, &err),
                     -1);
    buf_clear(&b);
    put_le(&b, UINT64_C(1) << 56 | 1 << 8 | 1, 8);
    buf_add_str(&b, STR("0123456789abcdef\4"
                        "ab"));
    put_le(&b, 1, 8);
    put_le(&b, 1, 8);
    put_le(&b, 3, 8);
    sum = 0;
    assert_int_equal(event_read_previous_gtids(buf_str(&b), count_interval, &sum, &err),
                     0);
    assert_int_equal(sum, 6);
    buf_done(&b);
}

static void mariadb_gtids_carry_their_xa_transaction(void **state)
{
    (void)state;
    struct maria_gtid_event g;
    struct error err = { 0 };
    struct str s = STR("\7\0\0\0\0\0\0\0\2\0\0\0\x42"
                       "\5\0\0\0\0\0\0\0\1\0\0\0\2\1gtb");
    assert_int_equal(event_read_maria_gtid(s, &g, &err), 0);
    assert_int_equal(g.sequence, 7);
    assert_int_equal(g.domain, 2);
    assert_int_equal(g.commit_id, 5);
    assert_str(g.xid.gtrid, "gt");
    assert_str(g.xid.bqual, "b");
    s.len--;
    assert_int_equal(event_read_maria_gtid(s, &g, &err), -1);
}

static void heartbeats_of_both_versions_say_where(void **state)
{
    (void)state;
    struct heartbeat_event h;
    struct error err = { 0 };
    assert_int_equal(event_read_heartbeat(HEARTBEAT_EVENT, STR("bin.000007"), &h, &err),
                     0);
    assert_str(h.file, "bin.000007");
    assert_int_equal(event_read_heartbeat(HEARTBEAT_EVENT_V2,
                                          STR("\1\nbin.000007\2\5\xfd\1\0\1\0\0"), &h,
                                          &err),
                     0);
    assert_str(h.file, "bin.000007");
    assert_int_equal(h.position, 65537);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_has_its_session),
        cmocka_unit_test(a_variable_of_a_newer_server_ends_the_list_not_the_query),
        cmocka_unit_test(a_tagged_gtid_is_read_field_by_field),
        cmocka_unit_test(a_gtid_has_what_its_server_knew),
        cmocka_unit_test(intervals_ascend_and_may_have_tags),
        cmocka_unit_test(mariadb_gtids_carry_their_xa_transaction),
        cmocka_unit_test(heartbeats_of_both_versions_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
