/* See spool_look.h. The layout is that of spool/lane.h: SPOOL/LANE/NUMBER.epoch/. */
#include "cli/spool_look.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>

#define PATH_BYTES 8192

static uint64_t count_epochs(const char *lane)
{
    uint64_t count = 0;
    DIR *folder = opendir(lane);
    if (folder == NULL)
        return 0;
    const struct dirent *e;
    while ((e = readdir(folder)) != NULL) /* NOLINT(concurrency-mt-unsafe): own dir */
        count += str_ends(str_of(e->d_name), STR(".epoch")) ? 1 : 0;
    (void)closedir(folder);
    return count;
}

struct spool_look spool_look(const char *data_dir, struct str target_schema)
{
    struct spool_look out = { 0 };
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, PATH_BYTES);
    buf_printf(&path, "%s/spool/" STR_FMT, data_dir, STR_ARG(target_schema));
    DIR *folder = path.failed ? NULL : opendir(buf_text(&path));
    if (folder == NULL)
        return out;
    size_t length = path.len;
    const struct dirent *e;
    while ((e = readdir(folder)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        if (e->d_name[0] == '.')
            continue;
        buf_truncate(&path, length);
        buf_printf(&path, "/%s", e->d_name);
        if (path.failed)
            continue;
        size_t epochs = count_epochs(buf_text(&path));
        out.epochs += epochs;
        out.bytes += epochs == 0 ? 0 : file_tree_bytes(buf_text(&path));
    }
    (void)closedir(folder);
    return out;
}
