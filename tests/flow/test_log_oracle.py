"""Log-based copies under a random workload: the job is started, killed and resumed at random moments, catching up and
following, tables are reset in between, and whenever one looks the copy is a state that the source had, also of what is
copied anew meanwhile; at the end it is the last one.

TEST_SEEDS     how many seeds, default 12; of them half on MariaDB, a quarter each on MySQL with GTIDs and without
TEST_KIND      all seeds on this kind of server: mariadb, mysql or mysql-plain, which has no GTIDs
TEST_SEED      the first one, default 1
TEST_STEPS     how long the workload of one is, default 60
TEST_RUNS      how often the job is started meanwhile, default 3
TEST_CLASSES   classes of log_workload.py to add (+cascades) or to leave out (-narrow), separated by commas
"""
import contextlib
import os
import random
import signal
import threading
import time

import pytest

from conftest import newest, server_of
from support import exits, log_workload
from support.log_oracle import Judge

FIRST = int(os.environ.get("TEST_SEED", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("TEST_SEEDS", "12")))
STEPS = int(os.environ.get("TEST_STEPS", "60"))
TINY = ["--method=log", "--page-bytes=4KiB", "--epoch-bytes=1KiB", "--epoch-age=100ms"]
RUNS = int(os.environ.get("TEST_RUNS", "3"))
PATIENCE = 180
STREAM = (exits.OK, exits.PARTIAL)


def classes():
    chosen = set(log_workload.ALL)
    for word in os.environ.get("TEST_CLASSES", "").split(","):
        if word.startswith("-"):
            chosen.discard(word[1:])
        elif word:
            chosen.add(word.lstrip("+"))
    return chosen


class Writers:
    """The workload in the background: the first writer makes so many steps as it is allowed, others do as they like."""

    def __init__(self, w, pause, settles):
        self.w, self.pause, self.settles, self.left = w, pause, settles, 0
        self.lock, self.stop, self.failed = threading.Lock(), threading.Event(), []
        self.allowed = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.guard, args=(self.walk,))]
        self.threads += [threading.Thread(target=self.guard, args=(w.write, i, self.stop)) for i in range(1, w.writers)]
        for t in self.threads:
            t.start()

    def guard(self, work, *args):
        try:
            work(*args)
        except BaseException as e:  # told by end()
            self.failed.append(e)

    def walk(self):
        while not self.stop.is_set():
            if self.allowed.acquire(timeout=0.05):
                with self.lock:
                    self.w.step()
                    self.left -= 1
                    if self.left == 0 and self.settles:
                        self.w.settle()  # what stays prepared there makes the start of a copy wait for a minute
                time.sleep(self.pause)

    def go(self, steps):
        assert not self.failed, self.failed[0]
        with self.lock:
            self.left += steps
        self.allowed.release(steps)

    @contextlib.contextmanager
    def still(self):
        """All that is committed is recorded, and nothing more is committed."""
        with self.lock:
            yield

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(60)
        if self.failed:
            raise self.failed[0]


class Job:
    """The job in its ways of running; each ends with no process left."""

    def __init__(self, tailrace, url, rng):
        self.tailrace, self.rng = tailrace, rng
        self.args = tailrace.sync_args(url, *TINY)

    def catch_up(self):
        p = self.tailrace.start(*self.args)
        self.tailrace.finish(p, PATIENCE).expect(*STREAM)
        return "catch_up"

    def killed(self):
        """Catching up, until it is killed."""
        self.kill(self.tailrace.start(*self.args), self.rng.uniform(0.05, 1.0))

    def follow_and_kill(self):
        self.kill(self.tailrace.start(*self.args, "--follow"), self.rng.uniform(0.3, 1.5))

    def follow_and_stop(self):
        p = self.tailrace.start(*self.args, "--follow")
        time.sleep(self.rng.uniform(0.5, 1.2))
        assert p.poll() is None, str(self.tailrace.finish(p))
        p.send_signal(signal.SIGTERM)
        self.tailrace.finish(p, 30).expect(exits.OK, exits.PARTIAL, exits.STOPPED)

    def kill(self, p, after):
        end = time.monotonic() + after
        while time.monotonic() < end and p.poll() is None:
            time.sleep(0.01)
        if p.poll() is not None:
            self.tailrace.finish(p).expect(*STREAM)
        victims = self.tailrace.processes()
        if self.rng.random() < 0.5:  # the warehouse alone may outlive the job, or both go at once
            victims = [v for v in victims if v == p.pid]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.tailrace.finish(p, 30)

    def reset(self, rng, tables):
        """Of some tables or of all, before any run too: then nothing is there to reset."""
        which = rng.sample(tables, 2) if rng.random() < 0.7 else []
        for table in which or [None]:
            self.tailrace.run("reset", "x", *([table] if table else [])).expect(exits.OK, exits.CONFIG)
        return f"reset {' '.join(which) or 'all'}"

    def once(self):
        way = self.rng.choice((self.catch_up, self.killed, self.killed, self.follow_and_kill, self.follow_and_stop))
        return way() or way.__name__


KINDS = ("mysql", "mariadb", "mysql-plain", "mariadb")
NO_GTIDS = ("gtid-mode=OFF", "enforce-gtid-consistency=OFF")


def server_for(seed, own_server):
    kind = os.environ.get("TEST_KIND") or KINDS[seed % len(KINDS)]
    if kind == "mysql-plain":
        return own_server("mysql97", *NO_GTIDS)
    named = [n for n in newest() if kind in n]
    if not named:
        pytest.skip(f"no {kind} runs: tools/servers/test-servers up all, then its env")
    return server_of(named[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_copy_is_always_a_state_of_the_source(seed, own_server, make_workload, tailrace):
    server, rng, resets = server_for(seed, own_server), random.Random(f"{seed} job"), random.Random(f"{seed} reset")
    w = make_workload(server, seed, classes=classes(), writers=3 if seed % 6 == 0 else 1)
    judge = Judge(w, tailrace)
    job = Job(tailrace, server.url(w.database, user="app"), rng)
    ways = []
    writers = Writers(w, 0.01, settles=server.mariadb or server.run("SELECT @@gtid_mode")[0][0] != "ON")
    try:
        # A first run that may be killed, one that ends, and others; each while the source changes.
        for i in range(RUNS):
            writers.go(STEPS // RUNS)
            if resets.random() < 0.6:
                ways.append(job.reset(resets, sorted(w.selected)))
            committed = w.n
            ways.append(job.once() if i != 1 else job.catch_up())
            print(f"commit {committed}: {ways[-1]}, commit {w.n}", flush=True)
            with writers.still():
                ways.append(judge.look() if tailrace.copy.exists() else None)  # killed before it made one
            # A run that ends by itself has read all that was committed when it began.
            assert ways[-2] != "catch_up" or w.writers > 1 or ways[-1] >= committed, (ways, committed)
    finally:
        writers.end()
    w.finish()
    job.catch_up()
    report = judge.end()
    print(f"seed {seed} on {server.name}: {ways}, {judge.looks} looks, {judge.compared} tables compared, {w.n} commits, {report}")
    if "statements" not in w.classes:  # one that is about `commits` makes it be copied again
        assert judge.looks >= RUNS - 1
