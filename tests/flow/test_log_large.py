"""What is larger than its share ends exact: a transaction larger than the job's memory and the lane's part of the spool, more
changes than a copy may hold."""
import os
import time

import pytest

from support import exits
from support.program import wait_until

MOST_MEMORY_KB = 256 * 1024
ROW_BYTES = 10000
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


def peak_kb(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def run_watched(tailrace, *args):
    """The run's result and the most memory that its process had."""
    p, most = tailrace.start(*args), 0
    while p.poll() is None:
        most = max(most, peak_kb(p.pid))
        time.sleep(0.02)
    return tailrace.finish(p), most


@pytest.mark.parametrize("megabytes", [300])
def test_a_transaction_larger_than_memory_and_share(newest_server, make_database, tailrace, megabytes):
    server, database = newest_server, make_database(newest_server)
    rows = megabytes * 1000 * 1000 // ROW_BYTES
    server.run(f"CREATE TABLE `{database}`.large (id INT PRIMARY KEY, d MEDIUMTEXT) ENGINE=InnoDB",
               f"CREATE TABLE `{database}`.small (id INT PRIMARY KEY, n INT)",
               f"CREATE TABLE `{database}`.digits (n INT PRIMARY KEY)",
               f"INSERT INTO `{database}`.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
               f"INSERT INTO `{database}`.small VALUES (1, 1)")
    args = ("--method=log", "--queue-bytes=4MiB", "--epoch-bytes=2MiB", "--spool-share=8MiB", "--tables=large,small")
    tailrace.sync(server.url(database), *args).expect(exits.OK)
    five = " JOIN ".join(f"`{database}`.digits d{i}" for i in range(5))
    number = " + ".join(f"d{i}.n * {10 ** i}" for i in range(5))
    server.run(f"USE `{database}`", "START TRANSACTION", f"INSERT INTO `{database}`.large SELECT {number} AS i, REPEAT(CONCAT(SHA2({number}, 256), '-'), "
               f"{ROW_BYTES // 65}) FROM {five} WHERE {number} < {rows}", f"UPDATE `{database}`.small SET n = 2", "COMMIT")
    result, most = run_watched(tailrace, *tailrace.sync_args(server.url(database), *args))
    result.expect(exits.OK)
    assert SANITIZED or 0 < most < MOST_MEMORY_KB, f"{most} kB"
    assert tailrace.rows("SELECT count(*), sum(id), sum(length(d)), count(DISTINCT d) FROM x.large WHERE _sdc_deleted_at IS NULL") == [
        (rows, rows * (rows - 1) // 2, rows * (ROW_BYTES // 65) * 65, rows)]
    assert tailrace.rows("SELECT n FROM x.small") == [(2,)]


def test_a_copy_slower_than_its_held_changes_limit(either_server, make_database, tailrace):
    """The copy would take minutes; 1,000 changes of 70 rows come meanwhile, and 100 may be held."""
    server, database = either_server, make_database(either_server)
    server.run(f"CREATE TABLE `{database}`.t (id INT PRIMARY KEY, n INT, v VARCHAR(300))",
               f"INSERT INTO `{database}`.t VALUES " + ", ".join(f"({i}, 0, REPEAT('v', 300))" for i in range(1000)))
    args = ("--method=log", "--handover-wait=1s", "--held-limit=100", "--epoch-age=200ms")
    p = tailrace.start(*tailrace.sync_args(server.url(database), *args, "--source-rate=2kB", "--page-bytes=4KiB"))

    def held_table():
        names = tailrace.run("sql", "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, '_tailrace_held')",
                             "--destination", f"duckdb:{tailrace.copy}", "--format=csv").out.split()
        return names[1] if len(names) > 1 else None

    held = wait_until(held_table)
    for i in range(20):
        server.run("BEGIN", f"UPDATE `{database}`.t SET n = n + 1 WHERE id < 50", f"DELETE FROM `{database}`.t WHERE id = {100 + i}", "COMMIT")

    def look():
        answer = tailrace.run("sql", f"SELECT count(*), max(n) FROM x.{held}", "--destination", f"duckdb:{tailrace.copy}", "--format=csv")
        return answer.out.splitlines()[-1].split(",") if answer.code == exits.OK else ["0", "0"]

    rows = int(wait_until(lambda: (seen := look())[1] == "20" and seen)[0])
    assert rows < 200, rows  # of up to 70 keys
    tailrace.run("stop", "x").expect(exits.OK)
    tailrace.finish(p).expect(exits.STOPPED)
    tailrace.sync(server.url(database), *args, "--source-rate=0").expect(exits.OK)
    tailrace.exact(server, database, way="log")
