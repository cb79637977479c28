-- {where} names databases, perhaps one table.
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, TABLE_COMMENT
FROM information_schema.TABLES
WHERE {where}
