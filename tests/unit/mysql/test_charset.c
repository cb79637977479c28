#include "base/alloc.h"
#include "mysql/charset.h"
#include "support/test.h"

#include <string.h>

#define OUT_LIMIT (1 << 20)

static const struct charset *set(const char *name)
{
    const struct charset *cs = charset_find(str_of(name));
    if (cs == NULL)
        print_error("no character set '%s'\n", name);
    assert_non_null(cs);
    return cs;
}

struct sample {
    const char *charset;
    struct str stored;
    const char *text; /* UTF-8 */
};

/* Stored bytes as HEX(CONVERT(text USING charset)) of a server gives them. */
static const struct sample samples[] = {
    { "ascii", { "plain", 5 }, "plain" },
    { "latin1", { "caf\xE9 \x80 \x81", 8 }, "café € \xC2\x81" },
    { "latin2", { "\xA3\xF3\xBCka", 5 }, "Łóźka" },
    { "latin5", { "\xDE\xFD\xF0", 3 }, "Şığ" },
    { "latin7", { "\xE0\xF0", 2 }, "ąš" },
    { "cp1250", { "\x8A\x9E", 2 }, "Šž" },
    { "cp1251", { "\xCC\xE8\xF0", 3 }, "Мир" },
    { "cp1256", { "\xE3\xD1\xCD\xC8\xC7", 5 }, "مرحبا" },
    { "cp1257", { "\xE0\xF0", 2 }, "ąš" },
    { "cp850", { "\x82\x87", 2 }, "éç" },
    { "cp852", { "\x9D\xA2", 2 }, "Łó" },
    { "cp866", { "\x8C\xA8\xE0", 3 }, "Мир" },
    { "koi8r", { "\xED\xC9\xD2", 3 }, "Мир" },
    { "koi8u", { "\xB7\xA6", 2 }, "Їі" },
    { "greek", { "\xE1\xE2\xE3", 3 }, "αβγ" },
    { "hebrew", { "\xF9\xEC\xE5\xED", 4 }, "שלום" },
    { "tis620", { "\xCA\xC7\xD1", 3 }, "สวั" },
    { "macroman", { "\x8E\xDB", 2 }, "é€" },
    { "macce", { "\xFC", 1 }, "Ł" },
    { "dec8", { "\xE9", 1 }, "é" },
    { "hp8", { "\xC5", 1 }, "é" },
    { "swe7", { "{}|", 3 }, "äåö" },
    { "keybcs2", { "\x80", 1 }, "Č" },
    { "geostd8", { "\xC0", 1 }, "ა" },
    { "armscii8", { "\xB2", 1 }, "Ա" },
    { "gbk", { "\xC4\xE3\xBA\xC3!", 5 }, "你好!" },
    { "gb2312", { "\xC4\xE3\xBA\xC3", 4 }, "你好" },
    { "gb18030", { "\xC4\xE3\x94\x39\xDA\x33\x81\x30\x84\x36", 10 }, "你💩¥" },
    { "big5", { "\xA7\x41\xA6\x6E", 4 }, "你好" },
    { "euckr", { "\xBE\xC8\xB3\xE7", 4 }, "안녕" },
    { "sjis", { "\x93\xFA\x83\x5C\xB1", 5 }, "日ソｱ" },
    { "cp932", { "\x93\xFA\x87\x40\xB1\xF0\x40", 7 }, "日①ｱ\xEE\x80\x80" },
    { "ujis", { "\xC6\xFC\x8E\xB1\x8F\xB0\xA1", 7 }, "日ｱ丂" },
    { "eucjpms", { "\xC6\xFC\xAD\xA1\x8E\xB1\x8F\xB0\xA1", 9 }, "日①ｱ丂" },
    { "ucs2", { "\x00\x41\x4F\x60", 4 }, "A你" },
    { "utf16", { "\x4F\x60\xD8\x3D\xDC\xA9", 6 }, "你💩" },
    { "utf16le", { "\x60\x4F\x3D\xD8\xA9\xDC", 6 }, "你💩" },
    { "utf32", { "\x00\x00\x4F\x60\x00\x01\xF4\xA9", 8 }, "你💩" },
    { "utf8mb3", { "caf\xC3\xA9 \xE4\xBD\xA0", 9 }, "café 你" },
    { "utf8mb4", { "\xF0\x9F\x92\xA9", 4 }, "💩" },
};

static void converts_known_strings_of_every_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct sample *s = &samples[i];
        for (int family = CHARSET_MYSQL; family <= CHARSET_MARIADB; family++) {
            CLEANUP(buf_done) struct buf out;
            buf_init(&out, OUT_LIMIT);
            int rc = charset_to_utf8(set(s->charset), (enum charset_family)family,
                                     s->stored, CHARSET_REJECT, &out, NULL);
            if (rc != 0 || strcmp(buf_text(&out), s->text) != 0)
                print_error("%s: '%s' is not '%s'\n", s->charset, buf_text(&out),
                            s->text);
            assert_int_equal(rc, 0);
            assert_string_equal(buf_text(&out), s->text);
        }
    }
}

struct broken {
    const char *charset;
    struct str stored;
    uint64_t count;
    const char *replaced; /* "?" stands for U+FFFD */
};

static const struct broken broken[] = {
    { "ascii", { "a\x80", 2 }, 1, "a?" },
    { "cp1251", { "\x98", 1 }, 1, "?" },
    { "swe7", { "a\xE4", 2 }, 1, "a?" },
    { "tis620", { "\xFF", 1 }, 1, "?" },      /* the servers say U+FFFD */
    { "big5", { "\xA1\x5A", 2 }, 1, "?Z" },   /* likewise; the Z is not swallowed */
    { "gbk", { "\x80\x81", 2 }, 2, "??" },    /* 80 leads nothing, 81 is cut short */
    { "gbk", { "ab\xC4", 3 }, 1, "ab?" },     /* cut short */
    { "gbk", { "\x81\x30", 2 }, 1, "?0" },    /* 30 is no trail byte */
    { "gbk", { "\xFE\xFE!", 3 }, 1, "?!" },   /* unassigned */
    { "gb2312", { "\xC4\x41", 2 }, 1, "?A" }, /* lead byte before ASCII */
    { "gb18030",
      { "\x84\x31\xA4", 3 },
      2,
      "?1?" }, /* cut short: 84, then a real 1, then A4 */
    { "gb18030", { "\xE3\x32\x9A\x36", 4 }, 1, "?" }, /* past U+10FFFF */
    { "sjis", { "\x81", 1 }, 1, "?" },
    { "sjis", { "\xFD\x41", 2 }, 1, "?A" },
    { "ujis", { "\x8F\xB0", 2 }, 2, "??" },
    { "ujis", { "\x8F\xA1\xA1", 3 }, 1, "?" },
    { "eucjpms", { "\x8F\x41\x41", 3 }, 1, "?AA" },
    { "eucjpms", { "\xC6", 1 }, 1, "?" },
    { "euckr", { "\xC9\x41", 2 }, 1, "?A" },
    { "ucs2", { "\xD8\x3D\xDC\xA9", 4 }, 2, "??" },
    { "ucs2", { "\x00\x41\x00", 3 }, 1, "A?" },
    { "utf16", { "\xD8\x3D\x00\x41", 4 }, 1, "?A" },
    { "utf16", { "\xDC\xA9\xD8\x3D", 4 }, 2, "??" },
    { "utf16le", { "\x3D\xD8\x41\x00", 4 }, 1, "?A" },
    { "utf16", { "\x41", 1 }, 1, "?" },
    { "utf32", { "\x00\x11\x00\x00\x00\x00\x00\x41", 8 }, 1, "?A" },
    { "utf32", { "\x00\x00\xD8\x00", 4 }, 1, "?" },
    { "utf32", { "\x00\x00\x41", 3 }, 1, "?" },
    { "utf8mb3", { "a\xF0\x9F\x92\xA9z", 6 }, 1, "a?z" },
    { "utf8mb3", { "\xED\xA0\x80", 3 }, 3, "???" },
    { "utf8mb4", { "\xE4\xBD", 2 }, 2, "??" },
    { "utf8mb4", { "\xC0\x80.", 3 }, 2, "??." },
    { "binary", { "ab", 2 }, 2, "??" },
};

static void add_expected(struct buf *want, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '?')
            buf_add_text(want, "\xEF\xBF\xBD");
        else
            buf_add_char(want, *text);
}

static void replaces_and_counts_what_has_no_character(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        const struct broken *b = &broken[i];
        CLEANUP(buf_done) struct buf out;
        CLEANUP(buf_done) struct buf want;
        buf_init(&out, OUT_LIMIT);
        buf_init(&want, OUT_LIMIT);
        add_expected(&want, b->replaced);
        uint64_t replaced = 100;
        assert_int_equal(charset_to_utf8(set(b->charset), CHARSET_MYSQL, b->stored,
                                         CHARSET_REPLACE, &out, &replaced),
                         0);
        if (replaced != 100 + b->count || strcmp(buf_text(&out), buf_text(&want)) != 0)
            print_error("%s, sample %zu: '%s', %d replaced\n", b->charset, i,
                        buf_text(&out), (int)replaced - 100);
        assert_int_equal(replaced, 100 + b->count);
        assert_string_equal(buf_text(&out), buf_text(&want));
    }
}

static void rejects_what_has_no_character_and_leaves_the_output(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, OUT_LIMIT);
        buf_add_text(&out, "before");
        uint64_t replaced = 0;
        int rc = charset_to_utf8(set(broken[i].charset), CHARSET_MARIADB,
                                 broken[i].stored, CHARSET_REJECT, &out, &replaced);
        assert_int_equal(rc, -1);
        assert_int_equal(replaced, 0);
        assert_string_equal(buf_text(&out), "before");
    }
}

static void rejects_after_more_text_than_is_staged(void **state)
{
    (void)state;
    char text[5000];
    memset(text, '\xE9', sizeof(text));
    text[sizeof(text) - 1] = '\xD2'; /* a hole in greek; E9 is none */
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_LIMIT);
    struct str in = { text, sizeof(text) };
    assert_int_equal(
        charset_to_utf8(set("greek"), CHARSET_MYSQL, in, CHARSET_REJECT, &out, NULL), -1);
    assert_int_equal(out.len, 0);
    in.len--;
    assert_int_equal(
        charset_to_utf8(set("greek"), CHARSET_MYSQL, in, CHARSET_REJECT, &out, NULL), 0);
    assert_int_equal(out.len, 2 * in.len);
    assert_true(str_is_utf8(buf_str(&out)));
}

static void keeps_nul_and_mixed_ascii_of_any_length(void **state)
{
    (void)state;
    char text[64];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i; /* NUL first */
    for (size_t at = 0; at < sizeof(text); at++) {
        char mixed[sizeof(text)];
        memcpy(mixed, text, sizeof(text));
        mixed[at] = '\xE9';
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, OUT_LIMIT);
        struct str in = { mixed, sizeof(mixed) };
        assert_int_equal(
            charset_to_utf8(set("latin1"), CHARSET_MYSQL, in, CHARSET_REJECT, &out, NULL),
            0);
        assert_int_equal(out.len, sizeof(mixed) + 1);
        assert_memory_equal(out.data, mixed, at);
        assert_memory_equal(out.data + at, "é", 2);
        assert_memory_equal(out.data + at + 2, mixed + at + 1, sizeof(mixed) - at - 1);
    }
}

static void fails_only_past_the_ceiling(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4);
    struct str in = STR("\xE9\xE9");
    charset_to_utf8(set("latin1"), CHARSET_MYSQL, in, CHARSET_REJECT, &out, NULL);
    assert_false(out.failed);
    charset_to_utf8(set("latin1"), CHARSET_MYSQL, in, CHARSET_REJECT, &out, NULL);
    assert_true(out.failed);
}

static void lends_only_what_is_utf8_already(void **state)
{
    (void)state;
    assert_true(charset_is_identity(set("utf8mb4"), str_of("ascii and 你💩")));
    assert_true(charset_is_identity(set("utf8mb3"), str_of("ascii and 你")));
    assert_false(charset_is_identity(set("utf8mb3"), str_of("ascii and 💩")));
    assert_false(charset_is_identity(set("utf8mb4"), STR("truncated \xE4\xBD")));
    assert_false(charset_is_identity(set("utf8mb4"), STR("\xED\xA0\x80")));
    assert_true(charset_is_identity(set("ascii"), STR("ascii text")));
    assert_false(charset_is_identity(set("ascii"), STR("ascii text\xC3\xA9")));
    assert_true(charset_is_identity(set("latin1"), STR("ascii text, long enough")));
    assert_false(charset_is_identity(set("latin1"), str_of("café, valid UTF-8 too")));
    assert_true(charset_is_identity(set("gbk"), STR("ascii text")));
    assert_false(charset_is_identity(set("swe7"), STR("[]")));
    assert_false(charset_is_identity(set("utf16"), STR("ab")));
    assert_false(charset_is_identity(set("binary"), STR("ab")));
    assert_true(charset_is_identity(set("utf32"), STR("")));
}

static void knows_collations_by_id(void **state)
{
    (void)state;
    static const struct {
        unsigned id;
        const char *name;
    } known[] = { { 8, "latin1" },    { 28, "gbk" },       { 33, "utf8mb3" },
                  { 45, "utf8mb4" },  { 46, "utf8mb4" },   { 63, "binary" },
                  { 83, "utf8mb3" },  { 255, "utf8mb4" },  { 248, "gb18030" },
                  { 309, "utf8mb4" }, { 1216, "utf8mb3" }, { 2304, "utf8mb4" } };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct charset *cs = charset_of_collation(known[i].id);
        assert_non_null(cs);
        assert_string_equal(charset_name(cs), known[i].name);
    }
    assert_null(charset_of_collation(0));
    assert_null(charset_of_collation(17));
    assert_null(charset_of_collation(65535));
    assert_null(charset_of_collation(65536 + 8));
}

static void finds_sets_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(set("utf8"), set("utf8mb3"));
    assert_ptr_equal(set("UTF8MB4"), charset_of_collation(45));
    assert_null(charset_find(STR("klingon")));
    assert_null(charset_find(STR("")));
    assert_int_equal(charset_max_bytes(set("utf8")), 3);
    assert_int_equal(charset_max_bytes(set("gb18030")), 4);
    assert_true(charset_is_binary(charset_of_collation(63)));
    assert_false(charset_is_binary(set("latin1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_known_strings_of_every_set),
        cmocka_unit_test(replaces_and_counts_what_has_no_character),
        cmocka_unit_test(rejects_what_has_no_character_and_leaves_the_output),
        cmocka_unit_test(rejects_after_more_text_than_is_staged),
        cmocka_unit_test(keeps_nul_and_mixed_ascii_of_any_length),
        cmocka_unit_test(fails_only_past_the_ceiling),
        cmocka_unit_test(lends_only_what_is_utf8_already),
        cmocka_unit_test(knows_collations_by_id),
        cmocka_unit_test(finds_sets_by_name),
    };
    return cmocka_run_group_tests_name("charset", tests, NULL, NULL);
}
