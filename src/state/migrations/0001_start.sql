-- Integrations, the names and shapes given to their streams, and the history of runs.
-- Times are microseconds since 1970-01-01 UTC.

CREATE TABLE integration (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    target_schema TEXT NOT NULL UNIQUE,
    options TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE shape (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    schema_json TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (integration, db, tbl, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE given_name (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    col TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (integration, db, tbl, col)
) STRICT, WITHOUT ROWID;

CREATE TABLE promotion (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    col TEXT NOT NULL,
    PRIMARY KEY (integration, db, tbl, col)
) STRICT, WITHOUT ROWID;

CREATE TABLE copy_version (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (integration, db, tbl)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration TEXT NOT NULL,
    outcome INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    error TEXT NOT NULL,
    hint TEXT NOT NULL
) STRICT;

CREATE INDEX job_by_integration ON job (integration, id);

CREATE TABLE report (
    job INTEGER NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    target TEXT NOT NULL,
    method TEXT NOT NULL,
    state TEXT NOT NULL,
    read_rows INTEGER NOT NULL,
    applied INTEGER NOT NULL,
    superseded INTEGER NOT NULL,
    filtered INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    null_by_policy INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    first_read_at INTEGER NOT NULL,
    last_read_at INTEGER NOT NULL,
    took_us INTEGER NOT NULL,
    version INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (job, db, tbl)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    text TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;

CREATE INDEX log_by_job ON log (job, id);
