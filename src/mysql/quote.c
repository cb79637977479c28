#include "mysql/quote.h"

#include <stdbool.h>

void session_quote_ident(struct buf *sql, struct str name)
{
    buf_add_char(sql, '`');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            buf_add_char(sql, '`');
        buf_add_char(sql, name.ptr[i]);
    }
    buf_add_char(sql, '`');
}

void session_quote_literal(struct buf *sql, struct str text)
{
    buf_add_char(sql, '\'');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\'' || c == '\\')
            buf_add_char(sql, '\\');
        if (c == '\0')
            buf_add_text(sql, "\\0");
        else
            buf_add_char(sql, c);
    }
    buf_add_char(sql, '\'');
}

/* Names that the server's catalog gives; anything else would not be a name. */
static bool is_plain_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return s.len > 0;
}

void session_quote_stored(struct buf *sql, struct str charset, struct str collation,
                          struct str bytes)
{
    bool text = is_plain_name(charset) && !str_ieq(charset, STR("binary"));
    if (text) {
        buf_add_char(sql, '_');
        buf_add_str(sql, charset);
        buf_add_char(sql, ' ');
    }
    buf_add_text(sql, "X'");
    buf_add_hex(sql, bytes.ptr, bytes.len);
    buf_add_char(sql, '\'');
    if (text && is_plain_name(collation)) {
        buf_add_text(sql, " COLLATE ");
        buf_add_str(sql, collation);
    }
}
