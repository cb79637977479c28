"""The log is gone, or is another one: what happened is recognised for what it is, and a person is told what is missing and
what to do. (What moves servers about is in test_log_failover.py, what the hosted service says in test_log_parity.py.)"""
import contextlib

import pymysql
import pytest

from conftest import newest, server_of
from support import exits

LOG = ["--method=log", "--handover-wait=1s"]
KINDS = {"mysql": ("mysql97",), "mysql-plain": ("mysql97", "gtid-mode=OFF", "enforce-gtid-consistency=OFF"), "mariadb": ("mariadb118",)}


def anew(server):
    server.run("RESET MASTER" if server.mariadb else "RESET BINARY LOGS AND GTIDS")


def rows(server, database, word, count):
    """Transactions that are as long as those with another word."""
    for i in range(count):
        server.run(f"INSERT INTO {database}.t VALUES ({ord(word[0]) * 100 + i}, '{word}')")


def one_history(server, database, word, more=0):
    """A log from its beginning, the same one for each word but for what the rows say."""
    anew(server)
    server.run(f"DROP TABLE IF EXISTS {database}.t", f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(10))")
    rows(server, database, word, 4 + more)


def sync(tailrace, server, database):
    return tailrace.sync(server.url(database, user="app"), *LOG)  # may lock tables, where there are no GTIDs


def begun_anew(tailrace, server, database):
    """RESET, and a log since that has transactions where the first one had others, of the same names and lengths; and
    nothing had been read from the first one."""
    one_history(server, database, "first")
    sync(tailrace, server, database).expect(exits.OK)
    one_history(server, database, "other", more=4)
    return tailrace.run("run", "x")


def another_server(tailrace, server, database):
    """The same name leads to a server with a log of its own."""
    one_history(server, database, "first")
    sync(tailrace, server, database).expect(exits.OK)
    other = server_of([n for n in newest() if ("mariadb" in n) == server.mariadb][0])
    other.run(f"CREATE DATABASE {database}", f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(10))")
    try:
        rows(other, database, "there", 3)
        return sync(tailrace, other, database)
    finally:
        other.run(f"DROP DATABASE {database}")


def incident(tailrace, server, database):
    """A statement whose rows cannot be taken back and do not fit into the log's cache: the server notes that its log has
    a gap."""
    one_history(server, database, "first")
    server.run(f"CREATE TABLE {database}.m (id INT NOT NULL PRIMARY KEY, v LONGTEXT) ENGINE=MyISAM")
    sync(tailrace, server, database).expect(exits.OK)
    was = server.run("SELECT @@GLOBAL.max_binlog_stmt_cache_size")[0][0]
    server.run("SET GLOBAL max_binlog_stmt_cache_size = 4096")
    try:
        with contextlib.suppress(pymysql.err.Error):
            server.run(f"INSERT INTO {database}.m VALUES (1, REPEAT('m', 40000)), (2, REPEAT('m', 40000))")
    finally:
        server.run(f"SET GLOBAL max_binlog_stmt_cache_size = {was}")
    return tailrace.run("run", "x")


CASES = {"begun anew": (begun_anew, ("another history", "another one than")),
         "another server": (another_server, ("another server answers", "another history")),
         "incident": (incident, ("incident",))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_a_log_that_cannot_be_followed_is_recognised(own_server, make_database, tailrace, kind, case):
    server = own_server(*KINDS[kind])
    database = make_database(server)
    happens, words = CASES[case]
    happens(tailrace, server, database).fails(exits.SOURCE, "tailrace reset x", words)
    if case == "incident":  # which stays in the log
        tailrace.run("reset", "x").expect(exits.OK)
        tailrace.run("run", "x").expect(exits.OK)
        tailrace.exact(server, database, way="log")
