"""Changes of followed tables' columns that need no new copy: what the rows that are there get comes in the same epoch. Where the
statement and the catalog do not prove it the table is copied again."""
import signal

import pytest
from conftest import SERVERS, server_of

from support import exits

CONSTANTS = ["b DECIMAL(7,2) DEFAULT -1.5 AFTER id", "c DOUBLE DEFAULT 2.5e-3", "d FLOAT DEFAULT 0.1",
             r"e VARCHAR(40) DEFAULT 'it''s \\ \"quoted\"\n é' COMMENT 'DEFAULT 7'", "f CHAR(5) CHARACTER SET latin1 NOT NULL DEFAULT 'é' FIRST",
             "g DATE DEFAULT '2020-02-29'", "h DATETIME(3) NOT NULL DEFAULT '2020-01-02 03:04:05.5'", "i TIME(2) DEFAULT '-10:20:30.25'",
             "j YEAR DEFAULT 2024", "k ENUM('p','q') DEFAULT 'q'", "l SET('p','q') DEFAULT 'p,q'", "m BIT(5) DEFAULT b'101'",
             "o TINYINT(1) NOT NULL DEFAULT TRUE", "p BIGINT UNSIGNED DEFAULT 18446744073709551615", "q SMALLINT DEFAULT 0x1F",
             "r VARCHAR(9) DEFAULT 12", "s INT DEFAULT '7'", "t TEXT", "u INT UNIQUE", "w VARCHAR(9) DEFAULT _utf8mb4'w'", "x BOOLEAN DEFAULT NULL"]
IMPLICIT = ["za INT NOT NULL", "zb VARCHAR(5) NOT NULL", "zc ENUM('x','y') NOT NULL", "zd SET('x','y') NOT NULL", "ze BINARY(3) NOT NULL",
            "zf TEXT NOT NULL", "zg TIME NOT NULL", "zh YEAR NOT NULL", "zi BIT(3) NOT NULL", "zj DECIMAL(5,2) NOT NULL", "zk DOUBLE NOT NULL",
            "zl BLOB NOT NULL", "zm BOOLEAN NOT NULL"]
COPIED = {"computed": ["ADD COLUMN x DATETIME DEFAULT CURRENT_TIMESTAMP"], "expression": ["ADD COLUMN x INT DEFAULT (7 + 1)"],
          "zone": ["ADD COLUMN x TIMESTAMP NULL DEFAULT '2020-01-01 00:00:00'"], "again": ["DROP COLUMN n, ADD COLUMN n INT"],
          "swapped": ["RENAME COLUMN v TO x, RENAME COLUMN n TO v"], "no_boolean": ["ADD COLUMN x TINYINT(1) DEFAULT 5"],
          "numbers": ["ADD COLUMN x INT AUTO_INCREMENT UNIQUE"], "stored": ["ADD COLUMN x INT AS (n + 1) STORED"],
          "blanks": ["ADD COLUMN x VARCHAR(9) DEFAULT 'end '"], "bytes": ["ADD COLUMN x VARBINARY(9) DEFAULT 'a'"],
          "other_default": ["ADD COLUMN x INT DEFAULT 5", "ALTER COLUMN x SET DEFAULT 6"],
          "other_type": ["ADD COLUMN x INT NOT NULL", "MODIFY COLUMN x VARCHAR(9) NOT NULL"],
          "gone_again": ["ADD COLUMN x INT DEFAULT 5", "DROP COLUMN x"]}


def create(server, database, *names):
    for name in names:
        server.run(f"CREATE TABLE {database}.{name} (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), n INT)",
                   f"INSERT INTO {database}.{name} VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30)")


def make(server, database, tailrace, *more):
    create(server, database, "t")
    tailrace.sync(server.url(database), "--method=log", *more).expect(exits.OK)
    server.run(f"DELETE FROM {database}.t WHERE id = 3", f"UPDATE {database}.t SET n = 11 WHERE id = 1")


def versions(tailrace, name="t"):
    return [v for v, in tailrace.rows(f"SELECT DISTINCT _sdc_table_version FROM x.{name} WHERE _sdc_deleted_at IS NULL")]


def follow(tailrace, server, database, version=1, oracle=True):
    said = tailrace.run("run", "x").expect(exits.OK)
    if oracle:
        tailrace.exact(server, database, way="log")
    assert versions(tailrace) == [version], said.err


def live(tailrace, columns):
    return tailrace.rows(f"SELECT {columns} FROM x.t WHERE _sdc_deleted_at IS NULL ORDER BY id")


def test_new_columns_with_constants_are_filled_in_place(newest_server, make_database, tailrace):
    server, database = newest_server, make_database(newest_server)
    make(server, database, tailrace)
    server.run(f"ALTER TABLE {database}.t ADD COLUMN a INT NOT NULL DEFAULT 5, ALGORITHM=INSTANT", f"INSERT INTO {database}.t (id, v, a) VALUES (3, 'again', 6)")
    follow(tailrace, server, database)
    both = CONSTANTS + IMPLICIT
    names = ", ".join(c.split()[0] for c in IMPLICIT)
    server.run(f"DELETE FROM {database}.t WHERE id = 3", f"ALTER TABLE {database}.t {', '.join('ADD COLUMN ' + c for c in both)}",
               f"UPDATE {database}.t SET n = 12, b = 3.25 WHERE id = 1", f"INSERT INTO {database}.t (id, h, {names}) SELECT 4, h, {names} FROM {database}.t WHERE id = 2")
    follow(tailrace, server, database)
    # A row that was deleted before the columns were there never had them.
    assert tailrace.rows("SELECT a, b, e, za, zb FROM x.t WHERE id = 3 AND _sdc_deleted_at IS NOT NULL") == [(6, None, None, None, None)]


def test_a_dropped_column_stays_and_a_renamed_one_takes_its_values_along(newest_server, make_database, tailrace):
    server, database = newest_server, make_database(newest_server)
    make(server, database, tailrace)
    server.run(f"ALTER TABLE {database}.t DROP COLUMN n", f"INSERT INTO {database}.t VALUES (4, 'four')", f"UPDATE {database}.t SET v = 'two!' WHERE id = 2")
    follow(tailrace, server, database)
    assert live(tailrace, "id, v, n") == [(1, "one", 11), (2, "two!", None), (4, "four", None)]
    server.run(f"ALTER TABLE {database}.t RENAME COLUMN v TO w, ADD COLUMN k INT NOT NULL DEFAULT 8", f"UPDATE {database}.t SET w = 'two?' WHERE id = 2")
    follow(tailrace, server, database)
    assert live(tailrace, "id, v, w, k") == [(1, "one", "one", 8), (2, None, "two?", 8), (4, "four", "four", 8)]
    # Old rows have what was in it before: a column that comes back is copied.
    server.run(f"ALTER TABLE {database}.t ADD COLUMN n INT")
    follow(tailrace, server, database, 2)
    assert live(tailrace, "id, n") == [(1, None), (2, None), (4, None)]


def test_what_is_not_proved_is_copied_again(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    create(server, database, *COPIED)
    tailrace.sync(server.url(database), "--method=log").expect(exits.OK)
    for name, changes in COPIED.items():
        server.run(*(f"ALTER TABLE {database}.{name} {what}" for what in changes))
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log")
    assert {name: versions(tailrace, name) for name in COPIED} == {name: [2] for name in COPIED}


def test_without_names_in_the_log_a_new_column_is_copied_again(make_database, tailrace):
    names = [n for n in SERVERS if n.startswith("b-mariadb")]
    if not names:
        pytest.skip("no server without names in its log")
    server = server_of(names[0])
    database = make_database(server)
    make(server, database, tailrace)
    server.run(f"ALTER TABLE {database}.t ADD COLUMN x INT NOT NULL DEFAULT 5")
    follow(tailrace, server, database, 2)


def test_a_fill_that_was_not_captured_is_not_lost(either_server, make_database, tailrace):
    """Killed when the new shape is known and its epoch is not captured: the destination lacks the column, so the table is copied again."""
    server, database = either_server, make_database(either_server)
    make(server, database, tailrace)
    server.run(f"ALTER TABLE {database}.t ADD COLUMN x INT NOT NULL DEFAULT 5", f"UPDATE {database}.t SET x = 6 WHERE id = 1")
    for epoch in ("1", "2"):  # that of the rows before it; its own
        tailrace.run("run", "x", env={"TAILRACE_FAULT": f"spool.before_rename:{epoch}"}).expect(-signal.SIGKILL)
    follow(tailrace, server, database, 2)
    assert live(tailrace, "id, x") == [(1, 6), (2, 5)]
