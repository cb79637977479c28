"""Processes killed at every fault point and at random moments, and disks that fill up: the next run is exact, and
readers see the old table or the new one, never a part (invariants 5, 7 and 10).

TEST_KILLS   random kills, default 20
TEST_SEED    of the moments; printed
"""
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pytest

from support import exits
from support.program import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
POINTS = [line.split() for line in
          subprocess.run([ROOT / "tools/list-faults"], check=True, capture_output=True, text=True).stdout.splitlines()]
# Those of `integration rm` have a test of their own.
KILL_POINTS = [name for kind, name in POINTS if kind == "kill" and not name.startswith("remove.")]
REMOVE_POINTS = [name for kind, name in POINTS if kind == "kill" and name.startswith("remove.")]
ERRNO_POINTS = [name for kind, name in POINTS if kind == "errno"]
# A block is a MiB of rows, and each of table t's eight becomes an epoch of its own.
SMALL = ["--page-bytes=256KiB", "--epoch-bytes=1KiB", "--epoch-age=1s", "--source-connections=2"]
# Those that every epoch passes.
OFTEN = [p for p in KILL_POINTS if p.startswith("spool.") or p in ("sink.before_commit", "sink.committed",
                                                              "warehouse.loading", "warehouse.loaded")]
KILLS = int(os.environ.get("TEST_KILLS", "20"))
ROWS = 4000


class Shop:
    """A database whose every table says which generation it is: all rows carry its number, and each has more rows."""

    def __init__(self, server, name):
        self.server, self.name, self.generation = server, name, 0
        run = server.run
        run(f"CREATE TABLE {name}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(4000), n INT)",
            f"CREATE TABLE {name}.small (id INT NOT NULL PRIMARY KEY, n INT)",
            f"CREATE TABLE {name}.keyless (a INT, n INT)")
        for first in range(1, ROWS + 1, 1000):
            rows = ",".join(f"({i}, REPEAT(MD5({i}), 60), 0)" for i in range(first, first + 1000))
            run(f"INSERT INTO {name}.t VALUES {rows}")
        run(f"INSERT INTO {name}.small VALUES (1, 0), (2, 0)", f"INSERT INTO {name}.keyless VALUES (1, 0), (1, 0), (2, 0)")

    def grow(self):
        """The next generation."""
        self.generation += 1
        g = self.generation
        for table in ("t", "small"):
            self.server.run(f"INSERT INTO {self.name}.{table} (id, n) VALUES ({1000000 + g}, {g})")
        self.server.run(f"INSERT INTO {self.name}.keyless VALUES ({g}, {g})")
        for table in ("t", "small", "keyless"):
            self.server.run(f"UPDATE {self.name}.{table} SET n = {g}")

    def whole(self, generation):
        return (ROWS + generation, generation, generation)


WATCH = "SELECT count(*), min(n), max(n) FROM x.t"


class Reader(threading.Thread):
    """Asks through the warehouse again and again; what it was answered."""

    def __init__(self, tailrace, env):
        super().__init__(daemon=True)
        self.tailrace, self.env, self.seen, self.stop = tailrace, env, set(), threading.Event()

    def run(self):
        while not self.stop.is_set():
            result = self.tailrace.run("sql", WATCH, "--format=csv", env=self.env, timeout=60)
            if result.code == exits.OK:
                self.seen.add(tuple(int(x) for x in result.out.strip().splitlines()[-1].split(",")))
            self.stop.wait(0.02)

    def end(self):
        self.stop.set()
        self.join(90)
        assert not self.is_alive(), "a reader hangs"
        return self.seen


def settle(tailrace):
    """Until no process of ours runs and the file can be opened by others."""
    wait_until(lambda: not tailrace.processes(), timeout=30)


def check_whole(tailrace, shop, seen=()):
    """Every answer, and what lies in the file, is the table of this generation or of the one before."""
    allowed = {shop.whole(shop.generation), shop.whole(max(shop.generation - 1, 0))}
    assert set(seen) <= allowed, f"a reader saw {set(seen) - allowed}, not one of {allowed}"
    if tailrace.copy.exists():
        found = tailrace.rows("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'x' "
                              "AND table_name = 't'")
        if found[0][0]:
            assert tailrace.rows(WATCH)[0] in allowed


def recover(server, tailrace, shop, url):
    """A run without a fault: exact."""
    tailrace.sync(url, *SMALL).expect(exits.OK)
    settle(tailrace)
    assert tailrace.rows(WATCH) == [shop.whole(shop.generation)]
    tailrace.exact(server, shop.name)


@pytest.fixture
def shop(server, make_database):
    return Shop(server, make_database(server))


def with_fault(tailrace, shop, url, env, watch=True, reset=False):
    """The next generation is copied, with a reader who looks on; some process of ours is killed. The job's result."""
    shop.grow()
    reader = Reader(tailrace, env)
    if watch:
        reader.start()
    if reset:
        tailrace.run("reset", "x", env=env)
    result = tailrace.finish(tailrace.start(*tailrace.sync_args(url, *SMALL), env=env))
    seen = reader.end() if watch else ()
    settle(tailrace)
    check_whole(tailrace, shop, seen)
    return result


@pytest.mark.parametrize("point, passing", [(p, 1) for p in KILL_POINTS] + [(p, 4) for p in OFTEN])
def test_killed_at(server, shop, tailrace, ends, point, passing):
    url = server.url(shop.name)
    tailrace.sync(url, *SMALL).expect(exits.OK)
    settle(tailrace)
    env, statuses = ends()
    env = {**env, "TAILRACE_FAULT": f"{point}:{passing}"}
    result = with_fault(tailrace, shop, url, env, watch=passing == 1, reset=point == "sink.reset")
    hit = result.code == -signal.SIGKILL or "137" in statuses()
    recover(server, tailrace, shop, url)
    assert hit, f"{point} was not reached\n{result}"
    result.expect(-signal.SIGKILL, exits.OK, exits.TARGET)


@pytest.mark.parametrize("point", [p for p in KILL_POINTS if p != "sink.reset"])
def test_killed_in_the_first_run(server, shop, tailrace, ends, point):
    """Nothing is there yet: the state, the spool and the destination are being made."""
    url = server.url(shop.name)
    env, statuses = ends()
    result = tailrace.sync(url, *SMALL, env={**env, "TAILRACE_FAULT": point})
    settle(tailrace)
    hit = result.code == -signal.SIGKILL or "137" in statuses()
    check_whole(tailrace, shop)
    recover(server, tailrace, shop, url)
    assert hit, f"{point} was not reached\n{result}"


@pytest.mark.parametrize("point", REMOVE_POINTS)
def test_an_integration_killed_while_it_is_removed(server, shop, tailrace, ends, point):
    """It is still there and can be removed, and its name can be had again."""
    url = server.url(shop.name)
    tailrace.sync(url, *SMALL).expect(exits.OK)
    env, _ = ends()
    tailrace.run("integration", "rm", "x", "--data", env={**env, "TAILRACE_FAULT": point}).expect(-signal.SIGKILL)
    settle(tailrace)
    assert [i["name"] for i in tailrace.run("integration", "list", "--json").json] == ["x"]
    tailrace.run("integration", "rm", "x", "--data").expect(exits.OK)
    assert tailrace.run("integration", "list", "--json").json == []
    tailrace.sync(url, *SMALL).expect(exits.OK)
    settle(tailrace)
    check_whole(tailrace, shop)


def test_a_warehouse_that_dies_every_time(server, shop, tailrace, ends):
    """The job gives up; what it read stays in the spool and is loaded by the next one."""
    url = server.url(shop.name)
    env, statuses = ends(once=False)
    result = tailrace.sync(url, *SMALL, env={**env, "TAILRACE_FAULT": "sink.before_commit"})
    settle(tailrace)
    assert statuses().count("137") > 1
    result.expect(exits.TARGET)
    check_whole(tailrace, shop)
    recover(server, tailrace, shop, url)


@pytest.mark.parametrize("passing, number", [(1, "ENOSPC"), (5, "ENOSPC"), (2, "EIO")])
@pytest.mark.parametrize("point", ERRNO_POINTS)
def test_a_call_fails(server, shop, tailrace, ends, point, passing, number):
    url = server.url(shop.name)
    tailrace.sync(url, *SMALL).expect(exits.OK)
    settle(tailrace)
    env = {**ends()[0], "TAILRACE_FAULT": f"{point}:{passing}={number}"}
    result = with_fault(tailrace, shop, url, env, watch=False)
    recover(server, tailrace, shop, url)
    if result.code == exits.OK:
        pytest.skip("this call is not made so often, or its failure loses nothing")
    result.expect(exits.LIMIT, exits.TARGET)
    if point == "spool.write":
        said = ("no space", "space left") if number == "ENOSPC" else ("input/output", "i/o")
        result.fails(exits.LIMIT, said, hint=number == "ENOSPC")


def random_kill(rng, tailrace, job, seconds):
    """Kill the job, the warehouse process or both, after a part of `seconds`."""
    time.sleep(rng.random() * seconds)
    which = rng.choice(["job", "warehouse", "both"])
    others = [p for p in tailrace.processes() if p != job.pid]
    for pid in {"job": [job.pid], "warehouse": others, "both": [*others, job.pid]}[which]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return which


def test_killed_at_random_moments(server, shop, tailrace):
    seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    url = server.url(shop.name)
    begin = time.monotonic()
    tailrace.sync(url, *SMALL).expect(exits.OK)
    seconds = time.monotonic() - begin
    for i in range(KILLS):
        shop.grow()
        reader = Reader(tailrace, {}) if i % 2 else None
        job = tailrace.start(*tailrace.sync_args(url, *SMALL))
        if reader:
            reader.start()
        which = random_kill(rng, tailrace, job, seconds)
        result = tailrace.finish(job)
        seen = reader.end() if reader else ()
        result.expect(-signal.SIGKILL, exits.OK, exits.TARGET)
        print(f"{i}: {which}, exit {result.code}, seen {sorted(seen)}")
        settle(tailrace)
        check_whole(tailrace, shop, seen)
        recover(server, tailrace, shop, url)


# --- disks that fill up ------------------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A function (size) that mounts a small file system; grow(size) enlarges it."""
    mounted = []

    def mount(size):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tailrace-test", folder],
                              capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no small file system here: {done.stderr.strip() or 'mount failed'}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=False)


def enlarge(folder):
    subprocess.run(["mount", "-o", "remount,size=1g", folder], check=True)


def test_the_spool_fills_its_disk(server, shop, tailrace, small_disk):
    disk = small_disk("5m")
    tailrace.data = disk / "data"
    url = server.url(shop.name)
    # Nothing is loaded before the disk is full: one epoch for all.
    more = ["--disk-reserve=0", "--epoch-bytes=64MiB", "--epoch-age=1h", "--codec=null"]
    result = tailrace.sync(url, *more)
    result.fails(exits.LIMIT, ("no space", "space left", "disk", "full"))
    settle(tailrace)
    enlarge(disk)
    recover(server, tailrace, shop, url)


def test_the_destination_fills_its_disk(server, shop, tailrace, small_disk):
    disk = small_disk("32m")
    tailrace.copy = disk / "out.duckdb"
    url = server.url(shop.name)
    tailrace.sync(url, *SMALL).expect(exits.OK)
    settle(tailrace)
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(bytes(4096)):
            pass
    shop.grow()
    result = tailrace.sync(url, *SMALL)
    result.fails(exits.TARGET if result.code == exits.TARGET else exits.LIMIT, ("space", "full"))
    settle(tailrace)
    ballast.unlink()
    enlarge(disk)
    check_whole(tailrace, shop)
    recover(server, tailrace, shop, url)
