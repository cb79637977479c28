"""Processes killed at every fault point, and at random moments, while a job follows the log and others write: the next
run goes on and is exact (invariants 2, 4 and 5).

TEST_LOG_KILLS   random kills at each server, default 3
TEST_SEED        of the moments; printed
TEST_LONG        1: every fault point at each server, else at one or the other
"""
import os
import random
import signal
import threading

import flow_fixtures
import pytest
import test_crash as crash

from support import exits
from support.program import Program

LONG = os.environ.get("TEST_LONG") == "1"
KILLS = int(os.environ.get("TEST_LOG_KILLS", "20" if LONG else "3"))
# Of the other ways: what takes the live table's place, what is merged by key, what `reset` and `integration rm` do.
POINTS = [p for p in crash.KILL_POINTS if p not in ("sink.reset", "sink.swapped")] + [
    name for kind, name in crash.POINTS if kind == "kill" and name.startswith(("change.", "reread."))]
# Those of a copy whose changes are held meanwhile.
HELD = {"change.held", "change.held_applied", "change.joined", "sink.begun"}
OPTIONS = ["--method=log", "--handover-wait=1s", "--epoch-bytes=16KiB", "--epoch-age=200ms"]
EMPTIED = 20  # one step in so many empties a table
NAMES = [n for kind in ("mysql97", "mariadb1011") for n in flow_fixtures.SERVERS if kind in n and not n.startswith("s-")]


def servers(points):
    """(server, point): every point at one server at least; what a server logs itself is derived at the other."""
    if not NAMES:
        return [flow_fixtures.NO_SERVERS]
    return [pytest.param((name, point), id=f"{name}-{point}") for i, point in enumerate(points)
            for j, name in enumerate(NAMES)
            if ("mariadb" in name if point == "change.derived" else LONG or i % len(NAMES) == j)]


class Writer(threading.Thread):
    """Changes everything without end: rows come, change, change their key, and go; a table is emptied."""

    def __init__(self, followed, empties=True):
        super().__init__(daemon=True)
        self.of, self.stop, self.failed, self.done, self.empties = followed, threading.Event(), None, 0, empties

    def run(self):
        c = self.of.server.connect(database=self.of.database)
        try:
            while self.done == 0 or not self.stop.wait(0.02):  # one step at least, however soon the end comes
                self.step(c, next(self.of.numbers), self.empties)
                self.done += 1
        except Exception as e:  # told by end()
            self.failed = e
        finally:
            c.close()

    @staticmethod
    def step(c, i, empties=True):
        statements = ["BEGIN"]
        for table in ("t", "again"):
            statements += [f"INSERT INTO {table} VALUES ({i}, 0, 'new')", f"UPDATE {table} SET n = n + 1 WHERE id % 10 = {i % 10}",
                           f"UPDATE {table} SET id = -id WHERE id = {i - 3}", f"DELETE FROM {table} WHERE id = {i - 5}"]
        statements += [f"INSERT INTO bare VALUES ({i % 4}, 1), ({i % 4}, 1)", f"DELETE FROM bare WHERE a = {(i + 1) % 4} LIMIT 1",
                       f"INSERT INTO wiped VALUES ({i}, 1)", "COMMIT"]
        for sql in statements + ["TRUNCATE wiped"] * (empties and i % EMPTIED == 0):
            c.query(sql)

    def end(self):
        while self.done == 0 and self.is_alive():  # the run may have been killed before its first step
            self.join(0.02)
        self.stop.set()
        self.join(60)
        assert self.failed is None and self.done > 0, self.failed


class Followed:
    """A database that is copied and followed; the same for all tests of a server."""

    def __init__(self, server, program):
        self.server, self.program, self.database = server, program, f"log_crash_{os.getpid()}"
        self.numbers = iter(range(1000, 1 << 30))
        d = self.database
        server.run(f"DROP DATABASE IF EXISTS {d}", f"CREATE DATABASE {d}",
                   *(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, n INT, v VARCHAR(20))" for t in ("t", "again")),
                   f"CREATE TABLE {d}.part (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT DEFAULT 7)",
                   f"CREATE TABLE {d}.filled (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {d}.filled VALUES (1), (2)",
                   f"CREATE TABLE {d}.parent (id INT NOT NULL PRIMARY KEY)",
                   f"CREATE TABLE {d}.child (id INT NOT NULL PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES {d}.parent (id) "
                   "ON DELETE CASCADE)",
                   f"CREATE TABLE {d}.bare (a INT, n INT)", f"CREATE TABLE {d}.wiped (id INT NOT NULL PRIMARY KEY, n INT)",
                   *(f"INSERT INTO {d}.{t} VALUES " + ", ".join(f"({i}, 0, 'first')" for i in range(1, 101)) for t in ("t", "again")))

    def arguments(self):
        return self.program.sync_args(self.server.url(self.database, user="app"), *OPTIONS)

    def all_kinds(self):
        """One of every change, so that a run has them to read however soon it ends."""
        c = self.server.connect(database=self.database)
        number = next(self.numbers)
        while number % EMPTIED:
            Writer.step(c, number)
            number = next(self.numbers)
        Writer.step(c, number)
        c.close()

    def in_part(self):
        """Rows that must be read again by key: the log does not have all their columns."""
        self.server.run("SET SESSION binlog_row_image = 'MINIMAL'", f"INSERT INTO {self.database}.part () VALUES (), (), ()")

    def cascade(self):
        """A row goes with its parent's, unlogged."""
        i, d = next(self.numbers), self.database
        self.server.run(f"INSERT INTO {d}.parent VALUES ({i})", f"INSERT INTO {d}.child VALUES ({i}, {i}), ({-i}, {i})",
                        f"DELETE FROM {d}.parent WHERE id = {i}")

    def go_on(self):
        """A run without a fault: exact."""
        crash.settle(self.program)
        self.program.run(*self.arguments()).expect(exits.OK)
        crash.settle(self.program)
        self.program.exact(self.server, self.database, way="log")
        assert self.program.rows("SELECT id FROM x.t GROUP BY id HAVING count(*) > 1") == []

    def copy_again(self):
        self.program.run("reset", "x", f"{self.database}.again").expect(exits.OK)
        crash.settle(self.program)


@pytest.fixture(scope="module")
def all_followed(tmp_path_factory):
    made = {}
    yield made
    for f in made.values():
        f.program.end()
        f.server.run(f"DROP DATABASE IF EXISTS {f.database}")


@pytest.fixture
def followed_at(all_followed, binary, tmp_path_factory):
    """A function (server's name): its Followed, which is exact."""
    def of(name):
        if name not in all_followed:
            all_followed[name] = Followed(flow_fixtures.server_of(name), Program(binary, tmp_path_factory.mktemp("log")))
            all_followed[name].go_on()
        return all_followed[name]

    return of


@pytest.mark.parametrize("where", servers(POINTS))
def test_killed_at(where, followed_at, ends):
    name, point = where
    f = followed_at(name)
    if point in HELD:
        f.copy_again()
    f.all_kinds()
    again = point.startswith("reread.")
    if again:
        f.in_part()
    if point == "change.filled":
        f.server.run(f"ALTER TABLE {f.database}.filled ADD COLUMN c{next(f.numbers)} INT NOT NULL DEFAULT 7")
    if point == "change.derived":
        f.cascade()
    env, statuses = ends()
    writer = Writer(f, empties=not again)  # they are not, where a table is emptied first
    writer.start()
    result = f.program.finish(f.program.start(*f.arguments(), env={**env, "TAILRACE_FAULT": point}))
    writer.end()
    hit = crash.was_hit(result, statuses)
    f.go_on()
    assert hit, f"{point} was not reached\n{result}"
    result.expect(-signal.SIGKILL, exits.OK, exits.TARGET)


@pytest.mark.parametrize("name", NAMES or [flow_fixtures.NO_SERVERS])
def test_killed_at_random_moments(name, followed_at):
    f = followed_at(name)
    seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    for i in range(KILLS):
        if i % 2:
            f.copy_again()
        writer = Writer(f)
        writer.start()
        job = f.program.start(*f.arguments())
        which = crash.random_kill(rng, f.program, job, 1.0)
        result = f.program.finish(job)
        writer.end()
        print(f"{i}: {which}, exit {result.code}")
        result.expect(-signal.SIGKILL, exits.OK, exits.TARGET)
        f.go_on()
