"""Tables in memory, made from what `tailrace binlog --json` prints: the rows of the log applied to nothing, its DDL as far
as a log of make_own.py has it. What they hold at the end must be what the server's tables held.

    tables = Tables(); tables.read(lines); tables.differences(open("x.final.ndjson"))
"""

import ipaddress
import json
import re
import struct

CODECS = {
    "latin1": "cp1252",
    "utf8mb3": "utf-8",
    "utf8": "utf-8",
    "utf8mb4": "utf-8",
    "ucs2": "utf-16-be",
    "utf16": "utf-16-be",
    "utf32": "utf-32-be",
    "cp1251": "cp1251",
    "gbk": "gbk",
    "sjis": "shift_jis",
    "latin2": "iso8859-2",
    "ascii": "ascii",
}
NO_COLUMN = ("PRIMARY", "KEY", "UNIQUE", "INDEX", "CONSTRAINT", "FULLTEXT", "SPATIAL", "CHECK", "PERIOD")
NAME = r"(?:`(?:[^`]|``)+`|[\w$]+)"
INT_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


class Absent:
    """The cell of a virtual column that no image had yet: binlog_row_image=MINIMAL leaves them out of inserts. Not NULL."""

    def __repr__(self):
        return "absent"


ABSENT = Absent()


def bare(name):
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def split_items(text):
    """The parts of a list between commas, quotes and brackets respected."""
    parts, depth, quote, start = [], 0, None, 0
    for i, c in enumerate(text):
        if quote:
            quote = None if c == quote else quote
        elif c in "'\"`":
            quote = c
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            if depth < 0:
                return parts + [text[start:i].strip()], text[i + 1 :]
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()], ""


class Column:
    def __init__(self, text):
        m = re.match(rf"\s*({NAME})\s+(.*)", text, re.S)
        self.name, self.text = bare(m[1]), m[2]
        self.is_virtual = "VIRTUAL" in m[2] or bool(re.search(r"\bAS\s*\(", m[2], re.I) and "STORED" not in m[2])
        self.default = ABSENT if self.is_virtual else None
        d = re.search(r"DEFAULT\s+'?(\w+)'?", m[2], re.I)
        if d and d[1].upper() != "NULL":
            self.default = int(d[1]) if d[1].isdigit() else d[1]


class Table:
    def __init__(self, columns, charset):
        self.columns, self.charset, self.rows = columns, charset, []

    def find(self, image):
        for row in self.rows:
            if all(row.get(k) in (v, ABSENT) for k, v in image.items()):
                return row
        raise AssertionError(f"no row {str(image)[:300]}")

    def place(self, column, where):
        if m := re.search(rf"\bAFTER\s+({NAME})\s*$", where, re.I):
            at = [c.name for c in self.columns].index(bare(m[1])) + 1
            self.columns.insert(at, column)
        elif re.search(r"\bFIRST\s*$", where, re.I):
            self.columns.insert(0, column)
        else:
            self.columns.append(column)


class Tables:
    def __init__(self):
        self.tables, self.charsets, self.pending, self.prepared, self.rows = {}, {}, [], {}, 0
        self.absent = 0  # cells that the log did not tell

    # ---------------------------------------------------------------- events

    def read(self, lines):
        for line in lines:
            e = json.loads(line)
            if "row" in e:
                self.rows += 1
                self.pending.append(e)
            elif e["type"] in ("QUERY_EVENT", "QUERY_COMPRESSED_EVENT"):
                self.query(e["database"], e["sql"])
            elif e["type"] == "XID_EVENT":
                self.commit()
            elif e["type"] == "XA_PREPARE_EVENT":
                if e["one_phase"]:
                    self.commit()
                else:
                    self.prepared[e["xa_gtrid"], e["xa_bqual"]] = self.pending
                    self.pending = []

    def commit(self):
        for e in self.pending:
            self.change(e)
        self.pending = []

    def change(self, e):
        t = self.tables[e["database"], e["table"]]
        before, after = (self.named(t, e[k]) if k in e else None for k in ("before", "after"))
        if e["op"] == "insert":
            t.rows.append({c.name: c.default for c in t.columns} | after)
        elif e["op"] == "delete":
            t.rows.remove(t.find(before))
        else:
            t.find(before).update(after)

    @staticmethod
    def named(t, image):
        """Without names in the log, columns are known by their place; what the server adds stands at either end."""
        if not any(k.startswith("@") for k in image):
            return image
        names = [c.name for c in t.columns]
        return {names[int(k[1:]) - 1]: v for k, v in image.items()}

    # ---------------------------------------------------------------- statements

    def query(self, database, sql):
        sql = re.sub(r"/\*(?!!).*?\*/", " ", sql, flags=re.S).strip()
        word = sql.split(None, 1)[0].upper()
        if m := re.match(r"XA\s+(COMMIT|ROLLBACK)\s+X'(\w*)'\s*,\s*X'(\w*)'", sql, re.I):
            pending = self.prepared.pop((m[2].lower(), m[3].lower()))
            if m[1].upper() == "COMMIT":
                self.pending = pending
                self.commit()
        elif word == "COMMIT":
            self.commit()
        elif word == "ROLLBACK":
            self.pending = []
        elif word in ("BEGIN", "SAVEPOINT", "XA"):
            pass
        else:
            self.ddl(database, sql)

    def key(self, database, name):
        m = re.match(rf"({NAME})(?:\.({NAME}))?", name)
        return (bare(m[1]), bare(m[2])) if m[2] else (database, bare(m[1]))

    def ddl(self, database, sql):
        table = rf"({NAME}(?:\.{NAME})?)"
        if m := re.match(rf"CREATE\s+DATABASE\s+({NAME})(.*)", sql, re.I | re.S):
            cs = re.search(r"CHARACTER\s+SET\s+(\w+)", m[2], re.I)
            self.charsets[bare(m[1])] = cs[1] if cs else "utf8mb4"
        elif m := re.match(rf"CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+{table}\s+LIKE\s+{table}", sql, re.I):
            like = self.tables[self.key(database, m[2])]
            self.tables[self.key(database, m[1])] = Table(list(like.columns), like.charset)
        elif m := re.match(rf"CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+{table}\s*\((.*)", sql, re.I | re.S):
            self.create(self.key(database, m[1]), m[2])
        elif m := re.match(rf"ALTER\s+TABLE\s+{table}\s+(.*)", sql, re.I | re.S):
            for part in split_items(m[2])[0]:
                self.alter(self.tables[self.key(database, m[1])], part)
        elif m := re.match(rf"RENAME\s+TABLE\s+{table}\s+TO\s+{table}", sql, re.I):
            self.tables[self.key(database, m[2])] = self.tables.pop(self.key(database, m[1]))
        elif m := re.match(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{table}", sql, re.I):
            self.tables.pop(self.key(database, m[1]), None)
        elif m := re.match(rf"TRUNCATE\s+(?:TABLE\s+)?{table}", sql, re.I):
            self.tables[self.key(database, m[1])].rows = []
        elif m := re.match(rf"CREATE\s+SEQUENCE\s+{table}", sql, re.I):
            self.tables[self.key(database, m[1])] = Table([Column(f"c{i} bigint") for i in range(8)], "utf8mb4")
        else:
            raise AssertionError(f"a statement of another kind: {sql[:200]}")

    def create(self, key, text):
        items, rest = split_items(text)
        columns = [Column(i) for i in items if i.split(None, 1)[0].upper().split("(")[0] not in NO_COLUMN]
        cs = re.search(r"(?:CHARACTER\s+SET|CHARSET)\s*=?\s*(\w+)", rest, re.I)
        if re.search(r"WITH\s+SYSTEM\s+VERSIONING", rest, re.I):
            columns += [Column("row_start timestamp(6)"), Column("row_end timestamp(6)")]
        self.tables[key] = Table(columns, cs[1] if cs else self.charsets.get(key[0], "utf8mb4"))

    def alter(self, t, part):
        if m := re.match(r"ADD\s+COLUMN\s+(.*)", part, re.I | re.S):
            column = Column(m[1])
            t.place(column, m[1])
            for row in t.rows:
                row[column.name] = column.default
        elif m := re.match(rf"(?:MODIFY|CHANGE\s+({NAME}))\s+(.*)", part, re.I | re.S):
            column = Column(m[2])
            old = bare(m[1]) if m[1] else column.name
            at = [c.name for c in t.columns].index(old)
            t.columns[at] = column
            if re.search(r"\b(FIRST|AFTER\s+\S+)\s*$", m[2], re.I):
                t.columns.pop(at)
                t.place(column, m[2])
            for row in t.rows:
                row[column.name] = row.pop(old)
        elif m := re.match(rf"DROP\s+COLUMN\s+({NAME})", part, re.I):
            t.columns = [c for c in t.columns if c.name != bare(m[1])]
            for row in t.rows:
                row.pop(bare(m[1]), None)
        elif m := re.match(r"CONVERT\s+TO\s+CHARACTER\s+SET\s+(\w+)", part, re.I):
            t.charset = m[1]
        else:
            assert re.match(r"ADD\s+KEY|COMMENT|ALTER\s+COLUMN|ENGINE", part, re.I), part

    # ---------------------------------------------------------------- the end

    def differences(self, finals):
        """What differs from the tables' final rows, one text per table."""
        bad = []
        for line in finals:
            want = json.loads(line)
            t = self.tables[want["db"], want["table"]]
            names = [c[0] for c in want["columns"]]
            rows = [r for r in t.rows if r.get("row_end") is None or str(r["row_end"])[:4] in ("2038", "2106")]
            by_name = {c.name: c for c in t.columns}
            whole = [i for i, n in enumerate(names) if not any(r.get(n) is ABSENT for r in rows)]
            got = [tuple(shown(r.get(n), k, by_name[n], t) for n, k in want["columns"]) for r in rows]
            wanted = [tuple(expected(v, k) for v, (_, k) in zip(r, want["columns"])) for r in want["rows"]]
            for side in (got, wanted):
                side.sort(key=lambda r: repr([r[i] for i in whole]))
            self.absent += sum(v is ABSENT for r in got for v in r)
            got = [tuple(w if g is ABSENT else g for g, w in zip(a, b)) for a, b in zip(got, wanted)] + got[len(wanted) :]
            if got != wanted:
                bad.append(f"{want['table']}: {len(got)} rows, {len(wanted)} expected; " + first_difference(names, got, wanted))
        return bad


def first_difference(names, got, wanted):
    for g, w in zip(got, wanted):
        for n, a, b in zip(names, g, w):
            if a != b:
                return f"key {g[0]!r}, {n}: {a!r} is not {b!r}"[:600]
    return ""


def uuid_text(raw):
    raw = raw.ljust(16, b"\0")
    if raw[6] & 0x80 and 0 < raw[8] < 0x60:
        raw = raw[12:16] + raw[10:12] + raw[8:10] + raw[6:8] + raw[0:6]
    h = raw.hex()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def labels_of(kind):
    return [m.replace("''", "'") for m in re.findall(r"'((?:[^']|'')*)'", kind)]


def shown(v, kind, column, t):
    """A cell as the text protocol gives it; where the log did not say what it is, by the statement that made the column."""
    base = re.match(r"\w+", kind)[0]
    if v is None or v is ABSENT:
        return v
    if isinstance(v, dict) and "invalid" in v and base in ("enum", "set"):
        v = int.from_bytes(bytes.fromhex(v["invalid"]), "little")  # a label that the catalog cannot show
    if base == "bit":
        return int(v)
    if base in INT_BITS or base == "year":
        return int(v) % (1 << INT_BITS[base]) if "unsigned" in kind and int(v) < 0 else int(v)
    if base == "float":
        return float("%.6g" % v)
    if base == "double":
        return float(v)
    if base in ("enum", "set") and isinstance(v, int):
        labels = labels_of(column.text)
        if base == "enum":
            return labels[v - 1] if v else ""
        return ",".join(s for i, s in enumerate(labels) if v >> i & 1)
    if isinstance(v, dict) and "hex" in v:
        raw = bytes.fromhex(v["hex"])
        if base == "uuid":
            return uuid_text(raw)
        if base == "inet6":
            return str(ipaddress.IPv6Address(raw.ljust(16, b"\0")))
        if base == "inet4":
            return ".".join(str(b) for b in raw.ljust(4, b"\0"))
        if base == "binary":
            raw = raw.ljust(int(re.search(r"\d+", kind)[0]), b"\0")
        if base in ("char", "varchar", "tinytext", "text", "mediumtext", "longtext"):
            cs = re.search(r"CHARACTER SET (\w+)", column.text, re.I)
            name = (cs[1] if cs else t.charset).lower()
            text = raw.decode(CODECS[name])
            return text.replace("＼", "\\") if name == "sjis" else text  # 815F is a backslash to the servers
        if base in ("geometry", "point", "linestring", "polygon"):
            raw = struct.pack("<I", 0) + raw
        return raw.hex().upper()
    return v


def expected(v, kind):
    base = re.match(r"\w+", kind)[0]
    if v is None:
        return None
    if base == "bit":
        return int(v, 16)
    if base in INT_BITS or base == "year":
        return int(v)
    if base in ("float", "double"):
        return float(v)
    return v
