-- Grants of this account on single columns: of such a table perhaps not all columns are seen.
-- An account that may read the grant tables gets those of all others, too.
SELECT TABLE_SCHEMA, TABLE_NAME, COUNT(DISTINCT COLUMN_NAME)
FROM information_schema.COLUMN_PRIVILEGES
WHERE PRIVILEGE_TYPE = 'SELECT' AND {where}
AND GRANTEE = CONCAT('\'', SUBSTRING(CURRENT_USER(), 1,
CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
'\'@\'', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '\'')
GROUP BY TABLE_SCHEMA, TABLE_NAME
