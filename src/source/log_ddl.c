/* What a statement in the log does to one table.
 *
 *   text                                     effect
 *   BEGIN, GRANT, CREATE VIEW, ...           none
 *   ADD INDEX, COMMENT=, ORDER BY, ...       none, unless it is about the table's key
 *   ADD COLUMN c INT DEFAULT 5, DROP COLUMN, a new shape, if the catalog and the log's
 *   RENAME COLUMN, widening MODIFY, ...      names agree (log_shape_follows)
 *   TRUNCATE                                 truncated
 *   DROP TABLE, DROP DATABASE, RENAME        gone
 *   all else that names it, and statements   lost
 *   that may change rows of any table
 */
#include "base/alloc.h"
#include "mysql/charset.h"
#include "source/log_internal.h"

/* Bits of sql_mode. Source: MySQL 9.x, sql/system_variables.h, MODE_*; the same bits in
 * MariaDB. */
#define MODE_ANSI_QUOTES (UINT64_C(1) << 2)
#define MODE_NO_BACKSLASH_ESCAPES (UINT64_C(1) << 20)

#define FILL_BYTES ((size_t)2 << 20)

struct ddl_mode log_ddl_mode(const struct query_event *q, bool mariadb)
{
    uint64_t mode = q->has_sql_mode ? q->sql_mode : 0;
    return (struct ddl_mode){
        .mariadb = mariadb,
        .ansi_quotes = (mode & MODE_ANSI_QUOTES) != 0,
        .no_backslash_escapes = (mode & MODE_NO_BACKSLASH_ESCAPES) != 0,
    };
}

bool log_ddl_text(const struct query_event *q, enum charset_family family,
                  struct buf *out, struct str *text)
{
    *text = q->sql;
    if (!q->has_charsets)
        return true; /* servers write it for all but their own statements */
    const struct charset *cs = charset_of_collation(q->charset_client);
    if (cs == NULL)
        return false;
    if (charset_is_binary(cs) || charset_is_identity(cs, q->sql))
        return true;
    buf_clear(out);
    if (charset_to_utf8(cs, family, q->sql, CHARSET_REPLACE, out, NULL) != 0 ||
        out->failed)
        return false;
    *text = buf_str(out);
    return true;
}

/* --- words of definitions --------------------------------------------------------------
 */

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The next word outside of quotes; empty at the end. */
static struct str next_word(struct str *rest)
{
    size_t i = 0;
    while (i < rest->len && !is_word_char(rest->ptr[i])) {
        char c = rest->ptr[i++];
        if (c != '\'' && c != '"' && c != '`')
            continue;
        while (i < rest->len && rest->ptr[i] != c)
            i += rest->ptr[i] == '\\' ? 2 : 1;
        i++;
    }
    if (i > rest->len)
        i = rest->len;
    size_t start = i;
    while (i < rest->len && is_word_char(rest->ptr[i]))
        i++;
    struct str word = { rest->ptr + start, i - start };
    *rest = (struct str){ rest->ptr + i, rest->len - i };
    return word;
}

static bool has_word(struct str text, const char *word)
{
    for (struct str w = next_word(&text); w.len > 0; w = next_word(&text))
        if (str_ieq(w, str_of(word)))
            return true;
    return false;
}

/* Does the text say what rows that are there already get in this new column? */
static bool says_what_rows_get(struct str definition, struct ddl_mode mode)
{
    CLEANUP(arena_free_at) struct arena *a = arena_new(FILL_BYTES);
    struct ddl_fill f;
    ddl_read_fill(a, definition, mode, &f);
    return f.kind != DDL_FILL_UNKNOWN;
}

/* Is the statement about the key that rows are told apart by? */
static bool contains_nocase(struct str text, struct str part)
{
    for (size_t i = 0; part.len > 0 && i + part.len <= text.len; i++)
        if (str_ieq((struct str){ text.ptr + i, part.len }, part))
            return true;
    return false;
}

static bool concerns_key(struct str sql, const struct catalog_table *t)
{
    if (t->key == KEY_NONE)
        return false;
    return contains_nocase(sql, STR("PRIMARY")) || contains_nocase(sql, t->key_name);
}

/* --- ALTER TABLE -----------------------------------------------------------------------
 */

static enum log_effect lost(const char **why, const char *text)
{
    *why = text;
    return LOG_EFFECT_LOST;
}

static enum log_effect action_effect(const struct ddl_action *a, struct ddl_mode mode,
                                     const char **why)
{
    switch (a->kind) {
    case DDL_KEY:
    case DDL_OPTION:
    case DDL_PARTITION:
    case DDL_COLUMN_ATTRIBUTE:
    case DDL_RENAME: /* the names of tables say it */
        return LOG_NO_EFFECT;
    case DDL_ADD_COLUMN:
        if (says_what_rows_get(a->definition, mode))
            return LOG_EFFECT_SHAPED;
        return lost(why, "a column was added whose values the log does not have");
    case DDL_MODIFY_COLUMN:
    case DDL_DROP_COLUMN:
    case DDL_RENAME_COLUMN:
        return LOG_EFFECT_SHAPED;
    case DDL_CHANGE_COLUMN:
        if (str_eq(a->column, a->new_name))
            return LOG_EFFECT_SHAPED;
        return lost(why, "a column was renamed and defined anew");
    case DDL_CHARSET:
        return lost(why, "its character set was changed");
    case DDL_PARTITION_ROWS:
        return lost(why, "rows came or went with a partition or tablespace");
    case DDL_VERSIONING:
        return lost(why, "its system versioning was changed");
    case DDL_OTHER:
        break;
    }
    return lost(why, "ALTER TABLE did something that is not understood");
}

static enum log_effect alter_effect(const struct ddl *d, struct str sql,
                                    const struct catalog_table *t, const char **why)
{
    enum log_effect effect = LOG_NO_EFFECT;
    if (d->ignore)
        return lost(why, "ALTER IGNORE TABLE may have taken rows away");
    if (has_word(sql, "REFERENCES") && (has_word(sql, "CASCADE") || has_word(sql, "SET")))
        return lost(why, "a new foreign key may change rows of it that the log does not "
                         "have");
    if (t->cascades && has_word(sql, "DROP") &&
        (has_word(sql, "FOREIGN") || has_word(sql, "CONSTRAINT")))
        return lost(why, "a foreign key that may change its rows was dropped");
    for (uint32_t i = 0; i < d->action_count; i++) {
        enum log_effect e = action_effect(&d->actions[i], d->mode, why);
        if (e == LOG_EFFECT_LOST)
            return e;
        if (e > effect)
            effect = e;
    }
    if (!d->simple)
        return lost(why, "ALTER TABLE did something that is not understood");
    if (concerns_key(sql, t))
        return lost(why, "the key of its rows may have been changed");
    return effect;
}

/* --- all statements --------------------------------------------------------------------
 */

static bool same_name(struct str a, struct str b, bool fold)
{
    return fold ? str_ieq(a, b) : str_eq(a, b);
}

/* How the statement names the table: as an old name, as a new one, or both. */
struct roles {
    bool subject, new_name;
};

static struct roles roles_of(const struct ddl *d, const struct catalog_table *t,
                             bool fold)
{
    struct roles r = { 0 };
    for (uint32_t i = 0; i < d->table_count; i++) {
        const struct ddl_table *n = &d->tables[i];
        if (n->role == DDL_MENTIONED ||
            !same_name(n->database, t->schema.database, fold) ||
            (n->name.len > 0 && !same_name(n->name, t->schema.name, fold)))
            continue;
        r.subject |= n->role == DDL_SUBJECT;
        r.new_name |= n->role == DDL_NEW_NAME;
    }
    return r;
}

static bool has_rename(const struct ddl *d)
{
    for (uint32_t i = 0; i < d->action_count; i++)
        if (d->actions[i].kind == DDL_RENAME)
            return true;
    return false;
}

static enum log_effect gone(const char **why, const char *text)
{
    *why = text;
    return LOG_EFFECT_GONE;
}

static enum log_effect tables_effect(const struct ddl *d, struct str sql,
                                     const struct catalog_table *t, struct roles roles,
                                     const char **why)
{
    switch (d->verb) {
    case DDL_CREATE_TABLE:
        if (d->if_exists && !d->or_replace)
            return LOG_NO_EFFECT; /* it was there */
        return lost(why, "it was made anew");
    case DDL_ALTER_TABLE:
        if (roles.new_name)
            return lost(why, "another table took its name");
        if (has_rename(d) && d->table_count == 2)
            return gone(why, "the table was renamed");
        return alter_effect(d, sql, t, why);
    case DDL_DROP_TABLE:
        return gone(why, "the table was dropped");
    case DDL_DROP_DATABASE:
        return gone(why, "its database was dropped");
    case DDL_RENAME_TABLE:
        if (roles.new_name)
            return lost(why, "another table took its name");
        return gone(why, "the table was renamed");
    case DDL_TRUNCATE_TABLE:
        return LOG_EFFECT_TRUNCATED;
    case DDL_CREATE_INDEX:
    case DDL_DROP_INDEX:
        if (concerns_key(sql, t))
            return lost(why, "the key of its rows may have been changed");
        return LOG_NO_EFFECT;
    case DDL_CREATE_VIEW:
    case DDL_ALTER_VIEW:
    case DDL_DROP_VIEW:
    case DDL_CREATE_DATABASE:
    case DDL_ALTER_DATABASE:
        return LOG_NO_EFFECT;
    case DDL_CREATE_SEQUENCE:
    case DDL_ALTER_SEQUENCE:
    case DDL_DROP_SEQUENCE:
    case DDL_NO_VERB:
        break;
    }
    return lost(why, "a statement about it is not understood");
}

enum log_effect log_ddl_effect(const struct ddl *d, struct str sql,
                               const struct catalog_table *t, bool fold, const char **why)
{
    if (!ddl_touches(d, t->schema.database, t->schema.name))
        return LOG_NO_EFFECT;
    if (d->class == DDL_ROWS)
        return lost(why, "a statement changed rows that the log does not have "
                         "(binlog_format is not ROW)");
    if (d->class != DDL_TABLES || d->cut)
        return lost(why, "a statement in the log is not understood; it may have changed "
                         "any table");
    struct roles roles = roles_of(d, t, fold);
    if (!roles.subject && !roles.new_name)
        return LOG_NO_EFFECT; /* another table, whose name differs in case */
    return tables_effect(d, sql, t, roles, why);
}
