-- Tables that cannot be followed by the log. state: 0 its copies failed, so many in a row;
-- 1 it is parked: no run copies it again until a person says so; 2 a person has said so.

CREATE TABLE trouble (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    state INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    why TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (integration, db, tbl)
) STRICT, WITHOUT ROWID;

-- What was done at the source to a table and not to its copy, as its options say: the copy
-- of this version is not what the source is.

CREATE TABLE inexact (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    version INTEGER NOT NULL,
    what TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (integration, db, tbl)
) STRICT, WITHOUT ROWID;
