#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "support/test.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

static int64_t noon(void)
{
    return INT64_C(1772366400000000);
}

/* A receiver that keeps the lines. */
static struct buf text_lines, json_lines;

static void keep_text(void *ctx, const struct log_event *e)
{
    log_format_event(ctx, LOG_TEXT, e);
}

static void keep_json(void *ctx, const struct log_event *e)
{
    log_format_event(ctx, LOG_JSON, e);
}

static int begin(void **state)
{
    (void)state;
    clock_set_wall(noon);
    buf_init(&text_lines, 1 << 20);
    buf_init(&json_lines, 1 << 20);
    log_open(LOG_TEXT, LOG_ERROR);
    log_add(keep_text, &text_lines, LOG_INFO);
    log_add(keep_json, &json_lines, LOG_DEBUG);
    return 0;
}

static int end(void **state)
{
    (void)state;
    log_remove(keep_text, &text_lines);
    log_remove(keep_json, &json_lines);
    buf_done(&text_lines);
    buf_done(&json_lines);
    return 0;
}

static void events_carry_their_fields(void **state)
{
    (void)state;
    log_event(LOG_INFO, "segment sealed", F_TEXT("table", "shop.orders"),
              F_UINT("rows", 12), F_INT("left", -3), F_DOUBLE("rate", 1.5),
              F_DOUBLE("eta", (double)NAN));
    log_event(LOG_WARN, "no fields");
    assert_str(
        buf_str(&text_lines),
        "2026-03-01T12:00:00.000000Z info  segment sealed table=shop.orders rows=12 "
        "left=-3 rate=1.5 eta=null\n"
        "2026-03-01T12:00:00.000000Z warn  no fields\n");
    assert_str(buf_str(&json_lines),
               "{\"at\":\"2026-03-01T12:00:00.000000Z\",\"level\":\"info\",\"text\":"
               "\"segment sealed\",\"table\":\"shop.orders\",\"rows\":12,\"left\":-3,"
               "\"rate\":1.5,\"eta\":null}\n"
               "{\"at\":\"2026-03-01T12:00:00.000000Z\",\"level\":\"warn\",\"text\":"
               "\"no fields\"}\n");
}

static void text_values_that_are_not_words_are_quoted(void **state)
{
    (void)state;
    log_event(LOG_INFO, "x", F_TEXT("a", "two words"), F_TEXT("b", ""),
              F_TEXT("c", "a=b"), F_TEXT("d", "line\nbreak"), F_TEXT("e", "back\\slash"));
    assert_str(buf_str(&text_lines),
               "2026-03-01T12:00:00.000000Z info  x a=\"two words\" b=\"\" c=\"a=b\" "
               "d=\"line\\nbreak\" e=\"back\\\\slash\"\n");
}

static void each_receiver_has_its_own_level(void **state)
{
    (void)state;
    log_event(LOG_DEBUG, "detail");
    assert_int_equal(text_lines.len, 0);
    assert_true(json_lines.len > 0);
    log_remove(keep_json, &json_lines);
    buf_clear(&json_lines);
    log_event(LOG_DEBUG, "detail");
    log_event(LOG_INFO, "story");
    assert_int_equal(json_lines.len, 0);
    assert_true(text_lines.len > 0);
}

static void scopes_add_fields_until_they_end(void **state)
{
    (void)state;
    char name[] = "shop";
    log_scope_begin("job", str_of(name));
    name[0] = 'X';
    log_scope_begin("table", (struct str){ 0 });
    log_event(LOG_INFO, "a", F_INT("n", 1));
    log_scope_end();
    log_event(LOG_INFO, "b");
    log_scope_end();
    log_event(LOG_INFO, "c");
    assert_str(buf_str(&text_lines),
               "2026-03-01T12:00:00.000000Z info  a job=shop table=\"\" n=1\n"
               "2026-03-01T12:00:00.000000Z info  b job=shop\n"
               "2026-03-01T12:00:00.000000Z info  c\n");
}

static void *log_from_a_thread(void *arg)
{
    (void)arg;
    log_event(LOG_INFO, "thread");
    return NULL;
}

static void scopes_belong_to_their_thread(void **state)
{
    (void)state;
    pthread_t thread;
    log_scope_begin("job", STR("shop"));
    assert_int_equal(pthread_create(&thread, NULL, log_from_a_thread, NULL), 0);
    pthread_join(thread, NULL);
    log_scope_end();
    assert_str(buf_str(&text_lines), "2026-03-01T12:00:00.000000Z info  thread\n");
}

static void scopes_past_the_eighth_are_not_shown_but_balance(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        log_scope_begin("s", STR("v"));
    log_event(LOG_INFO, "deep");
    for (int i = 0; i < 10; i++)
        log_scope_end();
    log_event(LOG_INFO, "flat");
    assert_str(buf_str(&text_lines),
               "2026-03-01T12:00:00.000000Z info  deep s=v s=v s=v s=v s=v s=v s=v s=v\n"
               "2026-03-01T12:00:00.000000Z info  flat\n");
}

static void an_error_becomes_one_line(void **state)
{
    (void)state;
    struct error err = { 0 };
    error_set(&err, ERR_NETWORK, "reading 'shop': lost");
    err.sys = 104;
    err.remote = 2013;
    err.hint = "Check the network.";
    log_error(LOG_WARN, "job failed", &err);
    error_set(&err, ERR_BUG, "plain");
    log_error(LOG_WARN, "job failed", &err);
    assert_str(
        buf_str(&text_lines),
        "2026-03-01T12:00:00.000000Z warn  job failed error=\"reading 'shop': lost\" "
        "code=network errno=104 remote=2013 hint=\"Check the network.\"\n"
        "2026-03-01T12:00:00.000000Z warn  job failed error=plain code=bug\n");
}

/* --- standard error --- */

static void count_clear(void *ctx)
{
    (*(int *)ctx)++;
}

/* Run body with standard error in a file; its content is appended to out. */
static void capture(void (*body)(void), struct buf *out)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    char room[4096];
    size_t n;
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    body();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    while ((n = fread(room, 1, sizeof(room), file)) > 0)
        buf_add(out, room, n);
    fclose(file);
}

static void write_two(void)
{
    log_event(LOG_DEBUG, "quiet");
    log_event(LOG_ERROR, "loud", F_TEXT("a", "b"));
}

static void write_too_long(void)
{
    CLEANUP(free_pointer) char *text = xcalloc(100001, 1);
    memset(text, 'x', 100000);
    log_event(LOG_ERROR, "long", F_TEXT("a", text));
}

static void standard_error_gets_lines_and_clears_the_progress_first(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    int clears = 0;
    buf_init(&out, 100000);
    log_open(LOG_TEXT, LOG_INFO);
    log_set_clear(count_clear, &clears);
    capture(write_two, &out);
    log_set_clear(NULL, NULL);
    assert_int_equal(clears, 1);
    assert_str(buf_str(&out), "2026-03-01T12:00:00.000000Z error loud a=b\n");
    buf_clear(&out);
    log_open(LOG_JSON, LOG_INFO);
    capture(write_two, &out);
    assert_str(buf_str(&out),
               "{\"at\":\"2026-03-01T12:00:00.000000Z\",\"level\":\"error\",\"text\":"
               "\"loud\",\"a\":\"b\"}\n");
}

static void a_line_past_the_ceiling_keeps_its_text(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 200000);
    log_open(LOG_TEXT, LOG_INFO);
    capture(write_too_long, &out);
    assert_str(buf_str(&out), "2026-03-01T12:00:00.000000Z error long\n");
}

static void an_unknown_level_reads_as_error(void **state)
{
    (void)state;
    struct log_event e = { .at = noon(), .level = (enum log_level)9, .text = "x" };
    log_format_event(&text_lines, LOG_TEXT, &e);
    assert_str(buf_str(&text_lines), "2026-03-01T12:00:00.000000Z error x\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_carry_their_fields),
        TEST(text_values_that_are_not_words_are_quoted),
        TEST(each_receiver_has_its_own_level),
        TEST(scopes_add_fields_until_they_end),
        TEST(scopes_belong_to_their_thread),
        TEST(scopes_past_the_eighth_are_not_shown_but_balance),
        TEST(an_error_becomes_one_line),
        TEST(standard_error_gets_lines_and_clears_the_progress_first),
        TEST(a_line_past_the_ceiling_keeps_its_text),
        TEST(an_unknown_level_reads_as_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
