"""The scripted peer is a server to a real client, until it is told not to be. PyMySQL is the client for
the text protocol; the binary protocol is asked by hand."""
import json
import pathlib
import socket
import struct
import subprocess
import sys

import pymysql
import pytest

from support.peer import FULL, Column, Error, Ok, Peer, Result, text_of_payload

HERE = pathlib.Path(__file__).resolve().parents[1]
TABLE = Result([Column("id", "long"), Column("name")], [[1, "one"], [2, None], [3, "drei"]])


@pytest.fixture
def peer():
    with Peer() as p:
        p.on("^SELECT id", TABLE)
        yield p


def connect(peer, password="pw", **more):
    host, port = peer.address
    return pymysql.connect(host=host, port=port, user="repl", password=password, read_timeout=1, **more)


def ask(peer, sql="SELECT id, name FROM t"):
    with connect(peer) as c, c.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password"])
@pytest.mark.parametrize("modern", [False, True])
def test_is_a_server(plugin, modern):
    with Peer(plugin=plugin, password="pw", deprecate_eof=modern) as p:
        p.on("^SELECT id", TABLE).on("^UPDATE", Ok(7)).on("missing", Error(1146, "42S02", "no such table"))
        assert ask(p) == ((1, "one"), (2, None), (3, "drei"))
        with connect(p) as c, c.cursor() as cursor:
            assert cursor.execute("UPDATE t SET a = 1") == 7
            with pytest.raises(pymysql.ProgrammingError, match="no such table"):
                cursor.execute("SELECT * FROM missing")
            cursor.execute("SELECT @@version, @@global.server_id AS i")
            assert cursor.fetchone() == ("8.0.36", "1")
        assert p.saw("auth")[0] == "repl"
        assert "SELECT id, name FROM t" in p.statements()
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            connect(p, password="wrong")


def test_an_answer_may_be_computed(peer):
    peer.on(r"^SELECT (\d+)$", lambda m, params: Result([Column("n", "long")], [[int(m[1]) + 1]]))
    assert ask(peer, "SELECT 41") == ((42,),)


@pytest.mark.parametrize("size", [FULL - 1, FULL, FULL + 1, 2 * FULL])
def test_payloads_at_the_edge_of_a_packet(peer, size):
    text = text_of_payload(size)
    peer.on("^SELECT big", Result([Column("t", "longblob", charset=63)], [[text]]))
    assert ask(peer, "SELECT big")[0][0] == text


# The client must fail, whatever it calls the failure, and the fault must have been used.
@pytest.mark.parametrize("fault", [
    dict(action="truncate", packet=4, keep=2),
    dict(action="stall", packet=4),
    dict(action="stall", packet=4, keep=2),
    dict(action="close", at=0),
    dict(action="close", at=60),
    dict(action="close", at=60, reset=True),
    dict(action="length", packet=4, delta=100),
    dict(action="length", packet=4, value=0xFFFFFE),
    dict(action="sequence", packet=5, value=99),
    dict(action="error", packet=5, code=1317, state="70100", message="interrupted"),
    dict(action="drop", packet=-1),
    dict(action="patch", packet=4, offset=2, data="fe ffffffffffffffff"),
    dict(action="columns", value=100000),
    dict(action="raw", data="05 00 00 01 ff ff"),
], ids=lambda f: "-".join(str(v) for v in f.values()))
def test_misbehaves(peer, fault):
    made = peer.fault(when="^SELECT id", **fault)
    with pytest.raises(Exception):
        ask(peer)
    assert made.fired == 1
    assert len(ask(peer)) == 3  # once


@pytest.mark.parametrize("when", ["greeting", "auth"])
def test_misbehaves_at_login(peer, when):
    peer.fault("close", when=when, at=3)
    with pytest.raises(pymysql.OperationalError):
        connect(peer)
    connect(peer).close()


def test_claims_tls_that_it_does_not_have():
    with Peer(claim_tls=True) as p:
        with pytest.raises(pymysql.OperationalError):
            connect(p, ssl={"ca": None, "check_hostname": False})
        assert p.saw("tls") and not p.saw("auth")


class Raw:
    """The few bytes of a client that PyMySQL does not have: prepared statements, MariaDB's extensions."""

    def __init__(self, peer, extended=0):
        self.sock = socket.create_connection(peer.address, timeout=5)
        self.file = self.sock.makefile("rb")
        self.greeting = self.read()
        caps = 0x200 | 0x8000 | 1 << 19 | (0 if extended else 1)
        body = struct.pack("<IIB19xI", caps, 1 << 24, 45, extended) + b"repl\0\0mysql_native_password\0"
        self.write(body, 1)
        assert self.read()[0] == 0

    def read(self):
        head = self.file.read(4)
        return self.file.read(int.from_bytes(head[:3], "little"))

    def write(self, body, number=0):
        self.sock.sendall(struct.pack("<I", len(body))[:3] + bytes((number,)) + body)


def test_prepares_and_executes(peer):
    peer.on("^SELECT id", lambda m, params: Result(
        TABLE.columns, [[row[0] + (params[0] if params else 0), row[1]] for row in TABLE.rows]))
    c = Raw(peer)
    c.write(b"\x16SELECT id, name FROM t WHERE id > ? AND name <> '?'")
    head = c.read()
    assert head[0] == 0 and struct.unpack_from("<IHH", head, 1) == (1, 2, 1)
    for _ in range(1 + 1 + 2 + 1):
        c.read()
    c.write(b"\x17" + struct.pack("<IBI", 1, 0, 1) + b"\x00\x01\x08\x00" + struct.pack("<q", 40))
    assert c.read() == b"\x02"
    for _ in range(3):
        c.read()
    rows = [c.read() for _ in range(3)]
    assert rows[0] == b"\x00\x00" + struct.pack("<i", 41) + b"\x03one"
    assert rows[1] == b"\x00\x08" + struct.pack("<i", 42)
    assert c.read()[0] == 0xFE


def test_mariadb_extensions():
    with Peer(version="5.5.5-10.11.18-MariaDB", mariadb_caps=0x18) as p:
        p.on("^SELECT id", TABLE)
        c = Raw(p, extended=0x18)
        c.write(b"\x03SELECT id")
        assert c.read() == b"\x02\x01"
        plain = c.read()
        assert plain.startswith(b"\x03def\x02db\x01t\x01t\x02id\x02id\x00\x0c")


def test_program(tmp_path):
    script = tmp_path / "s.json"
    script.write_text(json.dumps({
        "peer": {"version": "5.7.44"},
        "answers": [{"match": "^SELECT a", "columns": [["a", "long"]], "rows": [[5]]},
                    {"match": "^SELECT b", "error": [1054, "42S22", "no b"]}],
        "faults": [{"action": "truncate", "when": "^SELECT a", "packet": 1, "keep": 2}]}))
    p = subprocess.Popen([sys.executable, str(HERE / "peer.py"), str(script)], stdout=subprocess.PIPE, text=True)
    try:
        class Address:
            address = json.loads(p.stdout.readline())["address"]
        with pytest.raises(Exception):
            ask(Address, "SELECT a")
        assert ask(Address, "SELECT a") == ((5,),)
        with pytest.raises(pymysql.OperationalError, match="no b"):
            ask(Address, "SELECT b")
    finally:
        p.terminate()
        p.wait(10)
