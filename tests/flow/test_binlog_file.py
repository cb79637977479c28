"""`tailrace binlog FILE` against logs whose end is known: tests/golden/binlog, made by a seeded workload on four servers
with eight sets of options. The rows, applied to tables in memory, must give what the servers' tables held at the end."""
import json
import lzma
import os
import pathlib
import subprocess

import pytest
from conftest import LONG, SERVERS, server_of

from support import make_log
from support.binlog_tables import Tables
from support.log_writer import Writer, settings_of

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/binlog"
LOGS = sorted(p.name.removesuffix(".binlog.xz") for p in GOLDEN.glob("*.binlog.xz"))


def unpack(tmp_path, name):
    path = tmp_path / f"{name}.binlog"
    path.write_bytes(lzma.open(GOLDEN / f"{name}.binlog.xz").read())
    return path


def finals(name):
    own = GOLDEN / f"{name}.final.ndjson.xz"
    path = own if own.exists() else GOLDEN / "mysql97-full.final.ndjson.xz"
    return lzma.open(path).read().decode().split("\n")[:-1]


def lines(tailrace, path, *args):
    r = subprocess.run([tailrace.binary, "binlog", str(path), "--json", *args], capture_output=True)
    return r, r.stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("name", LOGS)
def test_rows_of_the_log_give_the_tables_of_the_server(tailrace, tmp_path, name):
    r, out = lines(tailrace, unpack(tmp_path, name))
    assert r.returncode == 0, r.stderr
    tables = Tables()
    tables.read(out)
    assert tables.rows > 3000
    assert tables.differences(finals(name)) == []


def shaped(binary, server, path):
    """The same lines with the shapes of the server's catalog, after the statements of the log up to each row."""
    program = binary.parent / "tests/flow/flow_binlog_shapes"
    if not program.exists():
        pytest.skip("the tests are not built")
    server.run(*(f"DROP DATABASE IF EXISTS `{d}`" for d in make_log.DATABASES))
    try:
        r = subprocess.run([program, str(path)], env={**os.environ, "TAILRACE_TEST_SOCKET": server.socket}, capture_output=True)
    finally:
        server.run(*(f"DROP DATABASE IF EXISTS `{d}`" for d in make_log.DATABASES))
    assert r.returncode == 0, r.stderr
    return r.stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("name", LOGS)
def test_shapes_of_an_empty_server_give_the_same(binary, tmp_path, name):
    """The statements of the log are executed on a server of its version, and its catalog tells what the columns are."""
    server = "f-" + name.split("-")[0]
    if server not in SERVERS:
        pytest.skip("no test server of this version runs")
    tables = Tables()
    tables.read(shaped(binary, server_of(server), unpack(tmp_path, name)))
    assert tables.differences(finals(name)) == []
    # Virtual columns, which MariaDB leaves out of inserts where images are MINIMAL, are the only thing that the log does not tell.
    assert tables.absent == (6 if name == "mariadb105-minimal-nolog" else 0)


FRIENDLY = [n for n in SERVERS if n.startswith("f-")]
# The long form has every way of writing by every server, and more seeds.
CAPTURES = [(n, seed) for n in FRIENDLY for seed in range(1, 26)] if LONG else \
    [(n, seed) for n, seed in zip(FRIENDLY[:1] * 3 + FRIENDLY[1:], (2, 3, 4, 2, 4, 5))]


@pytest.mark.parametrize("name, seed", CAPTURES or [pytest.param(None, 0, marks=pytest.mark.skip(reason="no test server runs"))])
def test_a_log_written_now_gives_the_tables_of_the_server(tailrace, binary, tmp_path, name, seed):
    """The workload of the logs in tests/golden/binlog with other seeds and settings."""
    server = server_of(name)
    settings = settings_of(server, seed)
    seed += 1000 * int(os.environ.get("TEST_SEED", "1"))
    writer = Writer(server, {k: v for k, v in settings.items() if k.startswith("@@")})
    try:
        of_session = {k: repr(v) for k, v in settings.items() if not k.startswith("@@")}
        logs, wanted = make_log.make(server.connect, seed, of_session)
    finally:
        writer.end()
    print(f"seed {seed}, {settings}")
    assert len(logs) == 1
    path = tmp_path / "log"
    path.write_bytes(logs[0].read_bytes())
    r, out = lines(tailrace, path)
    assert r.returncode == 0, r.stderr
    for how in (out, shaped(binary, server, path)):
        tables = Tables()
        tables.read(how)
        assert tables.rows > 2500
        assert tables.differences(wanted) == []


def test_every_way_of_packing_gives_the_same_rows(tailrace, tmp_path):
    def rows(name):
        _, out = lines(tailrace, unpack(tmp_path, name))
        found = [json.loads(line) for line in out]
        return [{k: v for k, v in e.items() if k != "offset"} for e in found if "row" in e]

    def values(name):
        """Of times of the run the second differs; row numbers depend on how events were cut."""
        return [(e["op"], e["table"], len(e.get("after", {}))) for e in rows(name)]

    assert values("mysql97-full") == values("mysql97-partialjson") == values("mysql97-zstd-rowsquery")


def test_filters(tailrace, tmp_path):
    path = unpack(tmp_path, "mysql97-full")
    _, everything = lines(tailrace, path)
    events = [json.loads(line) for line in everything]
    _, some = lines(tailrace, path, "--table", "fx.t_gen")
    assert {json.loads(line)["table"] for line in some} == {"t_gen"}
    assert len([e for e in events if e.get("table") == "t_gen"]) == len(some)
    gtid = next(e["gtid"] for e in reversed(events) if "gtid" in e)
    _, one = lines(tailrace, path, "--gtid", gtid)
    assert 0 < len(one) < 10 and json.loads(one[0])["gtid"] == gtid
    offset = events[100]["offset"]
    _, tail = lines(tailrace, path, "--offset", str(offset))
    assert tail == [line for line, e in zip(everything, events) if e["offset"] >= offset]
    timed = [e for e in events if "row" not in e]
    moment = timed[len(timed) // 2]["time"][:19]
    _, before = lines(tailrace, path, "--until", moment)
    _, after = lines(tailrace, path, "--since", moment)
    assert sum("row" not in json.loads(x) for x in before + after) == len(timed)


def test_a_log_that_ends_inside_an_event_says_so_after_what_came_before(tailrace, tmp_path):
    path = unpack(tmp_path, "mysql97-full")
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    r, out = lines(tailrace, path)
    assert r.returncode == 4 and len(out) > 10
    error = json.loads(r.stderr)
    assert "the log ends inside an event" in error["error"] and str(path) in error["error"]


def test_a_flipped_bit_is_found_by_the_checksum(tailrace, tmp_path):
    path = unpack(tmp_path, "mysql97-full")
    bad = bytearray(path.read_bytes())
    bad[4000] ^= 4
    path.write_bytes(bad)
    r, _ = lines(tailrace, path)
    assert r.returncode == 4 and b"checksum does not match" in r.stderr


@pytest.mark.parametrize("content, reason", [
    (b"", "this is no binary log"),
    (b"SQLite format 3\0", "this is no binary log"),
    (b"\xfdbin" + b"x" * 600, "the log is encrypted"),
    (b"\xfebin" + bytes(19), "an event of 0 bytes"),
])
def test_what_is_no_log_is_refused_with_its_reason(tailrace, tmp_path, content, reason):
    path = tmp_path / "x"
    path.write_bytes(content)
    r, _ = lines(tailrace, path)
    assert r.returncode == 4 and reason in json.loads(r.stderr)["error"]
