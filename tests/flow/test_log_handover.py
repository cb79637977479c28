"""From the copy to the log without a gap: rows commit across the start of the copy, on servers where a second lies
between an event's way into the log and the moment its row can be seen."""
import contextlib
import threading
import time

import pytest

from support import exits
from support.program import wait_until
from support.source import Source

NO_GTIDS = ("gtid-mode=OFF", "enforce-gtid-consistency=OFF")
LOG = ["--method=log"]
SLOW = {"mysql": ["sync_binlog = 1", "binlog_group_commit_sync_delay = 1000000"],
        "mariadb": ["sync_binlog = 1", "binlog_commit_wait_count = 1000", "binlog_commit_wait_usec = 300000"]}
QUICK = {"mysql": ["sync_binlog = 0", "binlog_group_commit_sync_delay = 0"],
         "mariadb": ["sync_binlog = 0", "binlog_commit_wait_count = 0", "binlog_commit_wait_usec = 100000"]}


class Inserts:
    """Sessions that insert into every table and commit, without end. What was committed is counted."""

    def __init__(self, server, database, sessions=6, first=0):
        self.server, self.database, self.stop = server, database, threading.Event()
        self.failed, self.done = [], 0
        self.threads = [threading.Thread(target=self.work, args=(first + i,)) for i in range(sessions)]
        for t in self.threads:
            t.start()

    def work(self, session):
        try:
            c = self.server.connect(database=self.database)
            n = 0
            while not self.stop.is_set():
                n += 1
                for sql in ("BEGIN", f"INSERT INTO keyed VALUES ({session * 1000000 + n}, 'new')",
                            f"INSERT INTO bare VALUES ({n % 5}, 'same')", "UPDATE counts SET n = n + 1 "
                            f"WHERE id = {session % 100}", "COMMIT"):
                    c.query(sql)
                self.done += 1
            c.close()
        except BaseException as e:  # told by end()
            self.failed.append(e)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(60)
        assert not self.failed, self.failed[0]


@contextlib.contextmanager
def slow_commits(server):
    family = "mariadb" if server.mariadb else "mysql"
    try:
        server.run(*(f"SET GLOBAL {s}" for s in SLOW[family]))
        yield
    finally:
        server.run(*(f"SET GLOBAL {s}" for s in QUICK[family]))


def tables(server, database):
    server.run(f"CREATE TABLE {database}.keyed (id INT NOT NULL PRIMARY KEY, v VARCHAR(10))",
               f"CREATE TABLE {database}.bare (a INT, v VARCHAR(10))",
               f"CREATE TABLE {database}.counts (id INT NOT NULL PRIMARY KEY, n INT)",
               f"INSERT INTO {database}.counts VALUES " + ", ".join(f"({i}, 0)" for i in range(16)),
               f"INSERT INTO {database}.keyed VALUES (-1, 'old'), (-2, 'old')", f"INSERT INTO {database}.bare VALUES (1, 'same')")


def naive_loss(server, database):
    """How many rows a start by SHOW BINARY LOG STATUS loses: not seen by the copy, and before the place in the log from
    which the rest would be read."""
    source = Source(port=server.port)
    inserts = Inserts(server, database)
    try:
        time.sleep(1.3)
        status = "SHOW MASTER STATUS" if server.mariadb else "SHOW BINARY LOG STATUS"
        file, start = source.rows(status)[0][:2]
        ids = f"SELECT id FROM {database}.keyed"
        seen = {r[0] for r in source.rows(ids)}
        inserts.end()
        there = {r[0] for r in source.rows(ids)}
        events = source.rows(f"SHOW BINLOG EVENTS IN '{file.decode()}' FROM {int(start)}")
        behind = sum(1 for e in events if e[2] == b"Table_map" and f"({database}.keyed)".encode() in e[5])  # one row each
        return len(there - seen) - behind
    finally:
        inserts.stop.set()
        source.close()


def start_copies(tailrace, server, database, inserts):
    """The job starts while rows commit; twice more from nothing, for other moments; then the log is read to its end."""
    url = server.url(database, user="app")  # may lock tables, where there are no GTIDs
    copies = [tailrace.start(*tailrace.sync_args(url, *LOG, name=f"x{i}", copy=tailrace.folder / f"copy{i}.duckdb")) for i in range(2)]
    for p in copies:
        tailrace.finish(p).expect(exits.OK)
    inserts.end()
    return copies


def judge(tailrace, server, database):
    for i in range(2):
        tailrace.copy = tailrace.folder / f"copy{i}.duckdb"
        tailrace.run("run", f"x{i}").expect(exits.OK)
        report = tailrace.exact(server, database, name=f"x{i}", way="log")
        assert report.tables == 3


def hand_over(server, database, tailrace, hazard=True):
    tables(server, database)
    with slow_commits(server):
        if hazard:
            assert naive_loss(server, database) > 0, "the hazard is not there: nothing is proved"
        inserts = Inserts(server, database, first=100)
        try:
            time.sleep(0.3)
            start_copies(tailrace, server, database, inserts)
        finally:
            inserts.stop.set()
    inserts.end()
    judge(tailrace, server, database)


def test_rows_that_commit_across_the_start_are_not_lost(newest_server, make_database, tailrace):
    """MySQL with GTIDs, MariaDB. (MariaDB waits before the log is written: an event is visible when it is in the log.)"""
    hand_over(newest_server, make_database(newest_server), tailrace, hazard=not newest_server.mariadb)


def test_rows_that_commit_across_the_start_are_not_lost_without_gtids(own_server, make_database, tailrace):
    server = own_server("mysql97", *NO_GTIDS)
    assert server.run("SELECT @@gtid_mode")[0][0] == "OFF"
    hand_over(server, make_database(server), tailrace)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_transactions_open_at_the_start_are_copied_or_follow(newest_server, make_database, tailrace, proxy_of, fill, where):
    """A transaction that is open when the copy begins commits while it runs, or after it has ended."""
    server, database = newest_server, make_database(newest_server)
    fill(server, database, "t", 3000)
    server.run(f"CREATE TABLE {database}.bare (a INT)", f"INSERT INTO {database}.bare VALUES (1), (1)")
    c = server.connect(database=database)
    for sql in ("BEGIN", "UPDATE t SET n = -1 WHERE id % 7 = 0", "DELETE FROM t WHERE id = 1", "INSERT INTO bare VALUES (1), (9)"):
        c.query(sql)
    proxy = proxy_of(server)
    proxy.throttle(400000)
    url = server.url(database, port=proxy.port)
    p = tailrace.start(*tailrace.sync_args(url, *LOG, "--page-bytes=16KiB"))
    time.sleep(0.7)
    if where == "before":
        c.query("COMMIT")
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    if where == "behind":
        c.query("COMMIT")
    c.close()
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log")


def test_a_table_added_later_joins_while_others_go_on(newest_server, make_database, tailrace):
    server, database = newest_server, make_database(newest_server)
    for t in ("first", "second"):
        server.run(f"CREATE TABLE {database}.{t} (id INT NOT NULL PRIMARY KEY, v INT)", f"INSERT INTO {database}.{t} VALUES (1, 1), (2, 2)")
    tailrace.sync(server.url(database), *LOG, "--tables=first").expect(exits.OK)
    version = tailrace.rows("SELECT DISTINCT _sdc_table_version FROM x.first")
    server.run(f"UPDATE {database}.first SET v = 3 WHERE id = 1", f"DELETE FROM {database}.second WHERE id = 1")
    tailrace.run("select", "x", "second").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log")
    assert tailrace.rows("SELECT DISTINCT _sdc_table_version FROM x.first") == version


def test_rows_that_are_read_again_behind_the_view_come_once(own_server, make_database, tailrace, proxy_of, fill):
    """The one view of a table without a key has rows that the log has brought already, and that no epoch has captured;
    then the log is read again, since a transaction takes back what it began: the view still has them."""
    server = own_server("mysql97", *NO_GTIDS)
    database = make_database(server)
    tables(server, database)
    fill(server, database, "wide", 5000)
    c = server.connect(database=database)
    c.begin()
    c.query("UPDATE counts SET n = 1 WHERE id = 1")  # no lock is granted until it ends
    proxy = proxy_of(server)
    url = server.url(database, user="app", port=proxy.port)
    p = tailrace.start(*tailrace.sync_args(url, *LOG, "--epoch-age=60s", "--page-bytes=16KiB"))
    dumping = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
    wait_until(lambda: server.run(dumping)[0][0] > 0)
    server.run(f"INSERT INTO {database}.bare VALUES (7, 'twice?')")
    proxy.throttle(150000)
    c.commit()
    c.close()
    wait_until(lambda: "view's place" in tailrace.run("logs", "x").out)
    server.run(f"USE {database}", "INSERT INTO bare VALUES (8, 'behind')", "BEGIN", "INSERT INTO keyed VALUES (6, 'whole')",
               "SET SESSION binlog_row_image = MINIMAL", "INSERT INTO keyed (id) VALUES (7)", "COMMIT")
    wait_until(lambda: "cannot be followed" in tailrace.run("logs", "x").out)
    assert p.poll() is None
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    assert tailrace.exact(server, database, way="log").tables == 4
