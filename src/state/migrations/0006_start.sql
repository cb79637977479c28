-- Where tables begin that were not copied: which version, and the place in the log
-- (log_position text). What their join leaves at the destination says it, too.

CREATE TABLE followed_since (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    version INTEGER NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (integration, db, tbl)
) STRICT, WITHOUT ROWID;

-- The same as a person reads it; empty: the table has all rows.

ALTER TABLE report ADD COLUMN since TEXT NOT NULL DEFAULT '';

-- Up to which moment the destination had everything that was committed at the source, in
-- microseconds since 1970; 0: not known.

ALTER TABLE followed_place ADD COLUMN fresh_to INTEGER NOT NULL DEFAULT 0;
