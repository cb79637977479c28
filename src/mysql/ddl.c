#include "mysql/ddl.h"

#include "mysql/ddl_internal.h"

/* --- lists that grow -----------------------------------------------------------------
 */

/* Room for one more item, from the arena; NULL when it is full. */
static void *room(struct ddl_parser *p, void *items, size_t size, uint32_t count,
                  uint32_t *capacity)
{
    if (count < *capacity)
        return items;
    uint32_t more = *capacity < 4 ? 4 : *capacity * 2;
    void *bigger = arena_try(p->arena, more * size);
    if (bigger == NULL) {
        p->out->cut = true;
        return NULL;
    }
    if (count > 0)
        memcpy(bigger, items, count * size);
    *capacity = more;
    return bigger;
}

void ddl_add_table(struct ddl_parser *p, struct ddl_table table)
{
    struct ddl *d = p->out;
    struct ddl_table *tables =
        room(p, d->tables, sizeof *tables, d->table_count, &p->table_capacity);
    if (tables == NULL)
        return;
    d->tables = tables;
    d->tables[d->table_count++] = table;
}

void ddl_add_action(struct ddl_parser *p, struct ddl_action action)
{
    struct ddl *d = p->out;
    struct ddl_action *actions =
        room(p, d->actions, sizeof *actions, d->action_count, &p->action_capacity);
    if (actions == NULL)
        return;
    d->actions = actions;
    d->actions[d->action_count++] = action;
}

bool ddl_take_table(struct ddl_parser *p, enum ddl_role role)
{
    struct ddl_table t = { .database = p->database, .role = role };
    ddl_take_symbol(p, '.'); /* ".t" is "t" */
    if (!ddl_take_name(p, &t.name))
        return false;
    if (ddl_take_symbol(p, '.')) {
        t.database = t.name;
        t.name = (struct str){ 0 };
        if (!ddl_take_name(p, &t.name))
            return false;
    }
    ddl_add_table(p, t);
    return true;
}

/* --- statements about tables ---------------------------------------------------------
 */

static void found(struct ddl_parser *p, enum ddl_verb verb)
{
    p->out->class = DDL_TABLES;
    p->out->verb = verb;
    p->out->if_exists = ddl_take_if_exists(p);
}

/* A statement that should name something and does not is not understood. */
static void require(struct ddl_parser *p, bool ok)
{
    if (!ok)
        p->out->class = DDL_UNKNOWN;
}

/* WAIT n, NOWAIT (MariaDB). */
static void skip_wait(struct ddl_parser *p)
{
    if (ddl_take_word(p, "WAIT"))
        ddl_skip(p);
    else
        ddl_take_word(p, "NOWAIT");
}

/* t, t, ... */
static void read_list(struct ddl_parser *p)
{
    do
        require(p, ddl_take_table(p, DDL_SUBJECT));
    while (p->out->class != DDL_UNKNOWN && ddl_take_symbol(p, ','));
}

/* t TO u, ... */
static void read_renames(struct ddl_parser *p)
{
    found(p, DDL_RENAME_TABLE);
    do {
        require(p, ddl_take_table(p, DDL_SUBJECT));
        skip_wait(p);
        require(p, ddl_take_word(p, "TO") && ddl_take_table(p, DDL_NEW_NAME));
    } while (p->out->class != DDL_UNKNOWN && ddl_take_symbol(p, ','));
}

/* Behind CREATE TABLE: LIKE another one, or rows of a query at the end. */
static void read_created(struct ddl_parser *p)
{
    struct ddl_lexer back = p->lex;
    bool in_parenthesis = ddl_take_symbol(p, '(');
    if (ddl_take_word(p, "LIKE")) {
        ddl_take_table(p, DDL_MENTIONED);
        return;
    }
    if (!in_parenthesis || !ddl_lex_is_word(&p->lex, "SELECT"))
        p->lex = back;
    static const char *const rows[] = { "SELECT", "WITH", "VALUES", "TABLE", NULL };
    bool is_assigned = false; /* "WITH" and others may be values of options */
    for (; p->lex.now.kind != TOKEN_END; ddl_skip(p)) {
        if (!is_assigned && ddl_lex_is_one_of(&p->lex, rows)) {
            struct ddl_lexer next = p->lex;
            ddl_lex_next(&next);
            if (!ddl_lex_is_word(&p->lex, "WITH") ||
                !ddl_lex_is_word(&next, "SYSTEM")) /* WITH SYSTEM VERSIONING */
                p->out->with_rows = true;
        }
        if (ddl_lex_is_word(&p->lex, "AS") || ddl_lex_is_word(&p->lex, "IGNORE") ||
            ddl_lex_is_word(&p->lex, "REPLACE")) {
            struct ddl_lexer next = p->lex;
            ddl_lex_next(&next);
            if (ddl_lex_is_symbol(&next, '(')) /* AS (SELECT ...) */
                p->out->with_rows = true;
        }
        is_assigned = ddl_lex_is_symbol(&p->lex, '=');
    }
}

/* name ON t */
static void read_index(struct ddl_parser *p, enum ddl_verb verb)
{
    found(p, verb);
    while (p->lex.now.kind != TOKEN_END && !ddl_lex_is_word(&p->lex, "ON"))
        ddl_skip(p);
    require(p, ddl_take_word(p, "ON") && ddl_take_table(p, DDL_SUBJECT));
}

static void read_database(struct ddl_parser *p, enum ddl_verb verb)
{
    struct ddl_table t = { .database = p->database };
    struct ddl_lexer back;
    struct str name;
    found(p, verb);
    back = p->lex;
    /* ALTER DATABASE may leave the name out; then an option follows. */
    static const char *const options[] = { "DEFAULT", "CHARACTER",  "CHARSET",
                                           "COLLATE", "ENCRYPTION", "READ",
                                           "COMMENT", NULL };
    bool is_option = verb == DDL_ALTER_DATABASE && ddl_lex_is_one_of(&back, options);
    if (!is_option && ddl_take_name(p, &name))
        t.database = name;
    else
        require(p, verb == DDL_ALTER_DATABASE);
    ddl_add_table(p, t);
}

/* --- CREATE, ALTER, DROP -------------------------------------------------------------
 */

/* Objects that hold no rows. SPATIAL REFERENCE SYSTEM and UNDO TABLESPACE are told by
 * their second words. */
static const char *const without_rows[] = {
    "PROCEDURE", "FUNCTION",  "TRIGGER",  "EVENT",   "USER",    "ROLE",
    "SERVER",    "REFERENCE", "RESOURCE", "LOGFILE", "PACKAGE", "LIBRARY",
    "INSTANCE",  "PREPARE",   "MASKING",  NULL,
};

/* What may stand between the verb and the kind of object. */
static bool skip_modifier(struct ddl_parser *p)
{
    static const char *const words[] = { "ONLINE",    "OFFLINE",  "UNIQUE",
                                         "UNDO",      "FULLTEXT", "SPATIAL",
                                         "VECTOR",    "JSON",     "RELATIONAL",
                                         "DUALITY",   "EXTERNAL", "MATERIALIZED",
                                         "AGGREGATE", NULL };
    static const char *const settings[] = { "DEFINER", "ALGORITHM", NULL };
    if (ddl_take_words(p, "OR", "REPLACE")) {
        p->out->or_replace = true;
        return true;
    }
    if (ddl_take_word(p, "IGNORE")) {
        p->out->ignore = true;
        return true;
    }
    if (ddl_lex_is_word(&p->lex, "TEMPORARY")) {
        p->out->temporary = !p->lex.in_version_comment;
        ddl_skip(p);
        return true;
    }
    if (ddl_take_words(p, "SQL", "SECURITY") || ddl_lex_is_one_of(&p->lex, words)) {
        ddl_skip(p);
        return true;
    }
    if (!ddl_lex_is_one_of(&p->lex, settings))
        return false;
    ddl_skip(p); /* the word, then = value, = user@host, = CURRENT_USER() */
    ddl_take_symbol(p, '=');
    ddl_skip(p);
    if (ddl_take_symbol(p, '@'))
        ddl_skip(p);
    if (ddl_lex_is_symbol(&p->lex, '('))
        ddl_skip(p);
    return true;
}

static void read_table(struct ddl_parser *p, enum ddl_verb create_alter_drop)
{
    found(p, create_alter_drop);
    if (create_alter_drop == DDL_DROP_TABLE) {
        read_list(p);
        return;
    }
    require(p, ddl_take_table(p, DDL_SUBJECT));
    if (p->out->class == DDL_UNKNOWN)
        return;
    if (create_alter_drop == DDL_CREATE_TABLE) {
        read_created(p);
        return;
    }
    skip_wait(p);
    ddl_read_actions(p);
}

/* The object behind CREATE, ALTER or DROP; `verbs` are those of a table, index, view,
 * sequence and database. */
static void read_object(struct ddl_parser *p, const enum ddl_verb verbs[5])
{
    while (skip_modifier(p))
        ;
    if (ddl_take_word(p, "TABLE") || ddl_take_word(p, "TABLES"))
        read_table(p, verbs[0]);
    else if (verbs[1] != DDL_NO_VERB && ddl_take_word(p, "INDEX"))
        read_index(p, verbs[1]);
    else if (ddl_take_word(p, "VIEW")) {
        found(p, verbs[2]);
        read_list(p);
    } else if (ddl_take_word(p, "SEQUENCE")) {
        found(p, verbs[3]);
        read_list(p);
    } else if (ddl_take_word(p, "DATABASE") || ddl_take_word(p, "SCHEMA"))
        read_database(p, verbs[4]);
    else if (ddl_lex_is_one_of(&p->lex, without_rows) ||
             ddl_lex_is_word(&p->lex, "TABLESPACE"))
        p->out->class = DDL_HARMLESS;
}

static void read_create(struct ddl_parser *p)
{
    static const enum ddl_verb verbs[5] = { DDL_CREATE_TABLE, DDL_CREATE_INDEX,
                                            DDL_CREATE_VIEW, DDL_CREATE_SEQUENCE,
                                            DDL_CREATE_DATABASE };
    read_object(p, verbs);
}

static void read_alter(struct ddl_parser *p)
{
    static const enum ddl_verb verbs[5] = { DDL_ALTER_TABLE, DDL_NO_VERB, DDL_ALTER_VIEW,
                                            DDL_ALTER_SEQUENCE, DDL_ALTER_DATABASE };
    read_object(p, verbs);
}

static void read_drop(struct ddl_parser *p)
{
    static const enum ddl_verb verbs[5] = { DDL_DROP_TABLE, DDL_DROP_INDEX, DDL_DROP_VIEW,
                                            DDL_DROP_SEQUENCE, DDL_DROP_DATABASE };
    read_object(p, verbs);
}

static void read_rename(struct ddl_parser *p)
{
    if (ddl_take_word(p, "USER"))
        p->out->class = DDL_HARMLESS;
    else if (ddl_take_word(p, "TABLE") || ddl_take_word(p, "TABLES"))
        read_renames(p);
}

static void read_truncate(struct ddl_parser *p)
{
    ddl_take_word(p, "TABLE");
    found(p, DDL_TRUNCATE_TABLE);
    require(p, ddl_take_table(p, DDL_SUBJECT));
}

/* --- statements about rows and about nothing of ours ---------------------------------
 */

/* The tables that a statement names behind FROM, JOIN, INTO and so on. */
static void read_rows(struct ddl_parser *p)
{
    static const char *const before[] = { "FROM",   "JOIN",  "INTO", "USING",
                                          "UPDATE", "TABLE", NULL };
    static const char *const modifiers[] = { "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED",
                                             "IGNORE",       "QUICK",         NULL };
    static const char *const ends[] = { "SET",   "WHERE", "SELECT", "VALUES", "VALUE",
                                        "ORDER", "GROUP", "LIMIT",  "ON",     NULL };
    bool expected = true, in_list = true;
    p->out->class = DDL_ROWS;
    while (p->lex.now.kind != TOKEN_END) {
        if (ddl_lex_is_one_of(&p->lex, before)) {
            expected = in_list = true;
            ddl_lex_next(&p->lex);
        } else if (ddl_lex_is_one_of(&p->lex, ends)) {
            expected = in_list = false;
            ddl_lex_next(&p->lex);
        } else if (expected && ddl_lex_is_one_of(&p->lex, modifiers)) {
            ddl_lex_next(&p->lex);
        } else if (expected && ddl_take_table(p, DDL_MENTIONED)) {
            expected = false;
        } else {
            expected = in_list && (ddl_lex_is_symbol(&p->lex, ',') ||
                                   (expected && ddl_lex_is_symbol(&p->lex, '(')));
            ddl_lex_next(&p->lex);
        }
    }
}

static void read_anything(struct ddl_parser *p)
{
    p->out->class = DDL_ROWS;
}

static void read_nothing(struct ddl_parser *p)
{
    p->out->class = DDL_HARMLESS;
}

/* BEGIN [WORK]; MariaDB's BEGIN NOT ATOMIC is a block of statements. */
static void read_begin(struct ddl_parser *p)
{
    ddl_take_word(p, "WORK");
    if (p->lex.now.kind != TOKEN_WORD)
        read_nothing(p);
}

static void read_load(struct ddl_parser *p)
{
    if (ddl_take_word(p, "INDEX")) /* INTO CACHE */
        read_nothing(p);
    else {
        while (p->lex.now.kind != TOKEN_END && !ddl_lex_is_word(&p->lex, "INTO"))
            ddl_skip(p);
        read_rows(p);
    }
}

/* ANALYZE TABLE; MariaDB's ANALYZE UPDATE ... runs what it explains. */
static void read_analyze(struct ddl_parser *p)
{
    static const char *const tables[] = { "TABLE", "TABLES", "LOCAL",
                                          "NO_WRITE_TO_BINLOG", NULL };
    p->out->class = ddl_lex_is_one_of(&p->lex, tables) || p->lex.now.kind == TOKEN_END
                        ? DDL_HARMLESS
                        : DDL_ROWS;
}

static void read_statement(struct ddl_parser *p);

/* SET; MariaDB's SET STATEMENT ... FOR is another statement in front of which it stands.
 */
static void read_set(struct ddl_parser *p)
{
    p->out->class = DDL_HARMLESS;
    if (!ddl_take_word(p, "STATEMENT"))
        return;
    if (ddl_lex_is_symbol(&p->lex, '=')) /* a variable of that name */
        return;
    while (p->lex.now.kind != TOKEN_END && !ddl_lex_is_word(&p->lex, "FOR"))
        ddl_skip(p);
    if (ddl_take_word(p, "FOR"))
        read_statement(p);
}

static const struct {
    const char *word;
    void (*read)(struct ddl_parser *p);
} verbs[] = {
    { "ALTER", read_alter },       { "ANALYZE", read_analyze },
    { "BEGIN", read_begin },       { "CACHE", read_nothing },
    { "CALL", read_anything },     { "CHANGE", read_nothing },
    { "CHECK", read_nothing },     { "CHECKSUM", read_nothing },
    { "CLONE", read_nothing },     { "COMMIT", read_nothing },
    { "CREATE", read_create },     { "DEALLOCATE", read_nothing },
    { "DELETE", read_rows },       { "DESC", read_nothing },
    { "DESCRIBE", read_nothing },  { "DO", read_anything },
    { "DROP", read_drop },         { "EXECUTE", read_anything },
    { "EXPLAIN", read_nothing },   { "FLUSH", read_nothing },
    { "GRANT", read_nothing },     { "HELP", read_nothing },
    { "INSERT", read_rows },       { "INSTALL", read_nothing },
    { "KILL", read_nothing },      { "LOAD", read_load },
    { "LOCK", read_nothing },      { "MERGE", read_rows },
    { "OPTIMIZE", read_nothing },  { "PREPARE", read_nothing },
    { "PURGE", read_nothing },     { "RELEASE", read_nothing },
    { "RENAME", read_rename },     { "REPLACE", read_rows },
    { "RESET", read_nothing },     { "RESTART", read_nothing },
    { "REVOKE", read_nothing },    { "ROLLBACK", read_nothing },
    { "SAVEPOINT", read_nothing }, { "SELECT", read_anything },
    { "SET", read_set },           { "SHOW", read_nothing },
    { "SHUTDOWN", read_nothing },  { "SIGNAL", read_nothing },
    { "START", read_nothing },     { "STOP", read_nothing },
    { "TABLE", read_anything },    { "TRUNCATE", read_truncate },
    { "UNINSTALL", read_nothing }, { "UNLOCK", read_nothing },
    { "UPDATE", read_rows },       { "USE", read_nothing },
    { "VALUES", read_anything },   { "WITH", read_rows },
    { "XA", read_nothing },
};

/* REPAIR may lose rows, IMPORT brings some, BINLOG is events: not in the list. */
static void read_statement(struct ddl_parser *p)
{
    p->out->class = DDL_UNKNOWN;
    while (ddl_take_symbol(p, '(') || ddl_take_symbol(p, ';'))
        ;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (ddl_take_word(p, verbs[i].word)) {
            verbs[i].read(p);
            return;
        }
    }
}

void ddl_read(struct arena *a, struct str text, struct str database, struct ddl_mode mode,
              struct ddl *out)
{
    struct ddl_parser p = { .arena = a, .database = database, .out = out };
    *out = (struct ddl){ .mode = mode };
    ddl_lex_start(&p.lex, text, mode);
    if (p.lex.now.kind == TOKEN_END) { /* comments, and nothing else */
        out->class = DDL_HARMLESS;
        return;
    }
    read_statement(&p);
    out->simple = out->simple && out->class == DDL_TABLES && !out->cut &&
                  !p.lex.had_version_comment;
    if (out->cut)
        out->class = DDL_UNKNOWN;
}

bool ddl_touches(const struct ddl *d, struct str database, struct str table)
{
    if (d->class == DDL_HARMLESS || (d->class == DDL_TABLES && d->temporary))
        return false;
    if (d->class != DDL_TABLES || d->cut)
        return true;
    for (uint32_t i = 0; i < d->table_count; i++) {
        const struct ddl_table *t = &d->tables[i];
        if (t->role != DDL_MENTIONED && str_ieq(t->database, database) &&
            (t->name.len == 0 || str_ieq(t->name, table)))
            return true;
    }
    return false;
}
