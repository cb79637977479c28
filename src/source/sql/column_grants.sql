-- Grants on single columns: of such a table perhaps not all columns are seen.
SELECT TABLE_SCHEMA, TABLE_NAME, COUNT(DISTINCT COLUMN_NAME)
FROM information_schema.COLUMN_PRIVILEGES
WHERE PRIVILEGE_TYPE = 'SELECT' AND {where}
GROUP BY TABLE_SCHEMA, TABLE_NAME
