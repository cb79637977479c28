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
