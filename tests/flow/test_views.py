"""Views are copied when they are named, and only then."""
from support import exits


def make(server, database):
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, a VARCHAR(20), d DECIMAL(10,2))",
               f"INSERT INTO {database}.t VALUES (1,'one',1.5),(2,'two',NULL),(3,'two',3)",
               f"CREATE VIEW {database}.v AS SELECT id, a, d * 2 AS twice FROM {database}.t",
               f"CREATE VIEW {database}.sums AS SELECT a, COUNT(*) AS n, SUM(d) AS s FROM {database}.t GROUP BY a")


def test_are_left_out_unless_named(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    tailrace.sync(server.url(database)).expect(exits.OK)
    with tailrace.opened() as copy:
        assert [t for t in copy.tables("x") if not t.startswith("_sdc_")] == ["t"]


def test_are_copied_when_named(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    tailrace.sync(server.url(database), "--tables", f"{database}.v,{database}.sums").expect(exits.OK)
    report = tailrace.exact(server, database, tables={"v", "sums"}, views=True)
    assert report.rows == 5
    with tailrace.opened() as copy:
        assert "t" not in copy.tables("x")


def test_a_view_of_a_lost_table_does_not_stop_the_others(server, make_database, tailrace):
    database = make_database(server)
    make(server, database)
    server.run(f"CREATE TABLE {database}.gone (a INT)", f"CREATE VIEW {database}.broken AS SELECT * FROM {database}.gone",
               f"DROP TABLE {database}.gone")
    result = tailrace.sync(server.url(database), "--tables", f"{database}.t,{database}.v,{database}.broken")
    assert result.code == exits.PARTIAL, str(result)
    assert "broken" in result.out + result.err
    tailrace.exact(server, database, tables={"t", "v"}, views=True)
