"""Tables that cannot be followed: when they are copied again, when they wait, and what a person says of it."""
import duckdb

from support import exits
from support.program import wait_until

TABLES = 21
LAST = TABLES - 1


def make(server, database):
    server.run(*(sql for i in range(TABLES) for sql in (
        f"CREATE TABLE {database}.t{i} (id INT NOT NULL PRIMARY KEY, v VARCHAR(20))",
        f"INSERT INTO {database}.t{i} VALUES (1, 'first'), (2, 'second')")))


def change(server, database, value):
    server.run(*(sql for i in range(TABLES) for sql in (
        f"REPLACE INTO {database}.t{i} VALUES (1, '{value}'), (3, '{value}')", f"DELETE FROM {database}.t{i} WHERE id = 2",
        f"INSERT INTO {database}.t{i} VALUES (2, '{value}')")))


def in_the_way(tailrace, sql):
    tailrace.opened().close()  # waits until nobody has the file
    with duckdb.connect(str(tailrace.copy)) as other:
        other.execute(sql)


def trouble(tailrace):
    shown = tailrace.run("status", "x", "--json").expect(exits.OK).json
    return {t["table"]: t for t in shown["trouble"]}, {t["table"]: t["state"] for t in shown["tables"]}


def exact(server, database, tailrace, tables):
    tailrace.exact(server, database, way="log", tables=[f"t{i}" for i in tables])


def test_a_table_that_fails_at_loading_is_parked_and_resumed(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    others = range(LAST)
    make(server, database)
    tailrace.sync(server.url(database), "--method=log", "--copy-attempts=2").expect(exits.OK)
    in_the_way(tailrace, f"DROP TABLE x.t{LAST}; CREATE VIEW x.t{LAST} AS SELECT 'mine' AS v")
    for value in ("third", "fourth", "fifth"):  # live, then two copies
        assert trouble(tailrace)[0].get(f"t{LAST}", {"parked": False})["parked"] is False
        change(server, database, value)
        result = tailrace.run("run", "x").expect(exits.PARTIAL)
    exact(server, database, tailrace, others)
    assert "tailrace resume" in result.err
    parked, states = trouble(tailrace)
    assert list(parked) == [f"t{LAST}"] and states[f"t{LAST}"] == "parked"
    assert parked[f"t{LAST}"]["parked"] and parked[f"t{LAST}"]["copies_failed"] == 2 and parked[f"t{LAST}"]["why"]
    assert "tailrace resume" in tailrace.run("status", "x").out

    in_the_way(tailrace, f"DROP VIEW x.t{LAST}")
    change(server, database, "sixth")
    result = tailrace.run("run", "x").expect(exits.PARTIAL)  # the cause is gone, and nobody has said so
    assert "parked" in result.err
    exact(server, database, tailrace, others)
    tailrace.run("resume", "x", "t0").fails(exits.CONFIG, "t0", "parked")
    tailrace.run("resume", "x", f"t{LAST}", "nothing").fails(exits.CONFIG, "nothing")
    assert trouble(tailrace)[0][f"t{LAST}"]["parked"], "all or nothing"
    said = tailrace.run("resume", "x", f"{database}.t{LAST}", "--json").expect(exits.OK).json
    assert [t["table"] for t in said["resumed"]] == [f"t{LAST}"]
    change(server, database, "seventh")
    tailrace.run("run", "x").expect(exits.OK)
    exact(server, database, tailrace, range(TABLES))
    assert trouble(tailrace)[0] == {}
    change(server, database, "eighth")
    assert tailrace.run("run", "x", "--json").expect(exits.OK)
    exact(server, database, tailrace, range(TABLES))  # followed again
    assert "No table" in tailrace.run("resume", "x").expect(exits.OK).out


# What comes, for each option; {t} is the table. The policy's own word where it is not apply.
CHANGES = {
    "on_new_column": "ALTER TABLE {t} ADD COLUMN w INT NULL",
    "on_dropped_column": "ALTER TABLE {t} DROP COLUMN n",
    "on_renamed_column": "ALTER TABLE {t} CHANGE COLUMN n m INT",
    "on_changed_type": "ALTER TABLE {t} MODIFY COLUMN n BIGINT",
    "on_unseen_rows": "ALTER TABLE {t} TRUNCATE PARTITION p0",
    "on_truncate": "TRUNCATE TABLE {t}",
    "on_gone": "DROP TABLE {t}",
}
POLICIES = {
    "on_new_column": ["apply", "recopy", "park", "ignore"],
    "on_dropped_column": ["apply", "recopy", "park"],
    "on_renamed_column": ["apply", "recopy", "park"],
    "on_changed_type": ["apply", "recopy", "park"],
    "on_unseen_rows": ["recopy", "park"],
    "on_truncate": ["apply", "recopy", "park", "ignore"],
    "on_gone": ["apply", "park"],
}


def table_sql(table, option):
    parts = " PARTITION BY HASH (id) PARTITIONS 2" if option == "on_unseen_rows" else ""
    return [f"CREATE TABLE {table} (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), n INT){parts}",
            f"INSERT INTO {table} VALUES (1, 'first', 1), (2, 'second', 2)"]


def flag(option):
    return "--" + option.replace("_", "-")


def copied(tailrace, name):
    """Ids of the rows that are not deleted, and the table's version."""
    rows = tailrace.rows(f"SELECT id, _sdc_table_version FROM x.{name} WHERE _sdc_deleted_at IS NULL ORDER BY id")
    return [r[0] for r in rows], {r[1] for r in rows}


def columns(tailrace, name):
    return [r[0] for r in tailrace.rows(f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{name}' "
                                        "AND schema_name = 'x' AND column_name NOT LIKE '\\_sdc%' ESCAPE '\\'")]


def test_what_is_done_with_a_change_is_chosen_for_each_table(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    cases = {f"{o}_{p}": (o, p) for o, words in POLICIES.items() for p in words}
    server.run(*(sql for name, (o, _) in cases.items() for sql in table_sql(f"{database}.{name}", o)))
    tailrace.sync(server.url(database), "--method=log").expect(exits.OK)
    said = tailrace.run("export", "x").expect(exits.OK).out
    said += "    streams:\n" + "".join(f"      - database: {database}\n        table: {name}\n        options:\n"
                                       f"          {option}: {policy}\n" for name, (option, policy) in cases.items())
    (tailrace.folder / "x.yaml").write_text(said)
    tailrace.run("apply", tailrace.folder / "x.yaml").expect(exits.OK)
    server.run(*(CHANGES[o].format(t=f"{database}.{name}") for name, (o, _) in cases.items()),
               *(f"REPLACE INTO {database}.{name} (id, v) VALUES (3, 'third')" for name, (o, _) in cases.items() if o != "on_gone"))
    tailrace.run("run", "x").expect(exits.PARTIAL)
    found, states = trouble(tailrace)
    parked = {name for name, (_, p) in cases.items() if p == "park"}
    assert {n for n, t in found.items() if t["parked"]} == parked
    assert all(cases[n][0] in t["why"] for n, t in found.items())
    for name, (option, policy) in cases.items():
        ids, versions = copied(tailrace, name)
        if option == "on_gone" or policy == "park":
            assert (ids, versions) == ([1, 2], {1}), name
        elif policy == "recopy":
            assert versions == {2}, name
        elif option == "on_truncate":
            assert (ids, versions) == ([3] if policy == "apply" else [1, 2, 3], {1}), name
        elif (option, policy) == ("on_new_column", "ignore"):
            assert (ids, columns(tailrace, name)) == ([1, 2, 3], ["id", "v", "n"]), name
    kept = "on_truncate_ignore"
    inexact = tailrace.run("status", "x", "--json").expect(exits.OK).json["inexact"]
    assert [(i["table"], i["version"]) for i in inexact] == [(kept, 1)] and "on_truncate" in inexact[0]["why"]
    whole = [n for n, (o, p) in cases.items() if o != "on_gone" and p in ("apply", "recopy") and o != "on_dropped_column"]
    tailrace.exact(server, database, way="log", tables=whole)

    # parked ones are resumed, and a new table of an old name is copied
    server.run(*table_sql(f"{database}.on_gone_park", ""))
    tailrace.run("run", "x").expect(exits.PARTIAL)
    assert copied(tailrace, "on_gone_park")[1] == {1}
    tailrace.run("resume", "x").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log", tables=[*whole, *parked])
    assert trouble(tailrace)[0] == {}
    tailrace.run("reset", "x", f"{database}.{kept}").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log", tables=[kept])
    assert tailrace.run("status", "x", "--json").expect(exits.OK).json["inexact"] == []


def test_a_change_that_is_to_fail_stops_the_run_before_it(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    server.run(*(sql for o in CHANGES for sql in table_sql(f"{database}.{o}", o)),
               *table_sql(f"{database}.other", ""))
    tailrace.sync(server.url(database), "--method=log", *(f"{flag(o)}=fail" for o in CHANGES)).expect(exits.OK)
    *at_once, last = CHANGES
    for i, option in enumerate(at_once):
        sql = CHANGES[option]
        server.run(f"INSERT INTO {database}.other VALUES ({10 + i}, 'before', 0)", sql.format(t=f"{database}.{option}"),
                   f"INSERT INTO {database}.other VALUES ({20 + i}, 'behind', 0)")
    for i, option in enumerate(at_once):
        tailrace.run("run", "x").fails(exits.SOURCE, option, f"{database}.{option}", "fail")
        ids = copied(tailrace, "other")[0]
        assert 10 + i in ids and 20 + i not in ids
        tailrace.run("select", "x", f"{database}.{option}", flag(option), "park", "--offline").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.PARTIAL)
    tailrace.run("resume", "x").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log", tables=[*at_once, "other"])
    server.run(CHANGES[last].format(t=f"{database}.{last}"), f"INSERT INTO {database}.other VALUES (30, 'behind', 0)")
    tailrace.run("run", "x").fails(exits.SOURCE, last, "fail")
    assert 30 not in copied(tailrace, "other")[0]
    tailrace.run("select", "x", f"{database}.{last}", flag(last), "apply", "--offline").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert 30 in copied(tailrace, "other")[0] and copied(tailrace, last)[0] == [1, 2]


def test_a_choice_that_would_make_the_copy_wrong_is_none(tailrace):
    tailrace.run("sync", "mysql://u@127.0.0.1/d", f"duckdb:{tailrace.copy}", "--on-unseen-rows=ignore").fails(
        (exits.USAGE, exits.CONFIG), "on_unseen_rows", "recopy", hint=False)


def test_a_parked_table_is_resumed_while_others_are_followed(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    server.run(*table_sql(f"{database}.a", ""), *table_sql(f"{database}.b", ""))
    p = tailrace.start(*tailrace.sync_args(server.url(database), "--method=log", "--follow", "--on-new-column=park"))

    def count(name, where):
        shown = tailrace.run("sql", f"SELECT count(*) FROM x.{name} WHERE {where}", "--format", "csv")
        return shown.code == 0 and int(shown.out.split()[-1])

    wait_until(lambda: count("a", "true") and count("b", "true"), 60)
    server.run(f"ALTER TABLE {database}.a ADD COLUMN w INT", f"UPDATE {database}.a SET v = 'x', w = 7", f"UPDATE {database}.b SET v = 'x'")
    wait_until(lambda: count("b", "v = 'x'") == 2, 60)
    assert trouble(tailrace)[0]["a"]["parked"] and count("a", "v = 'x'") == 0
    tailrace.run("resume", "x", "a").expect(exits.OK)
    wait_until(lambda: count("a", "v = 'x'") == 2, 60)
    server.run(f"UPDATE {database}.b SET v = 'y'", f"UPDATE {database}.a SET w = 8")
    wait_until(lambda: count("a", "w = 8") == 2, 60)
    tailrace.run("stop", "x").expect(exits.OK)
    tailrace.finish(p).expect(exits.STOPPED)
    tailrace.exact(server, database, way="log")


def test_what_is_about_to_change_is_told_and_nothing_is_done(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    names = ["a_column", "a_type", "a_drop", "a_name", "waits", "stops", "bare", "by_key", "whole", "gone", "quiet"]
    server.run(*(sql for n in names for sql in table_sql(f"{database}.{n}", "")), f"ALTER TABLE {database}.bare DROP PRIMARY KEY")
    tailrace.sync(server.url(database), "--method=log").expect(exits.OK)
    for name, option in (("waits", "--on-new-column=park"), ("stops", "--on-new-column=fail"), ("by_key", "--method=key"),
                         ("whole", "--method=full")):
        more = ["--key=id"] if name == "by_key" else []
        tailrace.run("select", "x", f"{database}.{name}", option, *more, "--offline").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    assert "nothing would change" in tailrace.run("schema", "x", "--pending").expect(exits.OK).out
    shapes = tailrace.run("schema", "x", "--json").expect(exits.OK).json["tables"]
    assert {t["table"] for t in shapes} == set(names)
    assert [(c["name"], c["type"]) for c in shapes[0]["columns"]] == [("id", "INTEGER"), ("v", "VARCHAR"), ("n", "INTEGER")]
    server.run(*(f"ALTER TABLE {database}.{n} ADD COLUMN w BIGINT" for n in ("a_column", "waits", "stops", "bare", "by_key", "whole")),
               f"ALTER TABLE {database}.a_type MODIFY COLUMN n BIGINT", f"ALTER TABLE {database}.a_drop DROP COLUMN n",
               f"ALTER TABLE {database}.a_name CHANGE COLUMN n m INT", f"DROP TABLE {database}.gone",
               *table_sql(f"{database}.fresh", ""))
    for _ in range(2):  # the first one has left nothing behind
        said = tailrace.run("schema", "x", "--pending", "--json").expect(exits.OK).json["tables"]
        found = {t["table"]: t for t in said}
        assert {n: t["outcome"] for n, t in found.items()} == {
            "a_column": "in place", "a_type": "in place", "a_drop": "in place", "a_name": "in place", "waits": "parks",
            "stops": "run stops", "bare": "copied again", "by_key": "in place", "whole": "copied again", "gone": "gone",
            "quiet": "nothing", "fresh": "new copy"}
    changes = {n: [(c["column"], c["change"]) for c in t["changes"]] for n, t in found.items()}
    assert changes["a_column"] == [("w", "new")] and changes["a_type"] == [("n", "type")]
    assert changes["a_name"] == [("m", "new"), ("n", "dropped")] and changes["quiet"] == []
    assert found["a_column"]["changes"][0]["sql"] == 'ALTER TABLE "x"."a_column" ADD COLUMN "w" BIGINT'
    text = tailrace.run("schema", "x", "waits", "--pending").expect(exits.OK).out
    assert "on_new_column" in text and "+ w bigint" in text and "a_type" not in text
    tailrace.run("schema", "x", "nothing", "--pending").fails(exits.CONFIG, "nothing")


def test_a_run_that_dies_while_it_parks_a_table_has_parked_it(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    server.run(*table_sql(f"{database}.a", ""), *table_sql(f"{database}.b", ""))
    tailrace.sync(server.url(database), "--method=log", "--on-changed-type=park").expect(exits.OK)
    server.run(f"ALTER TABLE {database}.a MODIFY COLUMN n BIGINT", f"UPDATE {database}.a SET n = 3000000000",
               f"UPDATE {database}.b SET n = 3")
    tailrace.run("run", "x", env={"TAILRACE_FAULT": "spool.before_rename:1"}).expect(*range(1, 256), -9)
    tailrace.run("run", "x").expect(exits.PARTIAL)
    assert trouble(tailrace)[0]["a"]["parked"] and tailrace.rows("SELECT DISTINCT n FROM x.a ORDER BY n") == [(1,), (2,)]
    tailrace.exact(server, database, way="log", tables=["b"])
    tailrace.run("reset", "x", "a").expect(exits.OK)
    tailrace.run("run", "x").expect(exits.OK)
    tailrace.exact(server, database, way="log")
    assert trouble(tailrace)[0] == {}
