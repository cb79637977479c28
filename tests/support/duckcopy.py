"""The copy as the oracle sees it: a DuckDB file, read by the PyPI client, in the same canonical forms as
source.py's. Times are read as numbers: Python's own types know neither year 0 nor TIME's range."""
import struct
import time

import duckdb


def ident(name):
    return '"' + name.replace('"', '""') + '"'


def expression(name, kind):
    q = ident(name)
    if kind == "DATE":
        return f"date_diff('day', DATE '1970-01-01', {q})"
    if kind.startswith("TIMESTAMP"):
        return f"epoch_us({q})"
    if kind.startswith("DECIMAL") or kind in ("UUID", "JSON"):
        return f"CAST({q} AS VARCHAR)"
    return q


def canonical(kind):
    if kind == "BOOLEAN":
        return int
    if kind == "FLOAT":
        return lambda v: struct.pack("<f", v)
    if kind == "DOUBLE":
        return lambda v: struct.pack("<d", v)
    if kind == "INTERVAL":
        return lambda v: (v.days * 86400 + v.seconds) * 1000000 + v.microseconds
    if kind.startswith("DECIMAL"):
        # DuckDB writes no 0 before the point where all digits are behind it.
        return lambda v: v.replace(".", "0.", 1) if v.startswith((".", "-.")) else v
    if kind.startswith("FLOAT["):
        return lambda v: struct.pack(f"<{len(v)}f", *v)
    return lambda v: v


class Copy:
    def __init__(self, path, timeout=60.0):
        """Waits while another process has the file open for writing."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.c = duckdb.connect(str(path), read_only=True)
                break
            except duckdb.IOException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.c.execute("SET TimeZone='UTC'")
        # A schema may be called as the file is, and "shop.t" is then ambiguous: name the database too.
        self.database = self.c.execute("SELECT current_database()").fetchone()[0]

    def close(self):
        self.c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def name(self, schema, table):
        return f"{ident(self.database)}.{ident(schema)}.{ident(table)}"

    def rows(self, sql, args=()):
        return self.c.execute(sql, args).fetchall()

    def tables(self, schema):
        return [r[0] for r in self.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1", [schema])]

    def columns(self, schema, table):
        """[(name, type)] in the table's order."""
        return self.rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = ? "
                         "AND table_name = ? ORDER BY ordinal_position", [schema, table])

    def values(self, schema, table, columns, rest=""):
        """Canonical rows of [(name, type)]; rest: SQL behind FROM."""
        makers = [canonical(kind) for _, kind in columns]
        select = ", ".join(expression(n, k) for n, k in columns) or "1"
        cursor = self.c.execute(f"SELECT {select} FROM {self.name(schema, table)} {rest}")
        while rows := cursor.fetchmany(2048):
            for row in rows:
                yield tuple(None if v is None else make(v) for v, make in zip(row, makers))
