"""The source as the oracle sees it: tables, columns and keys from the catalog, values by PyMySQL.

Nothing here knows our program. Values come as the stored bytes (no client decoding,
character_set_results=NULL), in UTC, and become one canonical Python form per type, the same that
duckcopy.py makes of the destination's values:

    integers, BIT, YEAR, BOOL  int          FLOAT, DOUBLE  the 4 or 8 bytes of the number
    DECIMAL                    str          DATE           days since 1970-01-01
    DATETIME, TIMESTAMP, TIME  microseconds text, JSON     str
    BINARY, BLOB, geometry     bytes        VECTOR         the floats' bytes, little-endian
"""
import dataclasses
import json
import re
import struct

import pymysql

UTF8 = {"utf8mb4", "utf8mb3", "utf8", "ascii"}
TEXT = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
GEOMETRY = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
            "geometrycollection", "geomcollection"}
INTEGERS = {"tinyint": "TINYINT", "smallint": "SMALLINT", "mediumint": "INTEGER", "int": "INTEGER",
            "bigint": "BIGINT"}


class Mark:
    """A value that is not what it seems: why it may (or must) be missing from the copy."""

    __slots__ = ("value", "why", "must")

    def __init__(self, value, why, must):
        self.value, self.why, self.must = value, why, must

    def __repr__(self):
        return f"<{self.why}: {self.value!r}>"


@dataclasses.dataclass
class Column:
    name: str
    data_type: str
    column_type: str
    charset: str
    precision: int
    scale: int
    nullable: bool
    extra: str
    json_check: bool = False
    in_key: bool = False
    target: str = ""  # the copy's name

    @property
    def unsigned(self):
        return "unsigned" in self.column_type.split()

    @property
    def is_bool(self):
        return self.column_type == "tinyint(1)" or (self.data_type == "bit" and self.precision == 1)

    def duck_types(self, promoted):
        """The types that the copy may have; promoted: the source holds more than 0 and 1."""
        t, u = self.data_type, "U" if self.unsigned else ""
        if self.column_type == "tinyint(1)":
            return ["TINYINT"] if promoted else ["BOOLEAN"]
        if t in INTEGERS:
            return [u + INTEGERS[t]]
        if t == "decimal":
            return [f"DECIMAL({self.precision},{self.scale})" if self.precision <= 38 else "VARCHAR"]
        if t == "bit":
            return ["BOOLEAN" if self.precision == 1 else "UBIGINT"]
        if t == "vector":
            n = re.search(r"\((\d+)\)", self.column_type)
            return ["FLOAT[]"] + ([f"FLOAT[{n[1]}]"] if n else [])
        if t == "json" or self.json_check:
            return ["JSON"]
        if t in TEXT or t in ("inet4", "inet6"):
            return ["VARCHAR"]
        if t in BINARY or t in GEOMETRY:
            return ["BLOB"]
        return [{"float": "FLOAT", "double": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP", "year": "SMALLINT",
                 "timestamp": "TIMESTAMP WITH TIME ZONE", "time": "INTERVAL", "uuid": "UUID"}[t]]

    def expressions(self):
        """What to select; the first is the value, others help to judge it."""
        q = ident(self.name)
        t = self.data_type
        if t in ("float", "double"):
            return [f"{q} * 1e0"]  # a FLOAT itself is printed with six digits
        if t == "bit":
            return [f"HEX({q})"]
        if t in ("date", "datetime", "timestamp", "time", "year", "uuid", "inet4", "inet6"):
            return [f"CAST({q} AS CHAR CHARACTER SET utf8mb4)"]
        if t in TEXT and self.charset not in UTF8 | {"binary", ""}:
            wide = f"CONVERT({q} USING utf8mb4)"
            return [wide, f"HEX({q}) = HEX(CONVERT({wide} USING {self.charset}))"]
        return [q]

    def canonical(self):
        """A function of the selected bytes that gives the canonical value, or a Mark."""
        t = self.data_type
        if t in INTEGERS or t == "year":
            return lambda cells: int(cells[0])
        if t == "bit":
            return lambda cells: int(cells[0], 16)
        if t == "decimal":
            return lambda cells: plain_decimal(cells[0].decode(), self.scale)
        if t in ("float", "double"):
            form = "<f" if t == "float" else "<d"
            return lambda cells: struct.pack(form, float(cells[0]))
        if t in ("date", "datetime", "timestamp"):
            return lambda cells: moment(cells[0].decode(), t, self.in_key)
        if t == "time":
            return lambda cells: time_micros(cells[0].decode())
        if t == "json" or self.json_check:
            return json_text
        if t in TEXT:
            return utf8_text if self.charset in UTF8 else converted_text
        if t in GEOMETRY:
            return lambda cells: ewkb(cells[0])
        if t in ("uuid", "inet4", "inet6"):
            return lambda cells: cells[0].decode()
        return lambda cells: cells[0]


@dataclasses.dataclass
class Table:
    database: str
    name: str
    columns: list
    key: list  # names of the key's columns in its order; empty: keyless
    view: bool = False
    prefix_key: bool = False

    def __str__(self):
        return f"{self.database}.{self.name}"


def ident(name):
    return "`" + name.replace("`", "``") + "`"


def plain_decimal(text, scale):
    """MySQL writes no exponent; leading zeros come from ZEROFILL only."""
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.lstrip("-+").partition(".")
    whole = whole.lstrip("0") or "0"
    fraction = fraction.ljust(scale, "0")
    if not whole.strip("0") and not fraction.strip("0"):
        sign = ""
    return sign + whole + ("." + fraction if scale else "")


def days_of(year, month, day):
    """Days since 1970-01-01 in the proleptic Gregorian calendar, year 0 included; None: no such day."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    days = year * 365 + before // 4 - before // 100 + before // 400 + 1
    return days + sum(lengths[: month - 1]) + day - 1 - 719528


def moment(text, data_type, in_key):
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?", text)
    if not match:
        raise ValueError(f"not a date: {text!r}")
    y, mo, d = int(match[1]), int(match[2]), int(match[3])
    days = days_of(y, mo, d)
    if days is None:  # policy `null`: the copy has NULL, except in a key
        return Mark(None, f"date {text}", True) if in_key else None
    if data_type == "date":
        return days
    h, mi, s = (int(match[i] or 0) for i in (4, 5, 6))
    return ((days * 24 + h) * 60 + mi) * 60 * 1000000 + s * 1000000 + int((match[7] or "").ljust(6, "0"))


def time_micros(text):
    sign = -1 if text.startswith("-") else 1
    h, m, s = text.lstrip("-").split(":")
    s, _, fraction = s.partition(".")
    return sign * (((int(h) * 60 + int(m)) * 60 + int(s)) * 1000000 + int(fraction.ljust(6, "0")))


def utf8_text(cells):
    try:
        return cells[0].decode("utf-8")
    except UnicodeDecodeError:
        return Mark(cells[0], "not UTF-8", True)


def converted_text(cells):
    text = utf8_text(cells)  # a lone surrogate of UCS-2 "converts" to bytes that are no UTF-8
    if isinstance(text, Mark):
        return text
    # Some codes share a character, so a failed way back is a suspicion and no proof.
    # The servers' tables themselves hold U+FFFD for some unassigned codes (0xFF of tis620).
    return text if cells[1] == b"1" and "\ufffd" not in text else Mark(text, "does not convert back", False)


def json_text(cells):
    text = utf8_text(cells)
    if isinstance(text, Mark):
        return text

    def refuse(word):
        raise ValueError(word)

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return Mark(text, "not JSON", False)
    return text


def ewkb(stored):
    """MySQL keeps four bytes of SRID, then WKB; EWKB has the SRID behind the type, when there is one."""
    srid, order = stored[:4], stored[4:5]
    if srid == b"\0\0\0\0":
        return stored[4:]
    form = "<I" if order == b"\x01" else ">I"
    kind = struct.unpack(form, stored[5:9])[0] | 0x20000000
    return order + struct.pack(form, kind) + struct.pack(form, struct.unpack("<I", srid)[0]) + stored[9:]


class Source:
    """A connection that reads everything as bytes."""

    def __init__(self, host="127.0.0.1", port=3306, user="app", password="pw", unix_socket=None):
        self.c = pymysql.connect(host=host, port=port, user=user, password=password, unix_socket=unix_socket,
                                 charset="utf8mb4", use_unicode=False, conv={}, autocommit=True,
                                 cursorclass=pymysql.cursors.SSCursor, max_allowed_packet=1 << 30)
        self.run("SET SESSION sql_mode='', time_zone='+00:00', character_set_results=NULL, sql_select_limit=DEFAULT")
        self.mariadb = b"MariaDB" in self.rows("SELECT VERSION()")[0][0]
        if not self.mariadb:
            self.run("SET SESSION information_schema_stats_expiry=0")

    def close(self):
        self.c.close()

    def run(self, sql):
        with self.c.cursor(pymysql.cursors.Cursor) as cursor:
            cursor.execute(sql)

    def rows(self, sql, *args):
        with self.c.cursor(pymysql.cursors.Cursor) as cursor:
            cursor.execute(sql, [self.c.escape_string(a) for a in args] and args or None)
            return cursor.fetchall()

    def tables(self, database, views=False):
        kinds = "'BASE TABLE','SYSTEM VERSIONED'" + (",'VIEW'" if views else "")
        found = self.rows("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE "
                          f"TABLE_SCHEMA = {self.quote(database)} AND TABLE_TYPE IN ({kinds}) ORDER BY 1")
        return [self.table(database, name.decode(), kind == b"VIEW") for name, kind in found]

    def quote(self, text):
        return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

    def table(self, database, name, view=False):
        where = f"TABLE_SCHEMA = {self.quote(database)} AND TABLE_NAME = {self.quote(name)}"
        columns = []
        for row in self.rows(
                "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, NUMERIC_PRECISION, NUMERIC_SCALE, "
                f"IS_NULLABLE, EXTRA FROM information_schema.COLUMNS WHERE {where} ORDER BY ORDINAL_POSITION"):
            n, t, full, cs, p, s, nullable, extra = ((b"" if v is None else v).decode() for v in row)
            columns.append(Column(n, t.lower(), full if t in ("enum", "set") else full.lower(), cs, int(p or 0),
                                  int(s or 0), nullable == "YES", extra))
        if self.mariadb:
            self.mark_json(where.replace("TABLE_SCHEMA", "CONSTRAINT_SCHEMA"), columns)
        key, prefix = self.key(where)
        for column in columns:
            column.in_key = column.name in key and not prefix
        assign_targets(columns)
        return Table(database, name, columns, key, view, prefix)

    def mark_json(self, where, columns):
        for clause, in self.rows(f"SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE {where}"):
            match = re.fullmatch(r"json_valid\(`((?:[^`]|``)*)`\)", clause.decode())
            for column in columns:
                if match and column.name == match[1].replace("``", "`") and column.data_type == "longtext":
                    column.json_check = True

    def key(self, where):
        """The primary key, else the first unique key without a nullable column: (names, is by prefix)."""
        keys = {}
        for name, column, part, nullable in self.rows(
                "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM information_schema.STATISTICS WHERE "
                f"{where} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME = 'PRIMARY' DESC, INDEX_NAME, SEQ_IN_INDEX"):
            keys.setdefault(name, []).append((column, part, nullable))
        good = [k for k in keys.values() if all(c is not None and n != b"YES" for c, _, n in k)]
        whole = [k for k in good if all(p is None for _, p, _ in k)]
        chosen = (whole or good or [[]])[0]
        return [c.decode() for c, _, _ in chosen], bool(good) and not whole

    def count(self, table):
        return int(self.rows(f"SELECT COUNT(*) FROM {ident(table.database)}.{ident(table.name)}")[0][0])

    def values(self, table):
        """Canonical rows in the columns' order; Marks where a value cannot simply be copied."""
        parts, select, at = [], [], 0
        for column in table.columns:
            e = column.expressions()
            parts.append((at, at + len(e), column.canonical()))
            select += e
            at += len(e)
        sql = f"SELECT {', '.join(select)} FROM {ident(table.database)}.{ident(table.name)}"
        with self.c.cursor() as cursor:
            cursor.execute(sql)
            for row in cursor:
                yield tuple(None if row[a] is None else make(row[a:b]) for a, b, make in parts)


OWN = {"_op", "_seq", "_ms", "_absent", "_before"}


def legal_name(name):
    return re.sub(r"[^A-Za-z_]", "_", name[:1]) + re.sub(r"[^A-Za-z0-9_]", "_", name[1:])


def assign_targets(columns):
    """The rule of the names: legal form, then the first free of _2, _3, … in column order."""
    taken = set()
    for column in columns:
        name = base = legal_name(column.name)
        n = 1
        while name.lower() in taken or n == 1 and (
                name.lower() in OWN or name.lower().startswith(("_sdc_", "__sdc_"))):
            n += 1
            name = f"{base}_{n}"
        taken.add(name.lower())
        column.target = name


def schema_name(display):
    name = re.sub(r"[^a-z0-9_$]", "_", display.lower())
    return (name if re.match(r"[a-z_]", name) else "_" + name)[:49]
