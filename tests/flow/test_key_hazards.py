"""Key-based reads where a row could be lost or stay stale without a word: each was seen to happen once."""
import time

from support import exits
from support.program import SMALL

KEY = ["--method", "key", "--key"]
KILLED = range(1, 256)


def versions(tailrace):
    return {s["table"]: s["version"] for s in tailrace.run("state", "x", "--json").expect(exits.OK).json}


def test_rows_read_again_do_not_pass_for_a_copy(either_server, make_database, tailrace):
    """A run goes on where one was cut off, without the tables that had been copied: some rows are no table."""
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY, v INT)",
               f"INSERT INTO {database}.t VALUES (1, 1), (2, 2), (3, 3)")
    tailrace.sync(either_server.url(database)).expect(exits.OK)
    either_server.run(f"UPDATE {database}.t SET v = v + 10")
    again = ["run", "x", "--tables", f"{database}.t", "--where", "id = 2"]
    tailrace.run(*again, env={"TAILRACE_FAULT": "spool.captured:1"}).expect(*KILLED, -6, -9)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(either_server, database)


def test_another_filter_is_heeded_by_the_run_that_goes_on(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY, v INT)",
               f"INSERT INTO {database}.t VALUES (1, 1), (2, 2), (3, 3)")
    tailrace.sync(either_server.url(database), "--where", "v < 2",
                  env={"TAILRACE_FAULT": "spool.captured:1"}).expect(*KILLED, -6, -9)
    tailrace.sync(either_server.url(database), "--where", "v > 1").expect(exits.OK)
    assert tailrace.rows("SELECT id FROM x.t ORDER BY 1") == [(2,), (3,)]


def test_numbers_that_are_handed_out_again_are_read(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
               f"INSERT INTO {database}.t (v) VALUES (1), (2), (3), (4), (5)")
    tailrace.sync(either_server.url(database), *KEY, "id").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    either_server.run(f"TRUNCATE TABLE {database}.t", f"INSERT INTO {database}.t (v) VALUES (11), (12), (13)")
    result = tailrace.run("run", "x").expect(exits.OK)
    assert "handed out again" in result.err
    assert tailrace.rows("SELECT id, v FROM x.t ORDER BY 1") == [(1, 11), (2, 12), (3, 13), (4, 4), (5, 5)]
    either_server.run(f"INSERT INTO {database}.t (v) VALUES (14)")
    result = tailrace.run("run", "x").expect(exits.OK)
    assert "handed out again" not in result.err
    assert tailrace.rows("SELECT v FROM x.t WHERE id = 4") == [(14,)]


def test_a_filtered_row_that_went_is_no_number_handed_out_again(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
               f"INSERT INTO {database}.t (v) VALUES (1), (1), (1)")
    tailrace.sync(either_server.url(database), *KEY, "id", "--where", "v = 1").expect(exits.OK)
    either_server.run(f"UPDATE {database}.t SET v = 2 WHERE id = 3")
    result = tailrace.run("run", "x").expect(exits.OK)
    assert "handed out again" not in result.err


def test_rows_without_a_key_are_known_after_a_boolean_became_a_number(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (k INT NOT NULL, flag TINYINT(1), KEY (k))",
               f"INSERT INTO {database}.t VALUES (1, 0), (1, 1), (1, 2)")
    tailrace.sync(either_server.url(database), *KEY, "k").expect(exits.OK)
    for _ in range(2):
        tailrace.run("run", "x").expect(exits.OK)
        assert tailrace.rows("SELECT flag FROM x.t ORDER BY 1") == [(0,), (1,), (2,)]


def test_a_key_that_changes_within_a_read_makes_a_new_version(either_server, make_database, tailrace, fill):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT NOT NULL AUTO_INCREMENT, other INT NOT NULL, v CHAR(200), "
               "PRIMARY KEY (id), KEY (id))",
               f"INSERT INTO {database}.t (other, v) VALUES (1, 'x')")
    args = [*SMALL, *KEY, "id", "--source-rate=100kB"]
    tailrace.sync(either_server.url(database), *args).expect(exits.OK)
    for _ in range(12):
        either_server.run(f"INSERT INTO {database}.t (other, v) SELECT id + 100000, REPEAT('y', 200) FROM {database}.t")
    either_server.run(f"UPDATE {database}.t SET other = id + 5")
    p = tailrace.start("run", "x")
    end = time.monotonic() + 30
    while not list((tailrace.data / "spool" / "x").rglob("*.open")) and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)
    either_server.run(f"ALTER TABLE {database}.t DROP PRIMARY KEY, ADD PRIMARY KEY (other), MODIFY other BIGINT NOT NULL")
    result = tailrace.finish(p)
    assert "changed while it was read" in result.err, str(result)
    result.expect(exits.PARTIAL)
    tailrace.run("run", "x").expect(exits.OK)
    assert versions(tailrace) == {"t": 2}
    tailrace.exact(either_server, database)


def test_rows_that_come_back_with_their_old_key_are_told(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY, k INT NOT NULL, KEY (k))",
               f"CREATE TABLE {database}.keyless (k INT NOT NULL, KEY (k))",
               f"INSERT INTO {database}.t VALUES (1, 1), (2, 2), (3, 100000)")
    tailrace.sync(either_server.url(database), *KEY, "k", "--sweep").expect(exits.OK)
    either_server.run(f"DELETE FROM {database}.t WHERE id = 1")
    result = tailrace.run("run", "x").expect(exits.OK)
    assert "are not looked for" in result.err and "keyless" in result.err, str(result)
    assert "at the source again" not in result.err
    deleted = "SELECT id FROM x.t WHERE _sdc_deleted_at IS NOT NULL"
    assert tailrace.rows(deleted) == [(1,)]
    either_server.run(f"INSERT INTO {database}.t VALUES (1, 1)")
    result = tailrace.run("run", "x").expect(exits.OK)
    assert "at the source again" in result.err, str(result)
    tailrace.run("run", "x", "--tables", f"{database}.t", "--where", "id = 1").expect(exits.OK)
    assert tailrace.rows(deleted) == []
    assert "at the source again" not in tailrace.run("run", "x").expect(exits.OK).err


def test_a_reset_counts_behind_an_added_copy_that_waits(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1)")
    for _ in range(2):
        tailrace.sync(either_server.url(database), "--load", "append").expect(exits.OK)
    tailrace.run("run", "x", env={"TAILRACE_FAULT": "spool.captured:1"}).expect(*KILLED, -6, -9)
    tailrace.run("reset", "x", f"{database}.t").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT id FROM x.t") == [(1,)]


def test_another_first_value_copies_anew(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT AUTO_INCREMENT PRIMARY KEY)",
               f"INSERT INTO {database}.t VALUES (1), (2), (3)")
    for first in (2, 1, 3):
        tailrace.sync(either_server.url(database), *KEY, "id", "--from", first).expect(exits.OK)
        assert tailrace.rows("SELECT id FROM x.t ORDER BY 1") == [(i,) for i in range(first, 4)]


def test_a_sweep_keeps_the_order_of_versions(either_server, make_database, tailrace):
    database = make_database(either_server)
    either_server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY, v INT, k TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) "
               "ON UPDATE CURRENT_TIMESTAMP(6), KEY (k))",
               f"INSERT INTO {database}.t (id, v) VALUES (1, 1), (2, 1)")
    tailrace.sync(either_server.url(database), *KEY, "k", "--load=append", "--sweep").expect(exits.OK)
    either_server.run(f"UPDATE {database}.t SET v = 2 WHERE id = 1")
    tailrace.run("run", "x").expect(exits.OK)
    either_server.run(f"DELETE FROM {database}.t WHERE id = 1")
    tailrace.run("run", "x").expect(exits.OK)
    rows = tailrace.rows("SELECT v, _sdc_deleted_at IS NOT NULL FROM x.t WHERE id = 1 ORDER BY _sdc_sequence")
    assert [v for v, _ in rows] == [1, 2] and all(deleted for _, deleted in rows), rows
    assert len(set(tailrace.rows("SELECT _sdc_sequence FROM x.t WHERE id = 1"))) == 2


def test_a_sweep_that_cannot_compare_every_key_marks_nothing(either_server, make_database, tailrace):
    """A key that cannot be represented might be that of any row."""
    database = make_database(either_server)
    either_server.run("SET sql_mode = ''",
               f"CREATE TABLE {database}.t (d DATE NOT NULL, k INT NOT NULL, PRIMARY KEY (d), KEY (k))",
               f"INSERT INTO {database}.t VALUES ('2026-01-01', 1), ('2026-01-02', 2), ('0000-00-00', 3)")
    tailrace.sync(either_server.url(database), *KEY, "k", "--sweep").expect(exits.PARTIAL)
    either_server.run(f"DELETE FROM {database}.t WHERE d = '2026-01-01'")
    result = tailrace.run("run", "x").expect(exits.PARTIAL)
    assert "could not be represented" in result.err, str(result)
    assert tailrace.rows("SELECT count(*) FROM x.t WHERE _sdc_deleted_at IS NOT NULL") == [(0,)]
