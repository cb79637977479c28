"""The judge of log-based copies is judged: it accepts a copy that is equal to a recorded state, and none that is not.
Full copies, made while the workload stands still, stand in for followed ones."""
import pathlib
import shutil
import types

import duckdb
import pytest

from support import exits
from support.duckcopy import Copy
from support.log_oracle import Judge

STEPS = 60


def followed(path):
    """The destination's marks say now that its tables follow the log."""
    with duckdb.connect(str(path)) as c:
        c.execute("UPDATE _tailrace.stream SET lane = 'log'")


def stand_in(path):
    return types.SimpleNamespace(opened=lambda: Copy(path))


def copied(server, tailrace, w, name="copy"):
    """A full copy now, kept as a file of its own."""
    path = tailrace.folder / f"{name}.duckdb"
    tailrace.sync(server.url(w.database), "--method=full").expect(exits.OK, exits.PARTIAL)
    tailrace.opened().close()
    shutil.copy(tailrace.copy, path)
    followed(path)
    return path


def steps(w, count):
    for _ in range(count):
        w.step()


def test_the_same_seed_gives_the_same_statements_and_tables(newest_server, make_workload):
    found = []
    for _ in range(2):
        w = make_workload(newest_server, 5)
        w.trace = []
        steps(w, STEPS)
        w.finish()
        found.append(([s.replace(w.database, "d") for s in w.trace], {n: t.rows for n, t in w.now.items()}))
        assert sum(w.refused.values()) * 5 < sum(w.done.values()), w.refused
    assert found[0][0] == found[1][0]
    # Columns with the time of the day as default differ.
    assert {n: len(rows) for n, rows in found[0][1].items()} == {n: len(rows) for n, rows in found[1][1].items()}
    assert len(w.states) > STEPS / 3


def test_a_copy_of_any_recorded_state_is_accepted_and_stays_so(either_server, make_workload, tailrace):
    w = make_workload(either_server, 3)
    judge = None
    for _ in range(3):
        steps(w, STEPS // 3)
        judge = Judge(w, stand_in(copied(either_server, tailrace, w)))
        at = w.n
        assert judge.look() == at
        steps(w, STEPS // 3)
        assert judge.look() == at, "an older state is one too"
    w.finish()
    path = copied(either_server, tailrace, w)
    Judge(w, stand_in(path)).end()
    assert judge.compared > 10


# What may be wrong with a copy, and what is said of it. t stands for a keyed table of at least two rows.
WRONG = {
    "a value": ("UPDATE {t} SET n = coalesce(n, 0) + 1 WHERE {first}", "value"),
    "a row less": ("DELETE FROM {t} WHERE {first}", "missing"),
    "a live row that is deleted": ("UPDATE {t} SET _sdc_deleted_at = now() WHERE {first}", "missing"),
    "a row twice": ("INSERT INTO {t} SELECT * FROM {t} WHERE {first}", "twice"),
    "a row too many": ("INSERT INTO {t} SELECT * REPLACE (7777 AS {k}) FROM {t} WHERE {first}", "only in the copy"),
    "no sequence": ("UPDATE {t} SET _sdc_sequence = NULL WHERE {first}", "sequence"),
    "a column less": ("ALTER TABLE {t} DROP COLUMN n", "columns"),
    "another type": ("ALTER TABLE {t} ALTER n TYPE BIGINT", "type"),
    "an equal row less": ("DELETE FROM x.bare WHERE __sdc_primary_key = (SELECT max(__sdc_primary_key) FROM x.bare)", "missing"),
    "a state that never was": ("UPDATE x.commits SET n = n + 100000", "never was"),
    "no table": ("DROP TABLE {t}", "no table"),
}


def test_a_wrong_copy_is_reported(either_server, make_workload, tailrace):
    server = either_server
    w = make_workload(server, 4, classes={"multi", "rollback", "loose", "key_changes"})
    steps(w, STEPS)
    w.main.plain()
    w.run("REPLACE INTO k_int (id, n) VALUES (501, 1), (502, 2)")
    w.run("INSERT INTO bare (n) VALUES (1), (1)")
    w.finish()
    path = copied(server, tailrace, w)
    Judge(w, stand_in(path)).end()
    for name, (sql, said) in WRONG.items():
        spoiled = pathlib.Path(tailrace.folder / "spoiled.duckdb")
        shutil.copy(path, spoiled)
        with duckdb.connect(str(spoiled)) as c:
            c.execute(sql.format(t="x.k_int", k="id", first="id = 501"))
        with pytest.raises(AssertionError, match=said):
            Judge(w, stand_in(spoiled)).look()
        if name != "a state that never was":
            with pytest.raises(AssertionError, match=said):
                Judge(w, stand_in(spoiled)).end()


def test_a_torn_copy_is_reported(either_server, make_workload, tailrace):
    """One table is older than the others."""
    w = make_workload(either_server, 6, classes={"multi"})
    steps(w, 20)
    old = copied(either_server, tailrace, w, "old")
    for _ in range(4):
        steps(w, 10)
    w.run("UPDATE k_int SET n = 6")
    w.finish()
    new = copied(either_server, tailrace, w, "new")
    Judge(w, stand_in(new)).end()
    with duckdb.connect(str(new)) as c:
        c.execute(f"ATTACH '{old}' AS old (READ_ONLY)")
        c.execute("DELETE FROM x.k_int")
        c.execute("INSERT INTO x.k_int SELECT * FROM old.x.k_int")
    with pytest.raises(AssertionError, match="none of"):
        Judge(w, stand_in(new)).look()


def test_what_happened_between_two_looks_is_judged(either_server, make_workload, tailrace):
    w = make_workload(either_server, 8, classes={"multi"})
    steps(w, 20)
    w.run("REPLACE INTO k_int (id, n) VALUES (501, 1), (502, 2)")
    w.finish()
    path = copied(either_server, tailrace, w)
    for sql, said in [
            ("UPDATE x.k_int SET _sdc_sequence = _sdc_sequence - 1 WHERE id = 501", "went back"),
            ("DELETE FROM x.k_int WHERE id = 501", "not even marked deleted"),
            ("UPDATE x.k_int SET n = 3 WHERE id = 501", "sequence did not")]:
        spoiled = tailrace.folder / "spoiled.duckdb"
        shutil.copy(path, spoiled)
        judge = Judge(w, stand_in(spoiled))
        judge.end()
        # What the source says is judged by other tests: here it follows what was done to the copy.
        with duckdb.connect(str(spoiled)) as c:
            c.execute(sql)
        judge.report_of = lambda *_: types.SimpleNamespace(equal=True, tables=1)
        with pytest.raises(AssertionError, match=said):
            judge.look()
