/* src/mysql/ddl_internal.h
 *
 * What ddl_token.c (text to tokens), ddl.c (statements) and ddl_alter.c (the parts of an
 * ALTER TABLE) share.
 */
#ifndef MYSQL_DDL_INTERNAL_H
#define MYSQL_DDL_INTERNAL_H

#include "mysql/ddl.h"

enum ddl_token_kind {
    TOKEN_END = 0,
    TOKEN_WORD,   /* keyword, name, number */
    TOKEN_NAME,   /* in quotes that make a name of it */
    TOKEN_STRING, /* with its quotes */
    TOKEN_SYMBOL, /* one character */
};

struct ddl_token {
    enum ddl_token_kind kind;
    struct str text; /* in the statement, quotes included */
};

/* Copy it to look ahead. */
struct ddl_lexer {
    const char *pos, *end;
    struct ddl_mode mode;
    bool in_version_comment;
    bool had_version_comment;
    struct ddl_token now; /* the token at hand */
};

struct ddl_parser {
    struct ddl_lexer lex;
    struct arena *arena;
    struct str database;
    struct ddl *out;
    const char *behind; /* the end of what ddl_skip() stepped over last */
    uint32_t table_capacity, action_capacity;
};

/* --- tokens --------------------------------------------------------------------------
 */

void ddl_lex_start(struct ddl_lexer *l, struct str text, struct ddl_mode mode);
void ddl_lex_next(struct ddl_lexer *l);
bool ddl_lex_is_word(const struct ddl_lexer *l, const char *word);
bool ddl_lex_is_symbol(const struct ddl_lexer *l, char c);
bool ddl_lex_is_name(const struct ddl_lexer *l);

/* Is the token one of the words, in a list that NULL ends? */
bool ddl_lex_is_one_of(const struct ddl_lexer *l, const char *const *words);

/* Step over the word or symbol, or stay. */
bool ddl_take_word(struct ddl_parser *p, const char *word);
bool ddl_take_words(struct ddl_parser *p, const char *first, const char *second);
bool ddl_take_symbol(struct ddl_parser *p, char c);

/* IF EXISTS, IF NOT EXISTS. */
bool ddl_take_if_exists(struct ddl_parser *p);

/* Step over one token, or a parenthesis and all in it. */
void ddl_skip(struct ddl_parser *p);

/* A name, without its quotes; false and no step when the token is none. */
bool ddl_take_name(struct ddl_parser *p, struct str *out);

/* --- what is found -------------------------------------------------------------------
 */

/* "t" or "d.t" into the list; false when it is none. */
bool ddl_take_table(struct ddl_parser *p, enum ddl_role role);
void ddl_add_table(struct ddl_parser *p, struct ddl_table table);
void ddl_add_action(struct ddl_parser *p, struct ddl_action action);

/* The actions of an ALTER TABLE, behind the table's name. */
void ddl_read_actions(struct ddl_parser *p);

#endif
