"""What can be done while a run is under way, and what a run that could not load leaves to the next."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from support import exits
from support.program import SMALL, wait_until

ROWS = 20000  # 4 MB


@pytest.fixture
def holder(tailrace):
    """Another program that has the destination open until it is told to go."""
    started = []

    def hold():
        p = subprocess.Popen(
            [sys.executable, "-c", "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\n"
             "sys.stdin.read()\nc.close()", str(tailrace.copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(p)
        assert p.stdout.readline() == "open\n"
        return p

    yield hold
    for p in started:
        p.stdin.close()
        p.wait(20)
        p.stdout.close()


def waiting_epochs(tailrace):
    return len(list((tailrace.data / "spool").rglob("*.epoch")))


def test_sql_answers_while_a_copy_is_loaded(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    tailrace.sync(server.url(database)).expect(exits.OK)
    server.run(f"UPDATE {database}.t SET n = -1")
    proxy = proxy_of(server)
    proxy.throttle(1000000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL))
    answers = 0
    while p.poll() is None:
        result = tailrace.run("sql", "SELECT count(*), count(*) FILTER (n = -1) FROM x.t", "--format=csv").expect(exits.OK)
        # The old table, then the new one.
        assert result.out.splitlines()[-1] in (f"{ROWS},0", f"{ROWS},{ROWS}")
        answers += 1
        time.sleep(0.05)
    assert answers > 3
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)


def test_what_was_captured_waits_for_the_next_run(server, make_database, tailrace, proxy_of, fill, holder):
    """The destination cannot be opened, so epochs wait; stopped twice, the run leaves them, and the next loads them."""
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    proxy.throttle(1500000)
    url = server.url(database, port=proxy.port)
    p = tailrace.start(*tailrace.sync_args(url, *SMALL))
    wait_until(lambda: waiting_epochs(tailrace) + (proxy.stats()["bytes"]["down"] > 1000000))
    p.send_signal(signal.SIGSTOP)  # so that the file is free for a moment
    for pid in tailrace.processes():
        if pid != p.pid:
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: set(tailrace.processes()) <= {p.pid})
    other = holder()
    p.send_signal(signal.SIGCONT)
    wait_until(lambda: waiting_epochs(tailrace) > 0)
    said = pathlib.Path(tailrace.folder / "err-0")
    wait_until(lambda: str(other.pid) in said.read_text(errors="replace"), timeout=20)
    assert str(other.pid) in tailrace.run("status", "x").expect(exits.OK).out
    p.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert p.poll() is None, "one signal loads what was captured first"
    p.send_signal(signal.SIGTERM)
    tailrace.finish(p, 20).expect(exits.STOPPED)
    left = waiting_epochs(tailrace)
    assert left > 0
    assert f"{left} epoch" in tailrace.run("status", "x").expect(exits.OK).out
    other.stdin.close()
    other.wait(20)
    proxy.clear()
    before = proxy.stats()["bytes"]["down"]
    result = tailrace.sync(url, *SMALL).expect(exits.OK)
    assert "loading what an earlier run captured" in result.err
    assert proxy.stats()["bytes"]["down"] - before < 3700000, "it did not go on: all was read again"
    tailrace.exact(server, database)
    assert waiting_epochs(tailrace) == 0


def test_i9_the_spool_stays_within_its_share(server, make_database, tailrace, proxy_of):
    """Nothing can be loaded: reading waits when the share is full, and goes on when there is room again."""
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.first (id INT NOT NULL PRIMARY KEY)")
    tailrace.sync(server.url(database)).expect(exits.OK)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARBINARY(1000))")
    parts = ", ".join(f"UNHEX(SHA2(CONCAT(RAND(), {i}), 512))" for i in range(12))
    server.run(f"INSERT INTO {database}.t VALUES (1, CONCAT({parts}))")
    have = 1
    while have < 16384:  # 12 MB that do not compress
        server.run(f"INSERT INTO {database}.t SELECT id + {have}, CONCAT({parts}) FROM {database}.t")
        have *= 2
    wait_until(lambda: not tailrace.processes())

    def spooled():
        return sum(f.stat().st_size for f in (tailrace.data / "spool").rglob("*") if f.is_file())

    proxy = proxy_of(server)
    proxy.throttle(4000000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), "--spool-share=2MiB",
                                           "--epoch-bytes=256KiB", "--page-bytes=256KiB", "--codec=null",
                                           "--queue-bytes=1MiB"))
    wait_until(lambda: waiting_epochs(tailrace) > 0)
    for pid in tailrace.processes():
        if pid != p.pid:
            os.kill(pid, signal.SIGSTOP)  # the warehouse loads nothing for a while
    try:
        seen = []
        end = time.monotonic() + 5
        while time.monotonic() < end and p.poll() is None:
            seen.append(spooled())
            time.sleep(0.05)
        assert p.poll() is None, "it did not wait"
        # One epoch may be open above the share, and a block of each reader end it.
        assert max(seen) < (2 << 20) + (256 << 10) + (4 << 20), max(seen)
        assert seen[-1] == seen[-10], "it goes on reading"
    finally:
        for pid in tailrace.processes():
            if pid != p.pid:
                os.kill(pid, signal.SIGCONT)
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)


def test_disk_reserve_stops_the_run_and_says_how_much(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", 100)
    tailrace.sync(server.url(database), "--disk-reserve=1000000GiB").fails(exits.LIMIT, "disk_reserve")
    assert waiting_epochs(tailrace) == 0
    tailrace.sync(server.url(database), "--disk-reserve=1MiB").expect(exits.OK)
    tailrace.exact(server, database)


def test_discovery_tells_what_cannot_be_read(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.open_one (id INT NOT NULL PRIMARY KEY)",
               f"CREATE TABLE {database}.closed_one (id INT NOT NULL PRIMARY KEY)")
    user = f"sees_{os.getpid()}"
    server.run(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'", f"GRANT SELECT ON {database}.open_one TO {user}@'%'",
               f"GRANT INSERT ON {database}.closed_one TO {user}@'%'")
    try:
        found = tailrace.run("discover", server.url(database, user=user), "--json").expect(exits.OK).json
        tables = {t["name"]: t for t in found["databases"][0]["tables"]}
        assert tables["open_one"]["readable"] is True and tables["closed_one"]["readable"] is False
        assert "select" in str(tables["closed_one"]).lower()
    finally:
        server.run(f"DROP USER {user}@'%'")
