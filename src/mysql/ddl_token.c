#include "mysql/ddl_internal.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$' || (uint8_t)c >= 0x80;
}

static bool starts(const struct ddl_lexer *l, const char *with)
{
    size_t n = strlen(with);
    return n <= (size_t)(l->end - l->pos) && memcmp(l->pos, with, n) == 0;
}

static void skip_line(struct ddl_lexer *l)
{
    while (l->pos < l->end && *l->pos != '\n')
        l->pos++;
}

/* Behind the end of a comment, or at the end of the text. */
static void skip_comment(struct ddl_lexer *l)
{
    l->pos += 2;
    while (l->pos < l->end && !starts(l, "*/"))
        l->pos++;
    l->pos = l->end - l->pos < 2 ? l->end : l->pos + 2;
}

/* Into the code of a comment for some servers: behind its mark and version. */
static void enter_comment(struct ddl_lexer *l, size_t mark)
{
    l->pos += mark;
    for (int i = 0; i < 6 && l->pos < l->end && is_digit(*l->pos); i++)
        l->pos++;
    l->in_version_comment = true;
    l->had_version_comment = true;
}

/* "--" starts a comment only before a blank, a control character or the end. */
static bool is_dashes(const struct ddl_lexer *l)
{
    return starts(l, "--") &&
           (l->end - l->pos == 2 || (uint8_t)l->pos[2] <= ' ' || l->pos[2] == 0x7f);
}

static void skip_blanks(struct ddl_lexer *l)
{
    while (l->pos < l->end) {
        if (is_blank(*l->pos) || *l->pos == '\0')
            l->pos++;
        else if (*l->pos == '#' || is_dashes(l))
            skip_line(l);
        else if (l->in_version_comment && starts(l, "*/")) {
            l->in_version_comment = false;
            l->pos += 2;
        } else if (starts(l, "/*!"))
            enter_comment(l, 3);
        else if (l->mode.mariadb && starts(l, "/*M!"))
            enter_comment(l, 4);
        else if (starts(l, "/*"))
            skip_comment(l);
        else
            return;
    }
}

/* Behind the quote that ends what starts here; a doubled quote does not. */
static void skip_quoted(struct ddl_lexer *l, bool backslash)
{
    char quote = *l->pos++;
    while (l->pos < l->end) {
        char c = *l->pos++;
        if (c == '\\' && backslash && l->pos < l->end)
            l->pos++;
        else if (c == quote) {
            if (l->pos == l->end || *l->pos != quote)
                return;
            l->pos++;
        }
    }
}

void ddl_lex_next(struct ddl_lexer *l)
{
    skip_blanks(l);
    const char *start = l->pos;
    if (l->pos == l->end) {
        l->now = (struct ddl_token){ TOKEN_END, { start, 0 } };
        return;
    }
    enum ddl_token_kind kind = TOKEN_SYMBOL;
    if (is_word_char(*l->pos)) {
        kind = TOKEN_WORD;
        while (l->pos < l->end && is_word_char(*l->pos))
            l->pos++;
    } else if (*l->pos == '`' || (*l->pos == '"' && l->mode.ansi_quotes)) {
        kind = TOKEN_NAME;
        skip_quoted(l, false);
    } else if (*l->pos == '\'' || *l->pos == '"') {
        kind = TOKEN_STRING;
        skip_quoted(l, !l->mode.no_backslash_escapes);
    } else
        l->pos++;
    l->now = (struct ddl_token){ kind, { start, (size_t)(l->pos - start) } };
}

void ddl_lex_start(struct ddl_lexer *l, struct str text, struct ddl_mode mode)
{
    static const char nothing[1] = "";
    if (text.len == 0)
        text.ptr = nothing;
    *l = (struct ddl_lexer){ .pos = text.ptr, .end = text.ptr + text.len, .mode = mode };
    ddl_lex_next(l);
}

bool ddl_lex_is_word(const struct ddl_lexer *l, const char *word)
{
    return l->now.kind == TOKEN_WORD && str_ieq(l->now.text, str_of(word));
}

bool ddl_lex_is_symbol(const struct ddl_lexer *l, char c)
{
    return l->now.kind == TOKEN_SYMBOL && *l->now.text.ptr == c;
}

bool ddl_lex_is_name(const struct ddl_lexer *l)
{
    return l->now.kind == TOKEN_WORD || l->now.kind == TOKEN_NAME;
}

bool ddl_lex_is_one_of(const struct ddl_lexer *l, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (ddl_lex_is_word(l, *words))
            return true;
    }
    return false;
}

bool ddl_take_word(struct ddl_parser *p, const char *word)
{
    if (!ddl_lex_is_word(&p->lex, word))
        return false;
    ddl_lex_next(&p->lex);
    return true;
}

bool ddl_take_words(struct ddl_parser *p, const char *first, const char *second)
{
    struct ddl_lexer back = p->lex;
    if (ddl_take_word(p, first) && ddl_take_word(p, second))
        return true;
    p->lex = back;
    return false;
}

bool ddl_take_symbol(struct ddl_parser *p, char c)
{
    if (!ddl_lex_is_symbol(&p->lex, c))
        return false;
    ddl_lex_next(&p->lex);
    return true;
}

bool ddl_take_if_exists(struct ddl_parser *p)
{
    struct ddl_lexer back = p->lex;
    if (ddl_take_word(p, "IF")) {
        ddl_take_word(p, "NOT");
        if (ddl_take_word(p, "EXISTS"))
            return true;
    }
    p->lex = back;
    return false;
}

void ddl_skip(struct ddl_parser *p)
{
    size_t depth = 0;
    do {
        if (ddl_lex_is_symbol(&p->lex, '('))
            depth++;
        else if (ddl_lex_is_symbol(&p->lex, ')') && depth > 0)
            depth--;
        p->behind = p->lex.now.text.ptr + p->lex.now.text.len;
        ddl_lex_next(&p->lex);
    } while (depth > 0 && p->lex.now.kind != TOKEN_END);
}

/* Without the quotes around it and those that double one inside. */
static struct str unquoted(struct ddl_parser *p, struct str text)
{
    char quote = *text.ptr;
    struct str inner = { text.ptr + 1, text.len - 1 };
    if (inner.len > 0 && inner.ptr[inner.len - 1] == quote)
        inner.len--;
    if (inner.len == 0 || memchr(inner.ptr, quote, inner.len) == NULL)
        return inner;
    char *name = arena_try(p->arena, inner.len);
    size_t n = 0;
    if (name == NULL) {
        p->out->cut = true;
        return inner;
    }
    for (size_t i = 0; i < inner.len; i++) {
        name[n++] = inner.ptr[i];
        if (inner.ptr[i] == quote && i + 1 < inner.len && inner.ptr[i + 1] == quote)
            i++;
    }
    return (struct str){ name, n };
}

bool ddl_take_name(struct ddl_parser *p, struct str *out)
{
    if (!ddl_lex_is_name(&p->lex))
        return false;
    *out = p->lex.now.kind == TOKEN_NAME ? unquoted(p, p->lex.now.text) : p->lex.now.text;
    ddl_lex_next(&p->lex);
    return true;
}
