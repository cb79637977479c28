"""The source is another server than before, or has another log: a follower goes on where it is proved that nothing is
lost or comes twice, and says what is the matter and what to do where it is not. Servers of its own: they are cloned,
promoted, moved and thrown back."""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import socket

import pytest

from conftest import LONG, SERVERS, Server
from support import exits
from support.program import wait_until

LOG = ["--method=log", "--handover-wait=1s"]
SMALL = {"mysql97": ["innodb-redo-log-capacity=16M", "innodb-buffer-pool-size=32M", "performance-schema=OFF"],
         "mariadb118": ["innodb-log-file-size=16M", "innodb-buffer-pool-size=32M"]}
NO_GTIDS = ["gtid-mode=OFF", "enforce-gtid-consistency=OFF"]
KINDS = {"mysql97": ("mysql97", []), "mysql97-plain": ("mysql97", NO_GTIDS), "mariadb118": ("mariadb118", [])}
D = "shop"


@dataclasses.dataclass
class Own(Server):
    """A server of these tests: its folder can be copied while it is stopped."""

    @property
    def folder(self):
        return pathlib.Path(self.socket).parent

    def stop(self):
        """At once: what was committed is there when it starts again."""
        pid = int((self.folder / "pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists())

    def start(self):
        self.mysrv("start")

    def end(self):
        """Nothing of it stays."""
        with contextlib.suppress(OSError, ValueError):
            self.stop()
        self.mysrv("destroy", check=False)

    def make(self):
        """The tables, with rows. What was there before goes."""
        self.run(f"DROP DATABASE IF EXISTS {D}", f"CREATE DATABASE {D}",
                 f"CREATE TABLE {D}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), n INT)", f"CREATE TABLE {D}.bare (a INT, v VARCHAR(20))",
                 f"INSERT INTO {D}.t VALUES (1, 'first', 1), (2, 'first', 2), (3, 'first', 3)",
                 f"INSERT INTO {D}.bare VALUES (1, 'same'), (1, 'same'), (2, 'other')")

    def change(self, word, first, count=4):
        """Some transactions: the same rows change each time, and are others than with another word."""
        for i in range(first, first + count):
            self.run(f"INSERT INTO {D}.t VALUES ({i}, '{word}', 0)", f"UPDATE {D}.t SET v = '{word}', n = n + 1 WHERE id <= 2",
                     f"INSERT INTO {D}.bare VALUES ({i}, '{word}'), (1, 'same')", f"DELETE FROM {D}.bare WHERE a = 1 LIMIT 1")


@pytest.fixture
def own():
    """A function (kind, *settings, of=None) that gives a new server; of: a clone of that one, which is restarted."""
    made = []

    def make(kind, *settings, of=None):
        if not SERVERS:
            pytest.skip("no test server runs: tools/servers/test-servers up all, then its env")
        flavor, more = KINDS[kind]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        name = f"{os.environ.get('TEST_SERVERS_PREFIX', '')}fo{os.getpid()}-{len(made)}"
        home = os.environ.get("MYSRV_HOME", "/tmp/mysrv")
        server = Own(name, port, f"{home}/inst/{name}/s", name, flavor, "own")
        made.append(server)
        settings = [*SMALL[flavor], *more, *settings]
        if of is None:
            words = [w for s in settings for w in ("--set", s)]
            server.mysrv("init", "--flavor", flavor, "--port", str(port), *words)
        else:
            of.mysrv("stop")  # which notes the GTIDs of its log in a table
            clone(of, server, settings)
            of.start()
        return server

    yield make
    for server in made:
        server.end()


def clone(old, new, settings):
    """The folder of a stopped server elsewhere, as a server with another id, port and name, which then runs."""
    shutil.copytree(old.folder, new.folder, ignore=shutil.ignore_patterns("s", "s.lock", "pid", "auto.cnf"))
    for name in ["my.cnf", "meta", *(p.relative_to(new.folder) for p in (new.folder / "binlog").glob("*.index"))]:
        path = new.folder / name
        text = path.read_text(encoding="utf-8").replace(str(old.folder), str(new.folder))
        path.write_text(text.replace(f"port={old.port}", f"port={new.port}").replace(f"PORT={old.port}", f"PORT={new.port}"),
                        encoding="utf-8")
    new.mysrv("start", *(w for s in [f"server-id={new.port}", *settings] for w in ("--set", s)))


def follow(replica, source):
    if not replica.mariadb:
        replica.run(f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={source.port}, SOURCE_USER='repl', "
                    "SOURCE_PASSWORD='pw', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1", "START REPLICA")
        return
    at = source.run("SELECT @@gtid_binlog_pos")[0][0]
    replica.run(f"SET GLOBAL gtid_slave_pos = '{at}'", f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={source.port}, "
                "MASTER_USER='repl', MASTER_PASSWORD='pw', MASTER_USE_GTID=slave_pos", "START SLAVE")


def caught_up(replica, source):
    what = "@@gtid_binlog_pos" if source.mariadb else "@@gtid_executed"
    at = source.run(f"SELECT {what}")[0][0]
    wait = "MASTER_GTID_WAIT" if source.mariadb else "WAIT_FOR_EXECUTED_GTID_SET"
    assert replica.run(f"SELECT {wait}('{at}', 20)")[0][0] == 0, "the replica did not catch up"


def promote(replica):
    replica.run(*(["STOP SLAVE", "RESET SLAVE ALL"] if replica.mariadb else ["STOP REPLICA", "RESET REPLICA ALL"]))


def sync(tailrace, server):
    # may lock tables, where there are no GTIDs
    return tailrace.sync(server.url(D, user="app"), *LOG)


def exact(tailrace, server):
    tailrace.exact(server, D, way="log")
    twice = tailrace.rows("SELECT id FROM x.t GROUP BY id HAVING count(*) > 1")
    assert twice == []


def versions(tailrace):
    return [tailrace.rows(f"SELECT DISTINCT _sdc_table_version FROM x.{t}") for t in ("t", "bare")]


def refused_until_reset(tailrace, server, *words):
    """The run fails, says why and what to do; nothing has changed. After that it is exact."""
    look = "SELECT count(*), max(_sdc_sequence), max(v) FROM x.t"
    before = tailrace.rows(look)
    said = tailrace.run("run", "x").fails(exits.SOURCE, "tailrace reset", *words)
    assert tailrace.rows(look) == before, said
    tailrace.run("reset", "x").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server)
    server.change("later", 1 + server.run(f"SELECT max(id) FROM {D}.t")[0][0], 1)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, server)


@pytest.mark.parametrize("kind", ["mysql97", "mariadb118"])
def test_a_replica_takes_over(own, tailrace, kind):
    """Another server, other files, the same GTIDs."""
    source = own(kind)
    source.make()
    replica = replica_of(own, kind, source)
    follow(replica, source)
    sync(tailrace, source).expect(exits.OK)
    source.change("one", 100)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, source)
    first = versions(tailrace)
    source.change("two", 200)  # read from the replica
    caught_up(replica, source)
    promote(replica)
    source.stop()
    replica.change("three", 300)
    sync(tailrace, replica).expect(exits.OK)
    exact(tailrace, replica)
    assert versions(tailrace) == first, "nothing was copied again"
    replica.change("four", 400)
    tailrace.run("run", "x").expect(exits.OK)
    exact(tailrace, replica)
    assert versions(tailrace) == first


def replica_of(own, kind, source):
    """With a log of its own, whose files have other names."""
    return own(kind, "log-bin=other", "log-slave-updates=ON" if source.mariadb else "log-replica-updates=ON", of=source)


@pytest.mark.parametrize("kind", list(KINDS) if LONG else ["mysql97-plain"])
def test_a_server_that_moved_is_known_by_what_its_log_holds(own, tailrace, kind):
    source = own(kind)
    source.make()
    sync(tailrace, source).expect(exits.OK)
    source.change("one", 100)
    tailrace.run("run", "x").expect(exits.OK)
    first = versions(tailrace)
    source.change("two", 200)
    moved = own(kind, of=source)
    if not source.mariadb:
        assert moved.run("SELECT @@server_uuid") != source.run("SELECT @@server_uuid")
    source.stop()
    moved.change("three", 300)
    sync(tailrace, moved).expect(exits.OK)
    exact(tailrace, moved)
    assert versions(tailrace) == first, "nothing was copied again"


@pytest.mark.parametrize("kind", list(KINDS) if LONG else ["mysql97", "mariadb118"])
def test_a_restored_backup_is_another_history(own, tailrace, kind):
    """Its files have the same names, its GTIDs the same numbers, and there are more of them than were read."""
    source = own(kind)
    source.make()
    sync(tailrace, source).expect(exits.OK)
    source.stop()
    backup = source.folder.with_name(source.name + ".backup")
    try:
        shutil.copytree(source.folder, backup, ignore=shutil.ignore_patterns("s", "s.lock", "pid"))
        source.start()
        source.change("before", 100)
        sync(tailrace, source).expect(exits.OK)
        exact(tailrace, source)
        source.stop()
        shutil.rmtree(source.folder)
        shutil.copytree(backup, source.folder)
        source.start()
    finally:
        shutil.rmtree(backup, ignore_errors=True)
    source.change("since!", 100)  # as long as the other word: every event lies where it lay
    source.change("more", 900)
    refused_until_reset(tailrace, source, ("history", "another", "as it was read"))


def rotated(server):
    """Write a new file; its name."""
    server.run("FLUSH BINARY LOGS")
    return server.run("SHOW BINARY LOGS")[-1][0]


def purge(server):
    """All files but the last. MariaDB keeps those that no replica has asked for, or that a checkpoint is about."""
    if server.mariadb:
        server.run("SET GLOBAL slave_connections_needed_for_purge = 0")
    last = rotated(server)
    wait_until(lambda: server.run(f"PURGE BINARY LOGS TO '{last}'", "SHOW BINARY LOGS")[0][0] == last)


@pytest.mark.parametrize("kind", list(KINDS) if LONG else ["mysql97-plain", "mariadb118"])
def test_a_log_that_is_gone(own, tailrace, kind):
    """Purged behind the reader, then begun anew."""
    source = own(kind)
    source.make()
    sync(tailrace, source).expect(exits.OK)
    source.change("lost", 100)
    rotated(source)
    source.change("kept", 200)
    purge(source)
    refused_until_reset(tailrace, source, ("purged", "no longer", "could not find", "not in the"))
    source.run("RESET MASTER" if source.mariadb else "RESET BINARY LOGS AND GTIDS")
    source.change("anew", 6000)
    refused_until_reset(tailrace, source, ("history", "as it was read", "lacks", "not in the"))
