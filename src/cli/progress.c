/* See progress.h. */
#include "cli/progress.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_EVERY_US (10 * 1000 * 1000)

/* Rates are of about the last five seconds: twenty-five tellings, five a second. */
#define WINDOW 25u

struct progress {
    bool quiet, terminal;
    int64_t last_plain_at;
    struct {
        int64_t at;
        uint64_t rows, bytes;
    } window[WINDOW];
    unsigned told;
};

static void clear_line(void *ctx)
{
    (void)ctx;
    (void)fputs("\r\033[K", stderr);
}

struct progress *progress_begin(bool quiet)
{
    struct progress *p = xcalloc(1, sizeof *p);
    p->quiet = quiet;
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->last_plain_at = clock_mono_us();
    if (p->terminal && !quiet)
        log_set_clear(clear_line, NULL);
    return p;
}

static unsigned terminal_columns(void)
{
    struct winsize w = { 0 };
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20)
        return w.ws_col;
    return 80;
}

static void add_rates(struct progress *pr, const struct job_progress *p, struct buf *line)
{
    unsigned now = pr->told % WINDOW;
    pr->window[now].at = p->elapsed_us;
    pr->window[now].rows = p->rows_read;
    pr->window[now].bytes = p->bytes_read;
    unsigned first = pr->told < WINDOW ? 0 : (pr->told + 1) % WINDOW;
    pr->told++;
    int64_t us = p->elapsed_us - pr->window[first].at;
    if (us <= 0 || p->rows_read < pr->window[first].rows)
        return;
    double s = (double)us / 1e6;
    double rows = (double)(p->rows_read - pr->window[first].rows) / s;
    double bytes = (double)(p->bytes_read - pr->window[first].bytes) / s;
    char number[32], size[16];
    table_number(number, (uint64_t)rows);
    table_bytes(size, (uint64_t)bytes);
    buf_printf(line, "  %s rows/s  %s/s", number, size);
    if (rows >= 1 && p->rows_expected > p->rows_read) {
        char left[16];
        table_duration(left,
                       (int64_t)((double)(p->rows_expected - p->rows_read) / rows * 1e6));
        buf_printf(line, "  %s left", left);
    }
}

static void draw(struct progress *pr, const struct job_progress *p, struct buf *line)
{
    char rows[32];
    buf_printf(line, "%s", p->paused ? "paused, the source is busy" : p->phase);
    if (p->streams == 0)
        return;
    table_number(rows, p->rows_read);
    unsigned percent =
        p->rows_expected == 0
            ? 100
            : (unsigned)((double)p->rows_read * 100 / (double)p->rows_expected);
    buf_printf(line, "  %3u%%  %s rows", percent > 100 ? 100 : percent, rows);
    add_rates(pr, p, line);
    buf_printf(line, "  %llu/%llu tables", (unsigned long long)p->streams_done,
               (unsigned long long)p->streams);
    if (p->rows_rejected > 0)
        buf_printf(line, "  %llu quarantined", (unsigned long long)p->rows_rejected);
    if (p->reading[0] != '\0')
        buf_printf(line, "  %s", p->reading);
}

/* As many code points as fit the width. */
static size_t cut(struct str s, unsigned columns)
{
    unsigned n = 0;
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] & 0xc0u) != 0x80u && ++n > columns)
            return i;
    return s.len;
}

void progress_tell(void *progress, const struct job_progress *p)
{
    struct progress *pr = progress;
    if (pr->quiet)
        return;
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, 4096);
    draw(pr, p, &line);
    if (pr->terminal) {
        size_t n = cut(buf_str(&line), terminal_columns() - 1);
        (void)fprintf(stderr, "\r\033[K%.*s", (int)n, buf_text(&line));
        (void)fflush(stderr);
    } else if (clock_mono_us() - pr->last_plain_at >= PLAIN_EVERY_US) {
        pr->last_plain_at = clock_mono_us();
        (void)fprintf(stderr, "%s\n", buf_text(&line));
    }
}

void progress_end(struct progress *p)
{
    if (p == NULL)
        return;
    if (p->terminal && !p->quiet)
        clear_line(NULL);
    log_set_clear(NULL, NULL);
    free(p);
}
