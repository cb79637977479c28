"""Read our container files with Apache Avro for Python and compare with what was written.

usage: check_avro.py FOLDER    prints TAP lines without numbers

The files `extremes` hold years that Python's calendar does not have: there the logical types
of dates are left off and the numbers compared. The files `calendar` are read with them.
"""
import datetime
import decimal
import json
import struct
import sys
import warnings

import avro.datafile
import avro.io
import avro.schema

warnings.simplefilter("ignore")  # logical types that the library does not know
decimal.getcontext().prec = 80

CODECS = ("null", "snappy", "zstandard", "deflate")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def without_dates(node):
    """The same schema, dates and times being plain numbers."""
    if isinstance(node, dict):
        drop = node.get("logicalType") in ("date", "timestamp-micros", "timestamp-millis")
        return {k: without_dates(v) for k, v in node.items()
                if not (drop and k == "logicalType")}
    if isinstance(node, list):
        return [without_dates(v) for v in node]
    return node


def avro_type(field):
    branch = field["type"]
    if isinstance(branch, list):
        branch = branch[1]
    return branch if isinstance(branch, dict) else {"type": branch}


def plain(value, kind):
    """A value as the library gives it, in the words of the expected file."""
    if value is None:
        return None
    if isinstance(value, decimal.Decimal):
        return value
    if isinstance(value, datetime.datetime):
        unit = 1000 if kind.get("logicalType") == "timestamp-millis" else 1
        return str((value - EPOCH) // datetime.timedelta(microseconds=1) // unit)
    if isinstance(value, datetime.date):
        return str((value - EPOCH.date()).days)
    if kind["type"] == "float":
        return struct.pack("<f", value).hex()
    if kind["type"] == "double":
        return struct.pack("<d", value).hex()
    if kind["type"] == "array":
        return [struct.pack("<f", v).hex() for v in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def same(got, want):
    if isinstance(want, dict):
        return isinstance(got, decimal.Decimal) and got == decimal.Decimal(want["decimal"])
    return type(got) is type(want) and got == want


def check(folder, name, codec):
    expected = [json.loads(line) for line in open(f"{folder}/{name}.ndjson", encoding="utf-8")]
    with open(f"{folder}/{name}.{codec}.avro", "rb") as f:
        reader = avro.datafile.DataFileReader(f, avro.io.DatumReader())
        text = reader.get_meta("avro.schema").decode()
        fields = {x["name"]: avro_type(x) for x in json.loads(text)["fields"]}
        if name == "extremes":
            schema = avro.schema.parse(json.dumps(without_dates(json.loads(text))))
            reader.datum_reader.writers_schema = schema
            reader.datum_reader.readers_schema = schema
        rows = list(reader)
    if len(rows) != len(expected):
        return f"{len(rows)} rows, not {len(expected)}"
    for number, (row, want) in enumerate(zip(rows, expected)):
        if list(row) != list(want):
            return f"row {number}: fields {list(row)}"
        for field, value in row.items():
            got = plain(value, fields[field])
            if not same(got, want[field]):
                return f"row {number}, {field}: {got!r}, not {want[field]!r}"
    return None


def main():
    failed = 0
    for name in ("extremes", "calendar"):
        for codec in CODECS:
            try:
                wrong = check(sys.argv[1], name, codec)
            except Exception as e:  # any refusal by the library is a finding
                wrong = f"{type(e).__name__}: {e}"
            failed += wrong is not None
            print(("not ok" if wrong else "ok"), "- python avro reads", name, codec)
            if wrong:
                print("#", wrong)
    return 1 if failed else 0


sys.exit(main())
