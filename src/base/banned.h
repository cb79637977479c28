/* src/base/banned.h
 *
 * Included by the build in front of every file of ours: names that have a safer
 * neighbour here do not compile. Each line says which.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#pragma GCC poison strcpy strcat sprintf vsprintf /* buf_printf */
#pragma GCC poison strtok atoi atol atoll         /* str_cut, str_to_i64 */
#pragma GCC poison gmtime localtime               /* clock_format */
#pragma GCC poison gets system                    /* nothing: do not */
#pragma GCC poison sleep usleep nanosleep         /* clock_wait_us; clock.c uses ppoll */

#endif
