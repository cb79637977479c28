/* src/base/alloc.h
 *
 * Memory whose size we choose ourselves: these abort with a message when there is none,
 * since no caller could do better. A size that the wire, a file or a user chooses goes
 * through a ceiling first (base/buf.h, base/arena.h) and never reaches this file
 * unchecked.
 *
 * Thread: any.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory for count items of size bytes; aborts when there is none. */
void *xcalloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* Like realloc for count items; aborts when there is none or the product overflows. */
void *xreallocarray(void *ptr, size_t count, size_t size)
    __attribute__((warn_unused_result));

/* A NUL-terminated copy, ended by free(). */
char *xstrdup(const char *text) __attribute__((malloc, nonnull, warn_unused_result));

/* Run fn(&variable) when the variable leaves its scope: CLEANUP(buf_done) struct buf b;
 * fn takes a pointer to the variable. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* For CLEANUP on a pointer from malloc and friends. */
void free_pointer(void *pointer_to_pointer);

/* For CLEANUP on a file descriptor; -1 is nothing to close. */
void close_fd(int *fd);

#endif
