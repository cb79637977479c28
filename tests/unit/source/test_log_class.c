/* Which classes of change a statement belongs to. */
#include "source/log_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the three above first */
#include <cmocka.h>

static unsigned classes(struct arena *a, const char *sql, enum log_effect effect)
{
    struct ddl d;
    ddl_read(a, str_of(sql), STR("d"), (struct ddl_mode){ 0 }, &d);
    return log_classes_of(&d, effect);
}

static void each_action_has_its_class(void **state)
{
    static const struct {
        const char *sql;
        enum log_effect effect;
        unsigned classes;
    } CASES[] = {
        { "ALTER TABLE t ADD COLUMN c INT", LOG_EFFECT_SHAPED, LOG_CLASS_ADD },
        { "ALTER TABLE t ADD c INT NOT NULL DEFAULT 5", LOG_EFFECT_LOST, LOG_CLASS_ADD },
        { "ALTER TABLE t DROP COLUMN c", LOG_EFFECT_SHAPED, LOG_CLASS_DROP },
        { "ALTER TABLE t RENAME COLUMN c TO e", LOG_EFFECT_LOST, LOG_CLASS_RENAME },
        { "ALTER TABLE t CHANGE c e INT", LOG_EFFECT_LOST, LOG_CLASS_RENAME },
        { "ALTER TABLE t CHANGE c c BIGINT", LOG_EFFECT_SHAPED, LOG_CLASS_TYPE },
        { "ALTER TABLE t MODIFY c BIGINT", LOG_EFFECT_SHAPED, LOG_CLASS_TYPE },
        { "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", LOG_EFFECT_LOST,
          LOG_CLASS_TYPE },
        { "ALTER TABLE t ADD c INT, DROP e, MODIFY f INT", LOG_EFFECT_SHAPED,
          LOG_CLASS_ADD | LOG_CLASS_DROP | LOG_CLASS_TYPE },
        { "ALTER TABLE t DROP PARTITION p0", LOG_EFFECT_LOST, LOG_CLASS_ROWS },
        { "ALTER TABLE t IMPORT TABLESPACE", LOG_EFFECT_LOST, LOG_CLASS_ROWS },
        { "INSERT INTO t VALUES (1)", LOG_EFFECT_LOST, LOG_CLASS_ROWS },
        { "RENAME TABLE s TO t", LOG_EFFECT_LOST, LOG_CLASS_ROWS },
        { "RENAME TABLE t TO s", LOG_EFFECT_GONE, LOG_CLASS_GONE },
        { "ALTER TABLE t RENAME TO s", LOG_EFFECT_GONE, LOG_CLASS_GONE },
        { "DROP TABLE t", LOG_EFFECT_GONE, LOG_CLASS_GONE },
        { "TRUNCATE t", LOG_EFFECT_TRUNCATED, LOG_CLASS_TRUNCATE },
        { "WHATEVER t", LOG_EFFECT_LOST, LOG_CLASS_ROWS },
    };
    struct arena *a = arena_new((size_t)16 << 20);
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        unsigned found = classes(a, CASES[i].sql, CASES[i].effect);
        if (found != CASES[i].classes)
            fail_msg("%s: %x instead of %x", CASES[i].sql, found, CASES[i].classes);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_action_has_its_class) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
