"""Options of single tables as commands: select --method, --key, ..., --unset, all, --check-key."""
import pytest

from support import exits


def make(server, database):
    server.run(f"CREATE TABLE `{database}`.orders (id INT NOT NULL PRIMARY KEY, Updated_At DATETIME, note TEXT, ratio DOUBLE)",
               f"INSERT INTO `{database}`.orders VALUES (1, '2024-01-01', 'a', 1), (2, '2024-01-02', NULL, 2)",
               f"CREATE TABLE `{database}`.items (id INT NOT NULL PRIMARY KEY, secret INT)",
               f"CREATE VIEW `{database}`.sums AS SELECT id, note, 1 AS one FROM `{database}`.orders")


@pytest.fixture
def shop(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    tailrace.sync(server.url(database)).expect(exits.OK)
    return database


def shown(tailrace, table):
    return next(t for t in tailrace.run("select", "x", "--json").expect(exits.OK).json if t["table"] == table)


def stream(tailrace, table):
    """What is said of the table, as integration show has it."""
    streams = tailrace.run("integration", "show", "x", "--json").expect(exits.OK).json["streams"]
    return next((s for s in streams if s["table"] == table), None)


def test_a_method_per_table_over_the_integrations_default(tailrace, shop):
    assert (shown(tailrace, "orders")["method"], shown(tailrace, "orders")["key"]) == ("full", None)
    answer = tailrace.run("select", "x", "orders", "--method", "key", "--key", "UPDATED_at", "--from=2024-01-01",
                          "--look-back", "10min", "--load=append", "--sweep", "--where", "id > 0").expect(exits.OK)
    assert f"x: table {shop}.orders, option key: (none) -> Updated_At\n" in answer.out  # as the source spells it
    assert stream(tailrace, "orders") == {
        "database": shop, "table": "orders", "selected": None, "columns": [],
        "options": {"method": "key", "key": "Updated_At", "from": "2024-01-01", "look_back": "10min", "where": "id > 0",
                    "load": "append", "sweep": "yes"}}
    assert (shown(tailrace, "orders")["method"], shown(tailrace, "orders")["key"]) == ("key", "Updated_At")
    assert shown(tailrace, "items")["method"] == "full"
    table = tailrace.run("select", "x").expect(exits.OK).out
    assert table.splitlines()[0].split() == ["table", "selected", "method", "key", "columns", "why"]
    assert "Updated_At" in table


def test_the_replication_key_and_a_declared_key_are_always_copied(tailrace, shop):
    tailrace.run("select", "x", "orders", "updated_at", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "orders", "--method=key", "--key=updated_at").expect(exits.OK)
    tailrace.run("select", "x", "sums", "--view-key=id").expect(exits.OK)
    why = {c["name"]: (c["selected"], c["why"]) for t in ("orders", "sums") for c in shown(tailrace, t)["columns"]}
    assert why["Updated_At"] == (True, "the replication key")
    assert why["id"] == (True, "part of the declared key")
    tailrace.run("select", "x", "orders", "updated_at", "--deselect").fails(exits.CONFIG, "cannot be left out", "replication key")
    tailrace.run("select", "x", "sums", "id", "--deselect").fails(exits.CONFIG, "cannot be left out", "declared key")
    tailrace.run("select", "x", "items", "id", "--deselect").fails(exits.CONFIG, "cannot be left out", "part of the key")


def test_a_table_that_the_integrations_key_does_not_fit_says_so(server, tailrace, shop):
    tailrace.sync(server.url(shop), "--method=key", "--key=updated_at")
    assert shown(tailrace, "orders")["why"] == "every table is copied"
    assert shown(tailrace, "items")["why"] == "fails: option 'key': 'items' has no column 'updated_at'"


def test_options_are_taken_back(tailrace, shop):
    tailrace.run("select", "x", "orders", "--method=key", "--key=id", "--no-sweep").expect(exits.OK)
    tailrace.run("select", "x", "orders", "--unset", "method,sweep").expect(exits.OK)
    assert stream(tailrace, "orders")["options"] == {"key": "id"}
    tailrace.run("select", "x", "orders", "--unset", "keys").fails(exits.CONFIG, "no option 'keys'")
    tailrace.run("select", "x", "orders", "--unset", "key").expect(exits.OK)
    assert stream(tailrace, "orders") is None


@pytest.mark.parametrize("args, words", [
    (["orders", "--method", "key"], ["method", "no option 'key'"]),
    (["orders", "--method", "key", "--key", "nothing"], ["option 'key'", "no column 'nothing'"]),
    (["orders", "--method", "key", "--key", "note"], ["option 'key'", "'note' cannot be a replication key"]),
    (["orders", "--method", "key", "--key", "ratio"], ["option 'key'", "'ratio' cannot be a replication key"]),
    (["orders", "--method", "key", "--key", "id", "--from", "soon"], ["option 'from'", "soon"]),
    (["orders", "--method", "key", "--key", "updated_at", "--from", "2024-13-01"], ["option 'from'"]),
    (["orders", "--where", "nothing = 1"], ["option 'where'", "nothing"]),
    (["orders", "--where", "id = 1) OR (1 = 1"], ["option 'where'"]),
    (["orders", "--view-key", "id"], ["option 'view_key'", "is no view"]),
    (["sums", "--view-key", "id,nothing"], ["option 'view_key'", "no column 'nothing'"]),
    (["sums", "--view-key", "id,ID"], ["option 'view_key'", "twice"]),
    (["sums", "--check-key"], ["no key is declared"]),
    (["sums", "--view-key", "one", "--check-key"], ["the key declared for 'sums' is none"]),
    (["sums", "--view-key", "note", "--check-key"], ["the key declared for 'sums' is none"]),
    (["nothing", "--method", "full"], ["no table"]),
])
def test_what_the_source_cannot_do_is_refused_and_changes_nothing(tailrace, shop, args, words):
    before = tailrace.run("export").out
    tailrace.run("select", "x", *args).fails(exits.CONFIG, *words, hint=False)
    assert tailrace.run("export").out == before


def test_the_declared_key_of_a_view_is_checked_on_request(tailrace, shop):
    answer = tailrace.run("select", "x", "sums", "--view-key", "ID", "--check-key").expect(exits.OK)
    assert "unique and never NULL" in answer.out
    assert stream(tailrace, "sums") == {"database": shop, "table": "sums", "selected": True, "columns": [],
                                        "options": {"view_key": "id"}}
    assert tailrace.run("select", "x", "sums", "--check-key", "--json").expect(exits.OK).json["changes"] == []


@pytest.mark.parametrize("args", [["or*", "--method", "full"], ["orders", "id", "--method", "full"], ["all", "--method", "full"],
                                  ["orders", "--deselect", "--method", "full"], ["--method", "full"],
                                  ["orders", "--show", "--load", "append"], ["sums", "--check-key", "--offline"],
                                  ["orders", "--method", "logs"], ["orders", "--look-back", "5"]])
def test_options_are_said_of_one_table_by_name(tailrace, shop, args):
    before = tailrace.run("export").out
    tailrace.run("select", "x", *args).expect(exits.USAGE)
    assert tailrace.run("export").out == before


def test_a_deselected_table_is_selected_by_its_options_and_a_selected_one_stays_as_it_was(tailrace, shop):
    tailrace.run("select", "x", "orders", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "orders", "--load", "append").expect(exits.OK)
    assert stream(tailrace, "orders")["selected"] is True
    tailrace.run("select", "x", f"{shop}.items", "--load", "append", "--offline").expect(exits.OK)
    assert stream(tailrace, "items")["selected"] is None


def test_select_all_in_one_word(server, tailrace, shop):
    tailrace.sync(server.url(shop), "--tables", "orders", "--exclude-columns", "ratio", "--new-columns=ignore",
                  "--method=auto").expect(exits.OK)
    server.run(f"ALTER TABLE `{shop}`.orders ADD COLUMN late INT")
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.run("select", "x", "orders", "note", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "orders", "--method=key", "--key=id").expect(exits.OK)
    tailrace.run("select", "x", "items", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "sums").expect(exits.OK)
    tailrace.run("select", "x", "all").expect(exits.OK)
    listed = {t["table"]: t for t in tailrace.run("select", "x", "--json").expect(exits.OK).json}
    assert {t: listed[t]["selected"] for t in listed} == {"orders": True, "items": True, "sums": False}
    assert all(c["selected"] for t in ("orders", "items") for c in listed[t]["columns"])
    assert (listed["orders"]["method"], listed["orders"]["key"]) == ("key", "id")  # methods already set stay


def test_select_all_wants_the_method_auto(server, tailrace, shop):
    tailrace.sync(server.url(shop), "--method", "full").expect(exits.OK)
    before = tailrace.run("export").out
    tailrace.run("select", "x", "all").fails(exits.CONFIG, "only while the integration's method is 'auto'")
    tailrace.run("select", "x", "all", "--deselect").fails(exits.CONFIG, "goes with")
    assert tailrace.run("export").out == before
