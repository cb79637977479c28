/* src/sink/duckdb.h
 *
 * The DuckDB destination: one file, opened by the warehouse process alone. Loading goes
 * through sink/sink.h; this header adds what only an embedded database offers, reading.
 *
 * Options of the URL (duckdb:FILE?key=value):
 *   memory_limit    what DuckDB may use, "1GiB" by default; it spills past it
 *   threads         1 by default: of two, the loading one turns in a loop of DuckDB's
 *                   while the other works (docs/benchmarks.md); more serve large queries
 *   temp_directory  where it spills, FILE.tmp by default
 *
 * After ERR_IO, ERR_LIMIT or ERR_TARGET from loading the owner closes the sink and opens
 * it again: DuckDB may have given up the file until then.
 *
 * The file is opened with external access off and the configuration locked: no statement
 * can reach another file, the network or an extension. Closing writes a checkpoint.
 *
 * Thread: sink functions on one thread; duckdb_read() on any number of others while the
 * sink is open.
 */
#ifndef SINK_DUCKDB_H
#define SINK_DUCKDB_H

#include "sink/sink.h"

extern const struct sink_ops duckdb_sink_ops;

struct read_limits {
    uint64_t rows;   /* stop after so many; 0: no limit */
    int64_t time_us; /* interrupt after so long; 0: no limit */
};

struct read_column {
    struct str name;
    struct str type; /* as DuckDB spells it: "DECIMAL(10,2)" */
};

/* Both return 0, or -1 with err filled, which ends the statement with that error.
 * Everything is borrowed until they return. A NULL is a cell whose ptr is NULL. */
struct read_handler {
    int (*columns)(void *ctx, const struct read_column *columns, size_t count,
                   struct error *err);
    int (*row)(void *ctx, const struct str *cells, size_t count, struct error *err);
    void *ctx;
};

struct read_result {
    uint64_t rows;  /* handed out */
    bool truncated; /* the limit of rows was reached and there were more */
    int64_t took_us;
};

/* Answer one statement that reads: what DuckDB itself classifies as SELECT (FROM, WITH,
 * VALUES, SHOW, DESCRIBE and SUMMARIZE are among them; PRAGMA is refused) or EXPLAIN, on
 * a connection and in a read-only transaction of its own. Every value arrives as DuckDB's
 * text of it.
 *
 * Errors: ERR_CONFIG for a statement that is refused or wrong, with DuckDB's own text;
 * ERR_LIMIT for time and memory; ERR_CANCELLED when c was requested. */
int duckdb_read(struct sink *s, struct str sql, const struct read_limits *limits,
                const struct read_handler *handler, struct cancel *c,
                struct read_result *out, struct error *err);

/* Version of the library and the path that it was loaded from; loads it. */
int duckdb_describe(struct buf *out, struct error *err);

#endif
