"""Key-based reads at random moments while transactions of random length are open: what the server hands out in order
(AUTO_INCREMENT, the writing statement's time) is committed out of order, and still no row is lost and none comes twice.

TEST_SEED      of keys and moments; printed
TEST_READS     reads by key before the last one, default 9
"""
import collections
import contextlib
import os
import random
import threading
import time

import pymysql
import pytest

from support import exits

READS = int(os.environ.get("TEST_READS", "9"))
WRITERS = 8
# Every table's replication key is `k`; `v` is another number in every write.
TABLES = {
    "auto": "k BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v BIGINT NOT NULL",
    "stamp6": "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v BIGINT NOT NULL, k TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) "
              "ON UPDATE CURRENT_TIMESTAMP(6), KEY (k)",
    "local6": "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v BIGINT NOT NULL, k DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) "
              "ON UPDATE CURRENT_TIMESTAMP(6), KEY (k)",
    "stamp0": "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v BIGINT NOT NULL, k TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP "
              "ON UPDATE CURRENT_TIMESTAMP",
}


def key_of(table):
    return "k" if table == "auto" else "id"


class Writer(threading.Thread):
    """Transactions until it is told to stop; what it committed."""

    def __init__(self, server, database, number, seed):
        super().__init__(daemon=True)
        self.server, self.database, self.number, self.rng = server, database, number, random.Random(f"{seed}-{number}")
        self.stop, self.count, self.committed, self.rolled_back = threading.Event(), 0, set(), 0
        self.failure = None

    def value(self):
        self.count += 1
        return self.number * 1000000 + self.count

    def statement(self, cursor, pause):
        """One insert of a few rows, one that takes its time over each row, or one update: [(table, v)]."""
        table = self.rng.choice(list(TABLES))
        kind = self.rng.random()
        if kind < 0.4:
            values = [self.value() for _ in range(self.rng.randint(1, 3))]
            cursor.execute(f"INSERT INTO {table} (v) VALUES {', '.join(f'({v})' for v in values)}")
        elif kind < 0.5:  # keys are given out by the handful while it runs
            values = [self.value() for _ in range(5)]
            rows = " UNION ALL ".join(f"SELECT {v} AS v" for v in values)
            cursor.execute(f"INSERT INTO {table} (v) SELECT v + 0 * SLEEP({min(pause, 0.2)}) FROM ({rows}) AS r")
        else:  # of `auto` no row changes: its key would not tell
            table = self.rng.choice([t for t in TABLES if t != "auto"])
            cursor.execute(f"SELECT COALESCE(MAX(id), 1) FROM {table}")
            greatest = cursor.fetchone()[0]
            v = self.value()
            # others may be at the same row: then this waits, and its time is that of its beginning
            cursor.execute(f"UPDATE {table} SET v = {v} WHERE id = {self.rng.randint(1, greatest)}")
            values = [v] if cursor.rowcount else []
        return [(table, v) for v in values]

    def transaction(self, c):
        rng = self.rng
        seconds = rng.choice([0, 0, 0.02, 0.3, 1, 3, 5, 7])  # reads settle for 2.2 s: only longer ones are at risk
        statements = rng.randint(1, 4)
        with c.cursor() as cursor:
            if seconds == 0 and statements == 1:  # no transaction at all
                self.committed.update(self.statement(cursor, 0))
                time.sleep(0.05)
                return
            done = []
            cursor.execute("START TRANSACTION")
            for _ in range(statements):
                if rng.random() < 0.3:
                    time.sleep(seconds / statements / 2)
                done += self.statement(cursor, seconds)
                time.sleep(seconds / statements * rng.random())
            if rng.random() < 0.2:
                cursor.execute("ROLLBACK")
                self.rolled_back += 1
            else:
                cursor.execute("COMMIT")
                self.committed.update(done)

    def run(self):
        try:
            with contextlib.closing(self.server.connect(database=self.database)) as c:
                with c.cursor() as cursor:
                    cursor.execute("SET SESSION innodb_lock_wait_timeout = 2")
                while not self.stop.is_set():
                    try:
                        self.transaction(c)
                    except pymysql.err.OperationalError as e:
                        # waited too long, also for a number; a deadlock; a newer row than its view has
                        if e.args[0] not in (1205, 1467, 1213, 1020):
                            raise
                        c.rollback()
        except Exception as e:  # shown by the test
            self.failure = e


class Naive:
    """What many do: each read goes on at the greatest key that the one before saw."""

    def __init__(self, server, database):
        self.c = server.connect(database=database)
        self.rows = {t: {} for t in TABLES}
        self.last = {t: None for t in TABLES}

    def read(self):
        with self.c.cursor() as cursor:
            for table, rows in self.rows.items():
                where = "" if self.last[table] is None else "WHERE k >= %s"
                cursor.execute(f"SELECT {key_of(table)}, v, k FROM {table} {where} ORDER BY k",
                               [self.last[table]] if where else None)
                for key, v, k in cursor.fetchall():
                    rows[key], self.last[table] = v, k

    def lost(self):
        """table -> how many rows are missing or old."""
        found = {}
        with self.c.cursor() as cursor:
            for table, rows in self.rows.items():
                cursor.execute(f"SELECT {key_of(table)}, v FROM {table}")
                found[table] = sum(rows.get(key) != v for key, v in cursor.fetchall())
        self.c.close()
        return found


@pytest.fixture
def reader_account(make_database):
    """A function (server) that makes an account which may see open transactions."""
    made = []

    def make(server):
        name = f"keys_{os.getpid()}"
        server.run(f"CREATE USER {name}@'%' IDENTIFIED BY 'pw'", f"GRANT SELECT, PROCESS ON *.* TO {name}@'%'")
        made.append((server, name))
        return name

    yield make
    for server, name in made:
        server.run(f"DROP USER {name}@'%'")


def both(tailrace, *args):
    """The integration that mirrors and the one that appends, at the same time."""
    started = [tailrace.start(*(a.replace("NAME", name) for a in args)) for name in ("mirror", "append")]
    for p in started:
        tailrace.finish(p).expect(exits.OK)


def append_stream(tailrace, table, committed):
    """Each version that was ever read, once, none that was not committed."""
    key = key_of(table)
    with tailrace.opened() as copy:
        of = copy.name("append", table)
        versions = (f"SELECT {key} AS key, row(v, k) AS now, lag(row(v, k)) OVER (PARTITION BY {key} ORDER BY _sdc_sequence) "
                    f"AS before FROM {of}")
        assert copy.rows(f"SELECT key FROM ({versions}) WHERE now = before LIMIT 5") == [], f"{table}: a version twice"
        assert copy.rows(f"SELECT v FROM {of} GROUP BY v HAVING count(*) > 1 LIMIT 5") == [], f"{table}: a version twice"
        foreign = {v for v, in copy.rows(f"SELECT v FROM {of}")} - committed
        assert not foreign, f"{table}: never committed: {sorted(foreign)[:5]}"
        return copy.rows(f"SELECT count(*), count(DISTINCT {key}) FROM {of}")[0]


def work(tailrace, server, database, account, seed):
    """The runs, the naive reads at the same moments, and the writers meanwhile: (writers, naive)."""
    rng = random.Random(seed)
    writers = [Writer(server, database, i, seed) for i in range(1, WRITERS + 1)]
    naive = Naive(server, database)
    url = server.url(database, user=account)
    try:
        for w in writers:
            w.start()
        time.sleep(rng.random() * 2)
        naive.read()
        first = [tailrace.start(*tailrace.sync_args(url, "--method=key", "--key=k", f"--load={load}", name=load))
                 for load in ("mirror", "append")]
        for p in first:
            tailrace.finish(p).expect(exits.OK)
        for _ in range(READS - 1):
            time.sleep(rng.random() * 1.5)
            naive.read()
            both(tailrace, "run", "NAME")
    finally:
        for w in writers:
            w.stop.set()
        for w in writers:
            w.join(30)
    assert not [w.failure for w in writers if w.failure]
    naive.read()
    both(tailrace, "run", "NAME")
    return writers, naive


def test_no_row_is_lost_and_none_comes_twice_while_transactions_are_open(newest_server, make_database, reader_account, tailrace):
    server = newest_server
    seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}")
    database = make_database(server)
    server.run(*(f"CREATE TABLE {database}.{t} ({columns})" for t, columns in TABLES.items()))
    writers, naive = work(tailrace, server, database, reader_account(server), seed)
    lost = naive.lost()
    print(f"a read that goes on at the greatest key lost {lost}; {sum(w.rolled_back for w in writers)} rolled back")
    # The workload would show it, by numbers and by times.
    assert lost["auto"] > 0 and sum(lost.values()) > lost["auto"], lost
    committed = collections.defaultdict(set)
    for table, v in set().union(*(w.committed for w in writers)):
        committed[table].add(v)
    tailrace.exact(server, database, name="mirror", way="key")
    tailrace.exact(server, database, name="append", way="append")
    for table in TABLES:
        versions, keys = append_stream(tailrace, table, committed[table])
        print(f"{table}: {versions} versions of {keys} keys, {len(committed[table])} written")
        assert versions > keys or table == "auto"
