/* src/base/fault.h
 *
 * Named failure points. In builds for tests (-Dfault_points=true) the environment
 * variable TAILRACE_FAULT names one, "spool.renamed", "spool.renamed:3" (the third
 * passing), or "spool.write=ENOSPC" (fail with that errno instead of dying); the process
 * then kills itself with SIGKILL exactly there. Elsewhere the macros are empty.
 *
 * Every step that makes something durable has one. tools/list-faults prints them all, and
 * the crash suite visits each.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#ifdef TAILRACE_FAULT_POINTS
/* Die here when the environment says so. */
void fault_point(const char *name);
/* An errno to fail with when the environment says so, else 0. */
int fault_errno(const char *name);
#define FAULT(name) fault_point(name)
#define FAULT_ERRNO(name) fault_errno(name)
#else
#define FAULT(name) ((void)0)
#define FAULT_ERRNO(name) 0
#endif

#endif
