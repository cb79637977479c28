#include "base/alloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void out_of_memory(size_t count, size_t size)
{
    (void)fprintf(stderr, "tailrace: out of memory: %zu items of %zu bytes\n", count,
                  size);
    abort();
}

void *xcalloc(size_t count, size_t size)
{
    /* calloc(0) may answer NULL, which callers would take for failure. */
    void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (p == NULL)
        out_of_memory(count, size);
    return p;
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
    void *p = reallocarray(ptr, count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (p == NULL)
        out_of_memory(count, size);
    return p;
}

char *xstrdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = xcalloc(n, 1);
    memcpy(copy, text, n);
    return copy;
}

void free_pointer(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof(p)); /* whatever type the pointer has */
    free(p);
}

void close_fd(int *fd)
{
    int before = errno;
    if (*fd >= 0)
        (void)close(*fd); /* nobody is left who could act on it */
    *fd = -1;
    errno = before;
}
