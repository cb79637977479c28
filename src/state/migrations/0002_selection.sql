-- What was said about single tables and columns, and which columns a table had when it was
-- last looked at. chosen: 0 by the patterns, 1 selected, 2 deselected. options: a JSON
-- object of what was set for the table alone, or nothing.

CREATE TABLE stream_setting (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    chosen INTEGER NOT NULL,
    options TEXT NOT NULL,
    PRIMARY KEY (integration, db, tbl)
) STRICT, WITHOUT ROWID;

CREATE TABLE column_setting (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    col TEXT NOT NULL,
    chosen INTEGER NOT NULL,
    PRIMARY KEY (integration, db, tbl, col)
) STRICT, WITHOUT ROWID;

CREATE TABLE known_column (
    integration TEXT NOT NULL,
    db TEXT NOT NULL,
    tbl TEXT NOT NULL,
    col TEXT NOT NULL,
    late INTEGER NOT NULL,
    PRIMARY KEY (integration, db, tbl, col)
) STRICT, WITHOUT ROWID;

-- Rows that were read again and were known already.
ALTER TABLE report ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
