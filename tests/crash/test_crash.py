"""Processes killed at every fault point and at random moments, and disks that fill up: the next run is exact, and
readers see the old table or the new one, never a part (invariants 5, 7 and 10).

TEST_KILLS   random kills, default 20; of tables that are read by key 10
TEST_LONG    1: reads by key are killed at the fourth passing of a point too
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
# Those of `integration rm` have a test of their own, those of the log's changes another file (test_log_crash.py), and
# those of joins that change a live table are not passed by full copies (tests/contract/test_sink_delta.c visits them).
KILL_POINTS = [name for kind, name in POINTS if kind == "kill" and not name.startswith(("remove.", "merge.", "change.", "reread."))]
REMOVE_POINTS = [name for kind, name in POINTS if kind == "kill" and name.startswith("remove.")]
ERRNO_POINTS = [name for kind, name in POINTS if kind == "errno"]
# A block is a MiB of rows, and each of table t's eight becomes an epoch of its own.
SMALL = ["--page-bytes=256KiB", "--epoch-bytes=1KiB", "--epoch-age=1s", "--source-connections=2"]
# Those that every epoch passes.
OFTEN = [p for p in KILL_POINTS if p.startswith("spool.") or p in ("sink.before_commit", "sink.committed",
                                                              "warehouse.loading", "warehouse.loaded")]
KILLS = int(os.environ.get("TEST_KILLS", "20"))
KILLS_BY_KEY = int(os.environ.get("TEST_KILLS", "10"))
LONG = os.environ.get("TEST_LONG") == "1"
ROWS = 4000


class Shop:
    """A database whose every table says which generation it is: all rows carry its number, and each has more rows."""

    way, options, user = "full", SMALL, "repl"

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

    def states(self, generation):
        """What a reader may see until the run has ended."""
        return {self.whole(generation), self.whole(max(generation - 1, 0))}

    def url(self):
        return self.server.url(self.name, user=self.user)

    def sync(self, tailrace, **more):
        return tailrace.sync(self.url(), *self.options, **more)

    def arguments(self, tailrace):
        return tailrace.sync_args(self.url(), *self.options)


class KeyShop(Shop):
    """The same, read by key: every row of a generation has a new time, and each generation is one read. Of a table
    without a key no row ever changes."""

    way, options, user = "key", [*SMALL, "--method=key", "--key=k"], "app"  # may see open transactions

    def __init__(self, server, name):
        super().__init__(server, name)
        for table in ("t", "small", "keyless"):
            server.run(f"ALTER TABLE {name}.{table} ADD COLUMN k TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) "
                       "ON UPDATE CURRENT_TIMESTAMP(6), ADD KEY (k)")

    def grow(self):
        self.generation += 1
        g = self.generation
        for table in ("t", "small"):
            self.server.run(f"INSERT INTO {self.name}.{table} (id, n) VALUES ({1000000 + g}, {g})",
                            f"UPDATE {self.name}.{table} SET n = {g}")
        self.server.run(f"INSERT INTO {self.name}.keyless (a, n) VALUES ({g}, {g}), ({g}, {g})")


class SweptShop(KeyShop):
    """And one row goes, which a second read finds out: of the keys of all rows."""

    options = [*KeyShop.options, "--sweep"]

    def grow(self):
        super().grow()
        self.server.run(f"DELETE FROM {self.name}.t WHERE id = {self.generation}")

    def whole(self, generation):
        return (ROWS, generation, generation)

    def states(self, generation):
        return super().states(generation) | {(ROWS + 1, max(generation - 1, 0), generation)}


# What only a copy that takes the live table's place comes to, and what only changes of it.
REPLACING, CHANGING = {"sink.swapped"}, {"sink.merged", "sink.staged_dropped"}
NOT_BY = {Shop: CHANGING, KeyShop: REPLACING, SweptShop: REPLACING}
WATCH = "SELECT count(*), min(n), max(n) FROM x.t WHERE _sdc_deleted_at IS NULL"


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
    allowed = shop.states(shop.generation)
    assert set(seen) <= allowed, f"a reader saw {set(seen) - allowed}, not one of {allowed}"
    if tailrace.copy.exists():
        found = tailrace.rows("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'x' "
                              "AND table_name = 't'")
        if found[0][0]:
            assert tailrace.rows(WATCH)[0] in allowed


def recover(server, tailrace, shop):
    """A run without a fault: exact."""
    shop.sync(tailrace).expect(exits.OK)
    settle(tailrace)
    assert tailrace.rows(WATCH) == [shop.whole(shop.generation)]
    tailrace.exact(server, shop.name, way=shop.way)


@pytest.fixture
def shop(server, make_database):
    return Shop(server, make_database(server))


@pytest.fixture
def any_shop(request, server, make_database):
    return request.param(server, make_database(server))


def with_fault(tailrace, shop, env, watch=True, reset=False):
    """The next generation is copied, with a reader who looks on; some process of ours is killed. The job's result."""
    shop.grow()
    reader = Reader(tailrace, env)
    if watch:
        reader.start()
    if reset:
        tailrace.run("reset", "x", env=env)
    result = tailrace.finish(tailrace.start(*shop.arguments(tailrace), env=env))
    seen = reader.end() if watch else ()
    settle(tailrace)
    check_whole(tailrace, shop, seen)
    return result


def was_hit(result, statuses):
    """The job was killed, or a warehouse process: the shell notes that a moment after the process is gone."""
    end = time.monotonic() + 2
    while not (hit := result.code == -signal.SIGKILL or "137" in statuses()) and time.monotonic() < end:
        time.sleep(0.02)
    return hit


KILLED = [(shop, point, passing) for shop in (Shop, KeyShop, SweptShop)
          for point, passing in [(p, 1) for p in KILL_POINTS] + [(p, 4) for p in OFTEN]
          if point not in NOT_BY[shop] and (shop is not SweptShop or point.startswith("sink."))
          and (LONG or shop is Shop or passing == 1)]


@pytest.mark.parametrize("any_shop, point, passing", KILLED, indirect=["any_shop"])
def test_killed_at(server, any_shop, tailrace, ends, point, passing):
    shop = any_shop
    shop.sync(tailrace).expect(exits.OK)
    settle(tailrace)
    env, statuses = ends()
    env = {**env, "TAILRACE_FAULT": f"{point}:{passing}"}
    result = with_fault(tailrace, shop, env, watch=passing == 1, reset=point == "sink.reset")
    hit = was_hit(result, statuses)
    recover(server, tailrace, shop)
    assert hit, f"{point} was not reached\n{result}"
    result.expect(-signal.SIGKILL, exits.OK, exits.TARGET)


@pytest.mark.parametrize("point", [p for p in KILL_POINTS if p != "sink.reset" and p not in CHANGING])
@pytest.mark.parametrize("any_shop", [Shop, KeyShop], indirect=True)
def test_killed_in_the_first_run(server, any_shop, tailrace, ends, point):
    """Nothing is there yet: the state, the spool and the destination are being made."""
    shop = any_shop
    env, statuses = ends()
    result = shop.sync(tailrace, env={**env, "TAILRACE_FAULT": point})
    settle(tailrace)
    hit = was_hit(result, statuses)
    check_whole(tailrace, shop)
    recover(server, tailrace, shop)
    assert hit, f"{point} was not reached\n{result}"


@pytest.mark.parametrize("point", REMOVE_POINTS)
def test_an_integration_killed_while_it_is_removed(server, shop, tailrace, ends, point):
    """It is still there and can be removed, and its name can be had again."""
    shop.sync(tailrace).expect(exits.OK)
    env, _ = ends()
    tailrace.run("integration", "rm", "x", "--data", env={**env, "TAILRACE_FAULT": point}).expect(-signal.SIGKILL)
    settle(tailrace)
    assert [i["name"] for i in tailrace.run("integration", "list", "--json").json] == ["x"]
    tailrace.run("integration", "rm", "x", "--data").expect(exits.OK)
    assert tailrace.run("integration", "list", "--json").json == []
    shop.sync(tailrace).expect(exits.OK)
    settle(tailrace)
    check_whole(tailrace, shop)


def test_a_warehouse_that_dies_every_time(server, shop, tailrace, ends):
    """The job gives up; what it read stays in the spool and is loaded by the next one."""
    env, statuses = ends(once=False)
    result = shop.sync(tailrace, env={**env, "TAILRACE_FAULT": "sink.before_commit"})
    settle(tailrace)
    assert statuses().count("137") > 1
    result.expect(exits.TARGET)
    check_whole(tailrace, shop)
    recover(server, tailrace, shop)


@pytest.mark.parametrize("passing, number", [(1, "ENOSPC"), (5, "ENOSPC"), (2, "EIO")])
@pytest.mark.parametrize("point", ERRNO_POINTS)
def test_a_call_fails(server, shop, tailrace, ends, point, passing, number):
    shop.sync(tailrace).expect(exits.OK)
    settle(tailrace)
    env = {**ends()[0], "TAILRACE_FAULT": f"{point}:{passing}={number}"}
    result = with_fault(tailrace, shop, env, watch=False)
    recover(server, tailrace, shop)
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


@pytest.mark.parametrize("any_shop", [Shop, KeyShop, SweptShop], indirect=True)
def test_killed_at_random_moments(server, any_shop, tailrace):
    shop = any_shop
    seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    begin = time.monotonic()
    shop.sync(tailrace).expect(exits.OK)
    seconds = time.monotonic() - begin
    for i in range(KILLS if shop.way == "full" else KILLS_BY_KEY):
        shop.grow()
        reader = Reader(tailrace, {}) if i % 2 else None
        job = tailrace.start(*shop.arguments(tailrace))
        if reader:
            reader.start()
        which = random_kill(rng, tailrace, job, seconds)
        result = tailrace.finish(job)
        seen = reader.end() if reader else ()
        result.expect(-signal.SIGKILL, exits.OK, exits.TARGET)
        print(f"{i}: {which}, exit {result.code}, seen {sorted(seen)}")
        settle(tailrace)
        check_whole(tailrace, shop, seen)
        recover(server, tailrace, shop)


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
    # Nothing is loaded before the disk is full: one epoch for all.
    more = ["--disk-reserve=0", "--epoch-bytes=64MiB", "--epoch-age=1h", "--codec=null"]
    result = tailrace.sync(shop.url(), *more)
    result.fails(exits.LIMIT, ("no space", "space left", "disk", "full"))
    settle(tailrace)
    enlarge(disk)
    recover(server, tailrace, shop)


def test_the_destination_fills_its_disk(server, shop, tailrace, small_disk):
    disk = small_disk("32m")
    tailrace.copy = disk / "out.duckdb"
    shop.sync(tailrace).expect(exits.OK)
    settle(tailrace)
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(bytes(4096)):
            pass
    shop.grow()
    result = shop.sync(tailrace)
    result.fails(exits.TARGET if result.code == exits.TARGET else exits.LIMIT, ("space", "full"))
    settle(tailrace)
    ballast.unlink()
    enlarge(disk)
    check_whole(tailrace, shop)
    recover(server, tailrace, shop)
