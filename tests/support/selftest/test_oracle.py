"""The oracle sees what is equal and what is not. A copier of a few lines stands in for the program: it
writes the canonical values that source.py reads. Literal values prove those readings.

Needs servers: TEST_SERVERS and TEST_<NAME>_PORT of tools/servers/test-servers env."""
import os
import struct

import duckdb
import pymysql
import pytest

from support import gen_types, oracle, source
from support.duckcopy import Copy, ident

RUNNING = os.environ.get("TEST_SERVERS", "").split()
# One of each family is enough to judge the oracle.
SERVERS = [n for n in RUNNING if "mysql" in n][:1] + [n for n in RUNNING if "mariadb" in n][-1:]
pytestmark = pytest.mark.skipif(not SERVERS, reason="no test server runs: tools/servers/test-servers up all")


def port_of(name):
    return int(os.environ["TEST_" + name.upper().replace("-", "_") + "_PORT"])


@pytest.fixture(params=SERVERS)
def server(request):
    c = pymysql.connect(host="127.0.0.1", port=port_of(request.param), user="app", password="pw", autocommit=True)
    yield c
    c.close()


@pytest.fixture
def database(server):
    name = f"oracle_{os.getpid()}"
    with server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {name}")
        cursor.execute("SET SESSION sql_mode='', time_zone='+00:00'")
    yield name
    with server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def run(server, *statements):
    with server.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def read_back(kind, value):
    """What DuckDB is given for a canonical value."""
    if value is None:
        return "NULL"
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "DATE":
        return f"DATE '1970-01-01' + CAST({value} AS INTEGER)"
    if kind.startswith("TIMESTAMP"):
        plain = f"make_timestamp({value})"
        return f"timezone('UTC', {plain})" if "ZONE" in kind else plain
    if kind == "INTERVAL":
        return f"to_microseconds({value})"
    if kind == "FLOAT":
        return f"CAST('{struct.unpack('<f', value)[0]!r}' AS FLOAT)"
    if kind == "DOUBLE":
        return f"CAST('{struct.unpack('<d', value)[0]!r}' AS DOUBLE)"
    if kind.startswith("FLOAT["):
        return f"{list(struct.unpack(f'<{len(value) // 4}f', value))}::{kind}"
    if kind == "BLOB":
        return f"unhex('{value.hex()}')"
    if isinstance(value, str):
        return f"decode(unhex('{value.encode().hex()}'))"
    return str(value)


def copy_table(src, duck, table, schema, spoil=None):
    """spoil(rows) may change the rows before they are written."""
    key = [c for k in table.key for c in table.columns if c.name == k] if not table.prefix_key else []
    columns = key + [c for c in table.columns if c not in key]
    rows = list(src.values(table))
    rejected = [r for r in rows if any(isinstance(v, source.Mark) for v in r)]
    rows = [r for r in rows if not any(isinstance(v, source.Mark) for v in r)]
    order = [table.columns.index(c) for c in columns]
    rows = [[r[i] for i in order] for r in rows]
    kinds = []
    for i, c in enumerate(columns):
        kinds.append(c.duck_types(c.column_type == "tinyint(1)" and any(r[i] not in (None, 0, 1) for r in rows))[0])
    if spoil:
        spoil(rows)
    parts = [f"{ident(c.target)} {k}" for c, k in zip(columns, kinds)]
    if not table.key:
        parts.append("__sdc_primary_key VARCHAR")
    parts += [f"{n} {k}" for n, k in oracle.SYSTEM]
    name = f"{ident(schema)}.{ident(table.name)}"
    duck.execute(f"CREATE TABLE {name} ({', '.join(parts)})")
    lines = []
    for i, row in enumerate(rows):
        values = [read_back(k, v) for k, v in zip(kinds, row)]
        if not table.key:
            values.append(f"'00000000-0000-0000-0000-{i:012x}'")
        lines.append(f"({', '.join([*values, 'now()', 'now()', 'now()', '7', '1', 'NULL'])})")
    for at in range(0, len(lines), 100):
        duck.execute(f"INSERT INTO {name} VALUES {', '.join(lines[at : at + 100])}")
    duck.execute(f"CREATE TABLE IF NOT EXISTS {ident(schema)}._sdc_rejected (_sdc_table VARCHAR, _sdc_column VARCHAR, "
                 "_sdc_reason VARCHAR, _sdc_record JSON, _sdc_sequence BIGINT, _sdc_received_at TIMESTAMPTZ)")
    for _ in rejected:
        duck.execute(f"INSERT INTO {ident(schema)}._sdc_rejected VALUES (?, NULL, 'bad', '{{}}', 7, now())", [str(table)])


def copied(src, database, path, tables=None, spoil=None):
    """Copy, then compare: the oracle's report."""
    if os.path.exists(path):
        os.unlink(path)
    duck = duckdb.connect(path)
    duck.execute("SET TimeZone='UTC'; CREATE SCHEMA s")
    found = [t for t in src.tables(database) if tables is None or t.name in tables]
    for table in found:
        copy_table(src, duck, table, "s", spoil)
    duck.close()
    with Copy(path) as copy:
        return oracle.compare(src, copy, found, "s")


@pytest.fixture
def src(server):
    s = source.Source(port=server.port)
    yield s
    s.close()


def test_values_of_the_source_are_what_was_written(server, database, src):
    run(server, "CREATE TABLE t (id INT PRIMARY KEY, ub BIGINT UNSIGNED, b64 BIT(64), d DECIMAL(40,3), f FLOAT, g DOUBLE, "
        "da DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL, ti TIME(6), y YEAR, c VARCHAR(9) CHARACTER SET latin1, "
        "bi BINARY(4), e ENUM('x','y'), p POINT, tb TINYINT(1), z DATE)",
        "INSERT INTO t VALUES (1, 18446744073709551615, X'ffffffffffffffff', -0.5, 0.1, 1.7976931348623157e308, "
        "'0000-01-01', '9999-12-31 23:59:59.999999', '2024-01-01 00:00:00.125', '-838:59:59', 2155, "
        "_latin1 X'e480', 'a', 0, ST_GeomFromText('POINT(1 2)', 4326), 5, '0000-00-00')")
    table = src.table(database, "t")
    row = dict(zip((c.name for c in table.columns), next(iter(src.values(table)))))
    point = "0101000020e6100000" + struct.pack("<dd", 1, 2).hex()
    swapped = "0101000020e6100000" + struct.pack("<dd", 2, 1).hex()  # MySQL reads 4326 as latitude, longitude
    assert row.pop("p").hex() in (point, swapped)
    assert row == {
        "id": 1, "ub": 2**64 - 1, "b64": 2**64 - 1, "d": "-0.500", "f": struct.pack("<f", 0.1),
        "g": struct.pack("<d", 1.7976931348623157e308), "da": -719528, "dt": 253402300799999999, "ts": 1704067200125000,
        "ti": -3020399000000, "y": 2155, "c": "ä€", "bi": b"a\0\0\0", "e": "", "tb": 5, "z": None}


def test_a_double_is_read_to_the_last_bit(server, database, src):
    doubles = [5e-324, -0.0, 0.1, 1 / 3, 2.0**53 + 2, 123456789012345.67, 1e22, 1e23, 2.2250738585072014e-308]
    singles = [struct.unpack("<f", struct.pack("<f", v))[0] for v in (1e-38, 0.1, 16777217.0, 3.4e38, -0.0, 1 / 3)]
    run(server, "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, d DOUBLE, f FLOAT)")
    for i in range(max(len(doubles), len(singles))):
        d, f = doubles[i % len(doubles)], singles[i % len(singles)]
        run(server, f"INSERT INTO t (d, f) VALUES ({d!r}e0, {f!r}e0)".replace("e-324e0", "e-324").replace("e0", "")
            .replace("-0.0", "-0e0"))
    rows = list(src.values(src.table(database, "t")))
    for i, (_, d, f) in enumerate(rows):
        if doubles[i % len(doubles)] != 5e-324:  # the servers read the smallest denormal as 0
            assert d == struct.pack("<d", doubles[i % len(doubles)])
        assert f == struct.pack("<f", singles[i % len(singles)])


def test_a_generated_database_is_equal_to_its_copy(server, src, tmp_path):
    name = f"oracle_types_{os.getpid()}"
    features = gen_types.Features.of(server.get_server_info())
    options = gen_types.Options(rows=5, wide=60)
    run(server, *gen_types.statements(1, features, name, options))
    report = copied(src, name, str(tmp_path / "c.duckdb"))
    run(server, f"DROP DATABASE {name}")
    assert report.equal, str(report)
    assert report.rows > 1000 and report.rejected >= 5 and report.tables > 100


@pytest.mark.parametrize("what", ["value", "lost", "added", "twice", "null"])
@pytest.mark.parametrize("keyed", [True, False])
def test_sees_differences(server, database, src, tmp_path, what, keyed):
    run(server, f"CREATE TABLE t (id INT NOT NULL{' PRIMARY KEY' if keyed else ''}, a VARCHAR(20), d DOUBLE)",
        "INSERT INTO t VALUES (1,'one',1),(2,'two',2),(3,'three',3)")

    def spoil(rows):
        if what == "value":
            rows[1][1] = "TWO"
        elif what == "lost":
            del rows[1]
        elif what == "added":
            rows.append([4, "four", struct.pack("<d", 4)])
        elif what == "twice":
            rows.append(list(rows[0]))
        else:
            rows[2][2] = None

    report = copied(src, database, str(tmp_path / "c.duckdb"), spoil=spoil)
    assert not report.equal
    text = str(report)
    assert f"{database}.t" in text
    if what == "value":
        assert "'two'" in text and "'TWO'" in text
    assert copied(src, database, str(tmp_path / "c.duckdb")).equal


@pytest.mark.parametrize("sql, words", [
    ("ALTER TABLE s.t ALTER a TYPE BLOB", "type"),
    ("ALTER TABLE s.t RENAME a TO b", "columns or their order"),
    ("ALTER TABLE s.t DROP _sdc_sequence", "columns or their order"),
    ("UPDATE s.t SET _sdc_sequence = id", "one sequence number"),
    ("UPDATE s.t SET _sdc_batched_at = NULL", "has its times"),
    ("UPDATE s.t SET _sdc_deleted_at = now() WHERE id = 1", "nothing is deleted"),
    ("DROP TABLE s.t", "no table"),
    ("INSERT INTO s._sdc_rejected VALUES ('{db}.t', 'a', 'r', '{{}}', 7, now())", "counts do not add up"),
])
def test_sees_wrong_shapes(server, database, src, tmp_path, sql, words):
    run(server, "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20))", "INSERT INTO t VALUES (1,'one'),(2,'two')")
    path = str(tmp_path / "c.duckdb")
    assert copied(src, database, path).equal
    duck = duckdb.connect(path)
    duck.execute(sql.format(db=database))
    duck.close()
    with Copy(path) as copy:
        report = oracle.compare(src, copy, src.tables(database), "s")
    assert words in str(report)


def test_a_row_that_cannot_be_kept_must_not_be_there(server, database, src, tmp_path):
    run(server, "CREATE TABLE t (d DATE NOT NULL PRIMARY KEY, a INT)", "INSERT INTO t VALUES ('0000-00-00', 1), ('2024-01-01', 2)")
    path = str(tmp_path / "c.duckdb")
    report = copied(src, database, path)
    assert report.equal and report.counts[f"{database}.t"] == (2, 1, 1)


def test_names():
    columns = [source.Column(n, "int", "int(11)", "", 0, 0, True, "") for n in
               ["4th", "a b", "a-b", "a_b", "ä", "_op", "_sdc_x", "A B", "x"]]
    source.assign_targets(columns)
    assert [c.target for c in columns] == ["_th", "a_b", "a_b_2", "a_b_3", "_", "_op_2", "_sdc_x_2", "A_B_4", "x"]
    assert source.schema_name("Stitch Amazon Aurora MySQL RDS") == "stitch_amazon_aurora_mysql_rds"
