#!/usr/bin/env python3
"""Write what test_jsonb reads: binary JSON from a MySQL server's log beside the server's own text.

    tests/support/capture_jsonb.py SOCKET SEED DOCUMENTS UPDATES > FILE

Lines of 'D<tab>hex of the document<tab>text' and 'P<tab>hex before<tab>hex of the diffs<tab>text after'. The
user is root, the server's log is read from its files, so the server must run on this machine; it keeps the
table test_jsonb.d, made anew.
"""
import json
import random
import struct
import sys

import pymysql

R = random.Random()
CHARS = list("abcxyz09 _$.[]*'\"\\/") + ["\b", "\f", "\n", "\r", "\t", "\x01", "\x1f", "\x7f", "é", "ж", "日", "😀"]


def word(most=12):
    return "".join(R.choice(CHARS) for _ in range(R.randrange(most)))


def number():
    kind = R.randrange(6)
    if kind == 0:
        edge = R.choice([0, 15, 16, 31, 32, 63, 64])
        return max(-(2**63), min(2**64 - 1, R.choice([1, -1]) * 2**edge + R.randrange(-2, 3)))
    if kind == 1:
        return R.randrange(-100, 100)
    if kind == 2:
        v = struct.unpack("<d", struct.pack("<Q", R.getrandbits(64)))[0]
        return v if v == v and abs(v) != float("inf") else 0.5
    if kind == 3:
        return R.choice([1, -1]) * 2.0 ** R.randrange(-1074, 1024)
    if kind == 4:
        return round(R.uniform(-1, 1) * 10 ** R.randrange(-20, 20), R.randrange(20))
    return float(R.randrange(-10**6, 10**6)) * 10.0 ** R.randrange(-6, 12)


def value(depth=0):
    kind = R.randrange(10)
    if depth < 5 and kind < 3:
        return [value(depth + 1) for _ in range(R.randrange(6))]
    if depth < 5 and kind < 6:
        return {word(): value(depth + 1) for _ in range(R.randrange(6))}
    if kind == 6:
        return R.choice([None, True, False])
    if kind == 7:
        return word(60) if R.random() < 0.9 else word() * R.choice([10, 20, 30])
    return number()


def literal(v, q):
    """SQL for a JSON value."""
    return "CAST(" + q(json.dumps(v, ensure_ascii=False)) + " AS JSON)"


def opaque(q):
    kind = R.randrange(7)
    fraction = R.randrange(10**6)
    date = f"{R.randrange(10000):04}-{R.randrange(1, 13):02}-{R.randrange(1, 29):02}"
    clock = f"{R.randrange(24):02}:{R.randrange(60):02}:{R.randrange(60):02}.{fraction:06}"
    if kind == 0:
        scale = R.randrange(31)
        whole = R.randrange(1, 66 - scale)
        digits = "".join(R.choice("0123456789") for _ in range(whole))
        rest = "".join(R.choice("0123456789") for _ in range(scale))
        return f"CAST('{R.choice(['', '-'])}{digits}.{rest}' AS DECIMAL({whole + scale},{scale}))"
    if kind == 1:
        return f"CAST('{date}' AS DATE)"
    if kind == 2:
        return f"CAST('{R.choice(['', '-'])}{R.randrange(838)}:{clock[3:]}' AS TIME(6))"
    if kind == 3:
        return f"CAST('{date} {clock}' AS DATETIME({R.randrange(7)}))"
    if kind == 4:
        return f"FROM_UNIXTIME({R.randrange(2**31)}.{fraction:06})"
    if kind == 5:
        return "CAST(X'" + R.randbytes(R.choice([0, 1, 2, 3, 56, 57, 58, 114, 200, 20000])).hex() + "' AS BINARY)"
    return f"b'{R.getrandbits(9):b}'"


def document(q):
    kind = R.randrange(12)
    if kind < 7:
        return literal(value(), q)
    if kind == 7:
        return "CAST(" + q("[" * 99 + "1" + "]" * 99) + " AS JSON)"
    if kind == 8:
        many = [R.choice([number, word])() for _ in range(R.choice([300, 3000]))]
        return literal(many if R.random() < 0.5 else {str(i): v for i, v in enumerate(many)}, q)
    if kind == 9:
        return literal([number(), 'x' * R.choice([127, 128, 16383, 16384, 70000])], q)
    return f"JSON_OBJECT({q(word())}, {opaque(q)}, 'list', JSON_ARRAY({opaque(q)}, {opaque(q)}))"


def path(v):
    """A path to some part of v, or to one that is not there yet."""
    text = "$"
    while True:
        if isinstance(v, dict):
            key = R.choice(list(v)) if v and R.random() < 0.8 else word(6)
            text += "." + json.dumps(key, ensure_ascii=False)
            v = v.get(key)
        elif isinstance(v, list):
            i = R.randrange(len(v) + 2)
            text += f"[{i}]"
            v = v[i] if i < len(v) else None
        if not isinstance(v, (dict, list)) or R.random() < 0.3:
            return text


def update(q, before):
    call = R.choice(["JSON_SET", "JSON_SET", "JSON_REPLACE", "JSON_REMOVE"])
    pairs = []
    for _ in range(R.choice([1, 1, 2, 4])):
        pairs.append(q(path(before)))
        if call != "JSON_REMOVE":
            pairs.append(opaque(q) if R.random() < 0.2 else literal(value(3), q))
    return f"{call}(j, {', '.join(pairs)})"


class Log:
    """The rows of test_jsonb.d in one file of the server's log."""

    def __init__(self, file):
        self.data = open(file, "rb").read()

    def events(self):
        at = 4
        while at < len(self.data):
            _, kind, _, size = struct.unpack_from("<IBII", self.data, at)
            yield kind, self.data[at + 19:at + size - 4]
            at += size

    @staticmethod
    def json_column(body, at):
        size = struct.unpack_from("<I", body, at)[0]
        return body[at + 4:at + 4 + size], at + 4 + size

    def rows(self):
        ours = set()
        for kind, body in self.events():
            table = body[:6]
            if kind == 19 and b"\x0atest_jsonb\0\x01d\0" in body[:40]:
                ours.add(table)
            at = 8 + struct.unpack_from("<H", body, 8)[0] + 1 if kind in (30, 39) else 0
            if kind == 30 and table in ours:
                at += 1
                while at < len(body):
                    doc, at = self.json_column(body, at + 5)
                    yield "D", doc, None
            if kind == 39 and table in ours:
                at += 2
                while at < len(body):
                    doc, at = self.json_column(body, at + 5)
                    partial = body[at] == 1 and body[at + 1] == 1
                    at += 2 if body[at] == 1 else 1
                    diffs, at = self.json_column(body, at + 5)
                    yield "P" if partial else "F", doc, diffs


def main():
    socket, seed, documents, updates = sys.argv[1], *map(int, sys.argv[2:5])
    R.seed(seed)
    db = pymysql.connect(unix_socket=socket, user="root", charset="utf8mb4", autocommit=True)
    c = db.cursor()

    def q(text):
        return db.escape(text)

    def one(sql):
        c.execute(sql)
        return c.fetchone()

    for sql in ("SET time_zone='+00:00', sql_mode='', binlog_row_value_options='PARTIAL_JSON', binlog_row_image='FULL'",
                "DROP DATABASE IF EXISTS test_jsonb", "CREATE DATABASE test_jsonb", "USE test_jsonb",
                "CREATE TABLE d (id INT PRIMARY KEY, j JSON) CHARSET utf8mb4", "FLUSH BINARY LOGS"):
        c.execute(sql)
    start = one("SHOW BINARY LOG STATUS")[0]
    texts = []
    for i in range(documents):
        c.execute(f"INSERT INTO d VALUES ({i}, {document(q)})")
        texts.append(("D", one(f"SELECT CAST(j AS CHAR) FROM d WHERE id={i}")[0]))
    for _ in range(updates):
        i = R.randrange(documents)
        before = one(f"SELECT CAST(j AS CHAR) FROM d WHERE id={i}")[0]
        try:
            changed = c.execute(f"UPDATE d SET j={update(q, json.loads(before))} WHERE id={i}")
        except pymysql.err.OperationalError:
            continue  # removing the root, nesting too deep
        if changed:
            texts.append(("P", one(f"SELECT CAST(j AS CHAR) FROM d WHERE id={i}")[0]))
    folder = one("SELECT @@log_bin_basename")[0].rsplit("/", 1)[0]
    c.execute("SHOW BINARY LOGS")
    files = [row[0] for row in c.fetchall()]
    rows = [row for file in files[files.index(start):] for row in Log(f"{folder}/{file}").rows()]
    assert len(rows) == len(texts), (len(rows), len(texts))
    for (kind, first, diffs), (_, text) in zip(rows, texts):
        if kind == "P":
            print("P", first.hex(), diffs.hex(), text, sep="\t")
        else:
            print("D", (first if kind == "D" else diffs).hex(), text, sep="\t")
    c.execute("DROP DATABASE test_jsonb")


if __name__ == "__main__":
    main()
