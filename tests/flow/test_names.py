"""Names: whatever the source calls its databases, tables and columns, each has one name in the copy, keeps it, and holds
its own values. (Identifiers of MySQL and MariaDB are of the Basic Multilingual Plane: an emoji cannot be one.)"""
import os
import re
from urllib.parse import quote

import pytest

from support import exits
from support.source import ident

PID = os.getpid()
DATABASES = [f'quo"te tick`s {PID}', f"dot.and, comma's {PID}", f"1st-ünïcode日本 {PID}", f"{PID}_".ljust(64, "x")]
TABLES = ['say "x"', "tick`s", "it's", "with space", "dot.ted", "a,b", "ünïcode", "日本", "☃", "9lives", "x" * 64, "%s",
          "back\\slash", "semi;colon", "-- comment", "/* more", "star*", "what?", "#hash", "$dollar", "{brace}", "new\nline",
          "a\ttab",
          # reserved: in MySQL, in DuckDB, in both, and DuckDB's own schemas and columns
          "rank", "pivot", "qualify", "select", "group", "main", "temp", "rowid", "null"]
COLUMNS = ['say "x"', "tick`s", "it's", "with space", "dot.ted", "a,b", "ünïcode", "日本", "☃", "9lives", "x" * 64, "ü" * 64,
           "%s", "back\\slash", "semi;colon", "-- comment", "star*", "$dollar", "new\nline", "1", "rank", "pivot", "qualify",
           "select", "group", "lateral", "rowid", "null", "default", "true", "_op", "_seq", "_ms", "_absent", "_before", "_sdc_sequence",
           "_SDC_table_version", "_sdc_deleted_at", "__sdc_primary_key", "_sdc_", "Mixed"]


def url(server, *databases):
    return server.url(*(quote(d, safe="") for d in databases))


@pytest.fixture
def databases():
    """A function (server, names) that makes databases of these very names; they go at the end."""
    made = []

    def make(server, *names):
        for name in names:
            made.append((server, name))
            server.run(f"DROP DATABASE IF EXISTS {ident(name)}", f"CREATE DATABASE {ident(name)} CHARACTER SET utf8mb4")
        return names

    yield make
    for server, name in made:
        server.run(f"DROP DATABASE IF EXISTS {ident(name)}")


def text(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def telling(server, database, *tables):
    """Tables whose one row says which they are: one in another's place is seen."""
    for name in tables:
        server.run(f"CREATE TABLE {ident(database)}.{ident(name)} (id INT NOT NULL PRIMARY KEY, who TEXT)",
                   f"INSERT INTO {ident(database)}.{ident(name)} VALUES (1, {text(database + ' ' + name)})")


def numbered(server, database, table, columns, first=1):
    """A table whose column number n holds n."""
    of = f"{ident(database)}.{ident(table)}"
    server.run(f"CREATE TABLE {of} (id INT NOT NULL PRIMARY KEY, {', '.join(ident(c) + ' INT' for c in columns)})",
               f"INSERT INTO {of} VALUES (0, {', '.join(str(first + i) for i in range(len(columns)))})")


def own(tailrace, schema="x"):
    with tailrace.opened() as copy:
        return {t for t in copy.tables(schema) if t != "_sdc_rejected"}


def shape(tailrace, table, schema="x"):
    with tailrace.opened() as copy:
        return [n for n, _ in copy.columns(schema, table) if not n.startswith("_sdc_") or n[-1].isdigit()]


# --- whatever they are ------------------------------------------------------------------------------

def test_nasty_databases_with_nasty_tables_are_exact_run_after_run(newest_server, databases, tailrace):
    names = databases(newest_server, *DATABASES)
    for i, database in enumerate(names):  # a table name is found in one database only
        telling(newest_server, database, *TABLES[i::len(names)])
    tailrace.sync(url(newest_server, *names)).expect(exits.OK)
    for _ in range(2):
        tailrace.exact(newest_server, *names)
        assert own(tailrace) == set(TABLES)
        tailrace.run("run", "x").expect(exits.OK)


def test_a_nasty_table_in_two_nasty_databases_is_named_with_them(newest_server, databases, tailrace):
    names = databases(newest_server, *DATABASES[:2])
    for database in names:
        telling(newest_server, database, *TABLES[:10])
    tailrace.sync(url(newest_server, *names)).expect(exits.OK)
    tailrace.exact(newest_server, *names)
    assert own(tailrace) == {f"{d}__{t}" for d in names for t in TABLES[:10]}


def test_nasty_columns_are_made_legal_and_hold_their_own_values(newest_server, databases, tailrace):
    database, = databases(newest_server, DATABASES[0])
    numbered(newest_server, database, "t", COLUMNS)
    key = "9 \"k`é"
    newest_server.run(f"CREATE TABLE {ident(database)}.{ident('by nasty key')} ({ident(key)} INT NOT NULL, "
                     f"`k.2` VARCHAR(9) NOT NULL, v INT, PRIMARY KEY ({ident(key)}, `k.2`))",
                     f"INSERT INTO {ident(database)}.{ident('by nasty key')} VALUES (1,'a',1),(1,'b',2),(2,'a',3)")
    tailrace.sync(url(newest_server, database)).expect(exits.OK)
    for _ in range(2):
        tailrace.exact(newest_server, database)
        with tailrace.opened() as copy:
            columns = [n for n, _ in copy.columns("x", "t")]
            assert len({n.lower() for n in columns}) == len(columns)
            given = columns[1:len(COLUMNS) + 1]
            assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", n) for n in given)
            quoted = ", ".join(f'"{n}"' for n in given)
            assert copy.rows(f"SELECT {quoted} FROM x.t") == [tuple(range(1, len(COLUMNS) + 1))]
        tailrace.run("run", "x").expect(exits.OK)


def test_the_names_in_the_copy_are_shown_at_discovery(server, databases, tailrace):
    database, = databases(server, DATABASES[0])
    numbered(server, database, "t", ["a b", "a.b", "a_b", "4th", "_sdc_sequence"])
    answer = tailrace.run("discover", url(server, database), "--json").expect(exits.OK).json
    columns = answer["databases"][0]["tables"][0]["columns"]
    shown = {c["name"]: c["avro_name"] for c in columns}
    assert shown == {"id": "id", "a b": "a_b", "a.b": "a_b_2", "a_b": "a_b_3", "4th": "_th", "_sdc_sequence": "_sdc_sequence_2"}


def test_nasty_names_can_be_chosen_and_kept_as_text(server, databases, tailrace):
    database, = databases(server, DATABASES[1])
    telling(server, database, "dot.ted", "other")
    numbered(server, database, "it's", ["a b", "a.b", "4th"])
    tailrace.sync(url(server, database)).expect(exits.OK)
    tailrace.run("select", "x", f"{database}.it's", "a b", "4th", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "other", "--deselect").expect(exits.OK)
    listed = {t["table"]: t["selected"] for t in tailrace.run("select", "x", "--json").expect(exits.OK).json}
    assert listed == {"dot.ted": True, "other": False, "it's": True}
    file = tailrace.folder / "x.yaml"
    file.write_text(tailrace.run("export", "x").expect(exits.OK).out, encoding="utf-8")
    assert tailrace.run("apply", file).expect(exits.OK).out == "nothing changes\n"
    tailrace.run("reset", "x", f"{database}.dot.ted").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert tailrace.rows("SELECT a_b, a_b_2, _th FROM x.\"it's\"") == [(None, 2, None)]
    tailrace.exact(server, database, tables={"dot.ted", "other"})


# --- names that would be one ------------------------------------------------------------------------

def test_tables_that_differ_only_by_case_are_told_apart_and_stay(newest_server, databases, tailrace):
    """The copy's own names do not differ by case."""
    if newest_server.run("SELECT @@lower_case_table_names")[0][0] != 0:
        pytest.skip("this server has no tables that differ only by case")
    database, = databases(newest_server, f"by case {PID}")
    telling(newest_server, database, "Orders", "orders", "lone")
    tailrace.sync(url(newest_server, database)).expect(exits.OK)

    def who():
        with tailrace.opened() as copy:
            return {t: copy.rows(f"SELECT who FROM {copy.name('x', t)}")[0][0].rpartition(" ")[2]
                    for t in copy.tables("x") if t != "_sdc_rejected"}

    first = who()
    assert set(first.values()) == {"Orders", "orders", "lone"} and first["lone"] == "lone"
    assert {t.lower() for t in first} == {"lone", f"{database}__orders", f"{database}__orders_2"}
    # A third of them takes no name away.
    telling(newest_server, database, "ORDERS")
    tailrace.run("run", "x").expect(exits.OK)
    third = who()
    assert {t: w for t, w in third.items() if w != "ORDERS"} == first
    assert [t.lower() for t, w in third.items() if w == "ORDERS"] == [f"{database}__orders_3"]
    newest_server.run(f"DROP TABLE {ident(database)}.Orders")
    tailrace.run("run", "x").expect(exits.OK)
    assert who() == third, "a table that is gone keeps its name and its rows"


def test_a_table_called_as_a_database_and_a_table_of_it(server, databases, tailrace):
    """first.same and second.same become first__same and second__same; one of these names is a table's own."""
    first, second = databases(server, f"one_{PID}", f"two_{PID}")
    telling(server, first, "same", f"{second}__same")
    telling(server, second, "same")
    tailrace.sync(url(server, first, second)).expect(exits.OK)
    for _ in range(2):
        with tailrace.opened() as copy:
            who = {t: copy.rows(f"SELECT who FROM {copy.name('x', t)}")[0][0] for t in own(tailrace)}
        assert sorted(who.values()) == sorted([f"{first} same", f"{first} {second}__same", f"{second} same"])
        assert who[f"{first}__same"] == f"{first} same"
        assert set(who) == {f"{first}__same", f"{second}__same", f"{second}__same_2"}
        tailrace.run("run", "x").expect(exits.OK)


def test_columns_that_become_equal_keep_their_names_when_others_come_and_go(newest_server, databases, tailrace):
    database, = databases(newest_server, f"columns {PID}")
    numbered(newest_server, database, "t", ["a b", "a.b", "a_b", "a-b", "A/B", "4th", "5th"])
    of = f"{ident(database)}.t"
    names = ["id", "a_b", "a_b_2", "a_b_3", "a_b_4", "A_B_5", "_th", "_th_2"]

    def values(*columns):
        return tailrace.rows(f"SELECT {', '.join(columns)} FROM x.t")[0]

    tailrace.sync(url(newest_server, database)).expect(exits.OK)
    assert shape(tailrace, "t") == names
    assert values(*names) == (0, 1, 2, 3, 4, 5, 6, 7)
    # One that goes gives its name to nobody: not to those behind it, not to a new one.
    newest_server.run(f"ALTER TABLE {of} DROP COLUMN `a.b`, DROP COLUMN `4th`, ADD COLUMN `a+b` INT DEFAULT 8, "
                     "ADD COLUMN `6th` INT DEFAULT 9")
    for _ in range(2):
        tailrace.run("run", "x").expect(exits.OK)
        assert values("a_b", "a_b_3", "a_b_4", "A_B_5", "_th_2", "a_b_6", "_th_3") == (1, 3, 4, 5, 7, 8, 9)
        assert not {"a_b_2", "_th"} & set(shape(tailrace, "t"))
    # Back again they have the names they had.
    newest_server.run(f"ALTER TABLE {of} ADD COLUMN `4th` INT DEFAULT 10 FIRST, "
                     "ADD COLUMN `a.b` INT DEFAULT 11 FIRST, DROP COLUMN `a b`")
    for _ in range(2):
        tailrace.run("run", "x").expect(exits.OK)
        assert values("a_b_2", "_th", "a_b_3", "a_b_4", "A_B_5", "_th_2", "a_b_6", "_th_3") == (11, 10, 3, 4, 5, 7, 8, 9)
        assert "a_b" not in shape(tailrace, "t")
    newest_server.run(f"ALTER TABLE {of} ADD COLUMN `a b` INT DEFAULT 12")
    tailrace.run("run", "x").expect(exits.OK)
    assert values("a_b", "a_b_3") == (12, 3)


def test_columns_called_as_system_columns_are_told_apart(newest_server, databases, tailrace):
    database, = databases(newest_server, f"system {PID}")
    names = ["_sdc_sequence", "_SDC_Extracted_At", "_sdc_table_version", "_op", "__sdc_primary_key", "_sdc_mine"]
    numbered(newest_server, database, "t", names)
    newest_server.run(f"CREATE TABLE {ident(database)}.keyless (__sdc_primary_key INT, _sdc_deleted_at INT)",
                     f"INSERT INTO {ident(database)}.keyless VALUES (1, 2), (1, 2)")
    tailrace.sync(url(newest_server, database)).expect(exits.OK)
    tailrace.exact(newest_server, database)
    assert tailrace.rows("SELECT _sdc_sequence_2, _SDC_Extracted_At_2, _sdc_table_version_2, _op_2, __sdc_primary_key_2, "
                         "_sdc_mine_2 FROM x.t") == [(1, 2, 3, 4, 5, 6)]
    assert tailrace.rows("SELECT __sdc_primary_key_2, _sdc_deleted_at_2 FROM x.keyless") == [(1, 2)] * 2
    assert tailrace.rows("SELECT count(DISTINCT __sdc_primary_key) FROM x.keyless") == [(2,)]


def test_tables_called_as_ours_are_told_apart(newest_server, databases, tailrace):
    database, = databases(newest_server, f"ours_{PID}")
    telling(newest_server, database, "_tailrace_copy_1_x", "x", "_TAILRACE_COPY_2_x", "_sdc_rejected")
    # a row that is rejected, so that the table of that name is there
    newest_server.run(f"CREATE TABLE {database}.bad (id INT NOT NULL PRIMARY KEY, v VARCHAR(9) CHARACTER SET cp1251)",
                     f"INSERT INTO {database}.bad VALUES (1, _cp1251 X'98'), (2, 'good')")
    tailrace.sync(url(newest_server, database)).expect(exits.PARTIAL)
    tables = [f"{database}___tailrace_copy_1_x", "x", f"{database}___TAILRACE_COPY_2_x", "_sdc_rejected_2", "bad"]
    for _ in range(2):
        assert own(tailrace) == set(tables)
        assert tailrace.rows("SELECT DISTINCT _sdc_column FROM x._sdc_rejected") == [("v",)]
        given = {"_tailrace_copy_1_x": tables[0], "_TAILRACE_COPY_2_x": tables[2], "_sdc_rejected": tables[3]}
        tailrace.exact(newest_server, database, target=lambda t: given.get(t.name, t.name))
        tailrace.run("run", "x").expect(exits.PARTIAL)


# --- the schema -------------------------------------------------------------------------------------

@pytest.mark.parametrize("display, schema", [
    ("Stitch Amazon Aurora MySQL RDS", "stitch_amazon_aurora_mysql_rds"),
    ("2nd shop (EU) $", "_2nd_shop__eu___"[:-1] + "$"),
    ("Größe日本", "gr__e__"),
    ("!?", "__"),
    ("L" * 80, "l" * 49),
    ("select", "select"),
    ("Main", "main"),
], ids=lambda v: v[:20])
def test_the_schema_is_made_of_the_display_name(server, databases, tailrace, display, schema):
    database, = databases(server, f"display_{PID}")
    telling(server, database, "t")
    for _ in range(2):
        tailrace.sync(url(server, database), name=display).expect(exits.OK)
        assert own(tailrace, schema) == {"t"}
    listed = tailrace.run("integration", "list", "--json").expect(exits.OK).json
    assert [i["name"] for i in listed] == [display]


def test_display_names_that_become_one_schema_are_refused(server, databases, tailrace):
    database, = databases(server, f"display_{PID}")
    telling(server, database, "t")
    for first, second in (("Web Shop", "web-shop"), ("L" * 49 + "1", "L" * 49 + "2"), ("?", "!")):
        tailrace.sync(url(server, database), name=first).expect(exits.OK)
        tailrace.sync(url(server, database), name=second).fails(exits.CONFIG, first, "schema")
    assert len(tailrace.run("integration", "list", "--json").expect(exits.OK).json) == 3


def test_a_display_name_is_no_path(server, databases, tailrace):
    database, = databases(server, f"display_{PID}")
    telling(server, database, "t")
    for name in ("../up", "a/../../b", "..", "/tmp", "new\nline"):
        tailrace.sync(url(server, database), name=name).expect(exits.OK)
        tailrace.exact(server, database, name=name)
        tailrace.run("run", name).expect(exits.OK)
        assert all(p.name == "data" or p.name.startswith("out.duckdb") for p in tailrace.folder.iterdir())
        assert {p.name for p in tailrace.data.iterdir()} <= {"tailrace.db", "tailrace.db-wal", "tailrace.db-shm", "spool", "logs"}
    assert len(list((tailrace.data / "spool").iterdir())) == 5
