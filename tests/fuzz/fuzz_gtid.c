/* GTIDs: the first byte chooses text or bytes, MySQL or MariaDB. What is taken goes there
 * and back, and is a subset of itself. */
#include "mysql/gtid.h"
#include "mysql/gtid_maria.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(struct gtid_set *s)
{
    struct error err = { 0 };
    struct gtid_set back;
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    gtid_set_format(s, &out);
    if (gtid_set_parse(buf_str(&out), &back, &err) != 0 || !gtid_set_equal(s, &back))
        abort();
    gtid_set_done(&back);
    buf_clear(&out);
    gtid_set_encode(s, &out);
    if (gtid_set_decode(buf_str(&out), &back, &err) != 0 || !gtid_set_equal(s, &back) ||
        !gtid_set_is_subset(&back, s))
        abort();
    if (gtid_set_subtract(&back, s, &err) != 0 || !gtid_set_is_empty(&back))
        abort();
    buf_done(&out);
    gtid_set_done(&back);
    gtid_set_done(s);
}

static void check_position(struct gtid_maria_position *p)
{
    struct error err = { 0 };
    struct gtid_maria_position back;
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    gtid_maria_format_position(p, &out);
    if (gtid_maria_parse_position(buf_str(&out), &back, &err) != 0 ||
        !gtid_maria_equal(p, &back) || !gtid_maria_is_subset(p, &back))
        abort();
    buf_done(&out);
    gtid_maria_done(&back);
    gtid_maria_done(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    struct gtid_set s;
    struct gtid_maria_position p;
    if (size == 0)
        return 0;
    struct str rest = { (const char *)data + 1, size - 1 };
    switch (data[0] & 3) {
    case 0:
        if (gtid_set_parse(rest, &s, &err) == 0)
            check_set(&s);
        break;
    case 1:
        if (gtid_set_decode(rest, &s, &err) == 0)
            check_set(&s);
        break;
    case 2:
        if (gtid_maria_parse_position(rest, &p, &err) == 0)
            check_position(&p);
        break;
    default:
        if (gtid_maria_decode_list(rest, &p, &err) == 0)
            check_position(&p);
        break;
    }
    return 0;
}
