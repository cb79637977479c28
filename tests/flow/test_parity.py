"""What the hosted service whose work this program takes over does, line by line: discovery and selection, and Key-based
and Full Table replication. Each test is one line of that list; where ours differs, the test says how and why."""
import os
import signal

import pytest

from support import exits
from support.program import SMALL, wait_until

BY_KEY = ["--method=key", "--key=k", "--look-back-units=0"]


def selected(tailrace, pattern):
    """{table: {column: (selected, why)}} as the program tells programs."""
    listed = tailrace.run("select", "x", pattern, "--show", "--json").expect(exits.OK).json
    return {t["table"]: {c["name"]: (c["selected"], c["why"]) for c in t["columns"]} for t in listed}


def tables(tailrace):
    return {t["table"]: t["selected"] for t in tailrace.run("select", "x", "--json").expect(exits.OK).json}


def copied(tailrace, table="t"):
    with tailrace.opened() as copy:
        return [n for n, _ in copy.columns("x", table) if not n.startswith(("_sdc_", "__sdc_"))]


def again(tailrace, *args):
    return tailrace.run("run", "x", *args).expect(exits.OK)


def version(tailrace, table="t"):
    rows = tailrace.rows(f"SELECT DISTINCT _sdc_table_version FROM x.{table}")
    assert len(rows) == 1, rows
    return rows[0][0]


def of_report(tailrace, table="t"):
    streams = tailrace.run("report", "x", "--json").expect(exits.OK).json["streams"]
    return next(s for s in streams if s["table"] == table)


# --- discover and select: types ---------------------------------------------------------------------

# What the list names, and what it becomes.
LISTED = [
    ("bigint", "BIGINT"), ("int", "INTEGER"), ("integer", "INTEGER"), ("mediumint", "INTEGER"), ("smallint", "SMALLINT"),
    ("tinyint(1)", "BOOLEAN"), ("tinyint(4)", "TINYINT"), ("bit(1)", "BOOLEAN"), ("decimal(10,2)", "DECIMAL(10,2)"),
    ("numeric(5)", "DECIMAL(5,0)"), ("float", "FLOAT"), ("double", "DOUBLE"), ("real", "DOUBLE"), ("char(5)", "VARCHAR"),
    ("nchar(5)", "VARCHAR"), ("varchar(5)", "VARCHAR"), ("nvarchar(5)", "VARCHAR"), ("long varchar", "VARCHAR"),
    ("text", "VARCHAR"), ("mediumtext", "VARCHAR"), ("longtext", "VARCHAR"), ("tinytext", "VARCHAR"), ("enum('a','b')", "VARCHAR"),
    ("date", "DATE"), ("datetime", "TIMESTAMP"), ("timestamp null", "TIMESTAMP WITH TIME ZONE"), ("time", "INTERVAL"), ("json", "JSON"),
    ("varbinary(5)", "BLOB")]
# The list calls these unsupported; here they are copied without loss.
MORE = [("tinyint", "TINYINT"), ("bit(8)", "UBIGINT"), ("bit", "BOOLEAN"), ("set('a','b')", "VARCHAR"), ("year", "SMALLINT"),
        ("binary(5)", "BLOB"), ("tinyblob", "BLOB"), ("blob", "BLOB"), ("mediumblob", "BLOB"), ("longblob", "BLOB"),
        ("long varbinary", "BLOB"), *((g, "BLOB") for g in ("geometry", "point", "linestring", "polygon", "multipoint",
                                                            "multilinestring", "multipolygon", "geometrycollection"))]


def test_all_listed_types_get_the_listed_result(every_server, make_database, tailrace):
    """Every type of the list becomes what the list says; those that it leaves out are copied too, as bytes, text or
    numbers that lose nothing."""
    database = make_database(every_server)
    every_server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, " +
                     ", ".join(f"c{i} {kind}" for i, (kind, _) in enumerate(LISTED + MORE)) + ")",
                     f"INSERT INTO {database}.t (id) VALUES (1)")
    found = tailrace.run("discover", every_server.url(database), "--json").expect(exits.OK).json
    columns = found["databases"][0]["tables"][0]["columns"]
    assert not [c["name"] for c in columns if c.get("why")]
    tailrace.sync(every_server.url(database)).expect(exits.OK)
    with tailrace.opened() as copy:
        types = dict(copy.columns("x", "t"))
    got = {kind: types[f"c{i}"] for i, (kind, _) in enumerate(LISTED + MORE)}
    assert got == dict(LISTED + MORE)


@pytest.fixture
def narrow(server):
    """A function (database, table, columns) that makes an account with SELECT on these columns alone."""
    name = f"narrow_{os.getpid()}"

    def make(database, table, columns):
        server.run(f"CREATE USER {name}@'%' IDENTIFIED BY 'pw'",
                   f"GRANT SELECT ({', '.join(columns)}), INSERT ON {database}.{table} TO {name}@'%'")
        return name

    yield make
    server.run(f"DROP USER IF EXISTS {name}@'%'")


def test_an_unsupported_column_cannot_be_selected_and_says_why(server, make_database, tailrace, narrow):
    """It is shown with its reason, at discovery and in the selection; asking for it is an error that tells the reason;
    and it stops neither the table nor the others."""
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, a INT, b INT)",
               f"INSERT INTO {database}.t VALUES (1, 2, 3)")
    url = server.url(database, user=narrow(database, "t", ["id", "a"]))
    why = "The account has no SELECT privilege on column 'b'."
    found = tailrace.run("discover", url, "--json").expect(exits.OK).json
    shown = {c["name"]: c.get("why") for c in found["databases"][0]["tables"][0]["columns"]}
    assert shown["b"] == why and not shown["a"]
    tailrace.sync(url).expect(exits.OK)
    assert copied(tailrace) == ["id", "a"]
    assert selected(tailrace, "t")["t"]["b"] == (False, f"unsupported: {why}")
    tailrace.run("select", "x", "t", "b").fails(exits.CONFIG, "column 'b' cannot be selected", why)


# --- discover and select: selection -----------------------------------------------------------------

def test_selecting_a_table_selects_its_supported_columns_and_the_key(server, make_database, tailrace):
    """One word for the table is enough; the key's columns come along whatever is said; a table of a database that the
    source's URL does not name is not there."""
    database, other = make_database(server, "a"), make_database(server, "b")
    for d in (database, other):
        server.run(f"CREATE TABLE {d}.{'t' if d == database else 'far'} (k1 INT NOT NULL, k2 INT NOT NULL, v INT, w INT, "
                   "PRIMARY KEY (k1, k2))",
                   f"CREATE TABLE {d}.alone (id INT NOT NULL PRIMARY KEY)")
    tailrace.sync(server.url(database), "--tables=alone").expect(exits.OK)
    assert tables(tailrace) == {"alone": True, "t": False}
    tailrace.run("select", "x", "t").expect(exits.OK)
    assert all(yes for yes, _ in selected(tailrace, "t")["t"].values())
    tailrace.run("select", "x", "t", "*", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "t", "v").expect(exits.OK)
    assert [c for c, (yes, _) in selected(tailrace, "t")["t"].items() if yes] == ["k1", "k2", "v"]
    again(tailrace)
    assert copied(tailrace) == ["k1", "k2", "v"]
    tailrace.run("select", "x", "far").fails(exits.CONFIG, "no table")


def test_a_new_column_of_a_selected_table_is_selected_and_of_another_only_shown(server, make_database, tailrace):
    database = make_database(server)
    for t in ("t", "u"):
        server.run(f"CREATE TABLE {database}.{t} (id INT NOT NULL PRIMARY KEY, v INT)", f"INSERT INTO {database}.{t} VALUES (1, 2)")
    tailrace.sync(server.url(database), "--tables=t").expect(exits.OK)
    for t in ("t", "u"):
        server.run(f"ALTER TABLE {database}.{t} ADD COLUMN late INT DEFAULT 7")
    again(tailrace)
    assert copied(tailrace) == ["id", "v", "late"]
    assert tailrace.rows("SELECT late FROM x.t") == [(7,)]
    assert tables(tailrace) == {"t": True, "u": False} and "late" in selected(tailrace, "u")["u"]
    with tailrace.opened() as copy:
        assert "u" not in copy.tables("x")


def test_select_all_excludes_views(server, make_database, tailrace):
    """Every table and supported column, no view; what was said of columns is forgotten, methods of tables stay."""
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, k INT, v INT)",
               f"CREATE TABLE {database}.u (id INT NOT NULL PRIMARY KEY)",
               f"INSERT INTO {database}.t VALUES (1, 1, 1)", f"CREATE VIEW {database}.seen AS SELECT * FROM {database}.t")
    tailrace.sync(server.url(database), "--tables=u", "--method=auto").expect(exits.OK)
    tailrace.run("select", "x", "t", "v", "--deselect").expect(exits.OK)
    tailrace.run("select", "x", "t", "--method=key", "--key=k").expect(exits.OK)
    tailrace.run("select", "x", "all").expect(exits.OK)
    listed = {t["table"]: t for t in tailrace.run("select", "x", "--json").expect(exits.OK).json}
    assert {n: t["selected"] for n, t in listed.items()} == {"t": True, "u": True, "seen": False}
    assert all(c["selected"] for c in listed["t"]["columns"])
    assert (listed["t"]["method"], listed["t"]["key"]) == ("key", "k")


@pytest.mark.parametrize("method", ["full", "key"])
def test_select_all_needs_log_based_as_default(server, make_database, tailrace, method):
    """The integration's method must be auto: log-based wherever the server allows it."""
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (k INT NOT NULL PRIMARY KEY)", f"CREATE TABLE {database}.u (k INT NOT NULL PRIMARY KEY)")
    file = tailrace.folder / "x.yaml"
    file.write_text(f"integrations:\n- name: x\n  source: {server.url(database)}\n  destination: duckdb:{tailrace.copy}\n"
                    f"  options:\n    tables: t\n    method: {method}\n" + ("    key: k\n" if method == "key" else ""))
    tailrace.run("apply", file).expect(exits.OK)
    tailrace.run("select", "x", "all").fails(exits.CONFIG, "auto")
    assert tables(tailrace) == {"t": True, "u": False}


# inclusion, said of it by name, selected by default -> replicated. The default is what patterns make of it; there always
# is one, where the reference also has none.
TRUTH = [("automatic", said, default, True) for said in (None, True, False) for default in (True, False)] + \
    [("unsupported", None, default, False) for default in (True, False)] + [
    ("available", True, True, True), ("available", True, False, True),
    ("available", False, True, False), ("available", False, False, False),
    ("available", None, True, True), ("available", None, False, False)]


@pytest.mark.parametrize("inclusion, said, default, replicated", TRUTH)
def test_the_truth_table_of_fields(server, make_database, tailrace, narrow, inclusion, said, default, replicated):
    """One line of it the reference prints as yes, though it reads as an error: a column that is deselected, and selected
    by default. Here what a person says of a column counts, so it is not replicated. To deselect what is automatic, or to
    select what is unsupported, is refused."""
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v INT, hidden INT)",
               f"INSERT INTO {database}.t VALUES (1, 2, 3)")
    column = {"automatic": "id", "unsupported": "hidden", "available": "v"}[inclusion]
    url = server.url(database, user=narrow(database, "t", ["id", "v"]))
    tailrace.sync(url, *(["--exclude-columns", f"t.{column}"] if default is False else [])).expect(exits.OK)
    if said is not None:
        refused = inclusion == "automatic" and not said
        result = tailrace.run("select", "x", "t", column, *([] if said else ["--deselect"]))
        result.expect(exits.CONFIG if refused else exits.OK)
    assert selected(tailrace, "t")["t"][column][0] is replicated
    again(tailrace)
    value = tailrace.rows(f"SELECT {column} FROM x.t") if column in copied(tailrace) else [(None,)]
    assert (value != [(None,)]) is replicated


def test_column_names_are_made_avro_legal(newest_server, make_database, tailrace):
    """First a letter or _, then letters, digits and _: each other character becomes one _. The schema keeps the
    original name."""
    database = make_database(newest_server)
    names = {"日本": "__", "plain_1": "plain_1", "with space": "with_space", "a-b.c": "a_b_c", "4th": "_th", "größe": "gr__e",
             "€$": "___2"}
    newest_server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, {', '.join(f'`{n}` INT' for n in names)})",
                     f"INSERT INTO {database}.t VALUES (1, 2, 3, 4, 5, 6, 7, 8)")
    tailrace.sync(newest_server.url(database)).expect(exits.OK)
    assert copied(tailrace) == ["id", *names.values()]
    shape = tailrace.run("schema", "x", "t", "--json").expect(exits.OK).json[-1]["schema"]
    text = str(shape)
    assert all(repr(old) in text and repr(new) in text for old, new in names.items()), text


# --- replicate: key-based ---------------------------------------------------------------------------

def keyed(server, database, table="t", rows=((1, 10), (2, 20))):
    server.run(f"CREATE TABLE {database}.{table} (id INT NOT NULL PRIMARY KEY, k INT, j INT, v VARCHAR(20))",
               *(f"INSERT INTO {database}.{table} VALUES ({i}, {'NULL' if k is None else k}, {i}, 'first')" for i, k in rows))


def values(tailrace, table="t"):
    return dict(tailrace.rows(f"SELECT id, v FROM x.{table} WHERE _sdc_deleted_at IS NULL"))


def test_key_based_reads_from_the_last_key_on_inclusive(newest_server, make_database, tailrace):
    """The next job asks for >=: a row that came with the very key that was the greatest is read; one below is not. Rows
    read again are neither loaded nor counted again."""
    database = make_database(newest_server)
    keyed(newest_server, database)
    tailrace.sync(newest_server.url(database), *BY_KEY).expect(exits.OK)
    first = version(tailrace)
    newest_server.run(f"INSERT INTO {database}.t VALUES (3, 20, 3, 'equal'), (4, 30, 4, 'above'), (5, 19, 5, 'below')",
                     f"UPDATE {database}.t SET v = 'unseen' WHERE id = 1", f"UPDATE {database}.t SET v = 'seen' WHERE id = 2")
    again(tailrace)
    assert values(tailrace) == {1: "first", 2: "seen", 3: "equal", 4: "above"}
    assert version(tailrace) == first
    again(tailrace)
    row = of_report(tailrace)
    assert (row["read"], row["applied"]) == (1, 0), row
    assert values(tailrace) == {1: "first", 2: "seen", 3: "equal", 4: "above"}


def test_rows_without_a_key_are_copied_in_the_first_job_only(newest_server, make_database, tailrace):
    database = make_database(newest_server)
    keyed(newest_server, database, rows=((1, 10), (2, None)))
    tailrace.sync(newest_server.url(database), *BY_KEY).expect(exits.OK)
    assert values(tailrace) == {1: "first", 2: "first"}
    newest_server.run(f"INSERT INTO {database}.t VALUES (3, NULL, 3, 'late'), (4, 40, 4, 'late')",
                     f"UPDATE {database}.t SET v = 'late' WHERE id = 2")
    again(tailrace)
    assert values(tailrace) == {1: "first", 2: "first", 4: "late"}


def test_a_table_whose_keys_are_all_null_is_copied_until_there_is_one(server, make_database, tailrace):
    """Nothing can be remembered while there is no key: each job copies what there is."""
    database = make_database(server)
    keyed(server, database, rows=((1, None),))
    tailrace.sync(server.url(database), *BY_KEY).expect(exits.OK)
    server.run(f"INSERT INTO {database}.t VALUES (2, NULL, 2, 'second'), (3, 5, 3, 'keyed')")
    again(tailrace)
    assert values(tailrace)[3] == "keyed"
    server.run(f"INSERT INTO {database}.t VALUES (4, 6, 4, 'above')")
    again(tailrace)
    assert values(tailrace)[4] == "above"


def test_another_key_forces_a_full_copy(server, make_database, tailrace):
    """A new version of the table, so that nothing is missing between what the two keys would have shown."""
    database = make_database(server)
    keyed(server, database)
    tailrace.sync(server.url(database), *BY_KEY).expect(exits.OK)
    first = version(tailrace)
    server.run(f"UPDATE {database}.t SET v = 'unseen' WHERE id = 1")
    again(tailrace)
    assert (version(tailrace), values(tailrace)[1]) == (first, "first")
    tailrace.run("select", "x", "t", "--key=j").expect(exits.OK)
    again(tailrace)
    second = version(tailrace)
    assert second > first and values(tailrace) == {1: "unseen", 2: "first"}
    again(tailrace)
    assert version(tailrace) == second, "the key did not change again"
    tailrace.run("select", "x", "t", "--method=full").expect(exits.OK)
    again(tailrace)
    assert version(tailrace) > second
    tailrace.exact(server, database)


# --- replicate: full table, resets ------------------------------------------------------------------

def test_a_full_table_is_replaced_by_its_next_version(newest_server, make_database, tailrace):
    database = make_database(newest_server)
    keyed(newest_server, database)
    tailrace.sync(newest_server.url(database), "--method=full").expect(exits.OK)
    first = version(tailrace)
    newest_server.run(f"DELETE FROM {database}.t WHERE id = 1", f"UPDATE {database}.t SET v = 'now' WHERE id = 2")
    again(tailrace)
    assert version(tailrace) > first and values(tailrace) == {2: "now"}
    tailrace.exact(newest_server, database)


def test_a_full_table_that_is_appended_keeps_its_copies(newest_server, make_database, tailrace):
    """Each job's copy stays behind the earlier ones, under a version of its own; what was deleted stays in them."""
    database = make_database(newest_server)
    keyed(newest_server, database)
    tailrace.sync(newest_server.url(database), "--method=full", "--load=append").expect(exits.OK)
    first = version(tailrace)
    newest_server.run(f"DELETE FROM {database}.t WHERE id = 1")
    again(tailrace)
    rows = tailrace.rows("SELECT _sdc_table_version, list(id ORDER BY id) FROM x.t GROUP BY 1 ORDER BY 1")
    assert [ids for _, ids in rows] == [[1, 2], [2]] and rows[0][0] == first < rows[1][0]


@pytest.mark.parametrize("what", ["table", "integration"])
def test_a_reset_copies_again(server, make_database, tailrace, what):
    """The bookmark of the table, or of all tables, is forgotten: the next job copies them whole, into a new version."""
    database = make_database(server)
    for t in ("t", "u"):
        keyed(server, database, t)
    tailrace.sync(server.url(database), *BY_KEY).expect(exits.OK)
    before = {t: version(tailrace, t) for t in "tu"}
    for t in ("t", "u"):
        server.run(f"UPDATE {database}.{t} SET v = 'unseen' WHERE id = 1", f"DELETE FROM {database}.{t} WHERE id = 2")
    tailrace.run("reset", "x", *(["t"] if what == "table" else [])).expect(exits.OK)
    assert values(tailrace) == {1: "first", 2: "first"}, "until then the table can be read as it was"
    again(tailrace)
    assert version(tailrace) > before["t"] and values(tailrace) == {1: "unseen"}
    both = what == "integration"
    assert (version(tailrace, "u") > before["u"]) is both
    assert values(tailrace, "u") == ({1: "unseen"} if both else {1: "first", 2: "first"})


# --- replicate: stopping and overlapping ------------------------------------------------------------

def stop_in_the_middle(tailrace, proxy, *args, bytes_down=2500000):
    proxy.throttle(1500000)
    start = proxy.stats()["bytes"]["down"]
    p = tailrace.start(*args)
    wait_until(lambda: proxy.stats()["bytes"]["down"] > start + bytes_down)
    p.send_signal(signal.SIGTERM)
    tailrace.finish(p, 30).expect(exits.STOPPED)
    proxy.clear()


def read_again(tailrace, proxy):
    before = proxy.stats()["bytes"]["down"]
    again(tailrace)
    return proxy.stats()["bytes"]["down"] - before


def test_a_stopped_first_copy_goes_on_where_it_was(server, make_database, tailrace, proxy_of, fill):
    """What was extracted is kept; the next job reads only the rest, and from then on by key."""
    database = make_database(server)
    fill(server, database, "t", 20000)
    proxy = proxy_of(server)
    url = server.url(database, port=proxy.port)
    stop_in_the_middle(tailrace, proxy, *tailrace.sync_args(url, *SMALL, "--method=key", "--key=id"))
    assert read_again(tailrace, proxy) < 3500000, "all was read again"
    tailrace.exact(server, database, way="key")
    server.run(f"INSERT INTO {database}.t VALUES (1000000, 'new', 1)")
    assert read_again(tailrace, proxy) < 500000
    tailrace.exact(server, database, way="key")


def test_a_stopped_read_by_key_goes_on_where_it_was(server, make_database, tailrace, proxy_of, fill):
    """Readers see the table as it was until the whole read is there; rows are not read twice."""
    database = make_database(server)
    fill(server, database, "t", 20000)
    server.run(f"ALTER TABLE {database}.t ADD COLUMN at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) "
               "ON UPDATE CURRENT_TIMESTAMP(6), ADD KEY (at)")
    proxy = proxy_of(server)
    url = server.url(database, port=proxy.port)
    tailrace.sync(url, *SMALL, "--method=key", "--key=at", "--look-back=0").expect(exits.OK)
    was = tailrace.rows("SELECT sum(n), count(*) FROM x.t")
    server.run(f"UPDATE {database}.t SET n = n + 1000")
    stop_in_the_middle(tailrace, proxy, "run", "x")
    wait_until(lambda: not tailrace.processes())
    assert tailrace.rows("SELECT sum(n), count(*) FROM x.t") == was
    assert read_again(tailrace, proxy) < 3700000, "all was read again"
    tailrace.exact(server, database, way="key")


def test_one_job_at_a_time(server, make_database, tailrace, proxy_of, fill):
    """A second start while one runs is refused and says so; the first goes on unharmed."""
    database = make_database(server)
    fill(server, database, "t", 20000)
    proxy = proxy_of(server)
    proxy.throttle(1500000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 1000000)
    for args in (["run", "x"], tailrace.sync_args(server.url(database))):
        tailrace.run(*args).fails(exits.LIMIT, "is running already")
    assert p.poll() is None
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)
    again(tailrace)
