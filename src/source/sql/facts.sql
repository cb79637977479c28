-- Which of the columns that some versions lack does this server's information_schema have?
SELECT TABLE_NAME, COLUMN_NAME
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = 'information_schema'
AND (TABLE_NAME = 'STATISTICS' AND COLUMN_NAME IN ('EXPRESSION', 'IS_VISIBLE', 'IGNORED')
OR TABLE_NAME = 'CHECK_CONSTRAINTS' AND COLUMN_NAME = 'TABLE_NAME')
