/* version: what this program is and what it runs with. */
#include "base/alloc.h"
#include "base/emit.h"
#include "cli/build.h"
#include "cli/cli.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define OUTPUT_BYTES ((size_t)64 << 10)

/* As deep as sink/duckdb_api.c looks for a folder third_party/duckdb above the program.
 */
#define PARENTS_SEARCHED 4

/* --- where libduckdb is, without loading it: only the warehouse process does that
 * --------- */

static bool is_there(const char *folder, const char *relative, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s/libduckdb.so", folder, relative);
    return n > 0 && n < PATH_MAX && access(out, R_OK) == 0;
}

/* The places and their order are those of sink/duckdb_api.c, up to the system's loader,
 * which cannot be asked without loading. */
static bool find_duckdb(char out[PATH_MAX])
{
    char folder[PATH_MAX];
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no threads here */
    const char *asked = getenv("TAILRACE_LIBDUCKDB");
    if (asked != NULL && asked[0] != '\0') {
        (void)snprintf(out, PATH_MAX, "%s", asked);
        return access(out, R_OK) == 0;
    }
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    if (is_there(folder, "../lib/tailrace", out))
        return true;
    for (int i = 0; i <= PARENTS_SEARCHED; i++) {
        if (is_there(folder, "third_party/duckdb", out))
            return true;
        slash = strrchr(folder, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
    }
    out[0] = '\0';
    return false;
}

/* --- libraries
 * ----------------------------------------------------------------------------- */

/* libmariadb is included by mysql/session.c alone, so its version is the one that this
 * program was built with; session.c refuses another one at run time. */
static void add_libraries(struct buf *out,
                          void (*add)(struct buf *, const char *, const char *))
{
    add(out, "libmariadb", BUILD_LIBMARIADB);
    add(out, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    add(out, "sqlite", sqlite3_libversion());
    add(out, "zstd", ZSTD_versionString());
    add(out, "zlib", zlibVersion());
    add(out, "jansson", jansson_version_str());
}

static void add_line(struct buf *out, const char *name, const char *version)
{
    buf_printf(out, "%-12s %s\n", name, version);
}

static void add_member(struct buf *out, const char *name, const char *version)
{
    emit_text(out, name, str_of(version));
}

static void print_text(struct buf *out, bool found, const char *duckdb)
{
    buf_printf(out, "tailrace %s\n%-12s %s, %s\n", BUILD_VERSION, "build", BUILD_TYPE,
               BUILD_COMPILER);
    add_libraries(out, add_line);
    if (found)
        buf_printf(out, "%-12s %s\n", "libduckdb", duckdb);
    else if (duckdb[0] != '\0')
        buf_printf(out, "%-12s not readable: %s (TAILRACE_LIBDUCKDB)\n", "libduckdb",
                   duckdb);
    else
        buf_printf(out,
                   "%-12s not beside the program; the system's, if there is one. "
                   "tools/get-duckdb fetches it.\n",
                   "libduckdb");
}

static void print_json(struct buf *out, bool found, const char *duckdb)
{
    buf_add_char(out, '{');
    emit_text(out, "version", STR(BUILD_VERSION));
    emit_begin(out, "build", '{');
    emit_text(out, "type", STR(BUILD_TYPE));
    emit_text(out, "compiler", STR(BUILD_COMPILER));
    emit_end(out, '}');
    emit_begin(out, "libraries", '{');
    add_libraries(out, add_member);
    emit_end(out, '}');
    emit_begin(out, "libduckdb", '{');
    emit_bool(out, "found", found);
    emit_text_or_null(out, "path", str_of(duckdb));
    emit_end(out, '}');
    buf_add_text(out, "}\n");
}

static int run_version(struct cli *cli, struct error *err)
{
    char duckdb[PATH_MAX] = { 0 };
    bool found = find_duckdb(duckdb);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUTPUT_BYTES);
    if (cli->json)
        print_json(&out, found, duckdb);
    else
        print_text(&out, found, duckdb);
    if (buf_check(&out, "the version as text", err) != 0)
        return -1;
    cli_write(&out);
    return EXIT_OK;
}

const struct command cmd_version = {
    .name = "version",
    .operands = "",
    .summary = "show the version of the program and of its libraries",
    .text = "Prints the program's version, how it was built, the libraries that it runs "
            "with, and where libduckdb was found. That library is not loaded for this: "
            "only the process that owns a DuckDB file does so.\n\n"
            "Examples:\n"
            "  tailrace version\n"
            "  tailrace version --json\n",
    .min_operands = 0,
    .max_operands = 0,
    .run = run_version,
};
