#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "state/state.h"
#include "support/test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

/* A stream of the integration that the tests are of. */
#define STREAM(database, table) (&(struct stream_name){ STR("i"), (database), (table) })

struct fixture {
    char dir[64];
    struct state *s;
    struct arena *a;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err = { 0 };
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tailrace-state-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->s = state_open(f->dir, &err);
    assert_non_null(f->s);
    f->a = arena_new((size_t)16 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    state_close(f->s);
    arena_free(f->a);
    assert_int_equal(file_remove_tree(f->dir, &err), 0);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    struct error err = { 0 };
    state_close(f->s);
    f->s = state_open(f->dir, &err);
    assert_non_null(f->s);
}

static void an_integration_survives_and_keeps_its_schema(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct integration i = { .name = STR("Web shop"),
                             .source = STR("mysql://u@h/shop"),
                             .destination = STR("duckdb:/x.duckdb"),
                             .target_schema = STR("web_shop"),
                             .options = STR("{}"),
                             .created_at = 5 };
    assert_int_equal(state_integration_save(f->s, &i, &err), 0);
    i.source = STR("mysql://u@other/shop");
    i.target_schema = STR("elsewhere");
    assert_int_equal(state_integration_save(f->s, &i, &err), 0);
    reopen(f);
    struct integration got = { 0 };
    assert_int_equal(state_integration_find(f->s, f->a, STR("Web shop"), &got, &err), 1);
    assert_str(got.source, "mysql://u@other/shop");
    assert_str(got.target_schema, "web_shop");
    assert_int_equal(got.created_at, 5);
    assert_int_equal(state_integration_find(f->s, f->a, STR("web shop"), &got, &err), 0);
    struct integration *all = NULL;
    size_t count = 0;
    assert_int_equal(state_integration_list(f->s, f->a, &all, &count, &err), 0);
    assert_int_equal(count, 1);
}

static void names_once_given_stay(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct str got = { 0 };
    assert_int_equal(
        state_name_save(f->s, STREAM(STR("d"), STR("t")), STR("a b"), STR("a_b"), &err),
        0);
    assert_int_equal(
        state_name_save(f->s, STREAM(STR("d"), STR("t")), STR("a b"), STR("other"), &err),
        0);
    reopen(f);
    assert_int_equal(
        state_name_find(f->s, f->a, STREAM(STR("d"), STR("t")), STR("a b"), &got, &err),
        1);
    assert_str(got, "a_b");
    assert_int_equal(
        state_name_find(f->s, f->a, STREAM(STR("d"), STR("T")), STR("a b"), &got, &err),
        0);
}

static void shapes_list_oldest_first_and_the_first_text_stays(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    for (uint32_t v = 3; v >= 1; v--) {
        struct stream_shape s = { .database = STR("d"),
                                  .table = STR("t"),
                                  .version = v,
                                  .hash = UINT64_MAX - v,
                                  .schema_json = STR("{\"v\":1}"),
                                  .seen_at = v };
        assert_int_equal(state_shape_save(f->s, STR("i"), &s, &err), 0);
        s.schema_json = STR("changed");
        assert_int_equal(state_shape_save(f->s, STR("i"), &s, &err), 0);
    }
    struct stream_shape *got = NULL;
    size_t count = 0;
    assert_int_equal(
        state_shape_list(f->s, f->a, STREAM(STR("d"), STR("t")), &got, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_int_equal(got[0].version, 1);
    assert_true(got[2].hash == UINT64_MAX - 3);
    assert_str(got[0].schema_json, "{\"v\":1}");
}

static void promotions_and_versions_survive_and_are_forgotten_by_stream(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    bool promoted = false;
    uint64_t version = 0;
    for (int i = 0; i < 2; i++) {
        struct str table = i == 0 ? STR("t") : STR("u");
        assert_int_equal(
            state_promotion_save(f->s, STREAM(STR("d"), table), STR("flag"), &err), 0);
        assert_int_equal(state_version_set(f->s, STREAM(STR("d"), table), 7, &err), 0);
    }
    reopen(f);
    assert_int_equal(state_promotion_find(f->s, STREAM(STR("d"), STR("t")), STR("flag"),
                                          &promoted, &err),
                     0);
    assert_true(promoted);
    assert_int_equal(state_version_get(f->s, STREAM(STR("d"), STR("t")), &version, &err),
                     0);
    assert_int_equal(version, 7);
    assert_int_equal(state_stream_forget(f->s, STREAM(STR("d"), STR("t")), &err), 0);
    assert_int_equal(state_promotion_find(f->s, STREAM(STR("d"), STR("t")), STR("flag"),
                                          &promoted, &err),
                     0);
    assert_false(promoted);
    assert_int_equal(state_version_get(f->s, STREAM(STR("d"), STR("u")), &version, &err),
                     0);
    assert_int_equal(version, 7);
    assert_int_equal(state_stream_forget(f->s, STREAM(STR(""), STR("")), &err), 0);
    assert_int_equal(state_version_get(f->s, STREAM(STR("d"), STR("u")), &version, &err),
                     0);
    assert_int_equal(version, 0);
}

static void a_changed_source_makes_every_copy_old_and_hands_out_nothing(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    const struct stream_name *of = STREAM(STR("d"), STR("t"));
    uint64_t version = 0;
    assert_int_equal(state_version_set(f->s, of, 7, &err), 0);
    for (uint64_t i = 1; i <= 2; i++) {
        assert_int_equal(state_source_changed(f->s, of->integration, &err), 0);
        assert_int_equal(state_version_get(f->s, of, &version, &err), 0);
        assert_int_equal(version, 7 + i);
        assert_int_equal(state_version_handed_out(f->s, of, &version, &err), 0);
        assert_int_equal(version, 7);
    }
    assert_int_equal(state_version_set(f->s, of, 10, &err), 0);
    assert_int_equal(state_version_get(f->s, of, &version, &err), 0);
    assert_int_equal(version, 10);
}

static void a_job_has_a_beginning_an_end_and_a_report(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct error why = { 0 };
    int64_t id = 0;
    (void)error_set(&why, ERR_AUTH, "no entry");
    why.hint = "Do this.";
    assert_int_equal(state_job_start(f->s, STR("i"), &id, &err), 0);
    struct report_row r = { .database = STR("d"),
                            .table = STR("t"),
                            .target = STR("t2"),
                            .method = STR("full"),
                            .state = STR("live"),
                            .error = STR(""),
                            .read = 10,
                            .applied = 9,
                            .superseded = 1,
                            .filtered = 2,
                            .quarantined = 3,
                            .known = 15,
                            .null_by_policy = 4,
                            .bytes = UINT64_C(1) << 40,
                            .first_read_at = 11,
                            .last_read_at = 12,
                            .took_us = 13,
                            .version = 14 };
    assert_int_equal(state_report_save(f->s, id, &r, &err), 0);
    struct job_row *jobs = NULL;
    size_t count = 0;
    assert_int_equal(state_job_list(f->s, f->a, &(struct job_page){ STR("i"), 10 }, &jobs,
                                    &count, &err),
                     0);
    assert_int_equal(jobs[0].outcome, JOB_RUNNING);
    assert_int_equal(state_job_end(f->s, id, JOB_FAILED, &why, &err), 0);
    reopen(f);
    assert_int_equal(state_job_list(f->s, f->a, &(struct job_page){ STR(""), 10 }, &jobs,
                                    &count, &err),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0].outcome, JOB_FAILED);
    assert_str(jobs[0].error, "no entry");
    assert_str(jobs[0].hint, "Do this.");
    struct report_row *rows = NULL;
    assert_int_equal(state_report_list(f->s, f->a, id, &rows, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_str(rows[0].target, "t2");
    assert_int_equal(rows[0].quarantined, 3);
    assert_int_equal(rows[0].known, 15);
    assert_int_equal(rows[0].null_by_policy, 4);
    assert_int_equal(rows[0].first_read_at, 11);
    assert_int_equal(rows[0].last_read_at, 12);
    assert_int_equal(rows[0].took_us, 13);
    assert_true(rows[0].bytes == UINT64_C(1) << 40);
    assert_int_equal(rows[0].version, 14);
}

/* Making the file, its journal and its tables is nothing that two may do at once; all but
 * one wait. */
static void many_first_starts_at_once_all_succeed(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 40, PROCESSES = 8 };
    for (int round = 0; round < ROUNDS; round++) {
        char dir[128];
        pid_t children[PROCESSES];
        int start[2];
        char nothing;
        assert_int_equal(pipe(start), 0);
        (void)snprintf(dir, sizeof dir, "%s/round-%d", f->dir, round);
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] != 0)
                continue;
            struct error e = { 0 };
            (void)close(start[1]);
            (void)!read(start[0], &nothing, 1); /* until all are there */
            struct state *s = state_open(dir, &e);
            if (s == NULL)
                (void)fprintf(stderr, "%s\n", e.text);
            state_close(s);
            _exit(s == NULL ? 1 : 0);
        }
        int failed = 0;
        (void)close(start[0]);
        (void)close(start[1]);
        for (int i = 0; i < PROCESSES; i++) {
            int status = 1;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            failed += status == 0 ? 0 : 1;
        }
        assert_int_equal(failed, 0);
    }
}

static void a_job_whose_process_is_gone_has_died(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    state_close(f->s);
    pid_t child = fork();
    if (child == 0) {
        int64_t id = 0;
        struct error e = { 0 };
        struct state *s = state_open(f->dir, &e);
        bool begun = s != NULL && state_job_start(s, STR("i"), &id, &e) == 0;
        state_close(s);
        _exit(begun ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    f->s = state_open(f->dir, &err);
    struct job_row *jobs = NULL;
    size_t count = 0;
    assert_int_equal(state_job_list(f->s, f->a, &(struct job_page){ STR("i"), 10 }, &jobs,
                                    &count, &err),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0].outcome, JOB_DIED);
}

static void the_job_log_keeps_events_with_their_fields(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct state_log *l = state_log_open(f->s, 3);
    log_open(LOG_TEXT, LOG_ERROR);
    log_add(state_log_sink, l, LOG_INFO);
    log_event(LOG_INFO, "first", F_TEXT("quote", "a\"b"), F_INT("n", -4));
    log_event(LOG_DEBUG, "not kept");
    log_event(LOG_INFO, "second", F_UINT("u", UINT64_MAX));
    log_remove(state_log_sink, l);
    state_log_close(l);
    struct log_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(
        state_log_list(f->s, f->a, &(struct log_page){ 3, 0, 10 }, &rows, &count, &err),
        0);
    assert_int_equal(count, 2);
    assert_str(rows[0].text, "first");
    assert_str(rows[0].fields, "{\"quote\":\"a\\\"b\",\"n\":-4}");
    assert_str(rows[1].fields, "{\"u\":18446744073709551615}");
    int64_t after = rows[0].id;
    assert_int_equal(state_log_list(f->s, f->a, &(struct log_page){ 3, after, 10 }, &rows,
                                    &count, &err),
                     0);
    assert_int_equal(count, 1);
}

static void only_the_owner_may_read_the_file(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/tailrace.db", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_newer_file_is_refused_with_a_hint(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    char path[128];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/tailrace.db", f->dir);
    state_close(f->s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    f->s = state_open(f->dir, &err);
    assert_null(f->s);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "newer version (999"));
    assert_non_null(err.hint);
}

static void a_file_that_is_no_database_is_refused_with_a_hint(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    char path[128];
    (void)snprintf(path, sizeof path, "%s/tailrace.db", f->dir);
    state_close(f->s);
    (void)snprintf(path, sizeof path, "%s/tailrace.db-wal", f->dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/tailrace.db", f->dir);
    assert_int_equal(
        put_file(path, STR("this is no SQLite database at all, is it?"), 0600), 0);
    f->s = state_open(f->dir, &err);
    assert_null(f->s);
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.hint, "Move the file away"));
}

struct racer {
    const char *dir;
    int failures;
};

static void *open_and_write(void *arg)
{
    struct racer *r = arg;
    struct error err = { 0 };
    struct state *s = state_open(r->dir, &err);
    for (int i = 0; s != NULL && i < 50; i++)
        if (state_version_set(s, STREAM(STR("d"), STR("t")), (uint64_t)i, &err) != 0)
            r->failures++;
    r->failures += s == NULL ? 1 : 0;
    state_close(s);
    return NULL;
}

static void two_programs_may_write_at_once(void **state)
{
    struct fixture *f = *state;
    struct racer r[2] = { { .dir = f->dir }, { .dir = f->dir } };
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, open_and_write, &r[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_int_equal(r[i].failures, 0);
    }
}

static void a_batch_becomes_durable_together(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    uint64_t version = 0;
    assert_int_equal(state_batch_begin(f->s, &err), 0);
    assert_int_equal(state_batch_begin(f->s, &err), 0);
    assert_int_equal(state_version_set(f->s, STREAM(STR("d"), STR("t")), 4, &err), 0);
    assert_int_equal(state_batch_end(f->s, &err), 0);
    struct state *other = state_open(f->dir, &err);
    assert_non_null(other);
    assert_int_equal(state_version_get(other, STREAM(STR("d"), STR("t")), &version, &err),
                     0);
    assert_int_equal(version, 0);
    assert_int_equal(state_batch_end(f->s, &err), 0);
    assert_int_equal(state_version_get(other, STREAM(STR("d"), STR("t")), &version, &err),
                     0);
    assert_int_equal(version, 4);
    state_close(other);
}

static void trouble_is_kept_by_table_until_it_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct error err = { 0 };
    struct stream_trouble *list = NULL;
    size_t count = 0;
    bool resumed = true;
    struct stream_trouble t = { .database = STR("d"),
                                .table = STR("t"),
                                .failures = 2,
                                .why = STR("because"),
                                .at = 7 };
    struct stream_trouble other = t;
    other.table = STR("u");
    other.state = TROUBLE_RESUMED;
    assert_int_equal(state_trouble_save(f->s, STR("i"), &t, &err), 0);
    assert_int_equal(state_trouble_resumed(f->s, STR("i"), &resumed, &err), 0);
    assert_false(resumed);
    t.state = TROUBLE_PARKED;
    t.failures = 3;
    assert_int_equal(state_trouble_save(f->s, STR("i"), &t, &err), 0);
    assert_int_equal(state_trouble_save(f->s, STR("i"), &other, &err), 0);
    assert_int_equal(state_trouble_resumed(f->s, STR("i"), &resumed, &err), 0);
    assert_true(resumed);
    assert_int_equal(state_trouble_list(f->s, f->a, STR("i"), &list, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].state, TROUBLE_PARKED);
    assert_int_equal(list[0].failures, 3);
    assert_true(str_eq(list[0].why, STR("because")));
    assert_int_equal(list[0].at, 7);
    struct stream_name one = { STR("i"), STR("d"), STR("u") };
    assert_int_equal(state_trouble_forget(f->s, &one, &err), 0);
    assert_int_equal(state_trouble_list(f->s, f->a, STR("i"), &list, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_true(str_eq(list[0].table, STR("t")));
    struct stream_name all = { .integration = STR("i") };
    assert_int_equal(state_trouble_forget(f->s, &all, &err), 0);
    assert_int_equal(state_trouble_list(f->s, f->a, STR("i"), &list, &count, &err), 0);
    assert_int_equal(count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_integration_survives_and_keeps_its_schema),
        TEST(names_once_given_stay),
        TEST(shapes_list_oldest_first_and_the_first_text_stays),
        TEST(promotions_and_versions_survive_and_are_forgotten_by_stream),
        TEST(a_changed_source_makes_every_copy_old_and_hands_out_nothing),
        TEST(a_job_has_a_beginning_an_end_and_a_report),
        TEST(many_first_starts_at_once_all_succeed),
        TEST(a_job_whose_process_is_gone_has_died),
        TEST(the_job_log_keeps_events_with_their_fields),
        TEST(only_the_owner_may_read_the_file),
        TEST(a_newer_file_is_refused_with_a_hint),
        TEST(a_file_that_is_no_database_is_refused_with_a_hint),
        TEST(two_programs_may_write_at_once),
        TEST(a_batch_becomes_durable_together),
        TEST(trouble_is_kept_by_table_until_it_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
