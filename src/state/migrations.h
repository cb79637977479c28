/* src/state/migrations.h
 *
 * The files of migrations/, embedded at build time. Each runs once, in order, in a
 * transaction of its own; PRAGMA user_version counts them. A released file is never
 * changed.
 */
#ifndef STATE_MIGRATIONS_H
#define STATE_MIGRATIONS_H

#include "base/str.h"

extern const struct str state_migration_0001_start;
extern const struct str state_migration_0002_selection;
extern const struct str state_migration_0003_log;
extern const struct str state_migration_0004_source;
extern const struct str state_migration_0005_trouble;
extern const struct str state_migration_0006_start;

#endif
