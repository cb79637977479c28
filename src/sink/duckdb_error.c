#include "sink/duckdb_internal.h"

#include <ctype.h>
#include <errno.h>

/* DuckDB says what is wrong in words: these are the words of 1.5.5, each seen in a test.
 * The first line that matches wins. */
struct known_error {
    const char *words;
    enum error_code code;
    int sys;
    const char *text; /* instead of DuckDB's, or NULL to keep it */
    const char *hint;
};

static const struct known_error known_errors[] = {
    { "No space left on device", ERR_IO, ENOSPC, "the disk is full",
      "Free space on the disk of the DuckDB file and of its temporary directory, then "
      "run "
      "again: what was captured is loaded." },
    { "max_temp_directory_size", ERR_IO, ENOSPC, "the temporary directory is full",
      "Free space on the disk of the temporary directory, or name another one by the "
      "option temp_directory." },
    { "Disk quota exceeded", ERR_IO, EDQUOT, "the disk quota is used up",
      "Raise the quota or free space, then run again: what was captured is loaded." },
    { "File too large", ERR_IO, EFBIG, "the file may not grow further",
      "Raise the limit on the size of files (ulimit -f)." },
    { "Read-only file system", ERR_IO, EROFS, "the file system is read-only",
      "Choose a place that can be written." },
    { "Permission denied", ERR_IO, EACCES, "permission denied",
      "Give this user the right to write the file and its folder, or choose another "
      "place." },
    { "Operation not permitted", ERR_IO, EPERM, "it may not be written: not permitted",
      "Look for the immutable attribute or a mount that forbids writing, or choose "
      "another "
      "place." },
    { "Out of Memory", ERR_LIMIT, 0, NULL,
      "Raise the destination's option memory_limit, or lower its option threads." },
    { "failed to pin block", ERR_LIMIT, 0, NULL,
      "Raise the destination's option memory_limit, or lower its option threads." },
    { "could not allocate", ERR_LIMIT, 0, NULL,
      "Raise the destination's option memory_limit, or lower its option threads." },
    { "failed to allocate", ERR_LIMIT, 0, NULL,
      "Raise the destination's option memory_limit, or lower its option threads." },
    { "INTERRUPT", ERR_CANCELLED, 0, "interrupted", NULL },
    { "Interrupted!", ERR_CANCELLED, 0, "interrupted", NULL },
    { "database has been invalidated", ERR_TARGET, 0, NULL,
      "The warehouse opens the file again by itself; if this stays, look at the first "
      "error before it." },
    { "IO Error", ERR_IO, 0, NULL, "Check the disk of the DuckDB file." },
};

static const struct known_error open_errors[] = {
    { "not a valid DuckDB database file", ERR_CONFIG, 0, "it is not a DuckDB file",
      "Choose another path, or move that file away." },
    { "we can only read versions", ERR_CONFIG, 0,
      "it was written by a newer version of DuckDB",
      "Update libduckdb (tools/get-duckdb), or choose another path." },
    { "newer version", ERR_CONFIG, 0, "it was written by a newer version of DuckDB",
      "Update libduckdb (tools/get-duckdb), or choose another path." },
    { "Is a directory", ERR_CONFIG, EISDIR, "it is a directory",
      "Name a file, for example DIR/copy.duckdb." },
    { "No such file or directory", ERR_CONFIG, ENOENT, "its folder does not exist",
      "Make the folder first, or choose another path." },
    { "Not a directory", ERR_CONFIG, ENOTDIR, "a part of the path is not a directory",
      "Choose another path." },
    { "Corrupt database file", ERR_CONFIG, 0, "the file is damaged",
      "Bring it back from a backup, or move it away and copy anew." },
};

/* DuckDB's messages go on for lines with advice: the first line is the message. */
static int first_line(const char *message)
{
    size_t n = strcspn(message, "\n");
    return n > 300 ? 300 : (int)n;
}

static const struct known_error *find(const struct known_error *list, size_t count,
                                      const char *message)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(message, list[i].words) != NULL)
            return &list[i];
    return NULL;
}

static int fill(struct error *err, const char *doing, const char *name,
                const struct known_error *k, const char *message)
{
    const char *quote = name[0] == '\0' ? "" : " '";
    const char *end = name[0] == '\0' ? "" : "'";
    if (k->text != NULL)
        (void)error_set(err, k->code, "%s%s%s%s: %s", doing, quote, name, end, k->text);
    else
        (void)error_set(err, k->code, "%s%s%s%s: %.*s", doing, quote, name, end,
                        first_line(message), message);
    err->hint = k->hint;
    err->sys = k->sys;
    return -1;
}

/* Kinds that say that one table's data or shape are at fault. */
static enum error_code code_of(duckdb_error_type type)
{
    if (type == DUCKDB_ERROR_OUT_OF_MEMORY)
        return ERR_LIMIT;
    if (type == DUCKDB_ERROR_INTERRUPT)
        return ERR_CANCELLED;
    if (type == DUCKDB_ERROR_OUT_OF_RANGE || type == DUCKDB_ERROR_CONVERSION ||
        type == DUCKDB_ERROR_DECIMAL || type == DUCKDB_ERROR_MISMATCH_TYPE)
        return ERR_DATA;
    if (type == DUCKDB_ERROR_CATALOG || type == DUCKDB_ERROR_BINDER ||
        type == DUCKDB_ERROR_DEPENDENCY || type == DUCKDB_ERROR_CONSTRAINT ||
        type == DUCKDB_ERROR_UNKNOWN_TYPE || type == DUCKDB_ERROR_INVALID_TYPE ||
        type == DUCKDB_ERROR_NOT_IMPLEMENTED)
        return ERR_SCHEMA;
    return ERR_TARGET;
}

int duckdb_fail(struct error *err, const char *doing, duckdb_error_type type,
                const char *message)
{
    if (message == NULL)
        message = "no message";
    const struct known_error *k =
        find(known_errors, sizeof(known_errors) / sizeof(known_errors[0]), message);
    if (k != NULL)
        return fill(err, doing, "", k, message);
    return error_set(err, code_of(type), "%s: %.*s", doing, first_line(message), message);
}

/* "Could not set lock on file "...": Conflicting lock is held in PROGRAM (PID n)." */
static int fail_locked(struct error *err, const char *path, const char *message)
{
    const char *held = strstr(message, "held in ");
    const char *pid = strstr(message, "(PID ");
    if (held != NULL && pid != NULL && pid > held) {
        held += strlen("held in ");
        pid += strlen("(PID ");
        int digits = 0;
        while (isdigit((unsigned char)pid[digits]))
            digits++;
        int name = pid - held > 6 ? (int)(pid - held) - 6 : 0;
        (void)error_set(err, ERR_TARGET,
                        "opening '%s': process %.*s ('%.*s') has the file open", path,
                        digits, pid, name, held);
    } else {
        (void)error_set(err, ERR_TARGET,
                        "opening '%s': another process has the file open", path);
    }
    err->hint = "Close the file there; loading goes on by itself when it is free.";
    return -1;
}

int duckdb_fail_open(struct error *err, const char *path, const char *message)
{
    if (message == NULL)
        message = "no message";
    if (strstr(message, "Could not set lock") != NULL)
        return fail_locked(err, path, message);
    const struct known_error *k =
        find(open_errors, sizeof(open_errors) / sizeof(open_errors[0]), message);
    if (k == NULL)
        k = find(known_errors, sizeof(known_errors) / sizeof(known_errors[0]), message);
    if (k != NULL)
        return fill(err, "opening", path, k, message);
    return error_set(err, ERR_TARGET, "opening '%s': %.*s", path, first_line(message),
                     message);
}
