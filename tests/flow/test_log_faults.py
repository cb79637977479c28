"""One bad table never stops the others, at loading too; and what one run leaves out the next one copies again."""
import shutil

import duckdb

from support import exits
from support.program import wait_until

TABLES = 21


def make(server, database):
    for i in range(TABLES):
        server.run(f"CREATE TABLE {database}.t{i} (id INT NOT NULL PRIMARY KEY, v VARCHAR(20))",
                   f"INSERT INTO {database}.t{i} VALUES (1, 'first'), (2, 'second')")


def change(server, database, value):
    for i in range(TABLES):
        server.run(f"UPDATE {database}.t{i} SET v = '{value}' WHERE id = 1", f"DELETE FROM {database}.t{i} WHERE id = 2",
                   f"INSERT INTO {database}.t{i} VALUES (2, '{value}')")


def values(tailrace, i):
    return tailrace.rows(f"SELECT id, v FROM x.t{i} WHERE _sdc_deleted_at IS NULL ORDER BY id")


def test_a_table_that_fails_at_loading_leaves_the_others_alone(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    make(server, database)
    tailrace.sync(server.url(database), "--method=log").expect(exits.OK)
    with duckdb.connect(str(tailrace.copy)) as other:  # somebody takes the table away
        other.execute("DROP TABLE x.t7")
    change(server, database, "third")
    result = tailrace.run("run", "x").expect(exits.PARTIAL)
    assert "t7" in result.err and "left out" in result.err
    for i in set(range(TABLES)) - {7}:
        assert values(tailrace, i) == [(1, "third"), (2, "third")]
    shown = tailrace.run("status", "x", "--streams", "--json").expect(exits.OK).json
    left = {s["table"]: s for s in shown["streams"]}["t7"]
    assert left["live_state"] == "parked" and "t7" in left["note"]
    change(server, database, "fourth")
    tailrace.run("run", "x").expect(exits.OK)  # copied again, from what the source has now
    for i in range(TABLES):
        assert values(tailrace, i) == [(1, "fourth"), (2, "fourth")]


def test_following_goes_on_while_a_table_is_copied_again(either_server, make_database, tailrace):
    server, database = either_server, make_database(either_server)
    make(server, database)
    p = tailrace.start(*tailrace.sync_args(server.url(database), "--method=log", "--follow"))
    ask = ("sql", "SELECT count(*) FROM (SELECT v FROM x.t0 WHERE id = 1 UNION ALL SELECT v FROM x.t1 WHERE id = 1) WHERE v = '{}'",
           "--format", "csv")

    def both_are(value):
        shown = tailrace.run(ask[0], ask[1].format(value), *ask[2:])
        return shown.code == 0 and shown.out.split()[-1] == "2"

    wait_until(lambda: both_are("first"), 60)
    server.run(f"UPDATE {database}.t0 SET v = 'a'", f"UPDATE {database}.t1 SET v = 'a'")
    wait_until(lambda: both_are("a"), 60)
    server.run(f"ALTER TABLE {database}.t0 ADD COLUMN w INT NOT NULL DEFAULT (5)",  # old rows get a value that no event has
               f"UPDATE {database}.t0 SET v = 'b'", f"UPDATE {database}.t1 SET v = 'b'",
               f"CREATE TABLE {database}.late (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.late VALUES (1)")
    wait_until(lambda: both_are("b"), 90)
    server.run(f"INSERT INTO {database}.late VALUES (2)")
    wait_until(lambda: tailrace.run("sql", "SELECT count(*) FROM x.late", "--format", "csv").out.split()[-1:] == ["2"], 90)
    tailrace.run("stop", "x").expect(exits.OK)
    tailrace.finish(p).expect(exits.STOPPED)
    assert tailrace.rows("SELECT DISTINCT w FROM x.t0") == [(5,)]


def test_vectors_that_an_update_does_not_tell_stay(newest_server, make_database, tailrace):
    server, database = newest_server, make_database(newest_server)
    vector = "VEC_FromText('[{}]')" if server.mariadb else "STRING_TO_VECTOR('[{}]')"
    server.run(f"CREATE TABLE {database}.v (id INT NOT NULL PRIMARY KEY, n INT, e VECTOR(3) NOT NULL)",
               f"INSERT INTO {database}.v VALUES (1, 1, {vector.format('1,2,3')}), (2, 2, {vector.format('4,5,6')})")
    tailrace.sync(server.url(database), "--method=log").expect(exits.OK)
    server.run("SET SESSION binlog_row_image = 'MINIMAL'", f"UPDATE {database}.v SET n = 10 WHERE id = 1",
               f"UPDATE {database}.v SET e = {vector.format('7,8,9')} WHERE id = 2", f"UPDATE {database}.v SET n = 20 WHERE id = 2")
    tailrace.run("run", "x").expect(exits.OK)
    assert [(i, n, tuple(e)) for i, n, e in tailrace.rows("SELECT id, n, e FROM x.v ORDER BY id")] == [
        (1, 10, (1.0, 2.0, 3.0)), (2, 20, (7.0, 8.0, 9.0))]


def test_a_lost_data_directory_makes_new_copies(either_server, make_database, tailrace):
    """What a table looked like at the place in the log is kept there: without it older rows could be read in a newer shape."""
    server, database = either_server, make_database(either_server)
    make(server, database)
    args = ("--method=log", "--tables=t0,t1")
    tailrace.sync(server.url(database), *args).expect(exits.OK)
    shutil.rmtree(tailrace.data)
    server.run(f"UPDATE {database}.t0 SET v = 'third' WHERE id = 1", f"ALTER TABLE {database}.t0 ADD COLUMN w INT FIRST",
               f"INSERT INTO {database}.t0 VALUES (5, 3, 'new')")
    tailrace.sync(server.url(database), *args).expect(exits.OK)
    assert tailrace.rows("SELECT w, id, v FROM x.t0 ORDER BY id") == [(None, 1, "third"), (None, 2, "second"), (5, 3, "new")]
    assert tailrace.rows("SELECT DISTINCT _sdc_table_version FROM x.t0") == [(2,)]
