-- aurora-emulation.sql: make a plain MySQL or MariaDB answer the questions one asks an Aurora MySQL cluster.
-- Installed by `mysrv.sh aurora NAME` (as root, not binlogged).  README.md lists what it cannot do.
SET sql_log_bin = 0;

CREATE TABLE IF NOT EXISTS mysql.rds_configuration (
  name VARCHAR(100) NOT NULL PRIMARY KEY, value VARCHAR(100) NULL, description VARCHAR(300) NOT NULL
) ENGINE=InnoDB;
INSERT IGNORE INTO mysql.rds_configuration VALUES
  ('binlog retention hours', NULL, 'binlog retention hours specifies the duration in hours before binary logs are automatically deleted.');

-- the table an Aurora cluster keeps about its instances (older engine versions read it from here)
CREATE TABLE IF NOT EXISTS mysql.ro_replica_status (
  server_id VARCHAR(100) NOT NULL PRIMARY KEY, session_id VARCHAR(100) NOT NULL, last_update_timestamp TIMESTAMP(6) NULL,
  replica_lag_in_msec DOUBLE NULL, is_current TINYINT NOT NULL DEFAULT 1
) ENGINE=InnoDB;
REPLACE INTO mysql.ro_replica_status VALUES
  ('emulated-writer', 'MASTER_SESSION_ID', NULL, 0, 1), ('emulated-reader-1', '6f1c0b62-0000-4000-8000-000000000001', NULL, 18.5, 1);

DROP PROCEDURE IF EXISTS mysql.rds_show_configuration;
DROP PROCEDURE IF EXISTS mysql.rds_set_configuration;
DELIMITER //
CREATE DEFINER = CURRENT_USER PROCEDURE mysql.rds_show_configuration()
  SQL SECURITY DEFINER READS SQL DATA
BEGIN
  SELECT name, value, description FROM mysql.rds_configuration ORDER BY name;
END //
CREATE DEFINER = CURRENT_USER PROCEDURE mysql.rds_set_configuration(IN p_name VARCHAR(100), IN p_value INT)
  SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  IF NOT EXISTS (SELECT 1 FROM mysql.rds_configuration WHERE name = p_name) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Configuration parameter not found';
  END IF;
  IF p_name = 'binlog retention hours' AND p_value IS NOT NULL AND (p_value < 1 OR p_value > 2160) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'For binlog retention hours the value must be between 1 and 2160 or be NULL';
  END IF;
  UPDATE mysql.rds_configuration SET value = p_value WHERE name = p_name;
END //
DELIMITER ;

-- the replicator may look, not set
GRANT EXECUTE ON PROCEDURE mysql.rds_show_configuration TO repl@'%';

-- AURORA_VERSION() without a schema name: the loadable function built by mysrv.sh from aurora_udf.c
DROP FUNCTION IF EXISTS aurora_version;
CREATE FUNCTION aurora_version RETURNS STRING SONAME 'aurora_udf.so';
