"""What a run leaves behind: names, versions and promotions that stay, reports that add up, an audit trail that others
can read, and nothing of what must not be written."""
import datetime
import json
import signal
import sys

import pytest

from support import exits
from support.program import SMALL, wait_until

SECRET = "Zq9-distinctive-Pw"
MARK = "left_out_7fd1c9"


def own(tables):
    return sorted(t for t in tables if not t.startswith("_sdc_"))


def report(tailrace, *args):
    return tailrace.run("report", "x", "--json", *args).expect(exits.OK).json


# --- names --------------------------------------------------------------------------------------------

def test_names_that_collide_are_told_apart_and_stay(server, make_database, tailrace):
    first, second = make_database(server, "a"), make_database(server, "b")
    for database, value in ((first, 1), (second, 2)):
        server.run(f"CREATE TABLE {database}.same (id INT NOT NULL PRIMARY KEY, v INT, `a b` INT, a_b INT, `a-b` INT, "
                   "`4th` INT, `_th` INT, _sdc_sequence INT)",
                   f"INSERT INTO {database}.same VALUES (1, {value}, 10, 11, 12, 13, 14, 15)")
    columns = ["id", "v", "a_b", "a_b_2", "a_b_3", "_th", "_th_2"]
    tailrace.sync(server.url(first)).expect(exits.OK)
    with tailrace.opened() as copy:
        assert own(copy.tables("x")) == ["same"]
        assert [n for n, _ in copy.columns("x", "same")][:7] == columns
    # A second database with a table of that name: the first keeps its own.
    for _ in range(2):
        tailrace.sync(server.url(first, second)).expect(exits.OK)
        with tailrace.opened() as copy:
            assert own(copy.tables("x")) == sorted(["same", f"{second}__same"])
            assert copy.rows("SELECT v FROM x.same") == [(1,)]
            assert copy.rows(f'SELECT v, a_b, a_b_2, a_b_3, _th, _th_2 FROM x."{second}__same"') == \
                [(2, 10, 11, 12, 13, 14)]
    # A column that goes does not give its name away, and a new one gets the next free name.
    server.run(f"ALTER TABLE {first}.same DROP COLUMN a_b, ADD COLUMN `a+b` INT DEFAULT 16")
    tailrace.run("run", "x").expect(exits.OK)
    with tailrace.opened() as copy:
        assert [n for n, _ in copy.columns("x", "same")][:8] == \
            ["id", "v", "a_b", "a_b_3", "_th", "_th_2", "_sdc_sequence_2", "a_b_4"]
        assert copy.rows("SELECT a_b, a_b_3, a_b_4, _sdc_sequence_2 FROM x.same") == [(10, 12, 16, 15)]


def test_tables_may_be_named_with_their_database(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1)")
    tailrace.sync(server.url(database), "--database-in-names").expect(exits.OK)
    tailrace.exact(server, database, target=lambda t: f"{t.database}__{t.name}")
    with tailrace.opened() as copy:
        assert own(copy.tables("x")) == [f"{database}__t"]


def test_a_leading_digit_may_be_kept(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, `4th` INT)", f"INSERT INTO {database}.t VALUES (1, 4)")
    tailrace.sync(server.url(database), "--leading-digit=prefix").expect(exits.OK)
    assert tailrace.rows("SELECT _4th FROM x.t") == [(4,)]


# --- types over runs ----------------------------------------------------------------------------------

def test_a_promoted_boolean_stays_an_integer(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, b BOOL)",
               f"INSERT INTO {database}.t VALUES (1, 1), (2, 0), (3, NULL)")
    tailrace.sync(server.url(database)).expect(exits.OK)
    with tailrace.opened() as copy:
        assert dict(copy.columns("x", "t"))["b"] == "BOOLEAN"
    server.run(f"INSERT INTO {database}.t VALUES (4, -7)")
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database)
    server.run(f"DELETE FROM {database}.t WHERE id = 4")
    tailrace.run("run", "x").expect(exits.OK)
    with tailrace.opened() as copy:
        assert dict(copy.columns("x", "t"))["b"] == "TINYINT"
        assert copy.rows("SELECT b FROM x.t ORDER BY id") == [(1,), (0,), (None,)]
    shapes = tailrace.run("schema", "x", "t", "--json").expect(exits.OK).json
    kinds = [next(f["type"] for f in s["schema"]["fields"] if f["name"] == "b") for s in shapes]
    assert [("boolean" in str(k), "int" in str(k)) for k in kinds] == [(True, False), (False, True)]


def test_tinyint_may_always_be_an_integer(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, b BOOL)", f"INSERT INTO {database}.t VALUES (1, 1)")
    tailrace.sync(server.url(database), "--tinyint-as-int").expect(exits.OK)
    with tailrace.opened() as copy:
        assert dict(copy.columns("x", "t"))["b"] == "TINYINT"


def test_i8_the_number_of_a_copy_is_one_and_grows_with_each(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1), (2)",
               f"CREATE TABLE {database}.u (a INT)", f"INSERT INTO {database}.u VALUES (1), (1)")
    before = (0, 0)
    for _ in range(3):
        tailrace.sync(server.url(database)).expect(exits.OK)
        seen = [tailrace.rows(f"SELECT DISTINCT _sdc_sequence, _sdc_table_version FROM x.{t}") for t in "tu"]
        assert all(len(rows) == 1 for rows in seen)
        now = tuple(rows[0] for rows in seen)
        assert before == (0, 0) or all(n[0] > b[0] and n[1] > b[1] for n, b in zip(now, before))
        before = now


# --- reports ------------------------------------------------------------------------------------------

def test_i11_rows_read_are_rows_applied_and_quarantined(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20) CHARACTER SET cp1251)",
               f"INSERT INTO {database}.t VALUES (1,'good'),(2,_cp1251 X'98'),(3,'good'),(4,_cp1251 X'9898')",
               f"CREATE TABLE {database}.u (a INT)", f"INSERT INTO {database}.u VALUES (1),(1),(2)")
    for _ in range(2):
        tailrace.sync(server.url(database)).expect(exits.PARTIAL)
        got = report(tailrace)
        streams = {s["table"]: s for s in got["streams"]}
        assert (streams["t"]["read"], streams["t"]["applied"], streams["t"]["quarantined"]) == (4, 2, 2)
        assert (streams["u"]["read"], streams["u"]["applied"], streams["u"]["quarantined"]) == (3, 3, 0)
        for s in [*got["streams"], got["totals"]]:
            assert s["read"] == s["applied"] + s["superseded"] + s["filtered"] + s["quarantined"] + s["waiting"]
            assert s["waiting"] == 0
        assert tailrace.rows("SELECT count(*) FROM x.t") == [(2,)]


def test_the_report_says_between_which_moments_a_table_was_read(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", 5000)
    proxy = proxy_of(server)
    proxy.throttle(1000000)
    result = tailrace.sync(server.url(database, port=proxy.port), *SMALL).expect(exits.OK)
    assert "read between" in result.out and " to " in result.out
    stream, = report(tailrace)["streams"]
    first, last = (datetime.datetime.fromisoformat(stream[k].replace("Z", "+00:00")) for k in ("first_read_at", "last_read_at"))
    # From before the first page: what changed behind its back afterwards lies between the two.
    assert last - first > datetime.timedelta(seconds=0.5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_an_interrupted_run_can_be_asked_about(server, make_database, tailrace, proxy_of, fill, number):
    database = make_database(server)
    fill(server, database, "t", 20000)
    proxy = proxy_of(server)
    proxy.throttle(1000000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 1500000)
    running = tailrace.run("status", "x", "--json").expect(exits.OK).json
    assert "running" in json.dumps(running) and str(p.pid) in json.dumps(running)
    p.send_signal(number)
    tailrace.finish(p)
    status = tailrace.run("status", "x", "--json").expect(exits.OK).json
    outcome = report(tailrace)["job"]["outcome"]
    assert outcome == ("died" if number == signal.SIGKILL else "stopped"), outcome
    assert f'"{outcome}"' in json.dumps(status)
    log = tailrace.run("logs", "x", "--json").expect(exits.OK).out
    assert "planned" in log
    shapes = tailrace.run("schema", "x", "t", "--json").expect(exits.OK).json
    assert shapes[0]["schema"]["type"] == "record"
    if number == signal.SIGTERM:
        stream, = report(tailrace)["streams"]
        assert stream["state"] == "copying" and stream["read"] > 0
        assert stream["read"] == stream["applied"] + stream["waiting"]
    for command in ("status", "report", "logs"):
        tailrace.run(command, "x").expect(exits.OK)


def test_reset_of_one_table_leaves_the_others(server, make_database, tailrace, proxy_of, fill):
    """A run that is interrupted goes on with what is left; what was reset starts over."""
    database = make_database(server)
    fill(server, database, "t", 20000)
    fill(server, database, "u", 10)
    proxy = proxy_of(server)
    url = server.url(database, port=proxy.port)

    def cut_short():
        proxy.throttle(1500000)
        start = proxy.stats()["bytes"]["down"]
        p = tailrace.start(*tailrace.sync_args(url, *SMALL))
        wait_until(lambda: proxy.stats()["bytes"]["down"] > start + 2500000)
        p.send_signal(signal.SIGTERM)
        tailrace.finish(p).expect(exits.STOPPED)
        proxy.clear()

    def rest():
        before = proxy.stats()["bytes"]["down"]
        tailrace.run("run", "x").expect(exits.OK)
        return proxy.stats()["bytes"]["down"] - before

    cut_short()
    assert "1 table" in tailrace.run("reset", "x", "u").expect(exits.OK).out
    assert rest() < 3500000, "the table that was not reset was read again"
    tailrace.exact(server, database)
    cut_short()
    tailrace.run("reset", "x", f"{database}.t").expect(exits.OK)
    assert rest() > 4000000, "the table that was reset was not read again"
    tailrace.exact(server, database)
    cut_short()
    assert "2 tables" in tailrace.run("reset", "x").expect(exits.OK).out
    assert tailrace.rows("SELECT count(*) FROM x.t") == [(20000,)]
    assert rest() > 4000000
    tailrace.exact(server, database)


# --- what lies in the files ---------------------------------------------------------------------------

def test_kept_epochs_can_be_read_by_others(server, make_database, tailrace):
    """With Apache Avro for Python where it is installed (python3-avro); the codec is one that it has by itself."""
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        datafile = pytest.importorskip("avro.datafile", reason="python3-avro is not installed")
        import avro.io
    finally:
        sys.path.remove("/usr/lib/python3/dist-packages")
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), n DECIMAL(6,2))",
               f"INSERT INTO {database}.t VALUES (1,'one',1.25),(2,'zwei',NULL),(3,'ü',-3)")
    tailrace.sync(server.url(database), "--codec=deflate", "--spool-keep=1h").expect(exits.OK)
    files = [p for p in (tailrace.data / "spool").rglob("*") if p.is_file() and p.read_bytes()[:4] == b"Obj\1"]
    assert len(files) == 1
    with open(files[0], "rb") as f:
        rows = list(datafile.DataFileReader(f, avro.io.DatumReader()))
    assert [(r["id"], r["v"], r["n"] and str(r["n"])) for r in rows] == [(1, "one", "1.25"), (2, "zwei", None), (3, "ü", "-3.00")]
    sequence, = tailrace.rows("SELECT DISTINCT _sdc_sequence FROM x.t")[0]
    for r in rows:
        assert list(r)[:3] == ["_op", "_seq", "_ms"] and r["_op"] in ("S", 3) and r["_seq"] == sequence
        assert r["_ms"] is not None


def test_loaded_epochs_stay_as_long_as_spool_keep_says(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1)")

    def kept():
        return [p.parent.name for p in (tailrace.data / "spool").rglob("manifest.json")]

    tailrace.sync(server.url(database), "--spool-keep=1h").expect(exits.OK)
    once = kept()
    assert once
    tailrace.sync(server.url(database), "--spool-keep=1h").expect(exits.OK)
    assert set(once) < set(kept())
    tailrace.exact(server, database)
    tailrace.sync(server.url(database), "--spool-keep=0").expect(exits.OK)
    assert not kept()
    tailrace.exact(server, database)


def everything(tailrace):
    """(file, bytes) of the data directory and the destination."""
    for file in [*tailrace.data.rglob("*"), tailrace.copy, *tailrace.folder.glob("out.duckdb.*")]:
        if file.is_file():
            yield file, file.read_bytes()


@pytest.mark.parametrize("way", ["environment", "url", "file"])
def test_a_password_is_written_nowhere(server, make_database, tailrace, way):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1)")
    user = f"secret_{way}"
    server.run(f"DROP USER IF EXISTS {user}@'%'", f"CREATE USER {user}@'%' IDENTIFIED BY '{SECRET}'",
               f"GRANT SELECT ON {database}.* TO {user}@'%'")
    url, more = server.url(database, user=user), ["--codec=null", "--spool-keep=1h", "--log-level=debug"]
    try:
        if way == "file":
            file = tailrace.folder / "password"
            file.write_text(SECRET + "\n")
            file.chmod(0o600)
            more += ["--password-file", str(file)]
        if way == "url":
            url = url.replace(f"{user}@", f"{user}:{SECRET}@")
        result = tailrace.sync(url, *more, password=SECRET if way == "environment" else None)
        result.expect(exits.OK).keeps_secret(SECRET)
        for command in (["status", "x"], ["status", "x", "--json"], ["logs", "x", "--json"], ["report", "x", "--json"]):
            tailrace.run(*command).expect(exits.OK).keeps_secret(SECRET)
        names = []
        for file, content in everything(tailrace):
            names.append(file.name)
            assert SECRET.encode() not in content, file
        assert {"tailrace.db", "out.duckdb", "manifest.json"} <= set(names)
        # No secret is kept, so a run needs it again.
        assert tailrace.run("run", "x", password=None).code == exits.CONFIG
    finally:
        server.run(f"DROP USER {user}@'%'")


def test_i12_what_is_not_selected_is_written_nowhere(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1)",
               f"CREATE TABLE {database}.hidden (id INT NOT NULL PRIMARY KEY, v VARCHAR(99))",
               f"INSERT INTO {database}.hidden VALUES (1, '{MARK}')")
    tailrace.sync(server.url(database), "--exclude", f"{database}.hidden", "--codec=null", "--spool-keep=1h",
                  "--log-level=debug").expect(exits.OK).keeps_secret(MARK)
    for file, content in everything(tailrace):
        assert MARK.encode() not in content, file
    with tailrace.opened() as copy:
        assert own(copy.tables("x")) == ["t"]
