/* src/mysql/ddl.h
 *
 * What the text of a statement in the log says: a hint, never a proof. It tells which
 * tables a statement names, the simple forms of ALTER TABLE, and whether a statement is
 * harmless, changes tables, or may change rows without row events.
 *
 * Nothing fails here: what is not understood is DDL_UNKNOWN, or an action DDL_OTHER. In
 * doubt the answer is the one that makes the caller look closer. The code inside of
 * comments for a version of the server is taken as executed (the server takes the mark
 * from those that it skips before it writes its log), but a statement that has them is
 * never `simple`.
 *
 * The text is in UTF-8 or another charset in which ASCII bytes are only themselves: text
 * of sessions in gbk, sjis, big5 and such is converted by the caller. Names are borrowed
 * from the text, or from the arena where doubled quotes had to be taken out.
 *
 * Thread: any; the arena's. Source: MySQL 9.x manual, "SQL Statements", "Lexical
 * Structure"; MariaDB documentation, "SQL Statements", "Comment Syntax".
 */
#ifndef MYSQL_DDL_H
#define MYSQL_DDL_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum ddl_class {
    DDL_UNKNOWN = 0, /* anything */
    DDL_HARMLESS,    /* no rows, no shape of a table: COMMIT, GRANT, CREATE TRIGGER */
    DDL_ROWS,        /* rows of any table: INSERT, CALL, SELECT f() as a statement */
    DDL_TABLES,      /* makes, changes or ends tables, views or databases; see verb */
};

enum ddl_verb {
    DDL_NO_VERB = 0,
    DDL_CREATE_TABLE,
    DDL_ALTER_TABLE,
    DDL_DROP_TABLE,
    DDL_RENAME_TABLE,
    DDL_TRUNCATE_TABLE,
    DDL_CREATE_INDEX,
    DDL_DROP_INDEX,
    DDL_CREATE_VIEW,
    DDL_ALTER_VIEW,
    DDL_DROP_VIEW,
    DDL_CREATE_SEQUENCE, /* MariaDB's sequences are tables of one row */
    DDL_ALTER_SEQUENCE,
    DDL_DROP_SEQUENCE,
    DDL_CREATE_DATABASE,
    DDL_ALTER_DATABASE,
    DDL_DROP_DATABASE,
};

enum ddl_role {
    DDL_SUBJECT = 0, /* what is made, changed or ended; the old name of a rename */
    DDL_NEW_NAME,    /* of the subject before it in the list */
    DDL_MENTIONED,   /* LIKE t; what a statement about rows names */
};

struct ddl_table {
    struct str database; /* the default one where the statement names none */
    struct str name;     /* empty: the database itself */
    enum ddl_role role;
};

enum ddl_action_kind {
    DDL_OTHER = 0,        /* not understood */
    DDL_ADD_COLUMN,       /* column, definition, place */
    DDL_DROP_COLUMN,      /* column */
    DDL_CHANGE_COLUMN,    /* column, new_name, definition, place */
    DDL_MODIFY_COLUMN,    /* column, definition, place */
    DDL_RENAME_COLUMN,    /* column, new_name */
    DDL_COLUMN_ATTRIBUTE, /* column: ALTER COLUMN ... SET DEFAULT, INVISIBLE */
    DDL_KEY,              /* indexes and constraints */
    DDL_OPTION,           /* ENGINE=InnoDB, COMMENT=, FORCE: no row, no column changes */
    DDL_CHARSET,          /* CONVERT TO, and the default of later columns */
    DDL_RENAME,           /* the table; its new name is in the list of tables */
    DDL_PARTITION,        /* rows are moved between partitions, all stay */
    DDL_PARTITION_ROWS,   /* rows come or go: drop, truncate, exchange, import */
    DDL_VERSIONING,       /* MariaDB: system versioning and periods */
};

enum ddl_place {
    DDL_LAST = 0,
    DDL_FIRST,
    DDL_AFTER, /* column `after` */
    DDL_STAYS, /* CHANGE and MODIFY without a place */
};

struct ddl_action {
    enum ddl_action_kind kind;
    enum ddl_place place;
    bool if_exists; /* IF EXISTS, or IF NOT EXISTS of an ADD */
    struct str column, new_name, after;
    struct str definition; /* as written: "INT NOT NULL DEFAULT 5" */
};

/* What changes the meaning of text: parts of the session's sql_mode, and the family. */
struct ddl_mode {
    bool mariadb; /* comments that start with M! are code */
    bool ansi_quotes;
    bool no_backslash_escapes;
};

struct ddl {
    enum ddl_class class;
    enum ddl_verb verb;
    bool temporary; /* of tables that no other session sees */
    bool if_exists; /* IF EXISTS or IF NOT EXISTS */
    bool or_replace;
    bool ignore;    /* ALTER IGNORE TABLE: duplicate rows may vanish (MariaDB) */
    bool with_rows; /* CREATE TABLE ... SELECT */
    bool simple;    /* ALTER TABLE that is wholly in `actions`, none of them DDL_OTHER */
    bool cut;       /* the arena was full: not all is here */
    struct ddl_table *tables;
    uint32_t table_count;
    struct ddl_action *actions; /* of ALTER TABLE, in order */
    uint32_t action_count;
    struct ddl_mode mode; /* in which it was read */
};

/* Read one statement. `database` is the session's default one; it and the text must
 * outlive `out`. */
void ddl_read(struct arena *a, struct str text, struct str database, struct ddl_mode mode,
              struct ddl *out);

/* May the statement concern this table? Names are compared without case of ASCII letters,
 * whatever the server does. True for every table where the class is DDL_UNKNOWN or
 * DDL_ROWS (routines and triggers reach further than names say), or the list was cut;
 * statements on temporary tables concern none. */
bool ddl_touches(const struct ddl *d, struct str database, struct str table);

#endif
