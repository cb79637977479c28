/* The actions of an ALTER TABLE. An action ends at a comma outside of parentheses. */
#include "mysql/ddl_internal.h"

static bool at_end(const struct ddl_parser *p)
{
    return p->lex.now.kind == TOKEN_END || ddl_lex_is_symbol(&p->lex, ',') ||
           ddl_lex_is_symbol(&p->lex, ')') || ddl_lex_is_symbol(&p->lex, ';');
}

static void skip_action(struct ddl_parser *p)
{
    while (!at_end(p))
        ddl_skip(p);
}

/* An action whose rest does not matter. */
static void plain_action(struct ddl_parser *p, enum ddl_action_kind kind)
{
    ddl_add_action(p, (struct ddl_action){ .kind = kind });
    skip_action(p);
}

/* Options behind a column's definition, without a comma: PARTITION BY, and nothing else
 * starts with a word that no definition has. */
static bool definition_ends(const struct ddl_parser *p)
{
    return at_end(p) || ddl_lex_is_word(&p->lex, "PARTITION");
}

/* FIRST, or AFTER c, as the last words of the definition. */
static bool take_place(struct ddl_parser *p, struct ddl_action *a)
{
    struct ddl_lexer back = p->lex;
    if (ddl_take_word(p, "FIRST") && definition_ends(p)) {
        a->place = DDL_FIRST;
        return true;
    }
    p->lex = back;
    if (ddl_take_word(p, "AFTER") && ddl_take_name(p, &a->after) && definition_ends(p)) {
        a->place = DDL_AFTER;
        return true;
    }
    p->lex = back;
    return false;
}

/* The type and attributes of a column, and its place. */
static void read_definition(struct ddl_parser *p, struct ddl_action *a)
{
    const char *start = p->lex.now.text.ptr;
    const char *end = start;
    while (!definition_ends(p) && !take_place(p, a)) {
        ddl_skip(p);
        end = p->behind;
    }
    a->definition = (struct str){ start, (size_t)(end - start) };
    if (a->definition.len == 0)
        a->kind = DDL_OTHER;
    ddl_add_action(p, *a);
    if (ddl_lex_is_word(&p->lex, "PARTITION"))
        plain_action(p, DDL_PARTITION);
}

/* --- ADD -----------------------------------------------------------------------------
 */

static void read_added_column(struct ddl_parser *p, bool if_exists)
{
    struct ddl_action a = { .kind = DDL_ADD_COLUMN, .if_exists = if_exists };
    if (ddl_take_name(p, &a.column))
        read_definition(p, &a);
    else
        plain_action(p, DDL_OTHER);
}

/* Is it an index or a constraint that follows, not a column? These words are reserved,
 * all but VECTOR. */
static bool is_key(const struct ddl_parser *p)
{
    static const char *const words[] = { "INDEX",      "KEY",     "FULLTEXT", "SPATIAL",
                                         "UNIQUE",     "PRIMARY", "FOREIGN",  "CHECK",
                                         "CONSTRAINT", NULL };
    struct ddl_lexer next = p->lex;
    if (ddl_lex_is_one_of(&next, words))
        return true;
    if (!ddl_lex_is_word(&next, "VECTOR"))
        return false;
    ddl_lex_next(&next);
    return ddl_lex_is_word(&next, "INDEX") || ddl_lex_is_word(&next, "KEY");
}

/* ADD (a INT, b INT, KEY (a)) */
static void read_added_list(struct ddl_parser *p, bool if_exists)
{
    do {
        if (is_key(p))
            plain_action(p, DDL_KEY);
        else
            read_added_column(p, if_exists);
    } while (ddl_take_symbol(p, ','));
    ddl_take_symbol(p, ')');
}

static void read_add(struct ddl_parser *p)
{
    if (is_key(p)) {
        plain_action(p, DDL_KEY);
        return;
    }
    if (ddl_lex_is_word(&p->lex, "PARTITION")) {
        plain_action(p, DDL_PARTITION);
        return;
    }
    if (ddl_take_words(p, "SYSTEM", "VERSIONING") || ddl_take_words(p, "PERIOD", "FOR")) {
        plain_action(p, DDL_VERSIONING);
        return;
    }
    ddl_take_word(p, "COLUMN");
    bool if_exists = ddl_take_if_exists(p);
    if (ddl_take_symbol(p, '('))
        read_added_list(p, if_exists);
    else
        read_added_column(p, if_exists);
}

/* --- the others that start with a word of their own ----------------------------------
 */

static void read_drop_part(struct ddl_parser *p)
{
    static const char *const keys[] = { "INDEX", "KEY",        "PRIMARY", "FOREIGN",
                                        "CHECK", "CONSTRAINT", NULL };
    struct ddl_action a = { .kind = DDL_DROP_COLUMN };
    if (ddl_lex_is_one_of(&p->lex, keys))
        a.kind = DDL_KEY;
    else if (ddl_take_words(p, "SYSTEM", "VERSIONING") ||
             ddl_take_words(p, "PERIOD", "FOR"))
        a.kind = DDL_VERSIONING;
    else {
        ddl_take_word(p, "COLUMN");
        a.if_exists = ddl_take_if_exists(p);
        if (!ddl_take_name(p, &a.column))
            a.kind = DDL_OTHER;
    }
    ddl_add_action(p, a);
    skip_action(p);
}

static void read_change(struct ddl_parser *p)
{
    struct ddl_action a = { .kind = DDL_CHANGE_COLUMN, .place = DDL_STAYS };
    ddl_take_word(p, "COLUMN");
    a.if_exists = ddl_take_if_exists(p);
    if (ddl_take_name(p, &a.column) && ddl_take_name(p, &a.new_name))
        read_definition(p, &a);
    else
        plain_action(p, DDL_OTHER);
}

static void read_modify(struct ddl_parser *p)
{
    struct ddl_action a = { .kind = DDL_MODIFY_COLUMN, .place = DDL_STAYS };
    ddl_take_word(p, "COLUMN");
    a.if_exists = ddl_take_if_exists(p);
    if (ddl_take_name(p, &a.column))
        read_definition(p, &a);
    else
        plain_action(p, DDL_OTHER);
}

static void read_rename_part(struct ddl_parser *p)
{
    struct ddl_action a = { .kind = DDL_RENAME_COLUMN };
    if (ddl_take_word(p, "COLUMN")) {
        a.if_exists = ddl_take_if_exists(p);
        if (!ddl_take_name(p, &a.column) || !ddl_take_word(p, "TO") ||
            !ddl_take_name(p, &a.new_name))
            a.kind = DDL_OTHER;
    } else if (ddl_lex_is_word(&p->lex, "INDEX") || ddl_lex_is_word(&p->lex, "KEY")) {
        a.kind = DDL_KEY;
    } else {
        if (!ddl_take_word(p, "TO") && !ddl_take_word(p, "AS"))
            ddl_take_symbol(p, '=');
        a.kind = ddl_take_table(p, DDL_NEW_NAME) ? DDL_RENAME : DDL_OTHER;
    }
    ddl_add_action(p, a);
    skip_action(p);
}

/* ALTER [COLUMN] c SET DEFAULT ...; ALTER INDEX, CHECK, CONSTRAINT */
static void read_alter_part(struct ddl_parser *p)
{
    static const char *const keys[] = { "INDEX", "KEY", "CHECK", "CONSTRAINT", NULL };
    struct ddl_action a = { .kind = DDL_COLUMN_ATTRIBUTE };
    if (ddl_lex_is_one_of(&p->lex, keys))
        a.kind = DDL_KEY;
    else {
        ddl_take_word(p, "COLUMN");
        a.if_exists = ddl_take_if_exists(p);
        if (!ddl_take_name(p, &a.column))
            a.kind = DDL_OTHER;
    }
    ddl_add_action(p, a);
    skip_action(p);
}

/* Of partitions lists of names follow, so the rest of the statement is theirs; other
 * tables in it are named. */
static void read_partition_part(struct ddl_parser *p, enum ddl_action_kind kind)
{
    ddl_add_action(p, (struct ddl_action){ .kind = kind });
    while (p->lex.now.kind != TOKEN_END) {
        if (ddl_take_word(p, "TABLE"))
            ddl_take_table(p, DDL_SUBJECT);
        else
            ddl_skip(p);
    }
}

/* CONVERT TO CHARACTER SET; MariaDB's CONVERT PARTITION p TO TABLE t and back. */
static void read_convert(struct ddl_parser *p)
{
    if (ddl_lex_is_word(&p->lex, "TO"))
        plain_action(p, DDL_CHARSET);
    else
        read_partition_part(p, DDL_PARTITION_ROWS);
}

/* Is the second word PARTITION (or TABLESPACE, whose rows come or go as well)? */
static bool of_partitions(struct ddl_parser *p)
{
    return ddl_lex_is_word(&p->lex, "PARTITION") ||
           ddl_lex_is_word(&p->lex, "PARTITIONING") ||
           ddl_lex_is_word(&p->lex, "TABLESPACE");
}

/* TRUNCATE, EXCHANGE, REORGANIZE ... PARTITION */
static bool read_partition_words(struct ddl_parser *p)
{
    static const char *const with_rows[] = { "TRUNCATE", "EXCHANGE", "DISCARD", "IMPORT",
                                             "DROP",     "REPAIR",   NULL };
    static const char *const without_rows[] = { "COALESCE", "REORGANIZE", "REBUILD",
                                                "ANALYZE",  "OPTIMIZE",   "CHECK",
                                                "REMOVE",   NULL };
    struct ddl_lexer back = p->lex;
    bool rows = ddl_lex_is_one_of(&p->lex, with_rows);
    if (!rows && !ddl_lex_is_one_of(&p->lex, without_rows))
        return false;
    ddl_skip(p);
    if (of_partitions(p)) {
        read_partition_part(p, rows ? DDL_PARTITION_ROWS : DDL_PARTITION);
        return true;
    }
    p->lex = back;
    return false;
}

/* --- options of the table ------------------------------------------------------------
 */

static const char *const options[] = {
    "ENGINE",
    "COMMENT",
    "AUTO_INCREMENT",
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "ALGORITHM",
    "LOCK",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "MIN_ROWS",
    "MAX_ROWS",
    "PACK_KEYS",
    "FORCE",
    "DISABLE",
    "ENABLE",
    "ORDER",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "COMPRESSION",
    "ENCRYPTION",
    "TABLESPACE",
    "DELAY_KEY_WRITE",
    "DATA",
    "PAGE_COMPRESSED",
    "STORAGE",
    "PAGE_CHECKSUM",
    "TRANSACTIONAL",
    "ENCRYPTED",
    "ENCRYPTION_KEY_ID",
    "PAGE_COMPRESSION_LEVEL",
    "SECONDARY_ENGINE",
    "SECONDARY_LOAD",
    "SECONDARY_UNLOAD",
    "WITH",
    "WITHOUT",
    "NOWAIT",
    "WAIT",
    "PASSWORD",
    "AUTOEXTEND_SIZE",
    "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "TABLE_CHECKSUM",
    NULL,
};
static const char *const charset_options[] = { "DEFAULT", "CHARACTER", "CHARSET",
                                               "COLLATE", NULL };

/* Engines that keep rows; BLACKHOLE, MERGE, FEDERATED and what others there are need not.
 */
static const char *const engines[] = { "InnoDB",  "MyISAM",  "Aria", "MEMORY",
                                       "HEAP",    "RocksDB", "NDB",  "NDBCLUSTER",
                                       "ARCHIVE", "CSV",     NULL };

/* Options may follow each other without a comma: those that matter are looked for in all
 * of them. */
static void read_options(struct ddl_parser *p)
{
    bool order = ddl_lex_is_word(&p->lex, "ORDER"); /* BY a, b: the last part of all */
    bool known = ddl_lex_is_one_of(&p->lex, options) ||
                 ddl_lex_is_one_of(&p->lex, charset_options);
    enum ddl_action_kind kind = known ? DDL_OPTION : DDL_OTHER;
    while (order ? p->lex.now.kind != TOKEN_END : !at_end(p)) {
        if (ddl_lex_is_word(&p->lex, "PARTITION")) {
            if (kind != DDL_OTHER)
                ddl_add_action(p, (struct ddl_action){ .kind = kind });
            read_partition_part(p, DDL_PARTITION);
            return;
        }
        bool engine = ddl_lex_is_word(&p->lex, "ENGINE");
        if (kind == DDL_OPTION && ddl_lex_is_one_of(&p->lex, charset_options))
            kind = DDL_CHARSET;
        ddl_skip(p);
        bool value = ddl_take_symbol(p, '=');
        if (engine && !ddl_lex_is_one_of(&p->lex, engines))
            kind = DDL_OTHER;
        if (value && !at_end(p))
            ddl_skip(p); /* it may look like one of the words */
    }
    ddl_add_action(p, (struct ddl_action){ .kind = kind });
}

static void read_action(struct ddl_parser *p)
{
    static const struct {
        const char *word;
        void (*read)(struct ddl_parser *p);
    } actions[] = {
        { "ADD", read_add },          { "CHANGE", read_change },
        { "MODIFY", read_modify },    { "RENAME", read_rename_part },
        { "ALTER", read_alter_part }, { "CONVERT", read_convert },
    };
    if (read_partition_words(p))
        return;
    if (ddl_lex_is_word(&p->lex, "PARTITION")) {
        read_partition_part(p, DDL_PARTITION);
        return;
    }
    if (ddl_take_word(p, "DROP")) {
        read_drop_part(p);
        return;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (ddl_take_word(p, actions[i].word)) {
            actions[i].read(p);
            return;
        }
    }
    read_options(p);
}

void ddl_read_actions(struct ddl_parser *p)
{
    p->out->simple = true;
    while (p->lex.now.kind != TOKEN_END && !ddl_lex_is_symbol(&p->lex, ';')) {
        const char *before = p->lex.now.text.ptr;
        read_action(p);
        bool comma = ddl_take_symbol(p, ',');
        if (!comma && p->lex.now.kind != TOKEN_END && !ddl_lex_is_symbol(&p->lex, ';')) {
            p->out->simple = false; /* something stands behind an action */
            if (p->lex.now.text.ptr == before)
                ddl_skip(p);
        }
    }
    for (uint32_t i = 0; i < p->out->action_count; i++) {
        if (p->out->actions[i].kind == DDL_OTHER)
            p->out->simple = false;
    }
}
