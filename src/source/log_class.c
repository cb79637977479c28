/* Which classes of change a statement belongs to, as far as policies go by them. What it
 * does to the table is another question: see log_ddl.c. */
#include "source/log_internal.h"

static unsigned class_of(const struct ddl_action *a)
{
    switch (a->kind) {
    case DDL_ADD_COLUMN:
        return LOG_CLASS_ADD;
    case DDL_DROP_COLUMN:
        return LOG_CLASS_DROP;
    case DDL_RENAME_COLUMN:
        return LOG_CLASS_RENAME;
    case DDL_CHANGE_COLUMN:
        return str_eq(a->column, a->new_name) ? LOG_CLASS_TYPE : LOG_CLASS_RENAME;
    case DDL_MODIFY_COLUMN:
    case DDL_CHARSET:
        return LOG_CLASS_TYPE;
    case DDL_KEY:
    case DDL_OPTION:
    case DDL_PARTITION:
    case DDL_COLUMN_ATTRIBUTE:
    case DDL_RENAME:
        return 0;
    case DDL_PARTITION_ROWS:
    case DDL_VERSIONING:
    case DDL_OTHER:
        break;
    }
    return LOG_CLASS_ROWS;
}

unsigned log_classes_of(const struct ddl *d, enum log_effect effect)
{
    unsigned classes = 0;
    if (effect == LOG_EFFECT_TRUNCATED)
        return LOG_CLASS_TRUNCATE;
    if (effect == LOG_EFFECT_GONE)
        return LOG_CLASS_GONE;
    if (d->class == DDL_TABLES && d->verb == DDL_ALTER_TABLE && !d->cut) {
        for (uint32_t i = 0; i < d->action_count; i++)
            classes |= class_of(&d->actions[i]);
        if (!d->simple || d->ignore)
            classes |= LOG_CLASS_ROWS;
    }
    return classes != 0 ? classes : LOG_CLASS_ROWS;
}
