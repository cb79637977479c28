"""Ten thousand tables: discovered in seconds, with a number of queries that does not grow with them."""
import threading
import time

import pytest

from support import exits

TABLES = 10000
CONNECTIONS = 6


def make_tables(server, database, first, last):
    """An engine without files of its own, since it is the catalog that is looked at."""
    def work(part):
        c = server.connect()
        with c.cursor() as cursor:
            for i in range(first + part, last, CONNECTIONS):
                cursor.execute(f"CREATE TABLE {database}.t{i:05} (id BIGINT PRIMARY KEY, a INT, b VARCHAR(30), c DATETIME, "
                               "d DECIMAL(10,2), UNIQUE u (a)) ENGINE=MEMORY")
        c.close()

    threads = [threading.Thread(target=work, args=(part,)) for part in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


@pytest.fixture(scope="module")
def quick():
    """Tables are made faster when the server does not wait for the disk."""
    changed = []

    def make(server):
        for variable in ("innodb_flush_log_at_trx_commit", "sync_binlog"):
            old = server.run(f"SELECT @@GLOBAL.{variable}")[0][0]
            server.run(f"SET GLOBAL {variable} = 0")
            changed.append((server, variable, old))

    yield make
    for server, variable, old in changed:
        server.run(f"SET GLOBAL {variable} = {old}")


def discovery(server, database, tailrace):
    """(seconds, questions, tables found)"""
    def questions():
        return int(server.run("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])

    before, begin = questions(), time.monotonic()
    found = tailrace.run("discover", server.url(database), "--json").expect(exits.OK)
    took, asked = time.monotonic() - begin, questions() - before
    return took, asked, len(found.json["databases"][0]["tables"])


def test_ten_thousand_tables_take_seconds(server, make_database, tailrace, quick):
    database = make_database(server)
    quick(server)
    make_tables(server, database, 0, 100)
    _, asked_few, found = discovery(server, database, tailrace)
    assert found == 100
    make_tables(server, database, 100, TABLES)
    took, asked, found = discovery(server, database, tailrace)
    print(f"{found} tables in {took:.1f} s, {asked} questions; of 100 tables {asked_few}")
    assert found == TABLES
    assert asked <= asked_few + 3
    assert took < 30
