#include "mysql/ddl_fill.h"

#include "mysql/ddl_internal.h"

#include <inttypes.h>
#include <string.h>

/* What the server writes for characters that a text cannot have, and so do we. */
#define REPLACEMENT "\xef\xbf\xbd"

/* A DECIMAL has 65 digits at most. */
#define NUMBER_MOST 100u

/* --- strings ---------------------------------------------------------------------------
 */

/* What stands behind a backslash; other characters are themselves. */
static char escaped(char c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return '\032';
    default:
        return c;
    }
}

bool ddl_read_string(struct arena *a, struct str literal, struct ddl_mode mode,
                     struct str *out)
{
    if (literal.len < 2 || (*literal.ptr != '\'' && *literal.ptr != '"') ||
        (*literal.ptr == '"' && mode.ansi_quotes))
        return false;
    char quote = *literal.ptr;
    struct str in = { literal.ptr + 1, literal.len - 1 };
    char *text = arena_try(a, in.len);
    size_t n = 0, i = 0;
    bool ended = false;
    while (text != NULL && i < in.len && !ended) {
        char c = in.ptr[i++];
        bool more = i < in.len;
        if (c == '\\' && !mode.no_backslash_escapes && more) {
            c = in.ptr[i++];
            if (c == '%' || c == '_')
                text[n++] = '\\';
            text[n++] = escaped(c);
        } else if (c == quote && more && in.ptr[i] == quote) {
            text[n++] = quote;
            i++;
        } else if (c == quote) {
            ended = true;
        } else {
            text[n++] = c;
        }
    }
    *out = (struct str){ text, n };
    return ended && i == in.len && str_is_utf8(*out) &&
           memmem(out->ptr, out->len, REPLACEMENT, strlen(REPLACEMENT)) == NULL;
}

/* --- numbers ---------------------------------------------------------------------------
 */

static size_t digits(struct str s, size_t from)
{
    size_t n = from;
    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return n - from;
}

/* How many bytes of s are a number: 5, 1.50, .5, 1e-3. */
static size_t number_length(struct str s)
{
    size_t whole = digits(s, 0), n = whole, part = 0;
    if (n < s.len && s.ptr[n] == '.') {
        part = digits(s, n + 1);
        n += 1 + part;
    }
    if (whole + part == 0)
        return 0;
    if (n < s.len && (s.ptr[n] == 'e' || s.ptr[n] == 'E')) {
        size_t sign = n + 1 < s.len && (s.ptr[n + 1] == '-' || s.ptr[n + 1] == '+');
        size_t exponent = digits(s, n + 1 + sign);
        if (exponent == 0)
            return 0;
        n += 1 + sign + exponent;
    }
    return n;
}

/* Digits of 0x1F, 0b101, x'1F', b'101' as a number of up to 64 bits. */
static bool read_bits(struct str s, unsigned base, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        const char *all = "0123456789abcdef";
        char c = s.ptr[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c + 'a' - 'A');
        const char *at = c == '\0' ? NULL : memchr(all, c, base);
        if (at == NULL || n > (UINT64_MAX >> (base == 2 ? 1 : 4)))
            return false;
        n = n * base + (uint64_t)(at - all);
    }
    *out = n;
    return true;
}

/* --- the literal of a DEFAULT ----------------------------------------------------------
 */

struct fill_reader {
    struct ddl_lexer lex;
    struct arena *arena;
    struct ddl_fill *out;
};

static bool word_starts(const struct fill_reader *r, const char *with)
{
    struct str w = r->lex.now.text;
    return r->lex.now.kind == TOKEN_WORD && w.len > strlen(with) &&
           str_ieq((struct str){ w.ptr, strlen(with) }, str_of(with));
}

static bool take_bits(struct fill_reader *r, struct str in, unsigned base)
{
    uint64_t n = 0;
    if (!read_bits(in, base, &n))
        return false;
    r->out->kind = DDL_FILL_NUMBER;
    r->out->text = arena_printf(r->arena, "%" PRIu64, n);
    ddl_lex_next(&r->lex);
    return true;
}

/* x'1F', b'101': the word and the string touch. */
static bool take_quoted_bits(struct fill_reader *r, unsigned base)
{
    const char *behind = r->lex.now.text.ptr + r->lex.now.text.len;
    ddl_lex_next(&r->lex);
    struct str s = r->lex.now.text;
    if (r->lex.now.kind != TOKEN_STRING || s.ptr != behind || s.len < 2 || *s.ptr != '\'')
        return false;
    return take_bits(r, (struct str){ s.ptr + 1, s.len - 2 }, base);
}

static bool take_number(struct fill_reader *r, bool minus)
{
    struct str rest = { r->lex.now.text.ptr, (size_t)(r->lex.end - r->lex.now.text.ptr) };
    size_t n = number_length(rest);
    if (n == 0 || n > NUMBER_MOST)
        return false;
    r->out->kind = DDL_FILL_NUMBER;
    r->out->text = arena_printf(r->arena, "%s%.*s", minus ? "-" : "", (int)n, rest.ptr);
    struct ddl_lexer next;
    ddl_lex_start(&next, (struct str){ rest.ptr + n, rest.len - n }, r->lex.mode);
    /* a word that goes on where the number ends is none of ours */
    bool apart = next.now.kind != TOKEN_WORD || next.now.text.ptr != rest.ptr + n;
    next.had_version_comment |= r->lex.had_version_comment;
    r->lex = next;
    return apart;
}

static bool take_string(struct fill_reader *r)
{
    r->out->kind = DDL_FILL_TEXT;
    if (!ddl_read_string(r->arena, r->lex.now.text, r->lex.mode, &r->out->text))
        return false;
    ddl_lex_next(&r->lex);
    return r->lex.now.kind != TOKEN_STRING; /* 'a' 'b' is one string of the server's */
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    return true;
}

/* _utf8mb4'...' and N'...': in these ASCII is itself. */
static bool take_introduced(struct fill_reader *r)
{
    static const char *const same[] = { "_utf8mb4", "_utf8mb3", "_utf8", "_latin1",
                                        "_ascii",   "N",        NULL };
    if (!ddl_lex_is_one_of(&r->lex, same))
        return false;
    ddl_lex_next(&r->lex);
    return r->lex.now.kind == TOKEN_STRING && take_string(r) && is_ascii(r->out->text);
}

static bool take_word_literal(struct fill_reader *r, bool *is_null)
{
    bool yes = ddl_lex_is_word(&r->lex, "TRUE");
    if (yes || ddl_lex_is_word(&r->lex, "FALSE")) {
        r->out->kind = DDL_FILL_NUMBER;
        r->out->text = yes ? STR("1") : STR("0");
        ddl_lex_next(&r->lex);
        return true;
    }
    if (ddl_lex_is_word(&r->lex, "NULL")) {
        *is_null = true;
        ddl_lex_next(&r->lex);
        return true;
    }
    if (ddl_lex_is_word(&r->lex, "x"))
        return take_quoted_bits(r, 16);
    if (ddl_lex_is_word(&r->lex, "b"))
        return take_quoted_bits(r, 2);
    struct str w = r->lex.now.text;
    if (word_starts(r, "0x") && w.ptr[1] == 'x')
        return take_bits(r, (struct str){ w.ptr + 2, w.len - 2 }, 16);
    if (word_starts(r, "0b") && w.ptr[1] == 'b')
        return take_bits(r, (struct str){ w.ptr + 2, w.len - 2 }, 2);
    if (w.ptr[0] >= '0' && w.ptr[0] <= '9')
        return take_number(r, false);
    return take_introduced(r);
}

static bool take_literal(struct fill_reader *r, bool *is_null)
{
    bool ok;
    if (r->lex.now.kind == TOKEN_STRING) {
        ok = take_string(r);
    } else if (ddl_lex_is_symbol(&r->lex, '-') || ddl_lex_is_symbol(&r->lex, '+')) {
        bool minus = ddl_lex_is_symbol(&r->lex, '-');
        ddl_lex_next(&r->lex);
        ok = take_number(r, minus);
    } else if (ddl_lex_is_symbol(&r->lex, '.')) {
        ok = take_number(r, false);
    } else {
        ok = r->lex.now.kind == TOKEN_WORD && take_word_literal(r, is_null);
    }
    /* an attribute follows, or nothing: no operator */
    return ok && (r->lex.now.kind == TOKEN_WORD || r->lex.now.kind == TOKEN_END);
}

/* --- the definition --------------------------------------------------------------------
 */

static void skip_parenthesis(struct ddl_lexer *l)
{
    size_t depth = 0;
    do {
        if (ddl_lex_is_symbol(l, '('))
            depth++;
        else if (ddl_lex_is_symbol(l, ')'))
            depth--;
        ddl_lex_next(l);
    } while (depth > 0 && l->now.kind != TOKEN_END);
}

/* What a definition has said so far. */
struct said {
    bool not_null, null, is_default, default_null, references, timestamp;
};

/* One attribute, or a piece of one. False: the column is not understood. */
static bool take_attribute(struct fill_reader *r, struct said *s)
{
    static const char *const computed[] = {
        "AS",   "GENERATED", "SERIAL", "PRIMARY", "AUTO_INCREMENT",
        "WITH", "WITHOUT",   "KEY",    "START",   NULL,
    };
    struct ddl_lexer *l = &r->lex;
    if (ddl_lex_is_symbol(l, '(')) {
        skip_parenthesis(l);
        return true;
    }
    if (ddl_lex_is_one_of(l, computed))
        return false;
    if (ddl_lex_is_word(l, "UNIQUE")) {
        ddl_lex_next(l);
        if (ddl_lex_is_word(l, "KEY"))
            ddl_lex_next(l);
        return true;
    }
    if (ddl_lex_is_word(l, "NOT")) {
        ddl_lex_next(l);
        s->not_null = true;
        bool ok = ddl_lex_is_word(l, "NULL") && !s->references;
        ddl_lex_next(l);
        return ok;
    }
    if (ddl_lex_is_word(l, "DEFAULT")) {
        bool again = s->is_default || s->references;
        s->is_default = true;
        ddl_lex_next(l);
        return !again && take_literal(r, &s->default_null);
    }
    s->null |= ddl_lex_is_word(l, "NULL");
    s->references |= ddl_lex_is_word(l, "REFERENCES");
    s->timestamp |= ddl_lex_is_word(l, "TIMESTAMP");
    ddl_lex_next(l);
    return true;
}

void ddl_read_fill(struct arena *a, struct str definition, struct ddl_mode mode,
                   struct ddl_fill *out)
{
    struct fill_reader r = { .arena = a, .out = out };
    struct said s = { 0 };
    *out = (struct ddl_fill){ 0 };
    ddl_lex_start(&r.lex, definition, mode);
    out->type = r.lex.now.text;
    bool known = r.lex.now.kind == TOKEN_WORD;
    while (known && r.lex.now.kind != TOKEN_END)
        known = take_attribute(&r, &s);
    bool null = s.default_null || (!s.is_default && !s.not_null);
    if (!known || r.lex.had_version_comment || (s.not_null && (s.null || s.default_null)))
        out->kind = DDL_FILL_UNKNOWN;
    else if (null) /* a TIMESTAMP may be NOT NULL unsaid */
        out->kind =
            s.timestamp && !s.null && !s.default_null ? DDL_FILL_UNKNOWN : DDL_FILL_NULL;
    else if (!s.is_default)
        out->kind = DDL_FILL_IMPLICIT;
}
