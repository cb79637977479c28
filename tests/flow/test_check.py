"""tailrace check: what a source gives, and that what it says to do helps."""
import os

import pytest

from support import exits


def check(tailrace, url, *codes, password="pw"):
    """The findings of --json by name (a list for each), and the result."""
    result = tailrace.run("check", url, "--json", password=password).expect(*codes or (exits.OK, exits.CONFIG))
    by_name = {}
    for f in result.json["findings"]:
        assert f["level"] in ("ok", "warn", "fail") and f["name"] and f["saw"], f
        assert f["level"] == "ok" or f["why"] and f["mend"], f"a finding that does not say why or what to do: {f}"
        by_name.setdefault(f["name"], []).append(f)
    worst = max((f["level"] for f in result.json["findings"]), key=["ok", "warn", "fail"].index)
    assert result.json["worst"] == worst
    assert result.code == (exits.CONFIG if worst == "fail" else exits.OK)
    return by_name, result


def one(found, name):
    assert len(found.get(name, [])) == 1, f"{name}: {found.get(name)}"
    return found[name][0]


@pytest.fixture
def account(every_server):
    """An account that may do nothing: its name."""
    name = f"check_{os.getpid()}"
    every_server.run(f"DROP USER IF EXISTS {name}", f"CREATE USER {name} IDENTIFIED BY 'pw'")
    yield name
    every_server.run(f"DROP USER {name}")


def test_every_server_says_what_it_is(every_server, make_database, tailrace):
    database = make_database(every_server)
    every_server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY)", f"CREATE VIEW {database}.v AS SELECT 1 AS a")
    found, result = check(tailrace, every_server.url(database))
    shipped, mariadb = every_server.profile == "shipped", every_server.mariadb
    assert one(found, "tables")["saw"] == f"'{database}': 2 of 2 can be read"
    if shipped and mariadb:
        assert one(found, "log_bin")["level"] == one(found, "binlog_format")["level"] == "fail"
        assert "log_bin = ON" in one(found, "log_bin")["mend"] and "restart" in one(found, "log_bin")["mend"]
        assert "SET GLOBAL binlog_format = ROW;" in one(found, "binlog_format")["mend"]
        assert one(found, "log-based")["level"] == "fail" and "log_bin is OFF" in one(found, "log-based")["why"]
        assert "retention" not in found
    else:
        assert one(found, "log_bin")["level"] == one(found, "binlog_format")["level"] == "ok"
        assert one(found, "log-based")["saw"] == "1 of 1 tables"
        assert one(found, "retention")["level"] == "ok"
    named = one(found, "binlog_row_metadata")
    assert (named["level"] == "ok") == (every_server.profile == "friendly")
    if named["level"] == "warn":
        assert f"{'SET GLOBAL' if mariadb else 'SET PERSIST'} binlog_row_metadata = FULL;" in named["mend"]
        assert "copied again" in named["why"]
    text = tailrace.run("check", every_server.url(database)).out
    for f in sum(found.values(), []):
        assert any(line.split()[:1] == [f["level"]] and f["name"] in line and f["saw"] in line for line in text.splitlines()), f
    assert result.json["worst"] == "fail" or result.code == exits.OK


def test_what_it_says_to_grant_is_enough(every_server, account, make_database, tailrace):
    database = make_database(every_server)
    every_server.run(f"CREATE TABLE {database}.t (a INT)", f"GRANT INSERT ON {database}.* TO {account}")
    url = every_server.url(database, user=account)
    found, _ = check(tailrace, url, exits.CONFIG)
    monitor = "privilege BINLOG MONITOR" if every_server.mariadb else "privilege REPLICATION CLIENT"
    assert one(found, "tables")["level"] == "fail" and "SELECT" in one(found, "tables")["mend"]
    assert one(found, "privilege REPLICATION SLAVE")["saw"] == one(found, monitor)["saw"] == "missing"
    for _ in range(3):  # a keyless table's lock is asked for once it is seen
        grants = [f["mend"] for fs in found.values() for f in fs if (f["mend"] or "").startswith("GRANT ")]
        if not grants:
            break
        every_server.run(*grants)
        found, _ = check(tailrace, url)
    assert not grants
    assert one(found, "privilege REPLICATION SLAVE")["saw"] == one(found, monitor)["saw"] == "granted"
    assert one(found, "tables")["level"] == "ok"
    if not every_server.mariadb:
        assert one(found, "privilege LOCK TABLES")["saw"] == f"'{database}': granted"


def test_foreign_keys_whose_work_is_not_logged_are_named(every_server, make_database, tailrace):
    """As an account that may only SELECT, from which MariaDB hides the rules."""
    database = make_database(every_server)
    odd = "a, `b`) REFERENCES `x` ON DELETE CASCADE"
    quoted = odd.replace("`", "``")
    every_server.run(
        f"CREATE TABLE {database}.p (id INT PRIMARY KEY)",
        f"CREATE TABLE {database}.c (id INT PRIMARY KEY, p INT, CONSTRAINT goes FOREIGN KEY (p) REFERENCES {database}.p (id) "
        f"ON DELETE CASCADE ON UPDATE SET NULL)",
        f"CREATE TABLE {database}.`odd``one` (`{quoted}` INT PRIMARY KEY COMMENT 'x\n  CONSTRAINT `n` FOREIGN KEY (`a`) "
        f"REFERENCES `p` (`id`) ON DELETE CASCADE', CONSTRAINT stays FOREIGN KEY (`{quoted}`) REFERENCES {database}.p (id))")
    found, _ = check(tailrace, every_server.url(database))
    assert one(found, "log-based")["saw"].endswith("of 3 tables")
    if not every_server.mariadb:  # 9.7 logs them
        assert "foreign key" not in found
        return
    key = one(found, "foreign key")
    assert key["level"] == "ok" and "derived" in key["saw"]
    assert f"'{database}.c'" in key["saw"] and "goes" in key["saw"] or "_ibfk_" in key["saw"]
    assert "ON DELETE CASCADE, ON UPDATE SET NULL" in key["saw"]


@pytest.fixture
def shipped_mysql(every_server):
    if every_server.name != "s-mysql97":
        pytest.skip("settings are changed on one server")
    return every_server


def test_settings_that_cost(shipped_mysql, make_database, tailrace):
    database = make_database(shipped_mysql)
    url = shipped_mysql.url(database)
    shipped_mysql.run(f"CREATE TABLE {database}.keyed (id INT PRIMARY KEY)", f"CREATE TABLE {database}.keyless (id INT)",
                      f"CREATE TABLE {database}.gone (id INT PRIMARY KEY) ENGINE=MEMORY")
    before = shipped_mysql.run("SELECT @@global.binlog_row_image, @@global.binlog_expire_logs_seconds")[0]
    try:
        shipped_mysql.run("SET GLOBAL binlog_row_image = MINIMAL", "SET GLOBAL binlog_expire_logs_seconds = 36000")
        found, _ = check(tailrace, url, exits.OK)
        assert "INSERT" in one(found, "binlog_row_image")["why"]
        assert one(found, "retention")["level"] == "warn" and one(found, "retention")["saw"] == "10 hours"
        why = {f["saw"]: f["why"] for f in found["table"]}
        assert "key" in why[f"'{database}.keyless'"] and "MEMORY" in why[f"'{database}.gone'"] and len(why) == 2
        assert one(found, "log-based")["saw"] == "1 of 3 tables"
        shipped_mysql.run("SET GLOBAL binlog_expire_logs_seconds = 0")
        assert "never" in one(check(tailrace, url)[0], "retention")["saw"]
    finally:
        shipped_mysql.run(f"SET GLOBAL binlog_row_image = {before[0]}", f"SET GLOBAL binlog_expire_logs_seconds = {before[1]}")


def test_retention_as_rds_keeps_it(shipped_mysql, tailrace):
    shipped_mysql.run("CREATE TABLE mysql.rds_configuration (name VARCHAR(100) PRIMARY KEY, value VARCHAR(100))",
                      "INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', NULL)")
    url = shipped_mysql.url()
    try:
        found, _ = check(tailrace, url, exits.CONFIG)
        assert one(found, "retention")["level"] == "fail" and "as soon as" in one(found, "retention")["why"]
        assert one(found, "retention")["mend"].startswith("CALL mysql.rds_set_configuration('binlog retention hours', ")
        assert "parameter group" in one(found, "binlog_row_metadata")["mend"]
        for hours, level in ((24, "warn"), (168, "ok")):
            shipped_mysql.run(f"UPDATE mysql.rds_configuration SET value = {hours}")
            kept = one(check(tailrace, url)[0], "retention")
            assert (kept["level"], kept["saw"]) == (level, f"{hours} hours")
    finally:
        shipped_mysql.run("DROP TABLE mysql.rds_configuration")


def test_what_cannot_be_checked(either_server, tailrace):
    tailrace.run("check", "duckdb:x.duckdb").fails(exits.CONFIG, "destination")
    tailrace.run("check", either_server.url("no_such_database_here")).fails(exits.CONFIG, "no_such_database_here")
    tailrace.run("check", either_server.url(), password="wrong").fails(exits.CONFIG, "denied")
    tailrace.run("check", either_server.url(port=1)).fails(exits.SOURCE, "connect", hint=False)
