"""Tables that begin without their rows: now, behind GTIDs, behind a place, since a time. What they have is what the log
says since then, never a copy, and that is said."""
import datetime

import pytest

from support import exits

LOG = ["--method=log", "--handover-wait=1s"]


def make(server, database):
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), n INT)",
               f"INSERT INTO {database}.t VALUES (1, 'old', 1), (2, 'old', 2), (3, 'old', 3)")


def place(server):
    """Where the log ends: between two transactions."""
    file, offset = server.run("SHOW MASTER STATUS" if server.mariadb else "SHOW BINARY LOG STATUS")[0][:2]
    return f"{file}:{offset}"


def gtids(server):
    text = server.run("SELECT @@gtid_binlog_pos" if server.mariadb else "SELECT @@gtid_executed")[0][0]
    return text.replace("\n", "")


def change(server, database):
    """An update of a row that is older than the start, one of a row that is not, a delete of an older one."""
    server.run(f"INSERT INTO {database}.t VALUES (10, 'new', 0)", f"UPDATE {database}.t SET n = n + 1 WHERE id IN (2, 10)",
               f"DELETE FROM {database}.t WHERE id = 3")


AFTER = [(2, "old", 3, False), (3, "old", 3, True), (10, "new", 1, False)]
ROWS = "SELECT id, v, n, _sdc_deleted_at IS NOT NULL FROM x.t ORDER BY id"


def stream(result):
    return next(t for t in result.json["tables"] if t["table"] == "t")


def test_now_has_the_changes_from_then_on(tailrace, either_server, make_database):
    server, d = either_server, make_database(either_server)
    make(server, d)
    tailrace.sync(server.url(d), *LOG, "--start=now").expect(exits.OK)
    assert tailrace.rows("SELECT count(*) FROM x.t") == [(0,)]
    change(server, d)
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows(ROWS) == AFTER
    told = tailrace.run("status", "x").expect(exits.OK)
    assert "not the whole table" in told.out
    assert "not the whole table" in tailrace.run("status", "x", "--streams").out
    assert stream(tailrace.run("status", "x", "--json"))["since"]


@pytest.mark.parametrize("kind", ["gtid", "position", "time"])
def test_a_chosen_place_has_all_behind_it(tailrace, server, make_database, kind):
    d = make_database(server)
    make(server, d)
    now = server.run("SELECT UTC_TIMESTAMP()")[0][0]
    start = {"gtid": lambda: f"gtid:{gtids(server)}", "position": lambda: f"position:{place(server)}",
             "time": lambda: f"time:{now + datetime.timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}Z"}[kind]()
    if kind == "time":  # whole seconds: what was before it was before
        server.run("SELECT SLEEP(2.1)")
    change(server, d)
    server.run(f"UPDATE {d}.t SET v = 'last' WHERE id = 10")
    tailrace.sync(server.url(d), *LOG, f"--start={start}").expect(exits.OK)
    assert tailrace.rows(ROWS) == [*AFTER[:2], (10, "last", 1, False)]
    assert "not the whole table" in tailrace.run("status", "x").out
    server.run(f"DELETE FROM {d}.t WHERE id = 2")
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT id FROM x.t WHERE _sdc_deleted_at IS NULL") == [(10,)]


def test_a_place_that_is_none_is_refused(tailrace, server, make_database):
    d = make_database(server)
    make(server, d)
    before = place(server)
    change(server, d)
    file, offset = before.rsplit(":", 1)
    wrong = [(f"position:{file}:{int(offset) + 7}", exits.CONFIG, ["transaction"]),
             (f"position:{file}:999999999", exits.CONFIG, ["end"]),
             ("position:nowhere.000001:4", exits.SOURCE, ["nowhere.000001"]),
             ("time:1999-12-31T23:59:59Z", exits.SOURCE, ["begins at"]),
             ("time:2199-12-31T23:59:59Z", exits.CONFIG, ["still to come"]),
             ("time:2026-02-30T00:00:00Z", exits.CONFIG, ["start", "time"]),
             ("gtid:0-999999-99999999999" if server.mariadb else "gtid:11111111-1111-1111-1111-111111111111:1-7", exits.SOURCE,
              ["history"]),
             ("yesterday", exits.CONFIG, ["start"])]
    for start, code, words in wrong:
        tailrace.sync(server.url(d), *LOG, f"--start={start}").fails((code, exits.CONFIG, exits.SOURCE), *words)
    tailrace.sync(server.url(d), "--method=full", "--start=now").fails(exits.CONFIG, "start")
    if not server.mariadb and server.run("SELECT @@gtid_purged")[0][0]:  # what was executed before this set is not asked for, and gone
        own = server.run("SELECT @@server_uuid")[0][0]
        tailrace.sync(server.url(d), *LOG, f"--start=gtid:{own}:2").fails((exits.CONFIG, exits.SOURCE), "purged")
    tailrace.sync(server.url(d), *LOG, f"--start=position:{before}").expect(exits.OK)
    assert tailrace.rows(ROWS) == AFTER


def test_rows_without_a_key_begin_as_a_log_alone(tailrace, either_server, make_database):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.bare (a INT, v VARCHAR(20))", f"INSERT INTO {d}.bare VALUES (1, 'old'), (1, 'old')")
    tailrace.sync(server.url(d), *LOG, "--start=now").fails(exits.PARTIAL, "no key", hint=False)
    tailrace.run("select", "x", f"{d}.bare", "--load=append").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    server.run(f"DELETE FROM {d}.bare LIMIT 1", f"INSERT INTO {d}.bare VALUES (2, 'new')", f"UPDATE {d}.bare SET v = 'now' WHERE a = 1")
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT a, v, _sdc_deleted_at IS NOT NULL FROM x.bare ORDER BY _sdc_sequence") == [
        (1, "old", True), (2, "new", False), (1, "old", True), (1, "now", False)]


def test_what_began_without_rows_is_never_copied(tailrace, server, make_database):
    """Its columns changed before the log was read up to there, or where nobody can follow; another table that is to begin
    at a place that is past. The others go on. A reset begins it again."""
    d = make_database(server)
    make(server, d)
    server.run(f"CREATE TABLE {d}.other (id INT NOT NULL PRIMARY KEY)")
    start = place(server)
    server.run(f"INSERT INTO {d}.t VALUES (4, 'between', 4)", f"ALTER TABLE {d}.t DROP COLUMN n, ADD COLUMN m INT NOT NULL DEFAULT 7",
               f"INSERT INTO {d}.t VALUES (5, 'then', 5)", f"INSERT INTO {d}.other VALUES (1)")
    tailrace.sync(server.url(d), *LOG, f"--start=position:{start}").expect(exits.PARTIAL)
    assert tailrace.rows("SELECT id FROM x.other") == [(1,)]
    with tailrace.opened() as copy:
        assert not copy.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 't' AND schema_name = 'x'")
    tailrace.run("run", "x").fails(exits.PARTIAL, "past", hint=False)
    tailrace.run("select", "x", f"{d}.t", "--start=now").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    server.run(f"INSERT INTO {d}.t VALUES (6, 'six', 6)")
    tailrace.run("run", "x").expect(exits.OK)
    server.run(f"ALTER TABLE {d}.t CONVERT TO CHARACTER SET latin1", f"INSERT INTO {d}.t VALUES (7, 'seven', 7)",
               f"INSERT INTO {d}.other VALUES (2)")
    for _ in range(2):
        lost = tailrace.run("run", "x").expect(exits.PARTIAL)
        assert tailrace.rows("SELECT id, v FROM x.t") == [(6, "six")], str(lost)
        assert tailrace.rows("SELECT id FROM x.other ORDER BY id") == [(1,), (2,)]
    tailrace.run("reset", "x", f"{d}.t").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    server.run(f"INSERT INTO {d}.t VALUES (8, 'eight', 8)")
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT id, v FROM x.t") == [(8, "eight")]


@pytest.mark.parametrize("passing", [1, 2, 3])
def test_a_killed_start_goes_on(tailrace, either_server, make_database, passing):
    """Held, begun, whole: the next run has the same place."""
    server, d = either_server, make_database(either_server)
    make(server, d)
    start = place(server)
    change(server, d)
    tailrace.sync(server.url(d), *LOG, f"--start=position:{start}", env={"TAILRACE_FAULT": f"spool.captured:{passing}"}).expect(
        -9, 137, -6, exits.BUG, exits.TARGET)
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows(ROWS) == AFTER


def test_gtids_in_the_middle_of_a_file_stay(tailrace, server, make_database):
    """Runs with nothing to read leave the place where it is: the file's start before it does not come again."""
    d = make_database(server)
    make(server, d)
    tailrace.sync(server.url(d), *LOG, "--load=append", f"--start=gtid:{gtids(server)}").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    server.run(f"INSERT INTO {d}.t VALUES (4, 'new', 4)")
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT id FROM x.t") == [(4,)]


def test_a_reset_begins_at_the_place_again(tailrace, either_server, make_database):
    server, d = either_server, make_database(either_server)
    make(server, d)
    start = place(server)
    change(server, d)
    tailrace.sync(server.url(d), *LOG, f"--start=position:{start}").expect(exits.OK)
    server.run(f"DELETE FROM {d}.t WHERE id = 10")
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.run("reset", "x").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows(ROWS) == [*AFTER[:2], (10, "new", 1, True)]
    assert "not the whole table" in tailrace.run("report", "x").out


def test_rows_that_a_foreign_key_changes_do_not_begin(tailrace, server, make_database):
    if not server.mariadb:
        pytest.skip("the server logs what its foreign keys do")
    d = make_database(server)
    make(server, d)
    server.run(f"CREATE TABLE {d}.child (id INT NOT NULL PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES {d}.t (id) ON DELETE CASCADE)")
    tailrace.sync(server.url(d), *LOG, "--start=now").fails(exits.PARTIAL, "foreign key", hint=False)
    assert tailrace.rows("SELECT count(*) FROM x.t") == [(0,)]
