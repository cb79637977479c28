/* src/mysql/ddl_fill.h
 *
 * What the definition of a new column says that rows get which are there already: NULL, a
 * constant, or nothing that can be read from the text.
 *
 *   INT                               null
 *   INT NOT NULL                      implicit: 0, '' and so on, by the type
 *   DECIMAL(5,2) NOT NULL DEFAULT 1   number
 *   VARCHAR(9) DEFAULT 'it''s'        text, without quotes and escapes
 *   BIT(3) DEFAULT b'101'             number, of up to 64 bits
 *   ... DEFAULT CURRENT_TIMESTAMP     unknown, as is everything else
 *
 * A hint, like all of mysql/ddl.h: the caller compares it with what the catalog says.
 * Source: MySQL 9.x manual, "Data Type Default Values", "String Literals", "Numeric
 * Literals", "ALTER TABLE Statement"; MariaDB documentation, "CREATE TABLE".
 */
#ifndef MYSQL_DDL_FILL_H
#define MYSQL_DDL_FILL_H

#include "mysql/ddl.h"

enum ddl_fill_kind {
    DDL_FILL_UNKNOWN = 0,
    DDL_FILL_NULL,
    DDL_FILL_IMPLICIT,
    DDL_FILL_NUMBER,
    DDL_FILL_TEXT,
};

struct ddl_fill {
    enum ddl_fill_kind kind;
    struct str type; /* first word of the definition: "INT", "varchar" */
    struct str text; /* NUMBER: as written, without blanks; of 0x.. and b'..' the decimal
                        digits. TEXT: in UTF-8 */
};

/* The text of `out` lives in the arena or in `definition`. */
void ddl_read_fill(struct arena *a, struct str definition, struct ddl_mode mode,
                   struct ddl_fill *out);

/* A string literal with its quotes, as text; false where it is none, is not UTF-8, or the
 * arena is full. Quotes that make names of it are none. */
bool ddl_read_string(struct arena *a, struct str literal, struct ddl_mode mode,
                     struct str *out);

#endif
