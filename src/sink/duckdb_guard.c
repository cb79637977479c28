/* A lexical look at a statement that a person sent, before DuckDB sees it: where it
 * starts and ends, and whether it calls a function that is refused. This is the second
 * fence: the first is the locked configuration without external access, which leaves
 * readable only the database file itself, its log and the temporary directory. */
#include "sink/duckdb_internal.h"

/* Functions that read or write files, reach other databases, change the process, or hide
 * a statement in a text. A name that ends in '*' is a prefix. */
static const char *const refused[] = {
    "read_*",
    "scan_*",
    "glob",
    "sniff_csv",
    "parquet_*",
    "query",
    "query_table",
    "json_execute_serialized_sql",
    "from_substrait*",
    "get_substrait*",
    "iceberg_*",
    "delta_scan",
    "sqlite_*",
    "postgres_*",
    "mysql_*",
    "st_read*",
    "arrow_scan*",
    "pandas_scan",
    "seq_scan",
    "checkpoint",
    "force_checkpoint",
    "enable_*",
    "disable_*",
    "write_log",
    "truncate_duckdb_logs",
    "duckdb_logs*",
    "duckdb_secrets",
    "which_secret",
    "duckdb_temporary_files",
    "getenv",
    "sleep_ms",
    "load_aws_credentials",
    "http_*",
    "shell_*",
    "test_*",
};

static bool is_refused(struct str name)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (str_glob(str_of(refused[i]), name, true))
            return true;
    return false;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

enum token_kind {
    TOKEN_END = 0,
    TOKEN_SPACE,
    TOKEN_WORD,
    TOKEN_QUOTED,
    TOKEN_TEXT,
    TOKEN_SIGN
};

struct token {
    enum token_kind kind;
    struct str text;
};

/* Length of a run in quotes that starts at s, the quotes and doubled ones included. */
static size_t quoted_length(struct str s, bool backslash)
{
    char mark = s.ptr[0];
    size_t i = 1;
    while (i < s.len) {
        bool escape = backslash && s.ptr[i] == '\\' && i + 1 < s.len;
        bool twice = s.ptr[i] == mark && i + 1 < s.len && s.ptr[i + 1] == mark;
        if (escape || twice) {
            i += 2;
        } else if (s.ptr[i] != mark) {
            i++;
        } else {
            return i + 1;
        }
    }
    return s.len;
}

/* Comments nest, as in PostgreSQL's lexer, which DuckDB's is made from. */
static size_t comment_length(struct str s)
{
    size_t depth = 0, i = 0;
    while (i + 1 < s.len) {
        bool opens = s.ptr[i] == '/' && s.ptr[i + 1] == '*';
        bool closes = s.ptr[i] == '*' && s.ptr[i + 1] == '/';
        i += opens || closes ? 2 : 1;
        depth += opens ? 1 : 0;
        if (closes && --depth == 0)
            return i;
    }
    return s.len;
}

/* $tag$ ... $tag$; 0 when s starts with no such text. */
static size_t dollar_length(struct str s)
{
    size_t tag = 1;
    while (tag < s.len && s.ptr[tag] != '$' && is_word(s.ptr[tag]))
        tag++;
    if (tag >= s.len || s.ptr[tag] != '$' || (s.ptr[1] >= '0' && s.ptr[1] <= '9'))
        return 0;
    tag++;
    const char *end = memmem(s.ptr + tag, s.len - tag, s.ptr, tag);
    return end == NULL ? s.len : (size_t)(end - s.ptr) + tag;
}

static size_t word_length(struct str s)
{
    size_t i = 0;
    while (i < s.len && is_word(s.ptr[i]))
        i++;
    return i;
}

static size_t line_length(struct str s)
{
    const char *end = memchr(s.ptr, '\n', s.len);
    return end == NULL ? s.len : (size_t)(end - s.ptr);
}

static struct token next_token(struct str s)
{
    enum token_kind kind = TOKEN_SIGN;
    size_t n = 1;
    if (s.len == 0)
        return (struct token){ .kind = TOKEN_END };
    char c = s.ptr[0], d = s.len > 1 ? s.ptr[1] : '\0';
    if (is_blank(c) || (c == '-' && d == '-')) {
        kind = TOKEN_SPACE;
        n = c == '-' ? line_length(s) : 1;
    } else if (c == '/' && d == '*') {
        kind = TOKEN_SPACE;
        n = comment_length(s);
    } else if (c == '\'' || ((c == 'e' || c == 'E') && d == '\'')) {
        bool escaped = c != '\'';
        struct str rest = { s.ptr + (escaped ? 1 : 0), s.len - (escaped ? 1 : 0) };
        kind = TOKEN_TEXT;
        n = quoted_length(rest, escaped) + (escaped ? 1 : 0);
    } else if (c == '"') {
        kind = TOKEN_QUOTED;
        n = quoted_length(s, false);
    } else if (c == '$' && dollar_length(s) > 0) {
        kind = TOKEN_TEXT;
        n = dollar_length(s);
    } else if (is_word(c)) {
        kind = TOKEN_WORD;
        n = word_length(s);
    }
    return (struct token){ kind, { s.ptr, n } };
}

static struct str name_of(struct token t)
{
    if (t.kind == TOKEN_WORD)
        return t.text;
    if (t.kind == TOKEN_QUOTED && t.text.len >= 2)
        return (struct str){ t.text.ptr + 1, t.text.len - 2 };
    return (struct str){ 0 };
}

void guard_look(struct str sql, struct guard_look *out)
{
    struct guard_look look = { 0 };
    struct str rest = sql, name = { 0 };
    const char *begin = NULL, *end = NULL;
    for (;;) {
        struct token t = next_token(rest);
        if (t.kind == TOKEN_END)
            break;
        rest = (struct str){ rest.ptr + t.text.len, rest.len - t.text.len };
        if (t.kind == TOKEN_SPACE)
            continue;
        if (t.kind == TOKEN_SIGN && t.text.ptr[0] == '(' && name.len > 0 &&
            look.bad.len == 0 && is_refused(name))
            look.bad = name;
        name = name_of(t);
        if (begin == NULL && !(t.kind == TOKEN_SIGN && t.text.ptr[0] == ';')) {
            begin = t.text.ptr;
            look.first = t.kind == TOKEN_WORD ? t.text : (struct str){ 0 };
        }
        if (begin != NULL && !(t.kind == TOKEN_SIGN && t.text.ptr[0] == ';'))
            end = t.text.ptr + t.text.len;
    }
    if (begin != NULL)
        look.text = (struct str){ begin, (size_t)(end - begin) };
    *out = look;
}
