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
# How a second comes to lie between the log and the engine. MariaDB waits for a group before the log is written; what
# comes between there is a replica that does not answer.
SLOW = {"mysql": ["sync_binlog = 1", "binlog_group_commit_sync_delay = 1000000"],
        "mariadb": ["sync_binlog = 1", "rpl_semi_sync_master_timeout = 1000", "rpl_semi_sync_master_wait_point = AFTER_SYNC",
                    "rpl_semi_sync_master_enabled = ON"]}
QUICK = {"mysql": ["sync_binlog = 0", "binlog_group_commit_sync_delay = 0"],
         "mariadb": ["sync_binlog = 0", "rpl_semi_sync_master_enabled = OFF"]}


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
    end, waits = threading.Event(), []

    def wait_again():
        """After the first wait in vain the server gives up, until it is told once more."""
        while not end.wait(1.2):
            server.run("SET GLOBAL rpl_semi_sync_master_enabled = OFF", "SET GLOBAL rpl_semi_sync_master_enabled = ON")

    try:
        server.run(*(f"SET GLOBAL {s}" for s in SLOW[family]))
        if server.mariadb:
            waits.append(threading.Thread(target=wait_again))
            waits[0].start()
        yield
    finally:
        end.set()
        for t in waits:
            t.join()
        server.run(*(f"SET GLOBAL {s}" for s in QUICK[family]))


def tables(server, database):
    server.run(f"CREATE TABLE {database}.keyed (id INT NOT NULL PRIMARY KEY, v VARCHAR(10))",
               f"CREATE TABLE {database}.bare (a INT, v VARCHAR(10))",
               f"CREATE TABLE {database}.counts (id INT NOT NULL PRIMARY KEY, n INT)",
               f"INSERT INTO {database}.counts VALUES " + ", ".join(f"({i}, 0)" for i in range(16)),
               f"INSERT INTO {database}.keyed VALUES (-1, 'old'), (-2, 'old')", f"INSERT INTO {database}.bare VALUES (1, 'same')")


def naive_loss(server, database):
    """Which tables a start by SHOW BINARY LOG STATUS loses rows of: not seen by the copy, and before the place in the log
    from which the rest would be read."""
    source = Source(port=server.port)
    status = "SHOW MASTER STATUS" if server.mariadb else "SHOW BINARY LOG STATUS"

    def place():
        return tuple(source.rows(status)[0][:2])

    def insert():
        server.run(f"USE {database}", "BEGIN", "INSERT INTO keyed VALUES (1, 'lost')", "INSERT INTO bare VALUES (99, 'lost')", "COMMIT")

    writer, before = threading.Thread(target=insert), place()
    writer.start()
    try:
        wait_until(lambda: place() != before)
        at = place()
        seen = {t: source.rows(f"SELECT COUNT(*) FROM {database}.{t}")[0][0] for t in ("keyed", "bare")}
        writer.join()
        assert place() == at, "the rows are before that place"
        return [t for t in seen if source.rows(f"SELECT COUNT(*) FROM {database}.{t}")[0][0] != seen[t]]
    finally:
        writer.join()
        source.close()


def hand_over(server, database, tailrace):
    """The job starts while rows commit; then the log is read to its end."""
    tables(server, database)
    url = server.url(database, user="app")  # may lock tables, where there are no GTIDs
    with slow_commits(server):
        assert naive_loss(server, database) == ["keyed", "bare"], "the hazard is not there: nothing is proved"
        inserts = Inserts(server, database, first=100)
        try:
            wait_until(lambda: inserts.done > 0)
            tailrace.sync(url, *LOG).expect(exits.OK)
        finally:
            inserts.stop.set()
    inserts.end()
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.exact(server, database, way="log").tables == 3


KINDS = {"mysql": ("mysql97",), "mysql-plain": ("mysql97", *NO_GTIDS), "mariadb": ("mariadb118",)}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_commit_across_the_start_are_not_lost(own_server, make_database, tailrace, kind):
    """With a key and without one. Whoever begins where the log ends, and copies then, loses rows of both."""
    server = own_server(*KINDS[kind])
    if not server.mariadb:
        assert server.run("SELECT @@gtid_mode")[0][0] == ("OFF" if kind == "mysql-plain" else "ON")
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
    then the log is read again, since a row makes another table be left out: the view still has them."""
    server = own_server("mysql97", *NO_GTIDS)
    database = make_database(server)
    tables(server, database)
    server.run(f"CREATE TABLE {database}.flags (b TINYINT(1))", f"INSERT INTO {database}.flags VALUES (1)")
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
    server.run(f"INSERT INTO {database}.bare VALUES (8, 'behind')", f"INSERT INTO {database}.flags VALUES (5)")  # is no boolean
    wait_until(lambda: "cannot be followed" in tailrace.run("logs", "x").out)
    assert p.poll() is None
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    assert tailrace.exact(server, database, way="log").tables == 5
