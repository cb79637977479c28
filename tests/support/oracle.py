#!/usr/bin/env python3
"""The oracle: a source database and its DuckDB copy, compared value by value, by clients that are not ours.

Per table: row counts with the rejected ones, columns and their order, types, every value (rows matched by
key, keyless tables as multisets), the _sdc_ columns, and that each missing row has a reason to be missing
and a record in _sdc_rejected. Differences name table, key, column and both values.

    oracle.py --port 3306 --database shop --copy out.duckdb --schema shop
"""
import argparse
import collections
import dataclasses
import pathlib
import re
import sys

if __package__ in (None, ""):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.duckcopy import Copy, ident  # noqa: E402
from support.source import Mark, Source, schema_name  # noqa: E402

STAMP = "TIMESTAMP WITH TIME ZONE"
SYSTEM = [("_sdc_extracted_at", STAMP), ("_sdc_received_at", STAMP), ("_sdc_batched_at", STAMP),
          ("_sdc_sequence", "BIGINT"), ("_sdc_table_version", "BIGINT"), ("_sdc_deleted_at", STAMP)]
KEYLESS = ("__sdc_primary_key", "VARCHAR")
SHOWN = 20


@dataclasses.dataclass
class Difference:
    table: str
    what: str
    key: object = None
    column: str = None
    source: object = None
    copy: object = None

    def __str__(self):
        text = f"{self.table}: {self.what}"
        if self.key is not None:
            text += f", key {brief(self.key)}"
        if self.column is not None:
            text += f", column '{self.column}'"
        if self.source is not None or self.copy is not None:
            text += f"\n    source {brief(self.source)}\n    copy   {brief(self.copy)}"
        return text


class Report:
    def __init__(self):
        self.differences = []
        self.tables = self.rows = self.values = self.rejected = 0
        self.types = set()  # (MySQL's type, DuckDB's type), as seen
        self.counts = {}  # str(table) -> (source rows, copied rows, rejected rows)

    @property
    def equal(self):
        return not self.differences

    def add(self, *args, **more):
        self.differences.append(Difference(*args, **more))

    def __str__(self):
        head = (f"{self.tables} tables, {self.rows} rows, {self.values} values compared, {self.rejected} rows "
                f"rejected, {len(self.differences)} differences")
        shown = [str(d) for d in self.differences[:SHOWN]]
        if len(self.differences) > SHOWN:
            shown.append(f"and {len(self.differences) - SHOWN} more")
        return "\n".join([head, *shown])

    __repr__ = __str__


def brief(value):
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 300 else f"{text[:280]}… ({len(text)} characters)"


def bare(row):
    """The row with what its marks stand for, to compare with a row of the copy."""
    return tuple(v.value if isinstance(v, Mark) else v for v in row)


def weight(row):
    return sum(len(v.encode()) if isinstance(v, str) else len(v) if isinstance(v, bytes) else 8 for v in bare(row))


class TableCheck:
    def __init__(self, report, source, copy, table, schema, target, row_limit, way):
        self.report, self.source, self.copy = report, source, copy
        self.table, self.schema, self.target, self.row_limit = table, schema, target, row_limit
        self.way = way
        self.label = str(table)
        # The copy has the key's columns first, in the key's order, then the others.
        by_name = {c.name: c for c in table.columns}
        self.keyed = bool(table.key) and not table.prefix_key
        first = [by_name[k] for k in table.key] if self.keyed else []
        self.columns = first + [c for c in table.columns if c not in first]
        self.order = [table.columns.index(c) for c in self.columns]

    def add(self, what, **more):
        self.report.add(self.label, what, **more)

    def run(self):
        have = self.copy.columns(self.schema, self.target)
        self.report.tables += 1
        if not have:
            self.add(f"no table '{self.schema}.{self.target}' in the copy")
            return
        if not self.shape_is_right(have):
            return
        types = dict(have)
        rows = [tuple(row[i] for i in self.order) for row in self.source.values(self.table)]
        self.check_types(types, rows)
        shape = [(c.target, types[c.target]) for c in self.columns]
        copied = list(self.copy.values(self.schema, self.target, shape, self.newest()))
        if self.way == "log":
            rows, copied = self.without_signs_of_zero(rows), self.without_signs_of_zero(copied)
        rejected = self.rejected()
        self.report.counts[self.label] = (len(rows), len(copied), rejected)
        self.report.rows += len(rows)
        self.report.rejected += rejected
        self.report.values += len(rows) * len(self.columns)
        if self.way == "full" and len(rows) != len(copied) + rejected:
            self.add("the counts do not add up", source=len(rows), copy=f"{len(copied)} and {rejected} rejected")
        if self.keyed:
            self.match_by_key(rows, copied)
        else:
            self.match_as_multisets(rows, copied)
        self.check_system(types, len(copied))

    def without_signs_of_zero(self, rows):
        """DuckDB keeps one value for a run of zeros, whatever their signs (1.5: constant and RLE compression)."""
        floats = [i for i, c in enumerate(self.columns) if c.data_type in ("float", "double")]
        zeros = {bytes(7) + b"\x80": bytes(8), bytes(3) + b"\x80": bytes(4)}
        if not floats:
            return rows
        return [tuple(zeros.get(v, v) if i in floats else v for i, v in enumerate(row)) for row in rows]

    def newest(self):
        """What of the copy stands for the source now."""
        if self.way == "full":
            return ""
        if self.way in ("key", "log"):
            return "WHERE _sdc_deleted_at IS NULL"
        key = [c.target for c in self.columns if c.name in self.table.key] if self.keyed else [KEYLESS[0]]
        return (f"QUALIFY row_number() OVER (PARTITION BY {', '.join(map(ident, key))} ORDER BY _sdc_table_version DESC, "
                "_sdc_sequence DESC) = 1 AND _sdc_deleted_at IS NULL")

    def shape_is_right(self, have):
        system = [*([] if self.keyed or self.table.prefix_key else [KEYLESS]), *SYSTEM]
        want = [c.target for c in self.columns] + [n for n, _ in system]
        names = [n for n, _ in have]
        if self.table.prefix_key:
            names = [n for n in names if n != KEYLESS[0]]
        if self.way == "log":  # columns that the source no longer has stay
            wrong = not set(want) <= set(names)
        else:  # Read by key, the replication key comes right behind the table's key.
            wrong = names != want if self.way == "full" else sorted(names) != sorted(want)
        if wrong:
            self.add("columns or their order", source=want, copy=names)
            return False
        for name, kind in system:
            if dict(have)[name] != kind:
                self.add("type of a system column", column=name, source=kind, copy=dict(have)[name])
        return True

    def check_types(self, types, rows):
        for i, column in enumerate(self.columns):
            promoted = column.column_type == "tinyint(1)" and any(r[i] not in (None, 0, 1) for r in rows)
            want = column.duck_types(promoted)
            if self.way == "log" and column.column_type == "tinyint(1)" and not promoted:
                want = want + column.duck_types(True)  # there was such a value once
            self.report.types.add((re.sub(r"^(enum|set)\(.*", r"\1", column.column_type), types[column.target]))
            if types[column.target] not in want:
                self.add("type", column=column.name, source=f"{column.column_type}: {' or '.join(want)}",
                         copy=types[column.target])

    def rejected(self):
        if "_sdc_rejected" not in self.copy.tables(self.schema):
            return 0
        versions = f"(SELECT max(_sdc_sequence) FROM {self.copy.name(self.schema, self.target)})"
        rows = self.copy.rows(
            f"SELECT count(*) FROM {self.copy.name(self.schema, '_sdc_rejected')} WHERE _sdc_table = ? AND "
            f"_sdc_sequence = coalesce({versions}, _sdc_sequence)", [self.label])
        return rows[0][0]

    def may_be_missing(self, row):
        return any(isinstance(v, Mark) for v in row) or weight(row) > self.row_limit * 0.95

    def must_be_missing(self, row):
        return any(isinstance(v, Mark) and v.must for v in row)

    def compare(self, key, row, copied):
        for column, ours, theirs in zip(self.columns, row, copied):
            want = ours.value if isinstance(ours, Mark) else ours
            if want != theirs or type(want) is not type(theirs):
                self.add("value", key=key, column=column.name, source=ours, copy=theirs)

    def match_by_key(self, rows, copied):
        n = len(self.table.key)
        found = {}
        for row in copied:
            if row[:n] in found:
                self.add("the key is twice in the copy", key=row[:n])
            found[row[:n]] = row
        for row in rows:
            key = bare(row[:n])
            other = found.pop(key, None)
            if other is None:
                if not self.may_be_missing(row):
                    self.add("row is missing in the copy", key=key)
            elif self.must_be_missing(row):
                self.add("row should have been rejected", key=key, source=row, copy=other)
            else:
                self.compare(key, row, other)
        for key in found:
            self.add("row is only in the copy", key=key)

    def match_as_multisets(self, rows, copied):
        left = collections.Counter(copied)
        missing = []
        for row in rows:
            plain = bare(row)
            if not self.must_be_missing(row) and left.get(plain, 0) > 0:
                left[plain] -= 1
            elif not self.may_be_missing(row):
                missing.append(row)
        extra = list((+left).elements())
        for row in missing:
            # The nearest row of the copy, if one is near, says more than two whole rows.
            near = max(extra[:1000], key=lambda e: sum(a == b for a, b in zip(row, e)), default=None)
            if near is not None and sum(a == b for a, b in zip(row, near)) * 2 >= len(row):
                extra.remove(near)
                self.compare(f"near {brief(row)}", row, near)
            else:
                self.add("row is missing in the copy", source=row)
        for row in extra:
            self.add("row is only in the copy", copy=row)

    def check_system(self, types, count):
        name = self.copy.name(self.schema, self.target)
        checks = [
            ("_sdc_sequence", "count(DISTINCT _sdc_sequence) > 1", "a copy has one sequence number"),
            ("_sdc_sequence", "bool_or(_sdc_sequence IS NULL OR _sdc_sequence <= 0)", "the sequence is a number"),
            ("_sdc_table_version", "count(DISTINCT _sdc_table_version) > 1", "a copy is one version"),
            ("_sdc_table_version", "bool_or(_sdc_table_version IS NULL)", "the version is a number"),
            ("_sdc_deleted_at", "count(_sdc_deleted_at) > 0", "nothing is deleted in a full copy"),
            ("_sdc_extracted_at", "bool_or(_sdc_extracted_at IS NULL OR _sdc_received_at IS NULL OR "
             "_sdc_batched_at IS NULL)", "every row has its times"),
            ("_sdc_extracted_at", "bool_or(_sdc_extracted_at > _sdc_received_at OR _sdc_received_at > "
             "_sdc_batched_at)", "extracted, received and batched follow each other"),
        ]
        if KEYLESS[0] in types:
            checks += [
                (KEYLESS[0], f"count(DISTINCT {KEYLESS[0]}) <> count(*)", "the keys of keyless rows differ"),
                (KEYLESS[0], f"bool_or(NOT regexp_full_match({KEYLESS[0]}, '[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-"
                 "[0-9a-f]{12}'))", "the key of a keyless row is a UUID text"),
            ]
        if self.way != "full":  # rows of many reads, each with its number
            checks = [c for c in checks if c[1].startswith("bool_or")]
        if count == 0:
            return
        answers = self.copy.rows(f"SELECT {', '.join(sql for _, sql, _ in checks)} FROM {name}")[0]
        for (column, _, rule), broken in zip(checks, answers):
            if broken:
                self.add(f"rule broken: {rule}", column=column)


def compare(source, copy, tables, schema, target=None, row_limit=128 << 20, way="full"):
    """source: Source; copy: Copy; tables: [Table] as Source.tables() gives them; schema: the destination's.
    target: a function from Table to the copy's table name. way: how the tables were copied: whole ("full"), by key
    ("key"), from the log ("log"), or with every version kept ("append", where the newest ones count). Returns a Report."""
    report = Report()
    twice = [n for n, k in collections.Counter(t.name.lower() for t in tables).items() if k > 1]
    for table in tables:
        name = target(table) if target else (
            f"{table.database}__{table.name}" if table.name.lower() in twice else table.name)
        TableCheck(report, source, copy, table, schema, name, row_limit, way).run()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--socket")
    parser.add_argument("--user", default="app")
    parser.add_argument("--password", default="pw")
    parser.add_argument("--database", action="append", required=True)
    parser.add_argument("--views", action="store_true")
    parser.add_argument("--copy", required=True)
    parser.add_argument("--schema", help="default: from the first database's name")
    args = parser.parse_args()
    source = Source(args.host, args.port, args.user, args.password, args.socket)
    tables = [t for d in args.database for t in source.tables(d, args.views)]
    with Copy(args.copy) as copy:
        report = compare(source, copy, tables, args.schema or schema_name(args.database[0]))
    print(report)
    sys.exit(0 if report.equal else 1)


if __name__ == "__main__":
    main()
