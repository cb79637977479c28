/* bench/gen_wide.c
 *
 *   gen_wide N [FIRST_ID] >wide.tsv
 *
 * Rows of table `wide` (bench/wide.sql) for LOAD DATA, the same for the same numbers.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const words[] = { "alpha",   "бета",     "γάμμα",   "数据",
                                     "café",    "naïve",    "replica", "ledger",
                                     "invoice", "shipment", "größe",   "emoji😀",
                                     "batch",   "cursor",   "schema",  "warehouse" };
static const char *const states[] = { "new", "paid", "shipped", "returned", "lost" };
static const char *const sets[] = { "", "a", "a,b", "c", "b,c,d", "a,d" };

/* splitmix64: https://prng.di.unimi.it/splitmix64.c, public domain. */
static uint64_t state;

static uint64_t next(void)
{
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(next() % n);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

static void some_words(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        printf("%s%s", i == 0 ? "" : " ", words[below(COUNT(words))]);
}

static void null_or_words(unsigned one_null_in, unsigned least, unsigned more)
{
    if (one_in(one_null_in))
        fputs("\\N", stdout);
    else
        some_words(least + below(more));
    putchar('\t');
}

static void numbers(uint64_t id)
{
    printf("%" PRIu64 "\t%d\t%u\t%d\t%" PRId32 "\t%" PRIu64 "\t", id,
           (int)below(256) - 128, below(65536), (int)below(1 << 24) - (1 << 23),
           (int32_t)next(), next());
    printf("%s%u.%02u\t", one_in(2) ? "-" : "", below(99999999), below(100));
    if (one_in(4))
        fputs("\\N\t", stdout);
    else
        printf("%s%09u%09u%09u.%010u\t", one_in(2) ? "-" : "", 1 + below(999999999),
               below(1000000000), below(1000000000), below(4000000000));
    printf("%.6g\t%.17g\t", (double)below(4000000000) / 1e5 - 2e4,
           (double)(next() >> 11) / 1e6 - 4e9);
}

static void moments(void)
{
    printf("%04u-%02u-%02u %02u:%02u:%02u.%06u\t", 1990 + below(45), 1 + below(12),
           1 + below(28), below(24), below(60), below(60), below(1000000));
    if (one_in(8))
        fputs("\\N\t", stdout);
    else
        printf("%04u-%02u-%02u %02u:%02u:%02u\t", 1990 + below(45), 1 + below(12),
               1 + below(28), below(24), below(60), below(60));
    printf("%04u-%02u-%02u\t", 1900 + below(200), 1 + below(12), 1 + below(28));
    printf("%s%02u:%02u:%02u.%03u\t%u\t", one_in(8) ? "-" : "", below(800), below(60),
           below(60), below(1000), 1901 + below(250));
}

static void texts(uint64_t id)
{
    some_words(1 + below(5));
    putchar('\t');
    null_or_words(3, 2, 8);
    null_or_words(4, 5, 40);
    printf("{\"id\": %" PRIu64 ", \"tags\": [\"%s\", \"%s\"], \"price\": %u.%02u, "
           "\"nested\": {\"ok\": %s, \"n\": null, \"big\": %" PRIu64 "}}\t",
           id, words[below(COUNT(words))], words[below(COUNT(words))], below(10000),
           below(100), one_in(2) ? "true" : "false", next());
    printf("%s\t%s\t", states[below(COUNT(states))], sets[below(COUNT(sets))]);
}

/* Any bytes, as hexadecimal: LOAD DATA takes every field for text. */
static void blob(void)
{
    if (one_in(3))
        fputs("\\N", stdout);
    else
        for (unsigned left = 8 + below(64); left > 0; left--)
            printf("%02X", below(256));
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (uint64_t id = first; id < first + count; id++) {
        state = id * UINT64_C(0x2545F4914F6CDD1D);
        numbers(id);
        moments();
        texts(id);
        blob();
        printf("\t%u\t%016" PRIx64 "\t%u\n", below(4096), next(), below(2));
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
