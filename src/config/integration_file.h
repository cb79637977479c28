/* src/config/integration_file.h
 *
 * Integrations as text, to be kept in version control:
 *
 *     integrations:
 *       - name: shop
 *         source: mysql://reader@db.example.com/shop
 *         destination: duckdb:/var/lib/shop.duckdb
 *         options:
 *           exclude: "*_old"
 *         streams:
 *           - database: shop
 *             table: customers
 *             selected: true
 *             options:
 *               method: key
 *               key: updated_at
 *             columns:
 *               phone: false
 *
 * An integration stands there whole: an option that is missing has its default, a table
 * that is missing is decided by the patterns. A text that YAML would read as something
 * else (a number, true, null) must be quoted where a name is expected. No secret may
 * stand in a file.
 *
 * Errors: ERR_CONFIG, "PATH:LINE:COLUMN: what is wrong, what was expected", both counted
 * from 1; ERR_LIMIT for a file past INTEGRATION_FILE_LIMIT.
 * Thread: the caller's.
 */
#ifndef CONFIG_INTEGRATION_FILE_H
#define CONFIG_INTEGRATION_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/option.h"
#include "config/setting.h"

#define INTEGRATION_FILE_LIMIT ((size_t)16 << 20)

struct file_place {
    size_t line, column; /* from 1; 0: in no file */
};

struct integration_spec {
    struct str name, source, destination; /* URLs as written; no password */
    struct option_values *options;        /* owned */
    struct stream_setting *streams;       /* in order of database and table */
    size_t stream_count;
    struct file_place place;                /* of its name */
    const struct file_place *stream_places; /* as many as streams; NULL: in no file */
};

struct integration_file {
    struct arena *arena; /* owned: every text */
    struct integration_spec *list;
    size_t count;
};

/* The options that there are. What the two point to must live as long as the file. */
struct integration_tables {
    const struct option *integration, *stream;
};

/* path is only for errors. Nothing to free when it fails. */
int integration_file_parse(const char *path, struct str text,
                           const struct integration_tables *tables,
                           struct integration_file *out, struct error *err);
void integration_file_free(struct integration_file *f);

/* The text that parses to the same list. Options that equal their defaults are left out,
 * and so are tables of which nothing is said. */
void integration_file_write(struct buf *out, const struct integration_spec *list,
                            size_t count, const struct integration_tables *tables);

#endif
