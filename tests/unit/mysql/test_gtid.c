/* GTIDs of MySQL: text, bytes, and sets against a model of bits. */
#include "mysql/gtid.h"
#include "support/test.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static struct gtid_set parsed(const char *text)
{
    struct gtid_set s;
    struct error err = { 0 };
    if (gtid_set_parse(str_of(text), &s, &err) != 0)
        fail_msg("%s: %s", text, err.text);
    return s;
}

static void assert_set(const struct gtid_set *s, const char *want)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    gtid_set_format(s, &out);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

/* The canonical forms are those that MySQL 9.7's GTID_SUBTRACT(text, '') gives. */
static void text_becomes_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { " , ,", "" },
        { A, "" },
        { A ":a", "" },
        { A ":5", A ":5" },
        { A ":5-3:7", A ":7" },
        { A ":5:1-2:3", A ":1-3:5" },
        { A ":5 - 7 : 9 , ", A ":5-7:9" },
        { "\n" B ":1,\n" A ":1", A ":1," B ":1" },
        { "3E11FA4771CA11E19E33C80AA9429562:5", A ":5" },
        { "{3E11FA47-71CA-11E1-9E33-C80AA9429562}:5", A ":5" },
        { A ":5:1-2:3:tag_b:7:1-3:TAG_A:1,," B ":2," A ":9",
          A ":1-3:5:9:tag_a:1:tag_b:1-3:7," B ":2" },
        { A ":a:5:b:6," A ":a:7", A ":a:5:7:b:6" },
        { A ":_a9:5", A ":_a9:5" },
        { A ":abcdefghijklmnopqrstuvwxyz012345:1",
          A ":abcdefghijklmnopqrstuvwxyz012345:1" },
        { A ":9223372036854775806", A ":9223372036854775806" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gtid_set s = parsed(cases[i].text);
        assert_set(&s, cases[i].want);
        assert_true(gtid_set_is_empty(&s) == (cases[i].want[0] == '\0'));
        gtid_set_done(&s);
    }
}

static void refuses_other_text(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x",
        A "0:1",
        A ":0",
        A ":9223372036854775807",
        A ":99999999999999999999",
        A ":5-",
        A ":-5",
        A ":9a:1",
        A ":",
        A "::1",
        A ":1 2",
        A ":1;" B ":1",
        A ":abcdefghijklmnopqrstuvwxyz0123456:1",
        "{" A ":1",
        "3e11fa47-71ca-11e1-9e33c80aa9429562:1",
        "3e11fa47-71ca-11e1-9e33-c80aa942956",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gtid_set s = { 0 };
        struct error err = { 0 };
        if (gtid_set_parse(str_of(bad[i]), &s, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_null(s.runs);
    }
}

static void one_id_goes_there_and_back(void **state)
{
    (void)state;
    static const char *const ids[] = { A ":1", A ":tag:9223372036854775806" };
    static const char *const bad[] = { A, A ":tag", A ":1-2", A ":1,", A ":1:2", ":1" };
    struct error err = { 0 };
    struct gtid g;
    for (size_t i = 0; i < 2; i++) {
        struct buf out;
        buf_init(&out, 200);
        assert_int_equal(gtid_parse(str_of(ids[i]), &g, &err), 0);
        gtid_format(&g, &out);
        assert_string_equal(buf_text(&out), ids[i]);
        buf_done(&out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(gtid_parse(str_of(bad[i]), &g, &err), -1);
}

/* PREVIOUS_GTIDS_LOG_EVENT of a 9.7 server: two tags beside none. */
static const char of_97[] =
    "\x01\x03\0\0\0\0\0\x01"
    "\x7e\x0c\x91\xe7\xe6\x78\x11\xf1\x82\xd9\x02\xfc\0\0\0\x01\0"
    "\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xd6\x59\0\0\0\0\0\0"
    "\x7e\x0c\x91\xe7\xe6\x78\x11\xf1\x82\xd9\x02\xfc\0\0\0\x01\x02\x62"
    "\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"
    "\x7e\x0c\x91\xe7\xe6\x78\x11\xf1\x82\xd9\x02\xfc\0\0\0\x01\x10jsctag_a"
    "\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0";

static void reads_and_writes_the_tagged_form(void **state)
{
    (void)state;
    struct gtid_set s;
    struct error err = { 0 };
    struct buf out;
    struct str bytes = { of_97, sizeof of_97 - 1 };
    assert_int_equal(gtid_set_decode(bytes, &s, &err), 0);
    assert_set(&s, "7e0c91e7-e678-11f1-82d9-02fc00000001:1-22997:b:1:jsctag_a:1-4");
    buf_init(&out, 4096);
    gtid_set_encode(&s, &out);
    assert_true(str_eq(buf_str(&out), bytes));
    buf_done(&out);
    gtid_set_done(&s);
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_equal(gtid_set_decode((struct str){ of_97, n }, &s, &err), -1);
}

static void reads_and_writes_the_old_form(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct gtid_set s = parsed(A ":1-5:7," B ":3"), back;
    struct buf out;
    buf_init(&out, 4096);
    gtid_set_encode(&s, &out);
    assert_int_equal(out.len, 8 + (16 + 8 + 32) + (16 + 8 + 16));
    assert_memory_equal(out.data, "\x02\0\0\0\0\0\0\0\x3e\x11\xfa\x47", 12);
    assert_int_equal(gtid_set_decode(buf_str(&out), &back, &err), 0);
    assert_true(gtid_set_equal(&s, &back));
    gtid_set_done(&back);
    out.data[8 + 16 + 8 + 8] = 1; /* ends where it starts */
    assert_int_equal(gtid_set_decode(buf_str(&out), &back, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    buf_done(&out);
    gtid_set_done(&s);
}

/* --- against a model ------------------------------------------------------------------
 */

#define SOURCES 3
#define NUMBERS 40

struct model {
    bool has[SOURCES][NUMBERS + 1];
};

static struct gtid of_model(unsigned source, unsigned number)
{
    struct gtid g = { .number = number };
    g.source.uuid[3] = (uint8_t)(source / 2);
    if (source % 2 == 1)
        memcpy(g.source.tag, "tag", 3);
    return g;
}

static void assert_is(const struct gtid_set *s, const struct model *m)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < SOURCES; i++)
        for (unsigned n = 1; n <= NUMBERS; n++) {
            struct gtid g = of_model(i, n);
            assert_int_equal(gtid_set_contains(s, &g), m->has[i][n]);
            size += m->has[i][n];
        }
    assert_int_equal(gtid_set_size(s), size);
    uint32_t intervals = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct gtid_run *run = &s->runs[i];
        assert_true(run->count > 0);
        intervals += run->count;
        for (uint32_t k = 1; k < run->count; k++)
            assert_true(run->intervals[k].first > run->intervals[k - 1].last + 1);
    }
    assert_int_equal(s->intervals, intervals);
}

static void fill(struct gtid_set *s, struct model *m, unsigned *seed)
{
    struct error err = { 0 };
    *s = (struct gtid_set){ 0 };
    memset(m, 0, sizeof *m);
    for (int i = rand_r(seed) % 30; i > 0; i--) {
        unsigned source = (unsigned)rand_r(seed) % SOURCES;
        unsigned first = 1 + (unsigned)rand_r(seed) % NUMBERS;
        unsigned last = first + (unsigned)rand_r(seed) % 4;
        last = last > NUMBERS ? NUMBERS : last;
        struct gtid g = of_model(source, first);
        struct gtid_interval n = { first, last };
        assert_int_equal(first == last ? gtid_set_add(s, &g, &err)
                                       : gtid_set_add_interval(s, &g.source, n, &err),
                         0);
        for (; first <= last; first++)
            m->has[source][first] = true;
    }
    assert_is(s, m);
}

static void assert_round_trips(const struct gtid_set *s)
{
    struct error err = { 0 };
    struct buf text, bytes;
    struct gtid_set back;
    buf_init(&text, 1 << 20);
    buf_init(&bytes, 1 << 20);
    gtid_set_format(s, &text);
    assert_int_equal(gtid_set_parse(buf_str(&text), &back, &err), 0);
    assert_true(gtid_set_equal(s, &back));
    gtid_set_done(&back);
    gtid_set_encode(s, &bytes);
    assert_int_equal(gtid_set_decode(buf_str(&bytes), &back, &err), 0);
    assert_true(gtid_set_equal(s, &back));
    gtid_set_done(&back);
    buf_done(&text);
    buf_done(&bytes);
}

static void sets_behave_as_sets(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 3000; round++) {
        struct error err = { 0 };
        struct gtid_set a, b, sum, rest;
        struct model x, y, both = { 0 }, less = { 0 };
        fill(&a, &x, &seed);
        fill(&b, &y, &seed);
        bool subset = true;
        for (unsigned i = 0; i < SOURCES; i++)
            for (unsigned n = 1; n <= NUMBERS; n++) {
                both.has[i][n] = x.has[i][n] || y.has[i][n];
                less.has[i][n] = x.has[i][n] && !y.has[i][n];
                subset = subset && !less.has[i][n];
            }
        assert_int_equal(gtid_set_copy(&a, &sum, &err), 0);
        assert_int_equal(gtid_set_union(&sum, &b, &err), 0);
        assert_is(&sum, &both);
        assert_int_equal(gtid_set_copy(&a, &rest, &err), 0);
        assert_int_equal(gtid_set_subtract(&rest, &b, &err), 0);
        assert_is(&rest, &less);
        assert_true(gtid_set_is_subset(&a, &b) == subset);
        assert_true(gtid_set_is_subset(&a, &sum) && gtid_set_is_subset(&rest, &a));
        assert_true(gtid_set_equal(&a, &b) == (subset && gtid_set_is_subset(&b, &a)));
        assert_round_trips(&sum);
        assert_round_trips(&rest);
        gtid_set_done(&a);
        gtid_set_done(&b);
        gtid_set_done(&sum);
        gtid_set_done(&rest);
    }
}

static void numbers_that_are_none_are_refused(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct gtid_set s = { 0 };
    struct gtid zero = { 0 }, most = { .number = (uint64_t)INT64_MAX };
    assert_int_equal(gtid_set_add(&s, &zero, &err), -1);
    assert_int_equal(gtid_set_add(&s, &most, &err), -1);
    assert_null(s.runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_canonical),
        cmocka_unit_test(refuses_other_text),
        cmocka_unit_test(one_id_goes_there_and_back),
        cmocka_unit_test(reads_and_writes_the_tagged_form),
        cmocka_unit_test(reads_and_writes_the_old_form),
        cmocka_unit_test(sets_behave_as_sets),
        cmocka_unit_test(numbers_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
