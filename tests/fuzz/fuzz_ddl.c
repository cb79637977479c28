/* Text of statements: the first byte is the mode. Nothing fails; what is found has names
 * within the text or the arena, and concerns the tables that it names. */
#include "mysql/ddl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile char sink; /* so that every byte of a name is read */

static void touch(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        sink = s.ptr[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str text = { (const char *)data + 1, size - 1 };
    struct ddl_mode mode = { (data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) != 0 };
    struct arena *a = arena_new((data[0] & 8) != 0 ? 2048 : 1 << 20);
    struct ddl d;
    ddl_read(a, text, STR("db"), mode, &d);
    if (d.class != DDL_UNKNOWN && d.cut)
        abort();
    for (uint32_t i = 0; i < d.table_count; i++) {
        const struct ddl_table *t = &d.tables[i];
        touch(t->database);
        touch(t->name);
        if (d.class == DDL_TABLES && !d.temporary && t->role != DDL_MENTIONED &&
            !ddl_touches(&d, t->database, t->name))
            abort();
    }
    for (uint32_t i = 0; i < d.action_count; i++) {
        const struct ddl_action *x = &d.actions[i];
        touch(x->column);
        touch(x->new_name);
        touch(x->after);
        touch(x->definition);
        if (d.simple && x->kind == DDL_OTHER)
            abort();
    }
    arena_free(a);
    return 0;
}
