-- {expression}, {visible} and {ignored} are columns, or NULL where the server has none.
SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, COLLATION, SUB_PART,
INDEX_TYPE, {expression}, {visible}, {ignored}, NON_UNIQUE
FROM information_schema.STATISTICS
WHERE {where}
