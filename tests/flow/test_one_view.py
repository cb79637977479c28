"""--one-view, and tables without a key: the source as of one moment, while others write."""
import json
import threading

from support import exits
from support.program import wait_until

ACCOUNTS = 20000
EACH = 100


class Transfers:
    """Moves money between far-off accounts, a transaction each: the sum is the same at every moment, and in no other
    way of reading for long."""

    def __init__(self, server, database, tables):
        self.stop = threading.Event()
        self.done = 0
        self.connection = server.connect()
        self.statements = [f"UPDATE {database}.{t} SET n = n + CASE id WHEN {{a}} THEN -1 ELSE 1 END "
                           f"WHERE id IN ({{a}}, {{b}})" for t in tables]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        i = 0
        with self.connection.cursor() as cursor:
            while not self.stop.is_set():
                i += 1
                low, high = i * 7919 % (ACCOUNTS // 2) + 1, ACCOUNTS - i * 104729 % (ACCOUNTS // 2)
                a, b = (low, high) if i % 2 else (high, low)
                for sql in self.statements:
                    cursor.execute(sql.format(a=a, b=b))
                self.done = i

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(30)
        self.connection.close()


def accounts(server, database, name, key):
    server.run(f"CREATE TABLE {database}.{name} (id INT NOT NULL, n INT NOT NULL, pad CHAR(150), {key} (id))",
               f"INSERT INTO {database}.{name} VALUES (1, {EACH}, REPEAT('x', 150))")
    have = 1
    while have < ACCOUNTS:
        more = min(have, ACCOUNTS - have)
        server.run(f"INSERT INTO {database}.{name} SELECT id + {have}, n, pad FROM {database}.{name} WHERE id <= {more}")
        have += more


def copied_while_written(tailrace, server, proxy, database, tables, *more):
    proxy.throttle(3000000)
    with Transfers(server, database, tables) as transfers:
        wait_until(lambda: transfers.done > 10)
        p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), "--page-bytes=16KiB", *more))
        before = transfers.done
        result = tailrace.finish(p).expect(exits.OK)
        assert transfers.done > before + 20, "nothing was written meanwhile"
    return result


def test_a_view_is_exact_while_others_write(server, make_database, tailrace, proxy_of):
    database = make_database(server)
    accounts(server, database, "keyed", "PRIMARY KEY")
    accounts(server, database, "keyless", "KEY")
    copied_while_written(tailrace, server, proxy_of(server), database, ["keyed", "keyless"], "--one-view")
    for table in ("keyed", "keyless"):
        assert tailrace.rows(f"SELECT count(*), sum(n) FROM x.{table}") == [(ACCOUNTS, ACCOUNTS * EACH)]
    # One moment each, not two.
    report = tailrace.run("report", "x", "--json").json
    for stream in report["streams"]:
        assert stream["first_read_at"] == stream["last_read_at"] != None  # noqa: E711


def test_a_table_without_a_key_is_read_in_one_view(server, make_database, tailrace, proxy_of):
    database = make_database(server)
    accounts(server, database, "keyless", "KEY")
    copied_while_written(tailrace, server, proxy_of(server), database, ["keyless"])
    assert tailrace.rows("SELECT count(*), sum(n) FROM x.keyless") == [(ACCOUNTS, ACCOUNTS * EACH)]


def test_a_view_that_grows_too_old_is_given_up(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    accounts(server, database, "keyless", "KEY")
    fill(server, database, "keyed", 10)
    proxy = proxy_of(server)
    proxy.throttle(700000)
    result = tailrace.sync(server.url(database, port=proxy.port), "--view-age-limit=1s")
    result.expect(exits.PARTIAL)
    assert "view_age_limit" in result.out + result.err
    streams = {s["table"]: s for s in tailrace.run("report", "x", "--json").json["streams"]}
    assert streams["keyless"]["state"] == "failed" and streams["keyed"]["state"] == "live"
    tailrace.exact(server, database, tables={"keyed"})
    # The source has no view of ours open any more.
    open_views = server.run("SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p "
                            "ON p.id = t.trx_mysql_thread_id WHERE p.user = 'repl'")
    assert open_views[0][0] == 0
    proxy.clear()
    tailrace.run("run", "x").expect(exits.PARTIAL, exits.OK)
    assert json.loads(tailrace.run("status", "x", "--json").out)
