"""stop: ending the run of another process."""
import signal
import sqlite3
import subprocess
import time

import pytest

from support import exits
from support.program import SMALL


def wait_for_reading(tailrace, p):
    """Until rows are written to an epoch: the run is in the middle of its copy."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert p.poll() is None, tailrace.finish(p)
        shown = tailrace.run("status", "x", "--json")
        if shown.code == 0 and '"running"' in shown.out and list((tailrace.data / "spool" / "x").rglob("*.open")):
            return
        time.sleep(0.05)
    raise AssertionError("the run did not begin to read")


def started(tailrace, server, database, *args):
    p = tailrace.start(*tailrace.sync_args(server.url(database), "--source-rate=300kB", *SMALL, *args))
    wait_for_reading(tailrace, p)
    return p


def test_stop_ends_reading_and_what_is_captured_is_loaded(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", 10000)
    p = started(tailrace, server, database)
    time.sleep(1)
    answer = tailrace.run("stop", "x", "--json").expect(exits.OK).json
    assert answer == {"integration": "x", "was_running": True, "job": 1, "pid": p.pid, "outcome": "stopped"}
    assert p.poll() is not None or p.wait(5) is not None
    tailrace.finish(p).expect(exits.STOPPED)
    assert not list((tailrace.data / "spool" / "x").rglob("*.epoch"))  # nothing waits
    report = tailrace.run("report", "x", "--json").json
    assert report["totals"]["applied"] > 0 or report["totals"]["waiting"] > 0
    assert report["totals"]["read"] < 10000
    tailrace.sync(server.url(database)).expect(exits.OK)
    tailrace.exact(server, database)


def test_stop_now_leaves_what_is_captured_to_the_next_run(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", 10000)
    p = started(tailrace, server, database)
    answer = tailrace.run("stop", "x", "--now").expect(exits.OK)
    assert "has ended: stopped" in answer.out
    tailrace.finish(p).expect(exits.STOPPED)
    tailrace.sync(server.url(database)).expect(exits.OK)
    tailrace.exact(server, database)


def test_stop_without_a_run_says_so(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE `{database}`.t (id INT NOT NULL PRIMARY KEY)")
    tailrace.sync(server.url(database)).expect(exits.OK)
    assert tailrace.run("stop", "x").expect(exits.OK).out == "'x' does not run.\n"
    assert tailrace.run("stop", "x", "--json").expect(exits.OK).json == {"integration": "x", "was_running": False}
    tailrace.run("stop", "y").fails(exits.CONFIG, "no integration")


def test_stop_does_not_touch_the_process_that_has_the_number_of_a_killed_run(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", 10000)
    p = started(tailrace, server, database)
    p.kill()
    p.wait(10)
    assert tailrace.run("stop", "x").expect(exits.OK).out == "'x' does not run.\n"
    other = subprocess.Popen(["sleep", "100"])
    try:
        with sqlite3.connect(tailrace.data / "tailrace.db") as state:  # as if the number had come round to it
            assert state.execute("UPDATE job SET pid = ? WHERE pid = ?", (other.pid, p.pid)).rowcount == 1
        state.close()
        assert tailrace.run("stop", "x", "--now").expect(exits.OK).out == "'x' does not run.\n"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(10)


def test_stop_says_when_a_run_has_not_ended_in_time(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", 10000)
    p = started(tailrace, server, database)
    p.send_signal(signal.SIGSTOP)
    try:
        tailrace.run("stop", "x", "--wait=300ms").fails(exits.LIMIT, "has not ended yet", str(p.pid))
    finally:
        p.send_signal(signal.SIGCONT)
    tailrace.finish(p).expect(exits.STOPPED)


@pytest.mark.parametrize("wait", ["-1s", "5"])
def test_stop_checks_its_options(tailrace, wait):
    tailrace.run("stop", "x", "--wait", wait).expect(exits.USAGE)
