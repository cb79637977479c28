"""What the hosted service whose work this program takes over does, line by line: log-based replication and its errors.
Each test is one line of that list; where ours differs, the test says how and why."""
import os
import signal
import time

import pytest

from support import exits
from support.program import SMALL, wait_until

LOG = ["--method=log"]


def start(tailrace, server, database, *args, code=exits.OK, user="repl"):
    return tailrace.sync(server.url(database, user=user), *LOG, *args).expect(code)


def again(tailrace, *args, code=exits.OK):
    return tailrace.run("run", "x", *args).expect(code)


def exact(tailrace, server, database, **more):
    return tailrace.exact(server, database, way="log", **more)


def table(server, database, name="t", rows=3):
    server.run(f"CREATE TABLE {database}.{name} (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), n INT)",
               f"INSERT INTO {database}.{name} VALUES " + ", ".join(f"({i}, 'first', {i})" for i in range(1, rows + 1)))


def version(tailrace, name="t"):
    rows = tailrace.rows(f"SELECT DISTINCT _sdc_table_version FROM x.{name}")
    assert len(rows) == 1, rows
    return rows[0][0]


def place(tailrace):
    return tailrace.rows("SELECT position FROM _tailrace.mark WHERE lane = 'log'")[0][0]


# --- replicate ----------------------------------------------------------------------------------------

def test_the_position_is_noted_first_and_changes_during_the_copy_are_not_lost(newest_server, make_database, tailrace, proxy_of, fill):
    server, database = newest_server, make_database(newest_server)
    fill(server, database, "t", 5000)
    proxy = proxy_of(server)
    proxy.throttle(150000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *LOG, *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 100000)
    for i in range(20):
        server.run(f"UPDATE {database}.t SET n = -{i} WHERE id % 50 = {i}", f"DELETE FROM {database}.t WHERE id = {i * 200 + 7}",
                   f"INSERT INTO {database}.t VALUES ({100000 + i}, 'during', {i})",
                   f"UPDATE {database}.t SET id = id + 200000 WHERE id = {i * 200 + 9}")
    assert p.poll() is None, "the copy was over too soon to prove anything"
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    exact(tailrace, server, database)
    before = version(tailrace)
    again(tailrace)
    exact(tailrace, server, database)
    assert version(tailrace) == before


def test_the_next_job_starts_behind_the_bookmark_and_reads_all_tables_in_one_pass(newest_server, make_database, tailrace, proxy_of):
    server, database = newest_server, make_database(newest_server)
    for name in ("t", "u", "v"):
        table(server, database, name)
    proxy = proxy_of(server)
    url = server.url(database, port=proxy.port)
    tailrace.sync(url, *LOG).expect(exits.OK)
    server.run(*(f"UPDATE {database}.{name} SET v = REPEAT('{name}', 20)" for name in ("t", "u", "v")))
    big = f"INSERT INTO {database}.t SELECT id + 1000, v, n FROM {database}.u"
    server.run(big)
    at = place(tailrace)
    again(tailrace)
    exact(tailrace, server, database)
    assert place(tailrace) != at
    sequences = {n: tailrace.rows(f"SELECT max(_sdc_sequence), count(*) FROM x.{n}") for n in ("t", "u", "v")}
    dumps = []
    p = tailrace.start("run", "x", "--follow")
    wait_until(lambda: dumps.append(server.run("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")[0][0])
               or dumps[-1] > 0)
    time.sleep(0.3)
    mine = server.run("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")[0][0]
    p.send_signal(signal.SIGTERM)
    tailrace.finish(p).expect(exits.OK, exits.STOPPED)
    assert mine == 1, "one connection reads the log for all tables"
    # Nothing was new, so nothing was written again.
    assert {n: tailrace.rows(f"SELECT max(_sdc_sequence), count(*) FROM x.{n}") for n in ("t", "u", "v")} == sequences


@pytest.mark.parametrize("deletes", ["mark", "blank", "remove"])
def test_inserts_updates_and_deletes_are_captured(either_server, make_database, tailrace, deletes):
    """The service keeps a deleted row, with the time of its deletion, and blanks all but its key: `--deletes blank`.
    Ours keeps the values, unless it is told to; it can also remove the row."""
    server, database = either_server, make_database(either_server)
    table(server, database, rows=4)
    start(tailrace, server, database, f"--deletes={deletes}")
    begin = time.time() - 2
    server.run(f"INSERT INTO {database}.t VALUES (10, 'new', 10)", f"UPDATE {database}.t SET v = 'second' WHERE id = 1",
               f"DELETE FROM {database}.t WHERE id = 2", f"UPDATE {database}.t SET id = 30 WHERE id = 3")
    again(tailrace)
    exact(tailrace, server, database)
    gone = {i: (v, n, at) for i, v, n, at in tailrace.rows(
        "SELECT id, v, n, epoch(_sdc_deleted_at) FROM x.t WHERE _sdc_deleted_at IS NOT NULL")}
    if deletes == "remove":
        assert gone == {}
        return
    assert set(gone) == {2, 3}, "the deleted row, and the key that the changed row had"
    for i, (v, n, at) in gone.items():
        assert (v, n) == ((None, None) if deletes == "blank" else ("first", i))
        assert begin - 1 <= at <= time.time() + 1
    # It comes back.
    server.run(f"INSERT INTO {database}.t VALUES (2, 'back', 22)")
    again(tailrace)
    exact(tailrace, server, database)
    assert tailrace.rows("SELECT v, n, _sdc_deleted_at IS NULL FROM x.t WHERE id = 2") == [("back", 22, True)]


def test_views_are_refused(either_server, make_database, tailrace):
    """`It is a view.`"""
    server, database = either_server, make_database(either_server)
    table(server, database)
    server.run(f"CREATE VIEW {database}.w AS SELECT id, v FROM {database}.t")
    start(tailrace, server, database)
    tailrace.run("select", "x", "w", "--method=log").fails(exits.CONFIG, "view")
    exact(tailrace, server, database, tables=["t"])


def test_a_stopped_job_keeps_what_was_extracted(either_server, make_database, tailrace, fill):
    server, database = either_server, make_database(either_server)
    fill(server, database, "t", 2000)
    start(tailrace, server, database)
    p = tailrace.start("run", "x", "--follow")
    server.run(f"UPDATE {database}.t SET n = -5 WHERE id < 100")
    time.sleep(1.5)
    server.run(f"DELETE FROM {database}.t WHERE id > 1900")
    p.send_signal(signal.SIGTERM)
    tailrace.finish(p, 30).expect(exits.OK, exits.STOPPED)
    at = place(tailrace)
    again(tailrace)
    exact(tailrace, server, database)
    assert at.startswith("log1;")


def test_one_job_at_a_time(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    table(server, database)
    start(tailrace, server, database)
    p = tailrace.start("run", "x", "--follow")
    wait_until(lambda: "running" in tailrace.run("status", "x").out)
    tailrace.run("run", "x").fails(exits.LIMIT, "is running already")
    assert p.poll() is None
    server.run(f"INSERT INTO {database}.t VALUES (50, 'later', 1)")
    p.send_signal(signal.SIGTERM)
    tailrace.finish(p, 30).expect(exits.OK, exits.STOPPED)


@pytest.mark.parametrize("what", ["table", "integration"])
def test_a_reset_copies_again(either_server, make_database, tailrace, what):
    """The old version stays readable until the new one has joined; other tables are followed all the time."""
    server, database = either_server, make_database(either_server)
    table(server, database, "t")
    table(server, database, "u")
    start(tailrace, server, database)
    before = {n: version(tailrace, n) for n in ("t", "u")}
    server.run(f"UPDATE {database}.u SET v = 'later'")
    tailrace.run("reset", "x", *(["t"] if what == "table" else [])).expect(exits.OK)
    assert version(tailrace) == before["t"]
    again(tailrace)
    exact(tailrace, server, database)
    assert version(tailrace) > before["t"]
    assert (version(tailrace, "u") > before["u"]) is (what == "integration")


def test_a_change_of_structure_needs_no_reset(newest_server, make_database, tailrace):
    """The service stops until the table is reset, and other tables with it. Ours follows, or copies that table again."""
    server, database = newest_server, make_database(newest_server)
    table(server, database, "t")
    table(server, database, "u")
    start(tailrace, server, database)
    for ddl in ("ADD COLUMN a INT", "ADD COLUMN b VARCHAR(10) NOT NULL DEFAULT 'b' AFTER id", "DROP COLUMN a",
                "MODIFY COLUMN n BIGINT", "RENAME COLUMN v TO w"):
        server.run(f"ALTER TABLE {database}.t {ddl}", f"INSERT INTO {database}.t (id, n) SELECT MAX(id) + 1, 5 FROM {database}.t",
                   f"UPDATE {database}.u SET n = n + 1")
    for _ in range(2):
        again(tailrace)
    exact(tailrace, server, database)


# --- errors -----------------------------------------------------------------------------------------------

@pytest.fixture
def setting():
    """A function (server, name, value): a global setting until the test ends."""
    undo = []

    def change(server, name, value):
        was = server.run(f"SELECT @@GLOBAL.{name}")[0][0]
        undo.append((server, name, was))
        server.run(f"SET GLOBAL {name} = {value!r}")

    yield change
    for server, name, was in reversed(undo):
        server.run(f"SET GLOBAL {name} = {was!r}")


def no_log(names):
    return [n for n in names if n == "s-mariadb118"]


def test_a_log_that_is_off(make_database, tailrace):
    """`MySQL binary logging is not enabled.`"""
    from conftest import SERVERS, server_of

    if not no_log(SERVERS):
        pytest.skip("needs a server without a log: s-mariadb118")
    server = server_of(no_log(SERVERS)[0])
    database = make_database(server)
    table(server, database)
    result = tailrace.sync(server.url(database), *LOG)
    result.fails((exits.CONFIG, exits.PARTIAL), "log_bin", hint=False)


@pytest.mark.parametrize("value", ["STATEMENT", "MIXED"])
def test_a_wrong_binlog_format(own_server, make_database, tailrace, setting, value):
    """`binlog_format is not set to 'ROW': [MIXED or STATEMENT].`"""
    server = own_server("mysql97", "gtid-mode=OFF", "enforce-gtid-consistency=OFF")
    database = make_database(server)
    table(server, database)
    setting(server, "binlog_format", value)
    tailrace.sync(server.url(database), *LOG).fails((exits.CONFIG, exits.PARTIAL), "binlog_format", value, hint=False)


@pytest.mark.parametrize("value", ["MINIMAL", "NOBLOB"])
def test_a_row_image_that_is_not_full_is_followed(either_server, make_database, tailrace, value):
    """`binlog_row_image is not set to 'FULL'` is an error of the service. Here columns that the log leaves out come from
    the row as it is at the destination."""
    server, database = either_server, make_database(either_server)
    table(server, database)
    server.run(f"ALTER TABLE {database}.t ADD COLUMN b LONGTEXT", f"UPDATE {database}.t SET b = REPEAT('b', 300)")
    start(tailrace, server, database)
    before = version(tailrace)
    c = server.connect(database=database)
    for sql in (f"SET SESSION binlog_row_image = {value}", "UPDATE t SET n = 40 WHERE id = 1", "UPDATE t SET b = 'other' WHERE id = 2",
                "DELETE FROM t WHERE id = 3", "INSERT INTO t VALUES (4, 'new', 4, 'b')", "UPDATE t SET v = 'again' WHERE id = 4",
                "UPDATE t SET n = NULL WHERE id = 2"):
        c.query(sql)
    c.close()
    again(tailrace)
    exact(tailrace, server, database)
    assert version(tailrace) == before


def test_two_jobs_do_not_meet_with_one_server_id(either_server, make_database, tailrace):
    """`A slave with the same server_uuid/server_id as this slave has connected to the master`: ours are told apart."""
    server, database = either_server, make_database(either_server)
    table(server, database)
    for name in ("x", "y"):
        tailrace.sync(server.url(database), *LOG, name=name, copy=tailrace.folder / f"{name}.duckdb").expect(exits.OK)
    jobs = [tailrace.start("run", name, "--follow") for name in ("x", "y")]
    for i in range(3):
        time.sleep(0.7)
        server.run(f"UPDATE {database}.t SET n = {i} WHERE id = 1")
    assert [p.poll() for p in jobs] == [None, None]
    for p in jobs:
        p.send_signal(signal.SIGTERM)
        result = tailrace.finish(p, 30).expect(exits.OK, exits.STOPPED)
        assert "connecting again" not in result.err, result
    for name in ("x", "y"):
        tailrace.copy = tailrace.folder / f"{name}.duckdb"
        tailrace.run("run", name).expect(exits.OK)
        exact(tailrace, server, database, name=name)


def rotate(server):
    server.run("FLUSH BINARY LOGS")
    return server.run("SHOW MASTER STATUS" if server.mariadb else "SHOW BINARY LOG STATUS")[0][0]


def own_of(own_server, flavor):
    return own_server(flavor, "gtid-mode=OFF", "enforce-gtid-consistency=OFF") if flavor == "mysql97" else own_server(flavor)


@pytest.mark.parametrize("flavor", ["mysql97", "mysql97-gtid", "mariadb118"])
def test_a_purged_log_stops_the_job_and_says_what_to_do(own_server, make_database, tailrace, flavor):
    """`the following binary log(s) no longer exist: [file]`; and a reset is the way on."""
    server = own_server("mysql97") if flavor.endswith("gtid") else own_of(own_server, flavor)
    database = make_database(server)
    table(server, database)
    start(tailrace, server, database, user="app")  # may lock tables, where there are no GTIDs
    server.run(f"INSERT INTO {database}.t VALUES (7, 'lost', 7)")
    rotate(server)
    server.run(f"INSERT INTO {database}.t VALUES (8, 'there', 8)")
    last = rotate(server)

    def purged():  # not while a connection of the last run still reads there
        server.run(f"PURGE BINARY LOGS TO '{last}'")
        return server.run("SHOW BINARY LOGS")[0][0] == last

    wait_until(purged)
    before = tailrace.rows("SELECT count(*), max(_sdc_sequence) FROM x.t")
    tailrace.run("run", "x").fails(exits.SOURCE, "purged", "tailrace reset x")
    assert tailrace.rows("SELECT count(*), max(_sdc_sequence) FROM x.t") == before
    tailrace.run("reset", "x").expect(exits.OK)
    again(tailrace)
    exact(tailrace, server, database)


@pytest.mark.parametrize("flavor", ["mysql97", "mariadb118"])
def test_a_position_past_the_end_is_another_history(own_server, make_database, tailrace, flavor):
    """`Requested position for log file is greater than current position`: the log was begun anew."""
    server = own_of(own_server, flavor)
    database = make_database(server)
    table(server, database)
    server.run(*(f"INSERT INTO {database}.t VALUES ({i}, 'fill', 1)" for i in range(100, 130)))
    start(tailrace, server, database, user="app")  # may lock tables, where there are no GTIDs
    server.run("RESET MASTER" if server.mariadb else "RESET BINARY LOGS AND GTIDS")
    server.run(f"INSERT INTO {database}.t VALUES (7, 'new history', 7)")
    tailrace.run("run", "x").fails(exits.SOURCE, "another history", "tailrace reset x")
    tailrace.run("reset", "x").expect(exits.OK)
    again(tailrace)
    exact(tailrace, server, database)


def test_a_server_without_an_id(own_server, make_database, tailrace, setting):
    """`Misconfigured master - server id was not set`"""
    server = own_server("mysql97", "gtid-mode=OFF", "enforce-gtid-consistency=OFF")
    database = make_database(server)
    table(server, database)
    setting(server, "server_id", 0)
    tailrace.sync(server.url(database), *LOG).fails((exits.CONFIG, exits.PARTIAL), "server_id", hint=False)


def test_an_account_that_may_not_read_the_log(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    table(server, database)
    tailrace.sync(server.url(database, user="ro"), *LOG).fails((exits.CONFIG, exits.PARTIAL), "REPLICATION SLAVE", hint=False)


def test_one_bad_table_does_not_stop_the_others(either_server, make_database, tailrace):
    """The service's log-based tables all stop with the one that fails."""
    server, database = either_server, make_database(either_server)
    table(server, database, "t")
    table(server, database, "bad")
    server.run(f"CREATE TABLE {database}.bare (a INT)", f"INSERT INTO {database}.bare VALUES (1), (1), (2)")
    start(tailrace, server, database)
    # Of a row without a key the log then has nothing that tells which one it is.
    c = server.connect(database=database)
    for sql in ("SET SESSION binlog_format = STATEMENT", "UPDATE bad SET n = 77", "SET SESSION binlog_format = ROW",
                "UPDATE t SET n = 78", "DELETE FROM bare WHERE a = 1 LIMIT 1"):
        c.query(sql)
    c.close()
    tailrace.run("run", "x").expect(exits.OK, exits.PARTIAL)
    exact(tailrace, server, database, tables=["t", "bare"])
    again(tailrace)
    exact(tailrace, server, database)


def test_a_foreign_key_that_cascades_is_seen(make_database, tailrace):
    """MariaDB does not log what a foreign key does to the rows of another table: a table that gets such a key is not
    followed any longer, and no copy is wrong and calls itself whole."""
    from conftest import SERVERS, server_of

    if "f-mariadb118" not in SERVERS:
        pytest.skip("needs f-mariadb118")
    server = server_of("f-mariadb118")
    database = make_database(server)
    table(server, database, "t")
    server.run(f"CREATE TABLE {database}.child (id INT NOT NULL PRIMARY KEY, up INT, v INT)",
               f"INSERT INTO {database}.child VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)")
    start(tailrace, server, database)
    server.run(f"ALTER TABLE {database}.child ADD FOREIGN KEY (up) REFERENCES {database}.t (id) ON DELETE CASCADE",
               f"DELETE FROM {database}.t WHERE id = 2", f"UPDATE {database}.child SET v = 7 WHERE id = 3")
    result = tailrace.run("run", "x").expect(exits.OK, exits.PARTIAL)
    exact(tailrace, server, database, tables=["t"])
    rows = tailrace.rows("SELECT count(*) FROM x.child WHERE _sdc_deleted_at IS NULL")[0][0]
    assert rows == 2 or "child" in result.err + result.out, result
    result = tailrace.run("run", "x")
    if result.code == exits.OK:
        exact(tailrace, server, database)
    else:
        result.fails(exits.PARTIAL, "foreign key", hint=False)


def test_a_foreign_key_that_cascades_is_seen_by_a_job_that_runs(make_database, tailrace):
    from conftest import SERVERS, server_of

    if "f-mariadb118" not in SERVERS:
        pytest.skip("needs f-mariadb118")
    server = server_of("f-mariadb118")
    database = make_database(server)
    table(server, database, "t")
    server.run(f"CREATE TABLE {database}.child (id INT NOT NULL PRIMARY KEY, up INT)",
               f"INSERT INTO {database}.child VALUES (1, 1), (2, 2), (3, 3)")
    start(tailrace, server, database)
    p = tailrace.start("run", "x", "--follow")
    wait_until(lambda: server.run("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")[0][0] > 0)
    time.sleep(0.5)
    server.run(f"ALTER TABLE {database}.child ADD FOREIGN KEY (up) REFERENCES {database}.t (id) ON DELETE CASCADE")
    time.sleep(2)
    server.run(f"DELETE FROM {database}.t WHERE id = 2")
    time.sleep(1.5)
    p.send_signal(signal.SIGTERM)
    result = tailrace.finish(p, 30).expect(exits.OK, exits.PARTIAL, exits.STOPPED)
    assert "foreign key" in result.err, result
    state = tailrace.rows("SELECT state FROM _tailrace.stream WHERE source_table = 'child'")[0][0]
    rows = tailrace.rows("SELECT count(*) FROM x.child WHERE _sdc_deleted_at IS NULL")[0][0]
    assert state != "live" or rows == 2, (state, rows, result)


@pytest.mark.parametrize("way", ["EXCHANGE PARTITION p0 WITH TABLE {other}", "CONVERT PARTITION p0 TO TABLE {new}",
                                 "CONVERT TABLE {other} TO PARTITION p9 VALUES LESS THAN (900)"])
def test_rows_that_move_with_a_partition(newest_server, make_database, tailrace, way):
    """Neither table's rows are in the log."""
    server, database = newest_server, make_database(newest_server)
    if "CONVERT" in way and not server.mariadb:
        pytest.skip("MariaDB only")
    server.run(f"CREATE TABLE {database}.parts (id INT NOT NULL PRIMARY KEY, v INT) PARTITION BY RANGE (id) "
               "(PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200))",
               f"CREATE TABLE {database}.other (id INT NOT NULL PRIMARY KEY, v INT)",
               f"INSERT INTO {database}.parts VALUES (1, 1), (101, 101)",
               f"INSERT INTO {database}.other VALUES ({'800' if 'TO PARTITION' in way else '50'}, 50)")
    start(tailrace, server, database)
    server.run(f"ALTER TABLE {database}.parts " + way.format(other=f"{database}.other", new=f"{database}.fresh"),
               f"INSERT INTO {database}.parts VALUES (150, 150)")
    for _ in range(2):
        again(tailrace, code=exits.OK)
    exact(tailrace, server, database, tables=["parts", *(["other"] if "TO PARTITION" not in way else [])])


def test_labels_that_the_catalog_cuts(newest_server, make_database, tailrace):
    """The catalog shows '?' for what needs four bytes; the log has the labels whole."""
    server, database = newest_server, make_database(newest_server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, e ENUM('😀', 'b😀', 'ü?'), "
               "s SET('😀', 'x')) CHARACTER SET utf8mb4", f"INSERT INTO {database}.t VALUES (1, 1, 1)")
    start(tailrace, server, database)
    before = version(tailrace)
    server.run(f"INSERT INTO {database}.t VALUES (2, 2, 3), (3, 3, 2)", f"UPDATE {database}.t SET e = 3 WHERE id = 1")
    again(tailrace)
    exact(tailrace, server, database)
    assert version(tailrace) == before


def test_an_empty_table_and_one_without_a_key(either_server, make_database, tailrace):
    """`No max value for PK found for table [t].`: such tables are as good as others."""
    server, database = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {database}.empty (id INT NOT NULL PRIMARY KEY, v INT)", f"CREATE TABLE {database}.bare (a INT)")
    start(tailrace, server, database)
    exact(tailrace, server, database)
    server.run(f"INSERT INTO {database}.empty VALUES (1, 1)", f"INSERT INTO {database}.bare VALUES (1), (1)")
    again(tailrace)
    exact(tailrace, server, database)
    server.run(f"DELETE FROM {database}.bare LIMIT 1", f"DELETE FROM {database}.empty")
    again(tailrace)
    exact(tailrace, server, database)
    assert os.path.exists(tailrace.copy)
