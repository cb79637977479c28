"""Every command, for people and with --json."""
import json
import re

import pytest

from support import exits

COMMANDS = ["check", "discover", "sync", "run", "reset", "integration", "select", "apply", "export", "stop", "status", "logs", "report",
            "schema", "state", "sql", "binlog", "version"]
LATER = ["verify", "serve"]


@pytest.fixture
def synced(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20), d DECIMAL(8,2), j JSON)",
               f"""INSERT INTO {database}.t VALUES (1,'one',1.5,'{{"a": 1}}'),(2,'zwei',NULL,NULL),(3,'ü',3,'[]')""",
               f"CREATE TABLE {database}.empty_one (a INT)")
    tailrace.database = database
    tailrace.result = tailrace.sync(server.url(database), name="Web shop").expect(exits.OK)
    return tailrace


def leaves(value):
    """Every scalar in a JSON value, as text."""
    if isinstance(value, dict):
        return [x for k, v in value.items() for x in [str(k), *leaves(v)]]
    if isinstance(value, list):
        return [x for v in value for x in leaves(v)]
    return [str(value)]


# --- help ---------------------------------------------------------------------------------------------

def test_help_lists_every_command_and_no_later_one(binary, tailrace):
    result = tailrace.run("--help").expect(exits.OK)
    for command in COMMANDS:
        assert re.search(rf"^\s*{command}\b", result.out, re.M), command
    for command in LATER:
        assert not re.search(rf"^\s*{command}\b", result.out, re.M), command


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(binary, tailrace, command):
    result = tailrace.run(command, "--help").expect(exits.OK)
    assert f"tailrace {command}" in result.out and "xample" in result.out or command == "version"
    assert "log-based" not in result.out.lower()


def test_version(binary, tailrace):
    assert re.search(r"\d+\.\d+", tailrace.run("version").expect(exits.OK).out)
    assert isinstance(tailrace.run("version", "--json").expect(exits.OK).json, dict)


@pytest.mark.parametrize("args, words", [
    ([], "usage"), (["nonsense"], "nonsense"), (["sync"], "SOURCE"), (["sync", "a", "b", "c"], "usage"),
    (["sync", "--nonsense", "a", "b"], "nonsense"), (["run"], "NAME"), (["sync", "a", "b", "--method=logs"], "method"),
    (["sync", "a", "b", "--source-connections=0"], "source"), (["sync", "a", "b", "-x"], "-x"),
])
def test_a_command_line_that_cannot_be_meant(binary, tailrace, args, words):
    result = tailrace.run(*args)
    result.expect(exits.USAGE)
    assert words.lower() in (result.err + result.out).lower()


def test_close_names_are_suggested_or_commands_listed(binary, tailrace):
    result = tailrace.run("snyc").expect(exits.USAGE)
    assert "sync" in result.err


# --- what each command says ---------------------------------------------------------------------------

def test_discover(server, synced):
    url = server.url(synced.database)
    text = synced.run("discover", url).expect(exits.OK).out
    assert synced.database in text and "empty_one" in text
    words = leaves(synced.run("discover", url, "--json").expect(exits.OK).json)
    for word in (synced.database, "t", "empty_one", "id", "v", "decimal(8,2)"):
        assert word in words, word


def test_discover_takes_no_rows(server, synced):
    assert "zwei" not in synced.run("discover", server.url(synced.database), "--json").out


def test_the_closing_report(server, synced):
    for word in ("t", "empty_one", "3"):
        assert word in synced.result.out
    again = synced.sync(server.url(synced.database), "--json", name="Web shop").expect(exits.OK)
    words = leaves(again.json)
    assert f"{synced.database}" in " ".join(words) and "3" in words


def test_the_schema_comes_from_the_name(synced):
    with synced.opened() as copy:
        assert {"t", "empty_one"} <= set(copy.tables("web_shop"))


def test_the_name_is_by_default_the_first_database(server, synced):
    synced.run("sync", server.url(synced.database), f"duckdb:{synced.copy}").expect(exits.OK)
    synced.run("status", synced.database).expect(exits.OK)


def test_the_schema_may_be_called_as_the_file_is(server, make_database, tailrace):
    """DuckDB calls a database after its file: 'shop.t' could then mean two things."""
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1)")
    tailrace.copy = tailrace.folder / "shop.duckdb"
    for _ in range(2):
        tailrace.sync(server.url(database), name="shop").expect(exits.OK)
        tailrace.exact(server, database, name="shop")
    assert "1" in tailrace.run("sql", "SELECT count(*) FROM shop.t").expect(exits.OK).out


def test_a_mistyped_file_may_be_corrected_until_something_was_copied(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)")
    good = tailrace.copy
    tailrace.copy = tailrace.folder / "no" / "such" / "folder.duckdb"
    tailrace.sync(server.url(database)).fails(exits.TARGET, "folder")
    tailrace.copy = good
    tailrace.sync(server.url(database)).expect(exits.OK)
    tailrace.copy = tailrace.folder / "other.duckdb"
    tailrace.sync(server.url(database)).fails(exits.CONFIG, "loads into")
    tailrace.copy = good
    tailrace.exact(server, database)


def test_sql_needs_no_name_when_one_file_has_tables(server, synced):
    synced.run("sync", server.url("no_such_database"), f"duckdb:{synced.folder}/b.duckdb").expect(exits.CONFIG)
    assert "2" in synced.run("sql", "SELECT count(*) FROM web_shop.t WHERE id < 3").expect(exits.OK).out


def test_a_table_that_is_not_there_is_hinted_at(synced):
    for name in ("t", "web_shop.nothing", "copy.web_shop.t"):
        assert "SHOW ALL TABLES" in synced.run("sql", f"FROM {name}").expect(exits.CONFIG).err, name


def test_an_error_of_the_command_line_is_json_when_asked(binary, tailrace):
    for args in (["snyc"], ["sync", "a", "b", "--tabels=x"], ["sync", "a"], ["help", "snyc"]):
        answer = json.loads(tailrace.run(*args, "--json").expect(exits.USAGE).err)
        assert answer["exit"] == exits.USAGE, args
    assert "'--tables'" in tailrace.run("sync", "a", "b", "--tabels=x").expect(exits.USAGE).err


def test_run_does_it_again(server, synced):
    server.run(f"INSERT INTO {synced.database}.t VALUES (4,'four',4,NULL)")
    synced.run("run", "Web shop").expect(exits.OK)
    synced.exact(server, synced.database, name="Web shop")


def test_no_secret_is_stored(synced):
    for file in synced.data.rglob("*"):
        if file.is_file():
            assert b"TAILRACE_SOURCE_PASSWORD=" not in file.read_bytes()
    synced.run("run", "Web shop", password="wrong").fails(exits.CONFIG, "denied")


def test_reset(server, synced):
    synced.run("reset", "Web shop", "t").expect(exits.OK)
    synced.run("reset", "Web shop").expect(exits.OK)
    synced.run("run", "Web shop").expect(exits.OK)
    synced.exact(server, synced.database, name="Web shop")
    synced.run("reset", "Web shop", "no_such_table").fails(exits.CONFIG, "no_such_table")


@pytest.mark.parametrize("command", ["status", "logs", "report"])
def test_what_happened(synced, command):
    assert synced.run(command, "Web shop").expect(exits.OK).out.strip()
    answer = synced.run(command, "Web shop", "--json").expect(exits.OK)
    for line in answer.out.splitlines() if command == "logs" else [answer.out]:
        json.loads(line)
    synced.run(command, "nobody").fails(exits.CONFIG, "nobody", "Web shop")


def test_status_without_a_name_lists_all(synced):
    assert "Web shop" in synced.run("status").expect(exits.OK).out
    assert "Web shop" in leaves(synced.run("status", "--json").expect(exits.OK).json)


def test_schema_is_avro(synced):
    avro = synced.run("schema", "Web shop", "t").expect(exits.OK)
    text = avro.out[avro.out.index("{"):]
    schema, _ = json.JSONDecoder().raw_decode(text)
    words = leaves(schema)
    assert "record" in words and "v" in words and "decimal" in words
    synced.run("schema", "Web shop", "no_such_table").fails(exits.CONFIG, "no_such_table")


def test_sql(synced):
    result = synced.run("sql", "SELECT id, v FROM web_shop.t ORDER BY id")
    result.expect(exits.OK)
    assert "zwei" in result.out
    rows = synced.run("sql", "SELECT id, v FROM web_shop.t ORDER BY id", "--json").expect(exits.OK)
    assert "zwei" in leaves(rows.json)


@pytest.mark.parametrize("statement", [
    "DROP TABLE web_shop.t", "DELETE FROM web_shop.t", "CREATE TABLE z (a INT)", "COPY web_shop.t TO '/dev/null'",
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "ATTACH '/dev/null' AS z",
    "SELECT 1; DROP TABLE web_shop.t", "PRAGMA database_list", "SET memory_limit='1GB'", "INSTALL httpfs",
    "SELECT * FROM '/etc/passwd'", "SELECT * FROM glob('/etc/*')",
])
def test_sql_only_reads(synced, statement):
    result = synced.run("sql", statement)
    assert result.code != exits.OK and result.code != exits.BUG, str(result)
    assert "root:" not in result.out
    assert synced.rows("SELECT count(*) FROM web_shop.t") == [(3,)]


def test_json_is_alone_on_standard_output(server, synced):
    result = synced.sync(server.url(synced.database), "--json", name="Web shop").expect(exits.OK)
    json.loads(result.out)


def test_errors_in_json(binary, tailrace):
    result = tailrace.run("run", "nobody", "--json").expect(exits.CONFIG)
    error = json.loads(result.err.strip().splitlines()[-1])
    assert error["exit"] == exits.CONFIG and "nobody" in error["error"] and error["hint"]


def test_data_directory_is_private(synced):
    assert synced.data.stat().st_mode & 0o077 == 0
    for folder in synced.data.rglob("*"):
        if folder.is_dir():
            assert folder.stat().st_mode & 0o077 == 0, folder


def test_the_spool_is_empty_after_loading(synced):
    assert not [p for p in (synced.data / "spool").rglob("*.avro")]
