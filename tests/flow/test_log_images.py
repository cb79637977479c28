"""Rows that the log has in part (binlog_row_image other than FULL): inserts that leave columns out and changes of keys are
read again by key, exactly, without a new copy of the table."""
import threading

import pytest

from support import exits
from support.program import SMALL, wait_until

LOG = ["--method=log"]
MINIMAL = "SET SESSION binlog_row_image = 'MINIMAL'"


def make(server, database):
    c = server.connect(database=database)
    for sql in ("CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20) NOT NULL DEFAULT 'as made', "
                "c VARCHAR(40) DEFAULT (UUID()), d DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), e DECIMAL(20,4) DEFAULT 1.5, "
                "s INT AS (a + 2) STORED)",
                "CREATE TABLE w (id INT NOT NULL PRIMARY KEY, a INT DEFAULT 3, v INT AS (a + 1) VIRTUAL)",
                "CREATE TABLE k (x VARCHAR(20) CHARACTER SET latin1 NOT NULL, y DATETIME(3) NOT NULL, z DECIMAL(10,2) NOT NULL, "
                "b VARCHAR(20) DEFAULT 'as made', n INT DEFAULT 7, PRIMARY KEY (x, y, z))",
                "CREATE TABLE o (id BINARY(4) NOT NULL PRIMARY KEY, b BLOB, n INT DEFAULT 7)",
                *BEFORE):
        c.query(sql)
    return c


BEFORE = ["INSERT INTO t (id, a) VALUES (1, 1), (2, 2), (3, 3)", "INSERT INTO o VALUES ('old1', 'x', 1), ('old2', 'y', 2)",
          "INSERT INTO k VALUES ('stra\u00dfe', '2024-01-01 10:00:00.123', 1.5, 'old', 1), ('b', '2024-01-01', 2, 'old', 2)",
          "INSERT INTO w (id, a) VALUES (1, 1)"]


def versions(tailrace):
    return {t: tailrace.rows(f"SELECT DISTINCT _sdc_table_version FROM x.{t}") for t in ("t", "k", "o", "w")}


def exact(tailrace, server, database):
    return tailrace.exact(server, database, way="log")


def read_again(tailrace):
    return tailrace.run("logs", "x").expect(exits.OK).out.count("read again by key")


ONE_BY_ONE = [
    "INSERT INTO t (a) VALUES (10), (11), (12), (13), (14), (15)",
    "UPDATE t SET b = 'changed' WHERE a = 10", "DELETE FROM t WHERE a = 11", "UPDATE t SET id = id + 1000 WHERE a = 12",
    "UPDATE t SET id = id + 1000 WHERE id = 1", "UPDATE t SET id = id + 1000, b = 'moved' WHERE id = 2",
    "DELETE FROM t WHERE id = 3", "INSERT INTO t (id, b) VALUES (3, 'back')", "UPDATE t SET a = 5 WHERE id = 3",
    "REPLACE INTO t (id, a) VALUES (3, 6)", "REPLACE INTO t (id, a) VALUES (900, 6)", "INSERT INTO t (id, a) VALUES (900, 7) ON DUPLICATE KEY UPDATE e = 2.25",
    "INSERT INTO t () VALUES ()", "UPDATE t SET id = id + 2000 WHERE a = 13", "UPDATE t SET id = id - 2000 WHERE a = 13",
    "INSERT INTO k (x, y, z) VALUES ('\u00fcber', '2024-02-02 12:00:00.5', 3), ('Stra\u00dfe', '2024-02-02', -0.25), ('B', '2024-01-02', 2)",
    "UPDATE k SET x = 'B' WHERE x = 'b' AND z = 2 AND y < '2024-01-02'", "UPDATE k SET n = 8 WHERE x = 'B'", "UPDATE k SET b = NULL WHERE x LIKE '%be%'",
    "DELETE FROM k WHERE x = 'stra\u00dfe' AND z = 1.5", "INSERT INTO k (x, y, z) VALUES ('STRASSE', '2024-01-01 10:00:00.123', 1.5)",
    "INSERT INTO o (id) VALUES ('a'), (X'00ff1020')", "INSERT INTO o (id, b) VALUES ('c', 'blob')", "UPDATE o SET id = 'new1' WHERE id = 'old1'",
    "UPDATE o SET id = 'new2', b = 'z' WHERE id = 'old2'", "DELETE FROM o WHERE id = 'new1'",
    "INSERT INTO w (id) VALUES (2), (3)", "DELETE FROM w WHERE id IN (1, 3)",
]


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
def test_what_replace_set_to_its_default_is_seen(newest_server, make_database, tailrace, image):
    """MariaDB's log has such a row as an update, without the columns that the statement does not name."""
    server, database = newest_server, make_database(newest_server)
    c = make(server, database)
    tailrace.sync(server.url(database), *LOG).expect(exits.OK)
    before = versions(tailrace)
    for sql in ("UPDATE t SET e = 9, b = 'changed' WHERE id = 2", f"SET SESSION binlog_row_image = '{image}'",
                "REPLACE INTO t (id, a) VALUES (2, 6)", "REPLACE INTO k (x, y, z) VALUES ('b', '2024-01-01', 2)",
                "REPLACE INTO o (id, n) VALUES ('old1', 5)", "REPLACE INTO o (id, n) VALUES ('old1', 6)",
                "INSERT INTO o (id, n) VALUES ('old2', 5) ON DUPLICATE KEY UPDATE n = 8", "UPDATE o SET n = n + 1 WHERE id = 'old2'"):
        c.query(sql)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server, database)
    assert versions(tailrace) == before


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
def test_rows_in_part_are_read_again_by_key(either_server, make_database, tailrace, image):
    """The same changes each in a transaction of its own, then all in one, then undone in part: no table is copied again."""
    server, database = either_server, make_database(either_server)
    c = make(server, database)
    tailrace.sync(server.url(database), *LOG).expect(exits.OK)
    before = versions(tailrace)
    c.query(f"SET SESSION binlog_row_image = '{image}'")
    for sql in ONE_BY_ONE:
        c.query(sql)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server, database)
    c.query("SET SESSION binlog_row_image = 'FULL'")
    for sql in ("DELETE FROM t", "DELETE FROM k", "DELETE FROM o", "DELETE FROM w", *BEFORE,
                f"SET SESSION binlog_row_image = '{image}'", "BEGIN", *ONE_BY_ONE, "SAVEPOINT p", "INSERT INTO t (a) VALUES (50)",
                "ROLLBACK TO p", "COMMIT", "BEGIN", "INSERT INTO t (a) VALUES (60)", "ROLLBACK"):
        c.query(sql)
    c.close()
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server, database)
    assert versions(tailrace) == before
    assert image == "NOBLOB" or read_again(tailrace) == 1


def test_a_row_that_went_unseen_is_no_row(either_server, make_database, tailrace):
    """A row that was inserted in part, is not there, and whose deletion is not in the log: the table is copied again."""
    server, database = either_server, make_database(either_server)
    c = make(server, database)
    tailrace.sync(server.url(database), *LOG).expect(exits.OK)
    for sql in (MINIMAL, "INSERT INTO t (id, a) VALUES (20, 1), (21, 1)", "SET SESSION sql_log_bin = 0", "DELETE FROM t WHERE id = 20",
                "SET SESSION sql_log_bin = 1", "INSERT INTO o (id) VALUES ('a')"):
        c.query(sql)
    c.close()
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server, database)
    after = versions(tailrace)
    assert (after["t"], after["o"]) == ([(2,)], [(1,)])


def test_a_table_that_is_emptied_before_its_rows_were_read_is_copied_again(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    c = make(server, database)
    tailrace.sync(server.url(database), *LOG).expect(exits.OK)
    for sql in (MINIMAL, "INSERT INTO t (a) VALUES (1)", "TRUNCATE t", "INSERT INTO t (a) VALUES (2)", "INSERT INTO o (id) VALUES ('a')"):
        c.query(sql)
    c.close()
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server, database)


def test_a_row_is_not_read_again_before_it_can_be_seen(newest_server, make_database, tailrace):
    """Else the row that it replaces would be taken for it. Here the log is sent up to a second before what it has can be seen."""
    if newest_server.mariadb:
        pytest.skip("its groups wait before they are written")
    server, database = newest_server, make_database(newest_server)
    c = make(server, database)
    tailrace.sync(server.url(database), *LOG).expect(exits.OK)
    for sql in (MINIMAL, "BEGIN", "UPDATE t SET b = 'old'", "DELETE FROM t WHERE id = 1", "INSERT INTO t (id) VALUES (1)",
                "UPDATE t SET id = 4 WHERE id = 3", "DELETE FROM k", "INSERT INTO k (x, y, z) VALUES ('b', '2024-01-01', 2)"):
        c.query(sql)
    commit = threading.Thread(target=c.query, args=("COMMIT",))
    try:
        server.run("SET GLOBAL sync_binlog = 0", "SET GLOBAL binlog_group_commit_sync_delay = 1000000")
        commit.start()
        tailrace.run("run", "x").expect(exits.OK)
        commit.join()
    finally:
        server.run("SET GLOBAL binlog_group_commit_sync_delay = 0")
    tailrace.run("run", "x").expect(exits.OK)
    c.close()
    exact(tailrace, server, database)
    assert all(v == [(1,)] for v in versions(tailrace).values())


class Inserter(threading.Thread):
    """Inserts in part without end. Every other row changes right behind, in one transaction with a row of another table;
    some go."""

    def __init__(self, server, database):
        super().__init__(daemon=True)
        self.c, self.stop, self.done, self.failed = server.connect(database=database), threading.Event(), 1000, None
        self.c.query(MINIMAL)

    def run(self):
        try:
            while not self.stop.is_set():
                n = self.done
                steps = [f"INSERT INTO t (a) VALUES ({n})"]
                if n % 2:
                    steps += ["BEGIN", f"UPDATE t SET b = 'later' WHERE a = {n}", f"INSERT INTO w (id) VALUES ({n})", "COMMIT"]
                for sql in steps + [f"DELETE FROM t WHERE a = {n}"] * (n % 14 == 2):
                    self.c.query(sql)
                self.done += 1
        except Exception as e:  # told by end()
            self.failed = e

    def end(self):
        self.stop.set()
        self.join(60)
        self.c.close()
        assert self.failed is None, self.failed


def test_a_stream_of_inserts_in_part_holds_nothing_up(either_server, make_database, tailrace):
    """Catching up ends, and following gets on, while rows are inserted in part without a pause; what is seen is always the
    source as of one commit."""
    server, database = either_server, make_database(either_server)
    make(server, database).close()
    tailrace.sync(server.url(database), *LOG).expect(exits.OK)
    before = versions(tailrace)
    writer = Inserter(server, database)
    writer.start()
    later = "SELECT count(*) - (SELECT count(*) FROM x.w WHERE id >= 1000), count(*) FROM x.t WHERE b = 'later' AND _sdc_deleted_at IS NULL"
    for i in range(5):
        wait_until(lambda: writer.done > 1000 + 20 * (i + 1))
        tailrace.run("run", "x").expect(exits.OK)
        assert tailrace.rows(later)[0][0] == 0, "half a transaction"
    seen = tailrace.rows(later)[0][1]
    assert seen > 10
    p = tailrace.start("run", "x", "--follow")
    ask = ("sql", f"SELECT count(*) > {seen + 50} FROM x.t WHERE b = 'later'", "--format", "csv")
    wait_until(lambda: tailrace.run(*ask).out.split()[-1:] == ["true"], 60)
    assert writer.failed is None and p.poll() is None
    writer.end()
    tailrace.run("stop", "x").expect(exits.OK)
    tailrace.finish(p).expect(exits.STOPPED)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server, database)
    assert versions(tailrace) == before


def test_rows_in_part_while_the_table_is_copied(newest_server, make_database, tailrace, proxy_of, fill):
    server, database = newest_server, make_database(newest_server)
    fill(server, database, "t", 5000)
    proxy = proxy_of(server)
    proxy.throttle(150000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *LOG, *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 100000)
    c = server.connect(database=database)
    c.query(MINIMAL)
    for i in range(20):
        for sql in (f"INSERT INTO t (id) VALUES ({100000 + i})", f"UPDATE t SET id = id + 200000 WHERE id = {i * 200 + 9}",
                    f"UPDATE t SET id = id + 1 WHERE id = {100000 + i} AND {i} = 19", f"DELETE FROM t WHERE id = {99995 + i}"):
            c.query(sql)
    c.close()
    assert p.poll() is None, "the copy was over too soon to prove anything"
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    exact(tailrace, server, database)
    assert tailrace.rows("SELECT DISTINCT _sdc_table_version FROM x.t") == [(1,)]
