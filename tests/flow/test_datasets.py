"""Real schemas and the type tests of other projects, where a folder with them stands beside the
repository (TEST_DATASETS, else ../shared/datasets). They are not part of it."""
import os
import pathlib

import pytest

from support import exits

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("TEST_DATASETS", ROOT.parent / "shared/datasets"))

WHOLE = {"sakila": ["sakila-mv-schema.sql", "sakila-mv-data.sql"], "chinook": ["Chinook_MySql.sql"],
         "northwind": ["northwind.sql", "northwind-data.sql"]}
# Files that stop where the server lacks a feature or refuses a value.
MAY_STOP = {"geometry_test_5", "geometry_test_8", "uuid_column_test", "maria_vector_test", "vector_to_json", "json_test",
            "default_value_generated", "column_type_test_mysql8", "json_array_as_key", "schema_name_adjustment"}
LOOSE = {"zero_date_fallback_converter", "ancient_date_and_time"}
SMALL = sorted(p for folder in ("debezium", "flink-cdc") for p in (DATA / folder).glob("*.sql"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no folder of datasets")


def databases(server):
    system = {"mysql", "sys", "information_schema", "performance_schema", "test"}
    return {row[0] for row in server.run("SHOW DATABASES")} - system


def load(server, files, database=None, loose=False, force=False):
    """True when all of it loaded."""
    args = (["--force"] if force else []) + ([database] if database else [])
    text = b"SET sql_mode='';\n" if loose else b""
    text += b"\n".join(f.read_bytes() for f in files)
    done = server.mysrv("sql", "--default-character-set=utf8mb4", *args, input=text.decode("utf-8", "surrogateescape"),
                        check=False)
    return done.returncode == 0, done.stderr


def judge(server, tailrace, names):
    result = tailrace.sync(server.url(*names), timeout=300)
    report = tailrace.compare(server, *names)
    assert report.equal, f"{report}\n{result}"
    result.expect(exits.PARTIAL if report.rejected else exits.OK)
    return report


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_whole_database(every_server, tailrace, name):
    server = every_server
    before = databases(server)
    try:
        done, why = load(server, [DATA / name / f for f in WHOLE[name]])
        assert done, why
        made = sorted(databases(server) - before)
        assert made
        assert judge(server, tailrace, made).rows > 500
    finally:
        for database in databases(server) - before:
            server.run(f"DROP DATABASE `{database}`")


@pytest.mark.parametrize("path", SMALL, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_small_type_test(server, make_database, tailrace, path):
    before = databases(server)
    database = make_database(server)
    try:
        done, why = load(server, [path], database, loose=path.stem in LOOSE)
        if not done:
            if path.stem in MAY_STOP:
                pytest.skip(f"this server does not load it: {why.strip()[-200:]}")
            done, why = load(server, [path], database, loose=True, force=True)
        names = sorted({database} | (databases(server) - before))
        if not server.run("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE LIKE '%TABLE' AND "
                          f"TABLE_SCHEMA IN ({', '.join(repr(n) for n in names)})")[0][0]:
            pytest.skip("it leaves no table")
        judge(server, tailrace, names)
    finally:
        for extra in databases(server) - before - {database}:
            server.run(f"DROP DATABASE `{extra}`")
