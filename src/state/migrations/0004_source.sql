-- Set where the integration was given another source: copies of an older version do not
-- go on. A table that is followed by the log does, since its place in the log is proved.

ALTER TABLE copy_version ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
