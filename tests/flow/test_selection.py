"""--tables and --exclude: db.table with * and ?."""
import pytest

from support import exits

NAMES = ["orders", "order_items", "customers", "logs_2023", "logs_2024", "Mixed"]


def make(server, database):
    for i, name in enumerate(NAMES):
        server.run(f"CREATE TABLE `{database}`.`{name}` (id INT NOT NULL PRIMARY KEY)",
                   f"INSERT INTO `{database}`.`{name}` VALUES ({i})")


@pytest.mark.parametrize("tables, exclude, want", [
    ("", "", NAMES),
    ("{db}.orders", "", ["orders"]),
    ("orders", "", ["orders"]),
    ("{db}.order*", "", ["orders", "order_items"]),
    ("{db}.logs_202?", "", ["logs_2023", "logs_2024"]),
    ("", "{db}.logs_*", ["orders", "order_items", "customers", "Mixed"]),
    ("{db}.*", "{db}.*s", ["logs_2023", "logs_2024", "Mixed"]),
    ("{db}.orders,{db}.customers", "{db}.orders", ["customers"]),
    ("{db}.*r*", "{db}.order?", ["order_items", "customers"]),
])
def test_patterns(server, make_database, tailrace, tables, exclude, want):
    database = make_database(server)
    make(server, database)
    args = []
    if tables:
        args += ["--tables", tables.format(db=database)]
    if exclude:
        args += ["--exclude", exclude.format(db=database)]
    tailrace.sync(server.url(database), *args).expect(exits.OK)
    with tailrace.opened() as copy:
        assert {t for t in copy.tables("x") if not t.startswith("_sdc_")} == set(want)
    tailrace.exact(server, database, tables=set(want))


def test_nothing_selected_is_an_error(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    tailrace.sync(server.url(database), "--tables", f"{database}.nothing_*").fails(exits.CONFIG, "selected")


def test_a_pattern_that_names_nothing_is_said(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    result = tailrace.sync(server.url(database), "--tables", f"{database}.orders,{database}.ordres")
    result.expect(exits.OK, exits.PARTIAL)
    assert "ordres" in result.out + result.err
    tailrace.exact(server, database, tables={"orders"})


def test_two_databases_with_one_name_each(server, make_database, tailrace):
    first, second = make_database(server, "a"), make_database(server, "b")
    for i, database in enumerate((first, second)):
        server.run(f"CREATE TABLE {database}.same (id INT NOT NULL PRIMARY KEY, v INT)",
                   f"INSERT INTO {database}.same VALUES (1, {i})")
    server.run(f"CREATE TABLE {first}.lone (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {first}.lone VALUES (5)")
    tailrace.sync(server.url(first, second)).expect(exits.OK)
    tailrace.exact(server, first, second)


def test_system_databases_are_not_copied(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    result = tailrace.run("discover", server.url(), "--json").expect(exits.OK)
    assert f'"{database}"' in result.out
    for system in ("information_schema", "performance_schema"):
        assert f'"{system}"' not in result.out


def test_tables_that_are_not_copied_any_more_are_named(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    tailrace.sync(server.url(database)).expect(exits.OK)
    server.run(f"DROP TABLE `{database}`.customers")
    result = tailrace.sync(server.url(database), "--exclude", f"{database}.Mixed").expect(exits.OK)
    assert "customers" in result.err and "no such table" in result.err
    rows = {r["table"]: r for r in tailrace.run("report", "x", "--json").expect(exits.OK).json["streams"]}
    assert rows["customers"]["state"] == "gone"
    assert rows["Mixed"]["state"] == "not selected"
    with tailrace.opened() as copy:
        assert {"customers", "Mixed"} <= set(copy.tables("x"))


def test_a_pattern_that_names_nothing_is_in_the_report(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    tailrace.sync(server.url(database), "--tables", f"{database}.orders,nope.*").expect(exits.PARTIAL)
    rows = {r["table"]: r for r in tailrace.run("report", "x", "--json").expect(exits.OK).json["streams"]}
    assert rows["nope.*"]["state"] == "unmatched" and rows["nope.*"]["error"]
