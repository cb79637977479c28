#include "sink/duckdb_api.h"

#include <dlfcn.h>
#include <limits.h>

static const char hint_missing[] = "Run tools/get-duckdb, or set TAILRACE_LIBDUCKDB to "
                                   "the path of libduckdb.so 1.4 or later.";

/* Folders above the executable that are searched for third_party/duckdb: a build folder
 * may lie as deep as build/asan/tests/unit. */
#define PARENTS_SEARCHED 4

static int fail(struct error *err, const char *what, const char *detail)
{
    (void)error_set(err, ERR_CONFIG, "opening libduckdb: %s '%s'", what, detail);
    err->hint = hint_missing;
    return -1;
}

/* The folder of the running executable, without the last '/'. */
static bool executable_folder(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return true;
}

/* Load folder/relative/libduckdb.so if such a file exists; NULL when not. */
static void *try_folder(const char *folder, const char *relative, struct duckdb_api *api)
{
    int n =
        snprintf(api->path, sizeof(api->path), "%s/%s/libduckdb.so", folder, relative);
    if (n < 0 || (size_t)n >= sizeof(api->path) || access(api->path, R_OK) != 0)
        return NULL;
    return dlopen(api->path, RTLD_NOW | RTLD_LOCAL);
}

static void *find_library(struct duckdb_api *api)
{
    char folder[PATH_MAX];
    if (executable_folder(folder)) {
        void *handle = try_folder(folder, "../lib/tailrace", api);
        for (int i = 0; handle == NULL && i <= PARENTS_SEARCHED; i++) {
            handle = try_folder(folder, "third_party/duckdb", api);
            char *slash = strrchr(folder, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
        }
        if (handle != NULL)
            return handle;
    }
    (void)snprintf(api->path, sizeof(api->path), "libduckdb.so");
    return dlopen(api->path, RTLD_NOW | RTLD_LOCAL);
}

int duckdb_api_open(struct duckdb_api *out, struct error *err)
{
    struct duckdb_api api = { 0 };
    void *handle = NULL;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before threads start */
    const char *asked = getenv("TAILRACE_LIBDUCKDB");
    if (asked != NULL && asked[0] != '\0') {
        (void)snprintf(api.path, sizeof(api.path), "%s", asked);
        handle = dlopen(asked, RTLD_NOW | RTLD_LOCAL);
    } else {
        handle = find_library(&api);
    }
    if (handle == NULL) {
        const char *why =
            dlerror(); /* NOLINT(concurrency-mt-unsafe): per thread in glibc */
        return fail(err, "no library can be loaded:", why == NULL ? "not found" : why);
    }
    /* POSIX lets a data pointer from dlsym() stand for a function; C has no cast for it,
     * so the bytes are copied. */
#define DUCKDB_RESOLVE(name)                                                  \
    {                                                                         \
        void *symbol = dlsym(handle, "duckdb_" #name);                        \
        if (symbol == NULL)                                                   \
            return fail(err, "the library has no function", "duckdb_" #name); \
        memcpy(&api.name, &symbol, sizeof(symbol));                           \
    }
    DUCKDB_FUNCTIONS(DUCKDB_RESOLVE)
#undef DUCKDB_RESOLVE
    *out = api;
    return 0;
}
