"""Column selection and integrations as data: select, apply, export, integration."""
import time

import pytest

from support import exits
from support.program import Program

SECRET = "marked-5f2c9a"


def make(server, database):
    server.run(f"CREATE TABLE `{database}`.customers (id INT NOT NULL PRIMARY KEY, name VARCHAR(50), phone VARCHAR(50), n INT)",
               f"INSERT INTO `{database}`.customers VALUES (1, 'ada', '{SECRET}', 7), (2, 'bob', '{SECRET}', NULL)",
               f"CREATE TABLE `{database}`.orders (id INT NOT NULL PRIMARY KEY, total INT)",
               f"INSERT INTO `{database}`.orders VALUES (10, 100)")


def columns(tailrace, table, schema="x"):
    return [c for c, in tailrace.rows("SELECT column_name FROM duckdb_columns() WHERE schema_name = "
                                      f"'{schema}' AND table_name = '{table}' AND NOT starts_with(column_name, '_sdc') "
                                      "ORDER BY column_index")]


def sync(tailrace, server, database, *args):
    # kept and not compressed, so that the spool's bytes can be searched
    return tailrace.sync(server.url(database), "--spool-keep=1h", "--codec=null", *args).expect(exits.OK)


def bytes_of_spool(tailrace):
    files = [p for p in (tailrace.data / "spool").rglob("*") if p.is_file() and p.name != "lock"]
    assert files
    return b"".join(p.read_bytes() for p in files)


def test_a_deselected_column_is_read_nowhere(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    result = sync(tailrace, server, database, "--exclude-columns", "phone")
    assert columns(tailrace, "customers") == ["id", "name", "n"]
    assert tailrace.rows("SELECT id, name, n FROM x.customers ORDER BY id") == [(1, "ada", 7), (2, "bob", None)]
    spool = bytes_of_spool(tailrace)
    assert b"ada" in spool, "the search would find nothing"
    assert SECRET.encode() not in spool and b"phone" not in spool
    assert SECRET.encode() not in tailrace.copy.read_bytes()
    assert SECRET not in result.out + result.err + tailrace.run("logs", "x").expect(exits.OK).out


def test_select_takes_effect_with_the_next_run_and_back(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    sync(tailrace, server, database)
    assert columns(tailrace, "customers") == ["id", "name", "phone", "n"]
    changed = tailrace.run("select", "x", "customers", "phone", "--deselect").expect(exits.OK)
    assert f"table {database}.customers, column phone: by the rules -> left out" in changed.out
    assert tailrace.rows("SELECT count(phone) FROM x.customers") == [(2,)], "it must wait for the run"
    for _ in range(2):  # NULL and there, however many copies follow
        tailrace.run("run", "x").expect(exits.OK)
        assert columns(tailrace, "customers") == ["id", "name", "n", "phone"]
        assert tailrace.rows("SELECT id, name, n, phone FROM x.customers ORDER BY id") == [
            (1, "ada", 7, None), (2, "bob", None, None)]
    tailrace.run("select", "x", "customers", "phone").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database)


def test_a_column_of_a_promoted_type_stays_with_its_type(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE `{database}`.t (id INT NOT NULL PRIMARY KEY, f TINYINT(1), v DECIMAL(12,3))",
               f"INSERT INTO `{database}`.t VALUES (1, 1, 1.5), (2, 7, 2.5)")
    sync(tailrace, server, database)
    kinds = "SELECT DISTINCT typeof(f), typeof(v) FROM x.t"
    before = tailrace.rows(kinds)
    tailrace.run("select", "x", "t", "f", "v", "--deselect").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows(kinds) == before
    assert tailrace.rows("SELECT f, v FROM x.t") == [(None, None)] * 2


def test_key_columns_are_automatic(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    sync(tailrace, server, database)
    tailrace.run("select", "x", "customers", "id", "--deselect").fails(exits.CONFIG, "part of the key")
    tailrace.run("select", "x", "customers", "*", "--deselect").expect(exits.OK)
    shown = tailrace.run("select", "x", "customers", "--show", "--json").expect(exits.OK).json[0]["columns"]
    assert {c["name"]: (c["selected"], c["why"]) for c in shown} == {
        "id": (True, "part of the key"), **{n: (False, "deselected by '*'") for n in ("name", "phone", "n")}}
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT id, name, phone, n FROM x.customers ORDER BY id") == [(1, None, None, None), (2, None, None, None)]


def test_an_unsupported_column_cannot_be_selected_and_says_why(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    user = f"narrow_{database[-12:]}"
    server.run(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'",
               f"GRANT SELECT (id, name, n), INSERT (phone) ON `{database}`.customers TO '{user}'@'%'")
    try:
        url = server.url(database, user=user)
        tailrace.sync(url, "--tables", "customers").expect(exits.OK)
        assert columns(tailrace, "customers") == ["id", "name", "n"]
        shown = tailrace.run("select", "x", "customers", "--show", "--json").expect(exits.OK).json[0]["columns"]
        assert [c["why"] for c in shown if not c["selected"]] == [
            "unsupported: The account has no SELECT privilege on column 'phone'."]
        tailrace.run("select", "x", "customers", "phone").fails(exits.CONFIG, "cannot be selected", "no SELECT privilege")
    finally:
        server.run(f"DROP USER '{user}'@'%'")


def test_a_typing_error_changes_nothing(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    sync(tailrace, server, database)
    before = tailrace.run("export").out
    tailrace.run("select", "x", "custmers", "--deselect").fails(exits.CONFIG, "no table")
    tailrace.run("select", "x", "customers", "phon", "--deselect").fails(exits.CONFIG, "no column")
    tailrace.run("select", "x", "nothing_*", "--deselect").fails(exits.CONFIG, "no table")
    tailrace.run("select", "x", "customers", "--deselect", "--forget").expect(exits.USAGE)
    assert tailrace.run("export").out == before


def test_a_rule_that_names_nothing_is_said_by_the_run(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    result = sync(tailrace, server, database, "--exclude-columns", "phone,customers.phnoe")
    assert "names nothing" in result.err and "customers.phnoe" in result.err


def test_selecting_a_table_selects_its_columns_and_deselecting_keeps_its_data(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    server.run(f"CREATE VIEW `{database}`.sums AS SELECT id, total FROM `{database}`.orders")
    sync(tailrace, server, database, "--tables", f"{database}.customers")
    assert [t["selected"] for t in tailrace.run("select", "x", "--json").expect(exits.OK).json] == [True, False, False]
    tailrace.run("select", "x", "orders").expect(exits.OK)
    tailrace.run("select", "x", f"{database}.sums").expect(exits.OK)
    tailrace.run("select", "x", "customers", "--deselect").expect(exits.OK)
    server.run(f"DELETE FROM `{database}`.customers", f"INSERT INTO `{database}`.orders VALUES (11, 5)")
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT count(*) FROM x.customers") == [(2,)]
    assert tailrace.rows("SELECT count(*) FROM x.sums") == [(2,)]
    tailrace.exact(server, database, tables={"orders"})


def test_all_tables_excludes_views(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    server.run(f"CREATE VIEW `{database}`.sums AS SELECT id, total FROM `{database}`.orders")
    sync(tailrace, server, database, "--tables", "orders")
    tailrace.run("select", "x", "*").expect(exits.OK)
    listed = tailrace.run("select", "x", "--json").expect(exits.OK).json
    assert {t["table"]: t["selected"] for t in listed} == {"customers": True, "orders": True, "sums": False}
    assert [t["why"] for t in listed if t["table"] == "sums"] == ["a view, copied only when named"]


@pytest.mark.parametrize("option, joins", [("select", True), ("ignore", False)])
def test_a_new_column_of_a_selected_table(server, make_database, tailrace, option, joins):
    database = make_database(server)
    make(server, database)
    sync(tailrace, server, database, "--new-columns", option)
    server.run(f"ALTER TABLE `{database}`.orders ADD COLUMN note VARCHAR(20) DEFAULT 'x'")
    for _ in range(2):
        tailrace.run("run", "x").expect(exits.OK)
        assert columns(tailrace, "orders") == ["id", "total"] + (["note"] if joins else [])
    tailrace.run("select", "x", "orders", "note").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database)


def test_new_tables_join_by_pattern_and_not_by_name(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    sync(tailrace, server, database, "--tables", f"{database}.order*,{database}.customers")
    server.run(f"CREATE TABLE `{database}`.order_items (id INT NOT NULL PRIMARY KEY)",
               f"CREATE TABLE `{database}`.customers_2 (id INT NOT NULL PRIMARY KEY)")
    tailrace.run("run", "x").expect(exits.OK)
    with tailrace.opened() as copy:
        assert {t for t in copy.tables("x") if not t.startswith("_sdc_")} == {"orders", "order_items", "customers"}


# --- files


ONE_TABLE = [["method: key", "key: updated_at", "from: '2024-01-01'", "look_back: 10min", "where: \"a > 'x: #'\""],
             ["method: key", "key: id", "from: 7", "look_back_units: 50", "sweep: yes"], ["load: append"], ["method: auto"],
             ["view_key: 'a, b'", "sweep: no", "method: full"], []]


def options_of(i):
    options = ONE_TABLE[i % len(ONE_TABLE)]
    return ["        options:"] + ["          " + o for o in options] if options else []


def many(count):
    lines = ["integrations:"]
    for name in ("one", "two"):
        lines += [f"  - name: {name}", "    source: mysql://u@h/d", "    destination: duckdb:/nowhere/x.duckdb",
                  "    options:", "      exclude_columns: secret", "    streams:"]
        for i in range(count // 2):
            lines += [f"      - database: d{i % 7}", f"        table: \"t {i}: x\"", f"        selected: {'true' if i % 3 else 'false'}",
                      *options_of(i), "        columns:", f"          c{i}: false", "          \"tmp_*\": false", "          keep: true"]
    return "\n".join(lines) + "\n"


def test_apply_and_export_round_trip_on_500_streams(tailrace):
    path = tailrace.folder / "many.yaml"
    path.write_text(many(500))
    start = time.monotonic()
    dry = tailrace.run("apply", path, "--dry-run").expect(exits.OK)
    assert tailrace.run("integration", "list", "--json").expect(exits.OK).json == []
    first = tailrace.run("apply", path).expect(exits.OK)
    assert dry.out.startswith(first.out)
    said = sum(len(ONE_TABLE[i % len(ONE_TABLE)]) for i in range(250))
    assert first.out.count("\n") == 2 * (4 + 250 * 4 + said)
    assert "one: table d0.t 0: x, option where: (none) -> a > 'x: #'\n" in first.out
    assert tailrace.run("apply", path).expect(exits.OK).out == "nothing changes\n"
    exported = tailrace.run("export").expect(exits.OK).out
    path.write_text(exported)
    assert tailrace.run("apply", path).expect(exits.OK).out == "nothing changes\n"
    assert tailrace.run("export", "one", "two").expect(exits.OK).out == exported
    # into an empty data directory: the same bytes
    elsewhere = Program(tailrace.binary, tailrace.folder / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.run("apply", path).expect(exits.OK)
    assert elsewhere.run("export").expect(exits.OK).out == exported
    assert elsewhere.run("apply", path).expect(exits.OK).out == "nothing changes\n"
    assert time.monotonic() - start < 20
    listed = tailrace.run("integration", "list", "--json").expect(exits.OK).json
    assert [i["name"] for i in listed] == ["one", "two"]


def test_a_wrong_file_says_where_and_changes_nothing(tailrace):
    path = tailrace.folder / "many.yaml"
    path.write_text(many(500))
    tailrace.run("apply", path).expect(exits.OK)
    before = tailrace.run("export").expect(exits.OK).out
    lines = many(500).replace("exclude_columns: secret", "exclude_columns: other").split("\n")
    lines[-4] = lines[-4].replace("false", "maybe")
    column = lines[-4].index("maybe") + 1
    path.write_text("\n".join(lines))
    tailrace.run("apply", path).fails(exits.CONFIG, f"{path}:{len(lines) - 3}:{column}: expected true or false", hint=False)
    assert tailrace.run("export").expect(exits.OK).out == before
    # found only when it is applied: a name whose schema another one has, behind one that could be changed
    path.write_text(many(500).replace("exclude_columns: secret", "exclude_columns: other", 1)
                    + "  - name: One\n    source: mysql://u@h/d\n    destination: duckdb:/nowhere/x.duckdb\n")
    place = path.read_text().split("\n").index("  - name: One") + 1
    tailrace.run("apply", path).fails(exits.CONFIG, f"{path}:{place}:11: ", "has the destination schema 'one' already")
    assert tailrace.run("export").expect(exits.OK).out == before


# What stands in the file of many(), what in its place (^ before what is complained of), what was expected.
MISTAKES = [("name: two", "name: ^one", "expected another name"),
            ("source: mysql", "source: ^7\n    sources: mysql", "expected the URL of a source"),
            ("    destination:", "    ^destinations:", "expected one of name, source"),
            ("exclude_columns: secret", "^exclude_colums: secret", "expected one that"),
            ("exclude_columns: secret", "exclude_columns: ^[secret]", "lists are written with commas"),
            ("exclude_columns: secret", "new_columns: ^maybe", "'select' or 'ignore' was expected"),
            ("table: \"t 0: x\"", "table: ^5", "put it in quotes"),
            ("selected: true", "selected: ^1", "expected true or false"),
            ("method: key", "method: ^logs", "'auto', 'full', 'key' or 'log' was expected"),
            ("key: updated_at", "^keys: updated_at", "unknown option 'keys'"),
            ("key: updated_at", "^tables: updated_at", "unknown option 'tables'"),
            ("look_back: 10min", "look_back: ^10", "us, ms, s, min, h or d was expected"),
            ("look_back_units: 50", "look_back_units: ^-1", "at least 0 was expected"),
            ("sweep: yes", "sweep: ^maybe", "'true' or 'false' was expected"),
            ("load: append", "load: append\n          ^load: mirror", "stands here twice"),
            ("          keep: true", "          ^tmp_*: true", "stands here twice"),
            ("        options:", "       ^  options:", "expected YAML"),
            ("    streams:", "    streams: ^{}\n    stream:", "expected a list of streams")]


@pytest.mark.parametrize("there, mistake, expected", MISTAKES)
def test_every_mistake_in_a_file_has_its_place_and_changes_nothing(tailrace, there, mistake, expected):
    path = tailrace.folder / "f.yaml"
    path.write_text(many(20))
    tailrace.run("apply", path).expect(exits.OK)
    before = tailrace.run("export").out
    wrong = many(20).replace("/nowhere/x", "/elsewhere/x").replace(there, mistake, 1)
    assert "^" in wrong
    head = wrong[:wrong.index("^")].split("\n")
    path.write_text(wrong.replace("^", "", 1))
    result = tailrace.run("apply", path).fails(exits.CONFIG, expected, hint=False)
    if "YAML" not in expected:  # there the parser says where it noticed
        assert f"{path}:{len(head)}:{len(head[-1]) + 1}: " in result.err, result.err
    assert tailrace.run("export").out == before


def test_what_does_not_fit_together_names_the_table_and_its_place(tailrace):
    path = tailrace.folder / "f.yaml"
    path.write_text(many(20).replace("          key: updated_at\n", ""))
    tailrace.run("apply", path).fails(exits.CONFIG, f"{path}:8:9: table 'd0.t 0: x': option 'method' is 'key'")
    assert tailrace.run("integration", "list", "--json").json == []
    # an integration's key is the key of all its tables
    path.write_text(many(20).replace("          key: updated_at\n", "").replace("exclude_columns: secret", "key: id"))
    tailrace.run("apply", path).expect(exits.OK)


def test_a_password_stands_in_no_file(tailrace):
    path = tailrace.folder / "f.yaml"
    path.write_text("integrations:\n- name: a\n  source: mysql://u:s3cr3t-w0rd@h/d\n  destination: duckdb:/x\n")
    tailrace.run("apply", path).fails(exits.CONFIG, ":3:11: expected a URL without a password")
    tailrace.run("apply", tailrace.folder / "missing.yaml").fails(exits.CONFIG, "missing.yaml")


def test_an_applied_integration_runs_and_an_export_of_sync_applies_elsewhere(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    sync(tailrace, server, database, "--exclude-columns", "phone")
    path = tailrace.folder / "x.yaml"
    path.write_text(tailrace.run("export", "x").expect(exits.OK).out)
    assert tailrace.run("apply", path).expect(exits.OK).out == "nothing changes\n"
    tailrace.run("integration", "rm", "x").expect(exits.OK)
    tailrace.run("apply", path).expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert columns(tailrace, "customers") == ["id", "name", "n"]
    tailrace.exact(server, database, tables={"orders"})


def test_integration_rm_keeps_or_drops_the_data(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    for name in ("x", "y"):
        tailrace.sync(server.url(database), name=name).expect(exits.OK)
    tailrace.run("integration", "rm", "x").expect(exits.OK)
    assert [i["name"] for i in tailrace.run("integration", "list", "--json").json] == ["y"]
    tailrace.run("integration", "show", "x").fails(exits.CONFIG, "no integration")
    assert not (tailrace.data / "spool" / "x").exists()
    tailrace.exact(server, database, name="x")
    tailrace.run("integration", "rm", "y", "--data").expect(exits.OK)
    assert tailrace.rows("SELECT schema_name FROM duckdb_schemas() WHERE schema_name IN ('x', 'y')") == [("x",)]
    assert tailrace.rows("SELECT DISTINCT integration FROM _tailrace.stream") == [("x",)]
    tailrace.sync(server.url(database), name="x").expect(exits.OK)  # the name can be had again
    tailrace.exact(server, database, name="x")


def test_integration_rm_refuses_while_it_runs(server, make_database, tailrace, fill):
    database = make_database(server)
    fill(server, database, "t", 20000)
    p = tailrace.start(*tailrace.sync_args(server.url(database), "--source-rate=500kB"))
    lock = tailrace.data / "spool" / "x" / "lock"
    end = time.monotonic() + 30
    while not lock.exists() or not lock.read_text().strip():
        assert time.monotonic() < end
        time.sleep(0.05)
    tailrace.run("integration", "rm", "x").fails(exits.LIMIT, "is running")
    p.kill()
    p.wait(10)
    tailrace.run("integration", "rm", "x", "--data").expect(exits.OK)
    assert tailrace.run("integration", "list", "--json").expect(exits.OK).json == []
