#include "base/json.h"

/* The cursor; every function leaves it behind what it accepted. */
struct scan {
    const char *pos;
    const char *end;
};

static bool scan_value(struct scan *s, unsigned depth);

static bool take(struct scan *s, char c)
{
    if (s->pos == s->end || *s->pos != c)
        return false;
    s->pos++;
    return true;
}

static void skip_blanks(struct scan *s)
{
    while (s->pos != s->end &&
           (*s->pos == ' ' || *s->pos == '\t' || *s->pos == '\n' || *s->pos == '\r'))
        s->pos++;
}

static bool scan_word(struct scan *s, struct str word)
{
    if (!str_starts((struct str){ s->pos, (size_t)(s->end - s->pos) }, word))
        return false;
    s->pos += word.len;
    return true;
}

static bool is_digit(const struct scan *s)
{
    return s->pos != s->end && *s->pos >= '0' && *s->pos <= '9';
}

static bool scan_digits(struct scan *s)
{
    if (!is_digit(s))
        return false;
    while (is_digit(s))
        s->pos++;
    return true;
}

static bool scan_number(struct scan *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && !scan_digits(s))
        return false;
    if (take(s, '.') && !scan_digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            (void)take(s, '-');
        return scan_digits(s);
    }
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_escape(struct scan *s)
{
    if (s->pos == s->end)
        return false;
    char c = *s->pos++;
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    for (int i = 0; i < 4; i++)
        if (s->pos == s->end || !is_hex(*s->pos++))
            return false;
    return true;
}

static bool scan_string(struct scan *s)
{
    if (!take(s, '"'))
        return false;
    while (s->pos != s->end) {
        unsigned char c = (unsigned char)*s->pos;
        if (c == '"') {
            s->pos++;
            return true;
        }
        if (c == '\\') {
            s->pos++;
            if (!scan_escape(s))
                return false;
            continue;
        }
        unsigned n =
            str_utf8_next((struct str){ s->pos, (size_t)(s->end - s->pos) }, NULL);
        if (c < 0x20 || n == 0)
            return false;
        s->pos += n;
    }
    return false;
}

static bool scan_array(struct scan *s, unsigned depth)
{
    skip_blanks(s);
    if (take(s, ']'))
        return true;
    do {
        if (!scan_value(s, depth))
            return false;
    } while (take(s, ','));
    return take(s, ']');
}

static bool scan_object(struct scan *s, unsigned depth)
{
    skip_blanks(s);
    if (take(s, '}'))
        return true;
    do {
        skip_blanks(s);
        if (!scan_string(s))
            return false;
        skip_blanks(s);
        if (!take(s, ':') || !scan_value(s, depth))
            return false;
    } while (take(s, ','));
    return take(s, '}');
}

/* A value with the blanks around it. depth counts the arrays and objects around it. */
static bool scan_value(struct scan *s, unsigned depth)
{
    bool ok = false;
    skip_blanks(s);
    if (s->pos == s->end)
        return false;
    switch (*s->pos) {
    case '{':
        s->pos++;
        ok = depth < JSON_DEPTH_LIMIT && scan_object(s, depth + 1);
        break;
    case '[':
        s->pos++;
        ok = depth < JSON_DEPTH_LIMIT && scan_array(s, depth + 1);
        break;
    case '"':
        ok = scan_string(s);
        break;
    case 't':
        ok = scan_word(s, STR("true"));
        break;
    case 'f':
        ok = scan_word(s, STR("false"));
        break;
    case 'n':
        ok = scan_word(s, STR("null"));
        break;
    default:
        ok = scan_number(s);
        break;
    }
    skip_blanks(s);
    return ok;
}

bool json_is_valid(struct str text)
{
    struct scan s = { text.ptr, text.ptr + text.len };
    return text.len > 0 && scan_value(&s, 0) && s.pos == s.end;
}
