"""The source's work comes first: ceilings on connections and bytes, and back-off when it shows strain."""
import json
import threading
import time

import pytest

from support import exits
from support.program import SMALL, wait_until

ROWS = 20000  # 4 MB


def events(tailrace, name="x"):
    """[(text, fields)] of the newest run."""
    out = tailrace.run("logs", name, "--json").expect(exits.OK).out
    return [(e["text"], e["fields"]) for e in map(json.loads, out.splitlines())]


class Busy:
    """Sessions that sleep: the server counts each as a running thread."""

    def __init__(self, server, count):
        self.sessions = [server.connect() for _ in range(count)]
        self.ids = [c.thread_id() for c in self.sessions]
        self.server = server
        self.threads = [threading.Thread(target=self.sleep, args=(c,), daemon=True) for c in self.sessions]
        for t in self.threads:
            t.start()

    @staticmethod
    def sleep(c):
        try:
            with c.cursor() as cursor:
                cursor.execute("SELECT SLEEP(60)")
        except Exception:  # killed by end()
            pass

    def end(self):
        for number in self.ids:
            self.server.run(f"KILL QUERY {number}")
        for t in self.threads:
            t.join(10)
        for c in self.sessions:
            c.close()


def test_reading_pauses_while_the_source_is_busy_and_goes_on(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    proxy.throttle(600000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL, "--source-busy=8",
                                           "--source-pause=1s", "--source-connections=2"))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 300000)
    busy = Busy(server, 12)
    try:
        log = wait_until(lambda: [e for e in events(tailrace) if "reading pauses" in e[0]])
        assert log[0][1]["why"] == "threads_running is past source_busy"
        assert p.poll() is None
    finally:
        busy.end()
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    said = [text for text, _ in events(tailrace)]
    halved = said.index("the source is under strain, fewer readers at once")
    paused = said.index("the source is under strain, reading pauses")
    assert halved < paused < said.index("reading goes on after a pause")
    tailrace.exact(server, database)


def test_pages_that_become_slow_halve_the_readers(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    proxy = proxy_of(server)
    proxy.throttle(2000000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), "--page-bytes=64KiB",
                                           "--source-connections=2"))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 1500000)
    proxy.throttle(200000)
    said = wait_until(lambda: [f for text, f in events(tailrace) if "fewer readers" in text])
    assert said[0]["table"] == f"{database}.t" and "three times" in said[0]["why"]
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)


def test_bytes_in_a_second_have_a_ceiling(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", ROWS)
    url = server.url(database)
    begin = time.monotonic()
    tailrace.sync(url, "--source-rate=1MiB", "--page-bytes=64KiB", "--source-connections=4").expect(exits.OK)
    took = time.monotonic() - begin
    tailrace.exact(server, database)
    total = tailrace.run("report", "x", "--json").json["totals"]["bytes"]
    assert total > 3 << 20
    assert took > total / (1 << 20) * 0.9, f"{total} bytes in {took} s"


@pytest.fixture
def statements(server):
    """A function (word) that gives [(connection, statement)] of what the server was asked since, with that word."""
    server.run("SET GLOBAL log_output = 'TABLE'", "TRUNCATE TABLE mysql.general_log", "SET GLOBAL general_log = ON")
    yield lambda word: server.run("SELECT thread_id, CAST(argument AS CHAR) FROM mysql.general_log "
                                  f"WHERE command_type = 'Execute' AND argument LIKE '%{word}%'")
    server.run("SET GLOBAL general_log = OFF", "TRUNCATE TABLE mysql.general_log", "SET GLOBAL log_output = DEFAULT")


@pytest.mark.parametrize("count", [1, 4])
def test_connections_have_a_ceiling_and_share_one_table(server, make_database, tailrace, proxy_of, fill, statements,
                                                        count):
    """A table of many rows is cut in ranges; each reader has a connection of its own, and one more asks the source
    how it does."""
    database = make_database(server)
    fill(server, database, "t", 3 * ROWS, width=80)
    server.run(f"ANALYZE TABLE {database}.t")
    proxy = proxy_of(server)
    tailrace.sync(server.url(database, port=proxy.port), *SMALL, f"--source-connections={count}").expect(exits.OK)
    pages = statements(f"`{database}`.`t`")
    readers = {number for number, _ in pages}
    assert len(pages) > 50
    assert min(count, 2) <= len(readers) <= count, (len(pages), readers)
    assert proxy.stats()["accepted"] <= count + 2
    # Pages are found by key, in the server's own order, never by counting rows.
    for _, text in pages:
        assert "ORDER BY" in text and "LIMIT" in text and "OFFSET" not in text, text
    tailrace.exact(server, database)
