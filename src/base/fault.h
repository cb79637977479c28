/* src/base/fault.h
 *
 * Named failure points. In builds for tests (-Dfault_points=true) the environment
 * variable TAILRACE_FAULT names one:
 *
 *     spool.renamed          the process kills itself with SIGKILL exactly there
 *     spool.renamed:3        ... at the third passing
 *     spool.write=ENOSPC     that call fails with this errno, each time
 *     spool.write:3=ENOSPC   ... at the third passing only
 *
 * FAULT() marks a place to die, FAULT_ERRNO() a call that can be made to fail. Elsewhere
 * the macros are empty.
 *
 * Every step that makes something durable has one. tools/list-faults prints them all, and
 * the crash suite visits each.
 *
 * Thread: any.
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
