"""Lost connections, restarted servers and killed processes: the copy goes on and is exact."""
import os
import random
import signal
import time

import pytest

from support import exits
from support.program import SMALL, wait_until

ROWS = 20000  # 4 MB


def test_a_connection_cut_while_a_table_is_read_resumes_by_itself(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    # Behind the bytes of discovery, in several places, by close and by reset.
    for i, at in enumerate((700000, 1500000, 2500000)):
        proxy.rule("cut", after=at, total=True, reset=i % 2 == 1)
    tailrace.sync(server.url(database, port=proxy.port), *SMALL).expect(exits.OK)
    assert proxy.stats()["fired"].get("cut") == 3
    tailrace.exact(server, database)


@pytest.mark.parametrize("at", [0, 50, 200, 1000, 5000, 20000])
def test_a_connection_cut_early_is_tried_again(server, make_database, tailrace, proxy_of, fill, at):
    database = make_database(server)
    fill(server, database, "t", 500)
    proxy = proxy_of(server)
    proxy.rule("cut", after=at)
    tailrace.sync(server.url(database, port=proxy.port)).expect(exits.OK)
    tailrace.exact(server, database)


def test_a_source_that_stays_away_ends_the_run_and_the_next_goes_on(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    proxy.throttle(1000000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL, "--reconnect-limit=2s"))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 2000000)
    proxy.refuse()
    proxy.cut_now()
    tailrace.finish(p).fails(exits.SOURCE, hint=False)
    proxy.clear()
    before = proxy.stats()["bytes"]["down"]
    tailrace.sync(server.url(database, port=proxy.port), *SMALL).expect(exits.OK)
    again = proxy.stats()["bytes"]["down"] - before
    tailrace.exact(server, database)
    assert again < 3500000, "it did not go on: all was read again"


def test_a_silent_connection_is_noticed(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    proxy.throttle(1000000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 1000000)
    proxy.clear()
    assert proxy.halfopen_now() > 0
    # A person does not wait five minutes: a signal ends the wait at once, and what was read is kept.
    time.sleep(0.5)
    p.send_signal(signal.SIGTERM)
    time.sleep(1)
    if p.poll() is None:
        p.send_signal(signal.SIGTERM)
    tailrace.finish(p, 20).expect(exits.STOPPED)
    tailrace.sync(server.url(database), *SMALL).expect(exits.OK)
    tailrace.exact(server, database)


def test_the_server_is_restarted(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    proxy.throttle(1500000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 1000000)
    server.mysrv("restart")
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_stopped_and_run_again(server, make_database, tailrace, proxy_of, fill, number):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    fill(server, database, "small", 10)
    proxy = proxy_of(server)
    proxy.throttle(1500000)
    url = server.url(database, port=proxy.port)
    p = tailrace.start(*tailrace.sync_args(url, *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 2000000)
    p.send_signal(number)
    result = tailrace.finish(p, 30)
    result.expect(-signal.SIGKILL if number == signal.SIGKILL else exits.STOPPED)
    # Readers never see half a table.
    wait_until(lambda: not tailrace.processes(), timeout=20)
    if tailrace.copy.exists():
        with tailrace.opened() as copy:
            if "t" in copy.tables("x"):
                assert copy.rows("SELECT count(*) FROM x.t")[0][0] == ROWS
    proxy.clear()
    before = proxy.stats()["bytes"]["down"]
    tailrace.run("run", "x").expect(exits.OK)
    again = proxy.stats()["bytes"]["down"] - before
    tailrace.exact(server, database)
    if number != signal.SIGKILL:
        assert again < 3500000, "it did not go on: all was read again"


def test_killed_at_random_moments(server, make_database, tailrace, fill):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    database = make_database(server)
    fill(server, database, "t", ROWS)
    fill(server, database, "u", 3000)
    begin = time.monotonic()
    tailrace.sync(server.url(database), *SMALL).expect(exits.OK)
    whole = time.monotonic() - begin
    for _ in range(6):
        server.run(f"UPDATE {database}.t SET n = n + 1")
        p = tailrace.start("run", "x")
        time.sleep(rng.random() * whole)
        victims = [p.pid] if rng.random() < 0.5 else tailrace.processes()
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        tailrace.finish(p, 60)
        # Readers never see half a table, at no moment.
        with tailrace.opened() as copy:
            assert copy.rows("SELECT count(*) FROM x.t") == [(ROWS,)]
    # The first run ends what the killed one began: rows of before the last change. The second is a new copy.
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database)


@pytest.mark.parametrize("whole", [True, False], ids=["after-a-whole-copy", "in-a-copy"])
def test_a_lost_data_directory_goes_on_under_the_same_name(server, make_database, tailrace, proxy_of, fill, whole):
    """The destination's marks know which table a stream has: state that is gone must not make a second one."""
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    url = server.url(database, port=proxy.port)
    if not whole:
        proxy.throttle(1500000)
    p = tailrace.start(*tailrace.sync_args(url, *SMALL))
    if not whole:
        wait_until(lambda: proxy.stats()["bytes"]["down"] > 2000000)
        p.send_signal(signal.SIGTERM)
    tailrace.finish(p).expect(exits.OK if whole else exits.STOPPED)
    proxy.clear()
    server.run(f"UPDATE {database}.t SET n = -1")
    tailrace.data = tailrace.folder / "another"
    tailrace.sync(url).expect(exits.OK)
    if not whole:  # it finished the copy that was under way, read before and after the update
        tailrace.sync(url).expect(exits.OK)
    tailrace.exact(server, database)
    with tailrace.opened() as copy:
        assert [t for t in copy.tables("x") if not t.startswith("_sdc_")] == ["t"]


def test_an_earlier_copy_stays_until_the_new_one_is_whole(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    url = server.url(database, port=proxy.port)
    tailrace.sync(url, *SMALL).expect(exits.OK)
    server.run(f"UPDATE {database}.t SET n = -1")
    proxy.throttle(1500000)
    p = tailrace.start("run", "x")
    before = proxy.stats()["bytes"]["down"]
    wait_until(lambda: proxy.stats()["bytes"]["down"] > before + 2000000)
    p.kill()
    tailrace.finish(p)
    assert tailrace.rows("SELECT count(*), count(*) FILTER (n = -1) FROM x.t") == [(ROWS, 0)]
    proxy.clear()
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT count(*), count(*) FILTER (n = -1) FROM x.t") == [(ROWS, ROWS)]
    tailrace.exact(server, database)


def test_rejected_rows_of_a_killed_run_are_not_forgotten(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    server.run("SET SESSION sql_mode = ''", f"CREATE TABLE {database}.dates (id INT PRIMARY KEY, day DATE)",
               f"INSERT INTO {database}.dates VALUES (1, '2024-00-00'), (2, '2024-01-01')")
    proxy = proxy_of(server)
    proxy.throttle(1500000)
    url = server.url(database, port=proxy.port)
    p = tailrace.start(*tailrace.sync_args(url, *SMALL, "--dates=reject", "--epoch-age=500ms"))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 3000000)
    p.send_signal(signal.SIGKILL)
    tailrace.finish(p, 30)
    proxy.clear()
    # The run that goes on may have nothing left to reject, and yet the copy is not whole.
    tailrace.sync(url, *SMALL, "--dates=reject").expect(exits.PARTIAL)
    assert tailrace.rows("SELECT count(*) FROM x._sdc_rejected WHERE _sdc_table LIKE '%.dates'") == [(1,)]
