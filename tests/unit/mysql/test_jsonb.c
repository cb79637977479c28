/* Binary JSON against the text that a MySQL 9.7 server printed for it. */
#include "base/buf.h"
#include "mysql/jsonb.h"
#include "support/test.h"

#define GOLDEN "tests/golden/jsonb/mysql97.tsv"
#define TEXT_LIMIT ((size_t)16 << 20)

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct str unhex(struct str hex, struct buf *b)
{
    buf_init(b, TEXT_LIMIT);
    for (size_t i = 0; i + 1 < hex.len; i += 2)
        buf_add_char(b, (char)(hex_digit(hex.ptr[i]) << 4 | hex_digit(hex.ptr[i + 1])));
    return buf_str(b);
}

/* Exact allocations, so that a sanitizer sees a read past the end. */
static char *exact(struct str s)
{
    char *copy = malloc(s.len > 0 ? s.len : 1);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

static int to_text(struct str document, struct buf *out, struct error *err)
{
    char *copy = exact(document);
    int rc = jsonb_to_text((struct str){ copy, document.len }, out, err);
    free(copy);
    return rc;
}

static int apply(struct str before, struct str diffs, struct buf *out, struct error *err)
{
    char *a = exact(before), *b = exact(diffs);
    int rc = jsonb_apply_diffs((struct str){ a, before.len },
                               (struct str){ b, diffs.len }, out, err);
    free(a);
    free(b);
    return rc;
}

static void check_line(struct str line, unsigned number)
{
    struct str rest, more;
    struct str kind = str_cut(line, '\t', &rest);
    struct str first = str_cut(rest, '\t', &more);
    struct buf document, diffs = { 0 }, out;
    struct error err = { 0 };
    int rc;
    buf_init(&out, TEXT_LIMIT);
    unhex(first, &document);
    if (str_eq(kind, STR("P"))) {
        unhex(str_cut(more, '\t', &rest), &diffs);
        more = rest;
        rc = apply(buf_str(&document), buf_str(&diffs), &out, &err);
    } else
        rc = to_text(buf_str(&document), &out, &err);
    size_t same = 0;
    while (same < out.len && same < more.len && out.data[same] == more.ptr[same])
        same++;
    same = same < 40 ? 0 : same - 40;
    if (rc != 0 || !str_eq(buf_str(&out), more))
        fail_msg("line %u: %s\n%.160s\n%.160s\n", number, err.text, buf_text(&out) + same,
                 more.ptr + same);
    buf_done(&document);
    buf_done(&diffs);
    buf_done(&out);
}

static void prints_what_the_server_prints(void **state)
{
    (void)state;
    const char *path = getenv("TEST_JSONB_GOLDEN");
    FILE *f = fopen(path != NULL ? path : GOLDEN, "re");
    char *line = NULL;
    size_t size = 0;
    unsigned number = 0;
    assert_non_null(f);
    for (ssize_t n; (n = getline(&line, &size, f)) > 0;)
        check_line((struct str){ line, (size_t)n - 1 }, ++number);
    free(line);
    fclose(f);
    assert_true(number > 100);
}

static void assert_text(struct str document, const char *want)
{
    struct buf out;
    struct error err = { 0 };
    buf_init(&out, 4096);
    if (to_text(document, &out, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void assert_refused(struct str document, enum error_code code, const char *want)
{
    struct buf out;
    struct error err = { 0 };
    buf_init(&out, 4096);
    buf_add_text(&out, "before");
    assert_int_equal(to_text(document, &out, &err), -1);
    assert_int_equal(err.code, code);
    if (strstr(err.text, want) == NULL)
        fail_msg("'%s' is not in '%s'", want, err.text);
    assert_string_equal(buf_text(&out), "before");
    buf_done(&out);
}

static void no_bytes_are_the_null_of_a_filled_column(void **state)
{
    (void)state;
    assert_text((struct str){ 0 }, "null");
}

static void small_values_have_their_text(void **state)
{
    (void)state;
    assert_text(STR("\x04\x00"), "null");
    assert_text(STR("\x04\x01"), "true");
    assert_text(STR("\x04\x02"), "false");
    assert_text(STR("\x05\xff\xff"), "-1");
    assert_text(STR("\x06\xff\xff"), "65535");
    assert_text(STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615");
    assert_text(STR("\x0b\0\0\0\0\0\0\0\x80"), "-0.0");
    assert_text(STR("\x0c\x03\"\n\x01"), "\"\\\"\\n\\u0001\"");
    assert_text(STR("\x0f\x10\x02\x01\x05"), "\"base64:type16:AQU=\"");
    assert_text(STR("\x00\0\0\x04\0"), "{}");
    assert_text(STR("\x03\0\0\0\0\x08\0\0\0"), "[]");
    assert_text(STR("\x02\x01\0\x07\0\x05\x0a\0"), "[10]");
}

/* Every prefix of documents that are whole. */
static void refuses_what_was_cut(void **state)
{
    (void)state;
    static const struct str whole[] = {
        { "\x00\x01\0\x0e\0\x0b\0\x01\0\x0c\x0c\0a\x01x", 15 },
        { "\x0f\xf6\x08\x0d\x04\x80\x00\x00\x00\x01\x23\x04", 11 },
        { "\x0b\0\0\0\0\0\0\0\x80", 9 },
        { "\x0f\x0c\x08\0\0\0\0\0\0\0\0", 11 },
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        for (size_t n = 1; n < whole[i].len; n++)
            assert_refused((struct str){ whole[i].ptr, n }, ERR_PROTOCOL, "binary JSON");
}

static void refuses_offsets_that_leave_their_container(void **state)
{
    (void)state;
    assert_refused(STR("\x02\x01\0\x08\0\x0c\x09\0\x01x"), ERR_PROTOCOL, "offset 9");
    assert_refused(STR("\x02\x01\0\x08\0\x0c\x00\0\x01x"), ERR_PROTOCOL, "offset 0");
    assert_refused(STR("\x02\x01\0\x06\0\x0c\x07\0\x01x"), ERR_PROTOCOL, "size of 6");
    assert_refused(STR("\x02\x01\0\xff\0\x0c\x07\0\x01x"), ERR_PROTOCOL, "size of 255");
    assert_refused(STR("\x0c\x05x"), ERR_PROTOCOL, "length");
    assert_refused(STR("\x0c\xff\xff\xff\xff\xff\x01x"), ERR_PROTOCOL, "length");
}

static void refuses_what_no_server_stores(void **state)
{
    (void)state;
    assert_refused(STR("\x04\x03"), ERR_PROTOCOL, "literal");
    assert_refused(STR("\x0d\x03"), ERR_PROTOCOL, "unknown type 13");
    assert_refused(STR("\x0c\x01\xff"), ERR_PROTOCOL, "UTF-8");
    assert_refused(STR("\x0b\0\0\0\0\0\0\xf0\x7f"), ERR_PROTOCOL, "double");
    assert_refused(STR("\x0f\xf6\x03\x05\x06\x80"), ERR_PROTOCOL, "decimal");
    assert_refused(STR("\x0f\xf6\x03\x02\x00\xff"), ERR_PROTOCOL, "decimal");
    assert_refused(STR("\x0f\x0c\x08\xff\xff\xff\xff\xff\xff\xff\x7f"), ERR_PROTOCOL,
                   "date");
}

/* Arrays whose one part is an array, and so on; then arrays whose parts are all the same.
 */
static void depth_and_text_have_ceilings(void **state)
{
    (void)state;
    char deep[1 + 7 * 101];
    memcpy(deep, "\x02", 1);
    for (int i = 0; i < 101; i++) {
        unsigned size = (unsigned)(sizeof deep - 1) - 7 * (unsigned)i;
        char one[7] = { 1, 0, (char)size, (char)(size >> 8), 2, 7, 0 };
        memcpy(deep + 1 + 7 * i, one, 7);
    }
    assert_refused((struct str){ deep, sizeof deep }, ERR_PROTOCOL, "deeper than 100");

    char wide[1 + 10 * 60];
    memcpy(wide, "\x02", 1);
    for (int i = 0; i < 60; i++) {
        unsigned size = (unsigned)(sizeof wide - 1) - 10 * (unsigned)i;
        char one[10] = { 2, 0, (char)size, (char)(size >> 8), 2, 10, 0, 2, 10, 0 };
        memcpy(wide + 1 + 10 * i, one, 10);
    }
    memcpy(wide + sizeof wide - 10, "\0\0\x0a\0\0\0\0\0\0\0", 10);
    assert_refused((struct str){ wide, sizeof wide }, ERR_LIMIT, "text of a JSON value");
}

#define ARRAY "\x02\x02\0\x0a\0\x05\x01\0\x05\x02\0"        /* [1, 2] */
#define OBJECT "\x00\x01\0\x0c\0\x0b\0\x01\0\x05\x01\0\x62" /* {"b": 1} */

static void assert_applied(struct str before, struct str diffs, const char *want)
{
    struct buf out;
    struct error err = { 0 };
    buf_init(&out, 4096);
    if (apply(before, diffs, &out, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_text(&out), want);
    buf_done(&out);
}

static void applies_each_operation(void **state)
{
    (void)state;
    assert_applied(STR(ARRAY), (struct str){ 0 }, "[1, 2]");
    assert_applied(STR(ARRAY), STR("\x00\x04$[1]\x02\x04\x01"), "[1, true]");
    assert_applied(STR(ARRAY), STR("\x01\x04$[0]\x02\x04\x01"), "[true, 1, 2]");
    assert_applied(STR(ARRAY), STR("\x01\x04$[9]\x02\x04\x01"), "[1, 2, true]");
    assert_applied(STR(ARRAY), STR("\x02\x04$[0]\x02\x04$[0]"), "[]");
    assert_applied(STR(OBJECT), STR("\x02\x03$.b"), "{}");
    assert_applied(STR(OBJECT), STR("\x01\x04$.aa\x02\x04\x00\x01\x03$.a\x02\x04\x00"),
                   "{\"a\": null, \"b\": 1, \"aa\": null}");
    assert_applied(STR(OBJECT), STR("\x01\x0e$.\"\\u00e9\\n\\\"\"\x02\x04\x00"),
                   "{\"b\": 1, \"\u00e9\\n\\\"\": null}");
    assert_applied(STR(OBJECT),
                   STR("\x00\x03$.b\x0b" ARRAY "\x01\x06$.b[2]\x02\x04\x02"
                       "\x02\x06$.b[0]"),
                   "{\"b\": [2, false]}");
}

static void assert_diff_refused(struct str before, struct str diffs, const char *want)
{
    struct buf out;
    struct error err = { 0 };
    buf_init(&out, 4096);
    assert_int_equal(apply(before, diffs, &out, &err), -1);
    assert_int_equal(err.code, ERR_PROTOCOL);
    if (strstr(err.text, want) == NULL)
        fail_msg("'%s' is not in '%s'", want, err.text);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void refuses_diffs_that_do_not_fit(void **state)
{
    (void)state;
    assert_diff_refused(STR(ARRAY), STR("\x00\x04$[2]\x02\x04\x01"), "is not there");
    assert_diff_refused(STR(ARRAY), STR("\x02\x04$[2]"), "is not there");
    assert_diff_refused(STR(ARRAY), STR("\x02\x03$.b"), "another kind");
    assert_diff_refused(STR(OBJECT), STR("\x02\x04$[0]"), "another kind");
    assert_diff_refused(STR(OBJECT), STR("\x01\x03$.b\x02\x04\x01"), "there already");
    assert_diff_refused(STR(OBJECT), STR("\x02\x05$.b.c"), "another kind");
    assert_diff_refused(STR(OBJECT), STR("\x00\x01$\x02\x04\x01"), "whole document");
    assert_diff_refused(STR(OBJECT), STR("\x00\x03$.b\x00"), "without a value");
    assert_diff_refused(STR(OBJECT), STR("\x03\x03$.b"), "operation 3");
    assert_diff_refused(STR(OBJECT), STR("\x02\x04$.b"), "leaves");
    assert_diff_refused(STR(OBJECT), STR("\x02\xff$.b"), "leaves");
    static const struct str no_paths[] = {
        { "", 0 },    { "b", 1 },    { "$b", 2 },    { "$.", 2 },     { "$[", 2 },
        { "$[]", 3 }, { "$[x]", 4 }, { "$.\"b", 4 }, { "$.\"\\", 4 }, { "$.\"\\u00\"", 7 }
    };
    for (size_t i = 0; i < sizeof no_paths / sizeof *no_paths; i++) {
        struct buf diff;
        buf_init(&diff, 64);
        buf_add_char(&diff, 2);
        buf_add_char(&diff, (char)no_paths[i].len);
        buf_add_str(&diff, no_paths[i]);
        assert_diff_refused(STR(OBJECT), buf_str(&diff), "no path");
        buf_done(&diff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_the_server_prints),
        cmocka_unit_test(no_bytes_are_the_null_of_a_filled_column),
        cmocka_unit_test(small_values_have_their_text),
        cmocka_unit_test(refuses_what_was_cut),
        cmocka_unit_test(refuses_offsets_that_leave_their_container),
        cmocka_unit_test(refuses_what_no_server_stores),
        cmocka_unit_test(depth_and_text_have_ceilings),
        cmocka_unit_test(applies_each_operation),
        cmocka_unit_test(refuses_diffs_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
