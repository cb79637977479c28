/* tests/support/charset_dump.c
 *
 * What our converter says, for tests/support/check_charset.py to compare with a server:
 *
 *   charset_dump collations               "id name" of every collation we know
 *   charset_dump FAMILY SET LO-HI ...     "code utf8" in hexadecimal for every code with
 * a character, a range of values for each byte charset_dump FAMILY SET               the
 * same for codes read from standard input, one a line; "-" for those without
 */
#include "mysql/charset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES 4

struct pattern {
    unsigned count;
    unsigned low[MOST_BYTES];
    unsigned high[MOST_BYTES];
};

static void print_hex(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        printf("%02X", (unsigned)(uint8_t)s.ptr[i]);
}

static bool converts(const struct charset *cs, enum charset_family family,
                     struct str code, struct buf *out)
{
    buf_clear(out);
    return charset_to_utf8(cs, family, code, CHARSET_REJECT, out, NULL) == 0;
}

static bool is_one_character(struct str s)
{
    return s.len != 0 && str_utf8_next(s, NULL) == s.len;
}

/* Counts like an odometer, the last byte fastest. */
static void dump_pattern(const struct charset *cs, enum charset_family family,
                         const struct pattern *p)
{
    struct buf out;
    buf_init(&out, 64);
    char code[MOST_BYTES];
    for (unsigned i = 0; i < p->count; i++)
        code[i] = (char)p->low[i];
    for (;;) {
        struct str in = { code, p->count };
        if (converts(cs, family, in, &out) && is_one_character(buf_str(&out))) {
            print_hex(in);
            putchar('\t');
            print_hex(buf_str(&out));
            putchar('\n');
        }
        unsigned i = p->count;
        while (i > 0 && (uint8_t)code[i - 1] == p->high[i - 1]) {
            code[i - 1] = (char)p->low[i - 1];
            i--;
        }
        if (i == 0)
            break;
        code[i - 1]++;
    }
    buf_done(&out);
}

static void dump_lines(const struct charset *cs, enum charset_family family)
{
    static char line[1 << 16];
    static char code[1 << 15];
    struct buf out;
    buf_init(&out, 1 << 17);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t n = 0;
        unsigned byte;
        while (sscanf(line + 2 * n, "%2x", &byte) == 1)
            code[n++] = (char)byte;
        if (converts(cs, family, (struct str){ code, n }, &out))
            print_hex(buf_str(&out));
        else
            putchar('-');
        putchar('\n');
    }
    buf_done(&out);
}

static int dump_collations(void)
{
    for (unsigned id = 0; id <= 70000; id++) {
        const struct charset *cs = charset_of_collation(id);
        if (cs != NULL)
            printf("%u\t%s\n", id, charset_name(cs));
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "collations") == 0)
        return dump_collations();
    const struct charset *cs = argc >= 3 ? charset_find(str_of(argv[2])) : NULL;
    struct pattern p = { 0 };
    for (int i = 3; i < argc && p.count < MOST_BYTES; i++, p.count++)
        if (sscanf(argv[i], "%2x-%2x", &p.low[p.count], &p.high[p.count]) != 2)
            cs = NULL;
    if (cs == NULL) {
        fprintf(stderr, "usage: charset_dump collations | FAMILY SET [LO-HI ...]\n");
        return 2;
    }
    bool mariadb = strcmp(argv[1], "mariadb") == 0;
    enum charset_family family = mariadb ? CHARSET_MARIADB : CHARSET_MYSQL;
    if (p.count != 0)
        dump_pattern(cs, family, &p);
    else
        dump_lines(cs, family);
    return 0;
}
