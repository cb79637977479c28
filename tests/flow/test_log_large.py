"""A transaction larger than the job's memory and than the lane's share of the spool ends exact, whole or not at all."""
import os
import time

import pytest

from support import exits

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
