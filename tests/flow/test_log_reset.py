"""A table that is reset is copied anew while its live version goes on following the log.

A writer that has the table locked holds the copy up at its first page, and goes on writing.
"""
import contextlib
import signal

import duckdb
import pytest

from support import exits
from support.program import wait_until

EVERY = ("--method=log", "--epoch-age=100ms", "--handover-wait=1s")
WAYS = {"mark": (), "remove": ("--deletes=remove",), "append": ("--load=append",)}
VERSIONS = "SELECT DISTINCT _sdc_table_version FROM x.{} ORDER BY 1"


def make(server, database):
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20))",
               f"INSERT INTO {database}.t VALUES " + ", ".join(f"({i}, 'first')" for i in range(1, 201)),
               f"CREATE TABLE {database}.bare (a INT, b INT)", f"INSERT INTO {database}.bare VALUES (1, 1), (1, 1), (2, 2), (3, NULL)",
               f"CREATE TABLE {database}.other (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.other VALUES (1)")


class Held:
    """Runs the job while the copies of these tables cannot begin; `write` is the one who may."""

    def __init__(self, tailrace, server, database, *tables):
        self.tailrace, self.c = tailrace, server.connect(database=database)
        self.write("LOCK TABLES " + ", ".join(f"{t} WRITE" for t in tables))

    def write(self, *statements):
        for sql in statements:
            self.c.query(sql)

    def start(self, *args):
        return self.tailrace.start("run", "x", *args)

    def let_go(self):
        self.write("UNLOCK TABLES")

    def cell(self, sql):
        shown = self.tailrace.run("sql", sql, "--format", "csv")
        return shown.out.split()[-1] if shown.code == 0 and shown.out.split() else None

    def until(self, sql, value):
        wait_until(lambda: self.cell(sql) == str(value), 60, 0.1)

    def mark(self, table):
        shown = self.tailrace.run("status", "x", "--streams", "--json").expect(exits.OK).json
        return {s["table"]: s for s in shown["streams"]}[table]


@contextlib.contextmanager
def held(tailrace, server, database, *tables):
    h = Held(tailrace, server, database, *tables)
    try:
        yield h
    finally:
        h.c.close()


def reset(tailrace, *tables):
    for table in tables or [None]:
        tailrace.run("reset", "x", *([table] if table else [])).expect(exits.OK)


def copied(tailrace, p, *tables):
    result = tailrace.finish(p).expect(exits.OK)
    print(result)
    for table in tables:
        (version,), = tailrace.rows(VERSIONS.format(table))
        assert version > 1, table


@pytest.mark.parametrize("way", WAYS)
def test_a_table_is_followed_while_it_is_copied_anew(way, either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    make(server, database)
    tailrace.sync(server.url(database, user="app"), *EVERY, *WAYS[way]).expect(exits.OK)
    reset(tailrace, "t", "bare")
    with held(tailrace, server, database, "t", "bare") as h:
        p = h.start()
        h.write("UPDATE t SET v = 'second' WHERE id = 1", "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (1000, 'new')",
                "INSERT INTO bare VALUES (1, 1), (4, 4)", "DELETE FROM bare WHERE a = 2")
        h.until("SELECT count(*) FROM x.t WHERE id = 1000 AND _sdc_table_version = 1", 1)
        h.until("SELECT count(*) FROM x.bare WHERE a = 4 AND _sdc_table_version = 1", 1)
        if way == "mark":
            assert h.cell("SELECT v FROM x.t WHERE id = 1") == "second"
            assert h.cell("SELECT count(*) FROM x.t WHERE id = 2 AND _sdc_deleted_at IS NULL") == "0"
            assert h.cell("SELECT count(*) FROM x.bare WHERE _sdc_deleted_at IS NULL") == "5"
        assert h.mark("t")["live_state"] == "live" and h.mark("t")["live_version"] == 1
        h.write("TRUNCATE t", "INSERT INTO t VALUES (1, 'third')")
        h.until("SELECT count(*) FROM x.t WHERE v = 'third' AND _sdc_table_version = 1", 1)
        assert h.cell("SELECT count(*) FROM x.t WHERE _sdc_deleted_at IS NULL") == "1" or way == "append"
        assert h.mark("t")["live_version"] == 1
        h.let_go()
        copied(tailrace, p, "t", "bare")
    server.run(f"INSERT INTO {database}.t VALUES (2, 'fourth')", f"INSERT INTO {database}.bare VALUES (5, 5)")
    tailrace.run("run", "x").expect(exits.OK)
    if way != "append":
        tailrace.exact(server, database, way="log")
    assert tailrace.rows("SELECT id, v FROM x.t ORDER BY id, _sdc_sequence")[-2:] == [(1, "third"), (2, "fourth")]


def test_a_killed_copy_goes_on_and_so_does_the_live_version(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    make(server, database)
    tailrace.sync(server.url(database, user="app"), *EVERY, "--page-bytes=4KiB", "--epoch-bytes=1KiB").expect(exits.OK)
    reset(tailrace)
    with held(tailrace, server, database, "t") as h:
        p = h.start("--follow")
        h.write("INSERT INTO t VALUES (1001, 'new')")
        h.until("SELECT count(*) FROM x.t WHERE id = 1001 AND _sdc_table_version = 1", 1)
        p.send_signal(signal.SIGKILL)
        tailrace.finish(p)
        h.write("INSERT INTO t VALUES (1002, 'new')", "DELETE FROM t WHERE id < 50")
        p = h.start()
        h.until("SELECT count(*) FROM x.t WHERE id = 1002 AND _sdc_table_version = 1", 1)
        assert h.cell("SELECT count(*) FROM x.t WHERE _sdc_deleted_at IS NULL") == "153"
        h.let_go()
        copied(tailrace, p, "t", "other")
    tailrace.exact(server, database, way="log")


def test_a_live_version_that_fails_is_parked_and_its_copy_goes_on(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    make(server, database)
    tailrace.sync(server.url(database, user="app"), *EVERY).expect(exits.OK)
    with duckdb.connect(str(tailrace.copy)) as other:  # somebody takes rows away that the log will delete
        other.execute("DELETE FROM x.bare WHERE a = 2")
    reset(tailrace, "bare")
    with held(tailrace, server, database, "bare") as h:
        p = h.start()
        h.write("DELETE FROM bare WHERE a = 2")
        wait_until(lambda: h.mark("bare")["live_state"] == "parked", 60, 0.1)
        assert "does not have" in h.mark("bare")["note"]
        h.write("INSERT INTO bare VALUES (9, 9)")
        h.let_go()
        copied(tailrace, p, "bare")
    tailrace.exact(server, database, way="log")


def test_a_copy_that_fails_leaves_the_live_version_as_it_was(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    make(server, database)
    server.run("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'", f"CREATE TABLE {database}.d (id INT NOT NULL PRIMARY KEY, d DATE)",
               f"INSERT INTO {database}.d VALUES (1, '2020-01-01'), (2, '2020-02-31'), (3, '2020-02-31'), (4, '2020-02-31')")
    args = tailrace.sync_args(server.url(database, user="app"), *EVERY, "--dates=reject")
    tailrace.run(*args).expect(exits.PARTIAL)
    reset(tailrace, "d")
    server.run(f"INSERT INTO {database}.d VALUES (5, '2020-01-05')", f"UPDATE {database}.d SET d = '2020-01-11' WHERE id = 1")
    tailrace.run(*args, "--quarantine-limit=1").expect(exits.PARTIAL)
    assert tailrace.rows("SELECT id, d::VARCHAR, _sdc_table_version FROM x.d ORDER BY id") == [(1, "2020-01-11", 1), (5, "2020-01-05", 1)]
    with tailrace.opened() as copy:
        assert copy.rows("SELECT live_state, live_version FROM _tailrace.stream WHERE source_table = 'd'") == [("live", 1)]
        assert copy.rows("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%held%' OR table_name LIKE '%copy%'") == [(0,)]
    streams = {t["table"]: t for t in tailrace.run("report", "x", "--json").expect(exits.OK).json["streams"]}
    assert streams["d"]["applied"] == 2, streams["d"]  # both changes, and nothing of the copy
    server.run(f"DELETE FROM {database}.d WHERE id IN (2, 3, 4)", f"INSERT INTO {database}.d VALUES (6, NULL)")
    tailrace.run(*args).expect(exits.OK)  # nobody has taken the reset back
    assert [r[:2] for r in tailrace.rows("SELECT id, d::VARCHAR FROM x.d WHERE _sdc_deleted_at IS NULL ORDER BY id")] == [
        (1, "2020-01-11"), (5, "2020-01-05"), (6, None)]
    assert [v for v, in tailrace.rows(VERSIONS.format("d"))] > [1]


def test_a_change_of_shape_while_a_copy_is_made(either_server, make_database, tailrace):
    """What both can take goes into both; else both are copied again."""
    server, database = either_server, make_database(either_server)
    make(server, database)
    tailrace.sync(server.url(database, user="app"), *EVERY).expect(exits.OK)
    reset(tailrace, "t")
    with held(tailrace, server, database, "t") as h:
        p = h.start()
        h.write("INSERT INTO t VALUES (1001, 'new')")
        h.until("SELECT count(*) FROM x.t WHERE id = 1001 AND _sdc_table_version = 1", 1)
        h.write("ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 5")
        h.let_go()
        tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database, way="log")
    assert tailrace.rows("SELECT DISTINCT w FROM x.t WHERE _sdc_deleted_at IS NULL") == [(5,)]


def elsewhere(place, server):
    """The place in another server's log."""
    fields, uuid = place.split(";"), "00000000-1111-2222-3333-444444444444"
    fields[1] = fields[1] and uuid
    fields[4], fields[5] = ("9-9-9", "9-9-9") if server.mariadb else (f"{uuid}:1-9", f"{uuid}:9")
    fields[8] = "0" * len(fields[8])
    return ";".join(fields)


def test_a_reset_behind_a_lost_place_begins_anew(either_server, make_database, tailrace):
    """Nothing can be followed from a place that is not there any more, the live versions neither."""
    server, database = either_server, make_database(either_server)
    make(server, database)
    tailrace.sync(server.url(database, user="app"), *EVERY).expect(exits.OK)
    with duckdb.connect(str(tailrace.copy)) as other:  # as if the log had been purged
        (place,), = other.execute("SELECT position FROM _tailrace.mark WHERE lane = 'log'").fetchall()
        other.execute("UPDATE _tailrace.mark SET position = ? WHERE lane = 'log'", [elsewhere(place, server)])
    failed = tailrace.run("run", "x").expect(exits.SOURCE)
    assert "reset" in failed.err
    reset(tailrace)
    server.run(f"INSERT INTO {database}.t VALUES (1001, 'new')")
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log")
    assert [v for v, in tailrace.rows(VERSIONS.format("t"))] > [1]
