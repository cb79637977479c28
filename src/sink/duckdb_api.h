/* src/sink/duckdb_api.h
 *
 * libduckdb, opened at run time: every function that we use is in the list below, and all
 * of them are looked up before the first is called. A library that lacks one is refused
 * by name, so an old or foreign libduckdb is found at start and never in the middle of a
 * load.
 *
 * Types and prototypes are those of duckdb.h 1.4; 1.5 exports all of them. Only the files
 * sink/duckdb*.c include this header, and only the warehouse process calls
 * duckdb_api_open().
 *
 * Thread: duckdb_api_open() once, before threads; the table is read-only afterwards.
 */
#ifndef SINK_DUCKDB_API_H
#define SINK_DUCKDB_API_H

#include "base/error.h"

#include <duckdb.h>

#define DUCKDB_FUNCTIONS(X)              \
    X(library_version)                   \
    X(create_config)                     \
    X(set_config)                        \
    X(destroy_config)                    \
    X(open_ext)                          \
    X(close)                             \
    X(connect)                           \
    X(disconnect)                        \
    X(interrupt)                         \
    X(free)                              \
    X(query)                             \
    X(destroy_result)                    \
    X(result_error)                      \
    X(result_error_type)                 \
    X(rows_changed)                      \
    X(column_count)                      \
    X(column_name)                       \
    X(fetch_chunk)                       \
    X(extract_statements)                \
    X(extract_statements_error)          \
    X(prepare_extracted_statement)       \
    X(destroy_extracted)                 \
    X(prepare)                           \
    X(prepare_error)                     \
    X(prepared_statement_type)           \
    X(nparams)                           \
    X(bind_varchar_length)               \
    X(bind_int64)                        \
    X(bind_null)                         \
    X(execute_prepared)                  \
    X(pending_prepared_streaming)        \
    X(pending_error)                     \
    X(execute_pending)                   \
    X(destroy_pending)                   \
    X(destroy_prepare)                   \
    X(data_chunk_get_size)               \
    X(data_chunk_get_vector)             \
    X(data_chunk_reset)                  \
    X(data_chunk_set_size)               \
    X(create_data_chunk)                 \
    X(destroy_data_chunk)                \
    X(vector_size)                       \
    X(vector_get_data)                   \
    X(vector_get_validity)               \
    X(vector_ensure_validity_writable)   \
    X(vector_assign_string_element_len)  \
    X(list_vector_get_child)             \
    X(list_vector_get_size)              \
    X(list_vector_reserve)               \
    X(list_vector_set_size)              \
    X(array_vector_get_child)            \
    X(array_type_array_size)             \
    X(get_type_id)                       \
    X(decimal_internal_type)             \
    X(decimal_scale)                     \
    X(decimal_width)                     \
    X(destroy_logical_type)              \
    X(logical_type_get_alias)            \
    X(table_description_create_ext)      \
    X(table_description_get_column_name) \
    X(table_description_destroy)         \
    X(appender_create_ext)               \
    X(appender_create_query)             \
    X(appender_column_count)             \
    X(appender_column_type)              \
    X(append_data_chunk)                 \
    X(appender_error)                    \
    X(appender_close)                    \
    X(appender_destroy)

struct duckdb_api {
#define DUCKDB_MEMBER(name) __typeof__(duckdb_##name) *(name);
    DUCKDB_FUNCTIONS(DUCKDB_MEMBER)
#undef DUCKDB_MEMBER
    char path[512]; /* where the library was found, for `version` and errors */
};

/* Fill the table. Looked for, in this order: the file named by TAILRACE_LIBDUCKDB (and
 * only there when it is set); ../lib/tailrace beside the executable; third_party/duckdb
 * in one of the four folders above the executable; the system's own search path.
 *
 * The library is never unloaded: it starts threads of its own.
 *
 * Errors: ERR_CONFIG when there is none, when it cannot be loaded, or when it lacks a
 * function; the text names what is missing. */
int duckdb_api_open(struct duckdb_api *out, struct error *err);

#endif
