-- All columns of a table that is followed by the log, as they are at the place in the log
-- that was captured last: JSON.

CREATE TABLE followed_shape (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    columns TEXT NOT NULL,
    PRIMARY KEY (integration, db, tbl)
) STRICT, WITHOUT ROWID;

-- How far an integration has followed the log, as its last run saw it. position: as the
-- destination's mark has it. headroom: microseconds that the source keeps what comes
-- behind it; -1: not known.

CREATE TABLE followed_place (
    integration TEXT NOT NULL PRIMARY KEY,
    position TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    headroom INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
