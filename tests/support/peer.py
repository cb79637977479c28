#!/usr/bin/env python3
"""A scripted peer: speaks enough of the MySQL protocol to misbehave on command.

It greets (handshake v10), accepts mysql_native_password or caching_sha2_password (fast path), and
answers COM_QUERY, COM_STMT_PREPARE and COM_STMT_EXECUTE from a table of regular expressions. Faults
change the packets of an answer:

    truncate  packet P keeps its header but only `keep` bytes of its payload; then the socket closes
    stall     nothing for `seconds` (0: until the peer stops) after `keep` bytes of packet P
    close     the socket closes after `at` bytes of the answer (reset: with a TCP reset)
    length    the header of packet P says `value` (or the true length plus `delta`)
    sequence  the header of packet P carries `value` as its number
    error     in place of packet P comes an error packet; the answer ends there
    drop      packet P is left out (the numbers go on without a gap)
    patch     `data` (bytes, or hex text) is written over packet P's payload at `offset`
    columns   the column count of a result says `value`, however absurd
    raw       the whole answer is `data`

A fault has `when` (a regular expression on the statement, or 'greeting' / 'auth'), `packet` (number in
the answer, negative from its end), `times` (0: always) and `skip`. Packets of a result are: the
column count, one a column, EOF, one a row, EOF.

Source of the protocol: MySQL Server Doxygen 9.x, "Client/Server Protocol"; MariaDB documentation,
"Protocol" (extended capabilities, metadata caching).
"""
import argparse
import dataclasses
import datetime
import hashlib
import json
import re
import socket
import struct
import threading

FULL = 0xFFFFFF  # payload bytes of a packet that another one follows

TYPES = {
    "decimal": 0, "tiny": 1, "short": 2, "long": 3, "float": 4, "double": 5, "null": 6, "timestamp": 7,
    "longlong": 8, "int24": 9, "date": 10, "time": 11, "datetime": 12, "year": 13, "varchar": 15, "bit": 16,
    "vector": 242, "json": 245, "newdecimal": 246, "enum": 247, "set": 248, "tinyblob": 249,
    "mediumblob": 250, "longblob": 251, "blob": 252, "var_string": 253, "string": 254, "geometry": 255,
}
INTEGERS = {1: "b", 2: "h", 3: "i", 8: "q", 9: "i", 13: "h"}
UNSIGNED = 32

CLIENT_MYSQL = 1 << 0
CLIENT_CONNECT_WITH_DB = 1 << 3
CLIENT_SSL = 1 << 11
CLIENT_PLUGIN_AUTH = 1 << 19
CLIENT_LENENC_AUTH = 1 << 21
CLIENT_DEPRECATE_EOF = 1 << 24
# LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION,
# MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS, PLUGIN_AUTH, LENENC_AUTH
OFFERED = 1 | 2 | 4 | 8 | 0x200 | 0x2000 | 0x8000 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 21
MARIADB_EXTENDED_METADATA = 1 << 3
MARIADB_CACHE_METADATA = 1 << 4
STATUS_AUTOCOMMIT = 2


# --- answers ------------------------------------------------------------------------------------

@dataclasses.dataclass
class Column:
    name: str
    type: str = "var_string"
    flags: int = 0
    charset: int = 255  # utf8mb4_0900_ai_ci; 63 is binary
    length: int = 1024
    decimals: int = 0
    table: str = "t"
    schema: str = "db"
    extended: bytes = b""  # MariaDB: format and type names


@dataclasses.dataclass
class Result:
    columns: list
    rows: object  # a list, or an iterable made anew by a callable: rows() for large answers


@dataclasses.dataclass
class Ok:
    affected: int = 0


@dataclasses.dataclass
class Error:
    code: int
    state: str
    message: str


@dataclasses.dataclass
class Fault:
    action: str
    when: str = ""
    packet: int = 0
    times: int = 1
    skip: int = 0
    keep: int = 0
    at: int = 0
    value: int = 0
    delta: int = None
    offset: int = 0
    data: object = b""
    seconds: float = 0.0
    code: int = 2013
    state: str = "HY000"
    message: str = "made to fail"
    reset: bool = False
    fired: int = 0

    ACTIONS = ("truncate", "stall", "close", "length", "sequence", "error", "drop", "patch", "columns", "raw")

    def __post_init__(self):
        if self.action not in self.ACTIONS:
            raise ValueError(f"no fault '{self.action}'")
        if isinstance(self.data, str):
            self.data = bytes.fromhex(self.data)


class Closed(Exception):
    """This connection is over."""


# --- encoding -----------------------------------------------------------------------------------

def lenenc(n):
    if n < 251:
        return bytes((n,))
    if n < 1 << 16:
        return b"\xfc" + struct.pack("<H", n)
    if n < 1 << 24:
        return b"\xfd" + struct.pack("<I", n)[:3]
    return b"\xfe" + struct.pack("<Q", n)


def lenenc_str(data):
    return lenenc(len(data)) + data


def as_bytes(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, datetime.timedelta):
        micros = round(value / datetime.timedelta(microseconds=1))
        sign, micros = ("-", -micros) if micros < 0 else ("", micros)
        s, u = divmod(micros, 1000000)
        return f"{sign}{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}{'.%06d' % u if u else ''}".encode()
    if isinstance(value, float):
        return repr(value).encode()
    return str(value).encode()


def text_cell(value):
    return b"\xfb" if value is None else lenenc_str(as_bytes(value))


def binary_cell(column, value):
    code = TYPES[column.type]
    if code in INTEGERS:
        form = INTEGERS[code]
        return struct.pack("<" + (form.upper() if column.flags & UNSIGNED else form), value)
    if code in (4, 5):
        return struct.pack("<f" if code == 4 else "<d", value)
    if code in (7, 10, 12) and isinstance(value, datetime.date):
        body = struct.pack("<HBB", value.year, value.month, value.day)
        if isinstance(value, datetime.datetime):
            body += struct.pack("<BBBI", value.hour, value.minute, value.second, value.microsecond)
        return bytes((len(body),)) + body
    if code == 11 and isinstance(value, datetime.timedelta):
        micros = round(value / datetime.timedelta(microseconds=1))
        sign, micros = (1, -micros) if micros < 0 else (0, micros)
        s, u = divmod(micros, 1000000)
        return struct.pack("<BBIBBBI", 12, sign, s // 86400, s // 3600 % 24, s // 60 % 60, s % 60, u)
    if code in (7, 10, 11, 12):  # bytes: the packed form as it is
        return bytes((len(value),)) + bytes(value)
    return lenenc_str(as_bytes(value))


def text_row(row):
    return b"".join(text_cell(v) for v in row)


def binary_row(columns, row):
    bitmap = bytearray((len(columns) + 7 + 2) // 8)
    cells = []
    for i, (column, value) in enumerate(zip(columns, row)):
        if value is None:
            bitmap[(i + 2) // 8] |= 1 << (i + 2) % 8
        else:
            cells.append(binary_cell(column, value))
    return b"\x00" + bytes(bitmap) + b"".join(cells)


def text_of_payload(size, binary=False):
    """The text that makes a row of one column a payload of exactly `size` bytes."""
    rest = size - (2 if binary else 0)
    for prefix in (1, 3, 4, 9):
        if len(lenenc(rest - prefix)) == prefix:
            return b"x" * (rest - prefix)
    raise ValueError(f"no text gives a payload of {size} bytes")


def column_definition(column, extended):
    out = lenenc_str(b"def")
    for text in (column.schema, column.table, column.table, column.name, column.name):
        out += lenenc_str(text.encode())
    if extended:
        out += lenenc_str(column.extended)
    return out + b"\x0c" + struct.pack(
        "<HIBHBH", column.charset, column.length, TYPES[column.type], column.flags, column.decimals, 0)


def ok_payload(ok, header=0x00):
    return bytes((header,)) + lenenc(ok.affected) + lenenc(0) + struct.pack("<HH", STATUS_AUTOCOMMIT, 0)


def eof_payload():
    return b"\xfe" + struct.pack("<HH", 0, STATUS_AUTOCOMMIT)


def error_payload(error):
    return b"\xff" + struct.pack("<H", error.code) + b"#" + error.state.encode()[:5] + error.message.encode()


# --- one connection -----------------------------------------------------------------------------

class Session:
    def __init__(self, peer, sock, number):
        self.peer, self.sock, self.number = peer, sock, number
        self.sequence = 0
        self.statements = {}
        self.caps = self.extended_caps = 0

    # packets

    def read_exact(self, n):
        out = bytearray()
        while len(out) < n:
            piece = self.sock.recv(min(n - len(out), 1 << 20))
            if not piece:
                raise Closed
            out += piece
        return bytes(out)

    def read_packet(self):
        out = b""
        while True:
            head = self.read_exact(4)
            length = int.from_bytes(head[:3], "little")
            self.sequence = (head[3] + 1) & 0xFF
            out += self.read_exact(length)
            if length < FULL:
                return out

    def frames(self, payload, fault=None):
        """The packets of one payload as (header, part); the fault changes the first of them."""
        at, first = 0, True
        while True:
            part = payload[at : at + FULL]
            length, number = len(part), self.sequence
            if first and fault is not None and fault.action == "length":
                length = fault.value if fault.delta is None else length + fault.delta
            if first and fault is not None and fault.action == "sequence":
                number = fault.value
            yield struct.pack("<I", length & FULL)[:3] + bytes((number & 0xFF,)), part
            self.sequence = (self.sequence + 1) & 0xFF
            first, at = False, at + len(part)
            if len(part) < FULL:
                return

    def send(self, payloads, statement):
        """Send an answer: payloads is an iterable. Applies the fault that the statement matches."""
        fault = self.peer.fault_for(statement)
        if fault is None:
            for payload in payloads:
                for head, part in self.frames(payload):
                    self.sock.sendall(head + part)
            return
        if fault.action == "raw":
            self.sock.sendall(fault.data)
            return
        sent = 0
        if fault.packet < 0:
            payloads = list(payloads)
        target = fault.packet + len(payloads) if fault.packet < 0 else fault.packet
        for i, payload in enumerate(payloads):
            hit = i == target and fault.action != "close"
            if hit and fault.action == "drop":
                continue
            if hit and fault.action == "error":
                payload = error_payload(Error(fault.code, fault.state, fault.message))
            if hit and fault.action == "columns":
                old = {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(payload[0], 1)
                payload = lenenc(fault.value) + payload[old:]
            if hit and fault.action == "patch":
                body = bytearray(payload)
                body[fault.offset : fault.offset + len(fault.data)] = fault.data
                payload = bytes(body)
            for head, part in self.frames(payload, fault if hit else None):
                piece = head + part
                if hit and fault.action == "truncate":
                    self.sock.sendall(piece[: 4 + fault.keep])
                    self.end()
                if hit and fault.action == "stall":
                    self.sock.sendall(piece[: 4 + fault.keep] if fault.keep else b"")
                    self.peer.stopped.wait(fault.seconds or None)
                    piece = piece[4 + fault.keep :] if fault.keep else piece
                    hit = False
                if fault.action == "close" and sent + len(piece) >= fault.at:
                    self.sock.sendall(piece[: fault.at - sent])
                    self.end(fault.reset)
                self.sock.sendall(piece)
                sent += len(piece)
            if hit and fault.action == "error":
                return

    def end(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed

    # login

    def greet(self):
        peer = self.peer
        offered = OFFERED
        if peer.mariadb_caps is not None:
            offered &= ~CLIENT_MYSQL
        if peer.deprecate_eof:
            offered |= CLIENT_DEPRECATE_EOF
        if peer.claim_tls:
            offered |= CLIENT_SSL
        nonce, plugin = peer.nonce, peer.plugin.encode()
        payload = b"\x0a" + peer.version.encode() + b"\0" + struct.pack("<I", self.number + 1) + nonce[:8] + b"\0"
        payload += struct.pack("<HBHH", offered & 0xFFFF, 45, STATUS_AUTOCOMMIT, offered >> 16)
        payload += bytes((len(nonce) + 1,)) + b"\0" * 6 + struct.pack("<I", peer.mariadb_caps or 0)
        payload += nonce[8:] + b"\0" + plugin + b"\0"
        self.sequence = 0
        self.send([payload], "greeting")

    def login(self):
        reply = self.read_packet()
        self.caps = struct.unpack_from("<I", reply)[0]
        if self.peer.mariadb_caps is not None and not self.caps & CLIENT_MYSQL:
            self.extended_caps = struct.unpack_from("<I", reply, 28)[0] & self.peer.mariadb_caps
        if len(reply) == 32 and self.caps & CLIENT_SSL:
            self.peer.record(self.number, "tls", "")
            self.sock.sendall(b"this is not TLS\n")
            self.end()
        user, _, rest = reply[32:].partition(b"\0")
        size = rest[0]
        proof, rest = rest[1 : 1 + size], rest[1 + size :]
        if self.caps & CLIENT_CONNECT_WITH_DB:
            _, _, rest = rest.partition(b"\0")
        plugin = rest.partition(b"\0")[0].decode() if self.caps & CLIENT_PLUGIN_AUTH else self.peer.plugin
        self.peer.record(self.number, "auth", user.decode("utf-8", "replace"))
        if plugin != self.peer.plugin:
            self.send([b"\xfe" + self.peer.plugin.encode() + b"\0" + self.peer.nonce + b"\0"], "switch")
            proof = self.read_packet()
        if not self.proof_is_right(proof):
            self.send([error_payload(Error(1045, "28000", f"Access denied for user '{user.decode()}'@'localhost'"
                                                          " (using password: YES)"))], "auth")
            self.end()
        payloads = [ok_payload(Ok())]
        if self.peer.plugin == "caching_sha2_password" and proof:
            payloads.insert(0, b"\x01\x03")
        self.send(payloads, "auth")

    def proof_is_right(self, proof):
        peer = self.peer
        if peer.password is None:
            return True
        word = peer.password.encode()
        if not word:
            return not proof
        if peer.plugin == "caching_sha2_password":
            one = hashlib.sha256(word).digest()
            two = hashlib.sha256(hashlib.sha256(one).digest() + peer.nonce).digest()
        else:
            one = hashlib.sha1(word).digest()
            two = hashlib.sha1(peer.nonce + hashlib.sha1(one).digest()).digest()
        return proof == bytes(a ^ b for a, b in zip(one, two))

    # commands

    def result(self, answer, binary, statement):
        columns = answer.columns
        yield lenenc(len(columns)) + (
            b"\x01" if self.extended_caps & MARIADB_CACHE_METADATA else b"")
        for column in columns:
            yield column_definition(column, self.extended_caps & MARIADB_EXTENDED_METADATA)
        modern = self.caps & CLIENT_DEPRECATE_EOF and self.peer.deprecate_eof
        if not modern:
            yield eof_payload()
        rows = answer.rows() if callable(answer.rows) else answer.rows
        for row in rows:
            if isinstance(row, Error):
                yield error_payload(row)
                return
            yield binary_row(columns, row) if binary else text_row(row)
        yield ok_payload(Ok(), 0xFE) if modern else eof_payload()

    def answer(self, sql, params, binary):
        found = self.peer.answer_for(sql, params)
        if isinstance(found, Result):
            self.send(self.result(found, binary, sql), sql)
        elif isinstance(found, Ok):
            self.send([ok_payload(found)], sql)
        else:
            self.send([error_payload(found)], sql)

    def prepare(self, sql):
        found = self.peer.answer_for(sql, None)
        if isinstance(found, Error):
            self.send([error_payload(found)], "prepare " + sql)
            return
        columns = found.columns if isinstance(found, Result) else []
        params = len(re.sub(r"'(?:[^'\\]|\\.|'')*'|\"[^\"]*\"|`[^`]*`|[^?]", "", sql))
        number = len(self.statements) + 1
        self.statements[number] = {"sql": sql, "params": params, "types": [], "long": {}}
        payloads = [b"\x00" + struct.pack("<IHHBH", number, len(columns), params, 0, 0)]
        modern = self.caps & CLIENT_DEPRECATE_EOF and self.peer.deprecate_eof
        extended = self.extended_caps & MARIADB_EXTENDED_METADATA
        for group in ([Column("?")] * params, columns):
            if group:
                payloads += [column_definition(c, extended) for c in group]
                if not modern:
                    payloads.append(eof_payload())
        self.send(payloads, "prepare " + sql)

    def execute(self, body):
        number = struct.unpack_from("<I", body)[0]
        statement = self.statements.get(number)
        if statement is None:
            self.send([error_payload(Error(1243, "HY000", f"Unknown prepared statement handler ({number})"))], "")
            return
        self.answer(statement["sql"], self.parameters(statement, body[9:]), True)

    def parameters(self, statement, body):
        """Values bound to the statement: integers, floats, None, else bytes."""
        count = statement["params"]
        if not count:
            return []
        bitmap, at = body[: (count + 7) // 8], (count + 7) // 8
        if body[at] == 1:
            raw = body[at + 1 : at + 1 + 2 * count]
            statement["types"] = [(raw[2 * i], raw[2 * i + 1] & 0x80) for i in range(count)]
            at += 2 * count
        at += 1
        out = []
        for i, (code, unsigned) in enumerate(statement["types"]):
            if bitmap[i // 8] >> i % 8 & 1:
                out.append(None)
            elif code in INTEGERS:
                form = "<" + (INTEGERS[code].upper() if unsigned else INTEGERS[code])
                out.append(struct.unpack_from(form, body, at)[0])
                at += struct.calcsize(form)
            elif code in (4, 5):
                out.append(struct.unpack_from("<f" if code == 4 else "<d", body, at)[0])
                at += 4 if code == 4 else 8
            else:
                first, at = body[at], at + 1
                wide = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
                size = int.from_bytes(body[at : at + wide], "little") if wide else first
                out.append(bytes(body[at + wide : at + wide + size]))
                at += wide + size
        return out

    def run(self):
        self.greet()
        self.login()
        while True:
            packet = self.read_packet()
            command, body = packet[0], packet[1:]
            text = body.decode("utf-8", "replace") if command in (0x02, 0x03, 0x16) else ""
            self.peer.record(self.number, f"{command:#04x}", text)
            if command == 0x01:  # COM_QUIT
                return
            if command == 0x03:  # COM_QUERY
                self.answer(text, None, False)
            elif command == 0x16:  # COM_STMT_PREPARE
                self.prepare(text)
            elif command == 0x17:  # COM_STMT_EXECUTE
                self.execute(body)
            elif command == 0x19:  # COM_STMT_CLOSE: no answer
                self.statements.pop(struct.unpack_from("<I", body)[0], None)
            elif command in (0x02, 0x0E, 0x1A, 0x1F):  # INIT_DB, PING, STMT_RESET, RESET_CONNECTION
                self.send([ok_payload(Ok())], f"command {command:#04x}")
            elif command == 0x18:  # COM_STMT_SEND_LONG_DATA: no answer
                continue
            else:
                self.send([error_payload(Error(1047, "08S01", "Unknown command"))], f"command {command:#04x}")


# --- the peer -----------------------------------------------------------------------------------

VARIABLES = {
    "version_comment": "scripted peer", "time_zone": "+00:00", "sql_mode": "", "max_allowed_packet": "67108864",
    "lower_case_table_names": "0", "read_only": "0", "server_id": "1", "wait_timeout": "28800",
    "server_uuid": "00000000-0000-0000-0000-000000000001", "autocommit": "1", "tx_isolation": "REPEATABLE-READ",
    "transaction_isolation": "REPEATABLE-READ", "character_set_results": None, "innodb_read_only": "0",
}


class Peer:
    """with Peer() as p: p.on('^SELECT', Result([Column('a', 'long')], [[1]])); p.fault('truncate', …)"""

    def __init__(self, listen=("127.0.0.1", 0), version="8.0.36", plugin="mysql_native_password", password=None,
                 deprecate_eof=False, claim_tls=False, mariadb_caps=None):
        self.listen, self.version, self.plugin, self.password = listen, version, plugin, password
        self.deprecate_eof, self.claim_tls, self.mariadb_caps = deprecate_eof, claim_tls, mariadb_caps
        self.nonce = bytes(33 + (i * 37) % 90 for i in range(20))
        self.variables = dict(VARIABLES, version=version.removeprefix("5.5.5-"))
        self.answers, self.faults, self.log, self.unanswered = [], [], [], []
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.socks = []
        self.number = 0

    # what tests call

    @property
    def port(self):
        return self.address[1]

    def on(self, pattern, answer):
        """Later entries win. answer: Result, Ok, Error, or a function (match, params) that gives one;
        params is None for the text protocol and when a statement is being prepared."""
        with self.lock:
            self.answers.insert(0, (re.compile(pattern, re.I | re.S), answer))
        return self

    def fault(self, action, **settings):
        made = Fault(action, **settings)
        with self.lock:
            self.faults.append(made)
        return made

    def clear_faults(self):
        with self.lock:
            self.faults.clear()

    def statements(self):
        """The text of every query and prepare so far, in order."""
        with self.lock:
            return [text for _, kind, text in self.log if kind in ("0x03", "0x16")]

    def saw(self, kind):
        with self.lock:
            return [text for _, k, text in self.log if k == kind]

    def start(self):
        if isinstance(self.listen, str):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.listen)
            self.listener.listen(64)
            self.address = self.listen
        else:
            self.listener = socket.create_server(self.listen)
            self.address = self.listener.getsockname()[:2]
        self.thread = threading.Thread(target=self._accept, name="peer", daemon=True)
        self.thread.start()
        return self

    def stop(self):
        self.stopped.set()
        for sock in [self.listener, *self.socks]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        self.thread.join(5)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # the threads' side

    def record(self, number, kind, text):
        with self.lock:
            self.log.append((number, kind, text))

    def fault_for(self, statement):
        with self.lock:
            for fault in self.faults:
                if not re.search(fault.when, statement, re.I | re.S):
                    continue
                if fault.when not in ("greeting", "auth") and statement in ("greeting", "auth", "switch"):
                    continue
                if fault.times and fault.fired >= fault.times + fault.skip:
                    continue
                fault.fired += 1
                if fault.fired > fault.skip:
                    return fault
        return None

    def answer_for(self, sql, params):
        with self.lock:
            table = list(self.answers)
        for pattern, answer in table:
            match = pattern.search(sql)
            if match:
                return answer(match, params) if callable(answer) else answer
        return self.default(sql)

    def default(self, sql):
        """What every client asks on its way in."""
        text = sql.strip().rstrip(";")
        if re.match(r"(SET|BEGIN|START|COMMIT|ROLLBACK|USE|UNLOCK|DO|KILL|/\*)\b", text, re.I) or not text:
            return Ok()
        if re.match(r"SELECT\s+VERSION\(\)$", text, re.I):
            return Result([Column("VERSION()")], [[self.version.removeprefix("5.5.5-")]])
        if re.match(r"SELECT\s+CONNECTION_ID\(\)$", text, re.I):
            return Result([Column("CONNECTION_ID()", "longlong")], [[self.number]])
        if re.match(r"SELECT\s+@@", text, re.I):
            names = [re.sub(r"\s+AS\s+.*", "", part.strip(), flags=re.I) for part in text[6:].split(",")]
            keys = [re.sub(r"^@@((global|session|local)\.)?", "", n, flags=re.I).strip("`").lower() for n in names]
            unknown = [k for k in keys if k not in self.variables]
            if not unknown:
                return Result([Column(n) for n in names], [[self.variables[k] for k in keys]])
            self.unanswered.append(sql)
            return Error(1193, "HY000", f"Unknown system variable '{unknown[0]}'")
        match = re.match(r"SHOW\s+(?:GLOBAL\s+|SESSION\s+)?VARIABLES(?:\s+LIKE\s+'([^']*)')?$", text, re.I)
        if match:
            like = re.escape(match[1] or "%").replace("%", ".*")
            return Result([Column("Variable_name"), Column("Value")],
                          [[k, v or ""] for k, v in self.variables.items() if re.fullmatch(like, k)])
        self.unanswered.append(sql)
        return Error(1064, "42000", "the script has no answer to: " + text[:200])

    def _accept(self):
        while not self.stopped.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.socks.append(sock)
            session = Session(self, sock, self.number)
            self.number += 1
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    @staticmethod
    def _serve(session):
        try:
            session.run()
        except (Closed, OSError):
            pass
        finally:
            session.sock.close()


# --- the program --------------------------------------------------------------------------------

def answer_of(entry):
    if "error" in entry:
        return Error(*entry["error"])
    if "columns" in entry:
        columns = [Column(**c) if isinstance(c, dict) else Column(*c) for c in entry["columns"]]
        return Result(columns, entry.get("rows", []))
    return Ok(entry.get("affected", 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT or unix:PATH")
    parser.add_argument("script", help='JSON: {"peer": {"version": …}, "answers": [{"match": …, "columns": '
                        '[["a", "long"]], "rows": [[1]]}, {"match": …, "error": [1146, "42S02", "…"]}], '
                        '"faults": [{"action": "truncate", "when": …, "packet": 3, "keep": 2}]}')
    args = parser.parse_args()
    with open(args.script, encoding="utf-8") as f:
        script = json.load(f)
    if args.listen.startswith("unix:"):
        listen = args.listen[5:]
    else:
        host, _, port = args.listen.rpartition(":")
        listen = (host or "127.0.0.1", int(port))
    with Peer(listen, **script.get("peer", {})) as peer:
        for entry in reversed(script.get("answers", [])):
            peer.on(entry["match"], answer_of(entry))
        for entry in script.get("faults", []):
            peer.fault(**entry)
        print(json.dumps({"address": peer.address}), flush=True)
        peer.thread.join()


if __name__ == "__main__":
    main()
