"""Bad input and bad luck: a clear error, a hint, the right exit code, no secret printed, nothing lost."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import duckdb
import pytest

from support import exits
from support.peer import Peer
from support.program import SMALL, wait_until

SECRET = "s3cr3t-w0rd"


def one_table(server, database):
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20))",
               f"INSERT INTO {database}.t VALUES (1,'one'),(2,'two')")


# --- the source cannot be reached or does not let us in ----------------------------------------------

def test_wrong_host(server, tailrace):
    url = "mysql://repl@no-such-host.invalid/db?tls=disabled"
    tailrace.sync(url, "--reconnect-limit=0", password=SECRET).fails(exits.SOURCE, "no-such-host.invalid")


def test_wrong_port(server, tailrace):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it
        port = s.getsockname()[1]
        result = tailrace.sync(server.url("db", port=port), "--reconnect-limit=0", password=SECRET)
        result.fails(exits.SOURCE, str(port), ("refused", "can't connect"))


def test_wrong_password(server, make_database, tailrace):
    database = make_database(server)
    one_table(server, database)
    result = tailrace.sync(server.url(database), password=SECRET)
    result.fails(exits.CONFIG, "denied", "repl")


def test_no_password(server, make_database, tailrace):
    tailrace.sync(server.url(make_database(server)), password=None).fails(exits.CONFIG, ("denied", "password"))


def test_wrong_database(server, tailrace):
    tailrace.sync(server.url("no_such_database"), password="pw").fails(exits.CONFIG, "no_such_database")


def test_port_inside_the_host(server, tailrace):
    for host in ("127.0.0.1:3306:3307", "127.0.0.1:abc", "127.0.0.1:0", "127.0.0.1:70000"):
        tailrace.sync(f"mysql://repl@{host}/db", password=SECRET).fails(exits.CONFIG, "port" if "::" in host else ("port", ":"))


@pytest.mark.parametrize("url", ["postgres://u@h/db", "mysql://", "h/db", "mysql://h/db", "mysql://u@h/db?tls=maybe",
                                 "mysql://u@h/db?nonsense=1"])
def test_a_source_that_cannot_be_meant(binary, tailrace, url):
    tailrace.sync(url, password=SECRET).fails(exits.CONFIG)


def test_a_password_in_the_url_is_not_printed(server, make_database, tailrace):
    database = make_database(server)
    one_table(server, database)
    url = f"mysql://repl:{SECRET}@127.0.0.1:{server.port}/{database}?tls=disabled"
    tailrace.sync(url, password=None).fails(exits.CONFIG, "denied")
    for file in tailrace.data.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file


def test_a_password_in_the_url_does_not_stay_in_the_process_list(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", 5000)
    proxy = proxy_of(server)
    proxy.throttle(200000)
    url = f"mysql://repl:pw-{SECRET}@127.0.0.1:{proxy.port}/{database}?tls=disabled"
    user = f"inurl_{os.getpid()}"
    server.run(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw-{SECRET}'", f"GRANT SELECT ON {database}.* TO {user}@'%'")
    try:
        p = tailrace.start(*tailrace.sync_args(url.replace("repl:", f"{user}:")), password=None)
        wait_until(lambda: proxy.stats()["bytes"]["down"] > 20000)
        assert p.poll() is None
        for pid in [p.pid, *tailrace.processes()]:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            assert SECRET.encode() not in words
        proxy.clear()
        tailrace.finish(p).expect(exits.OK).keeps_secret(SECRET)
    finally:
        server.run(f"DROP USER {user}@'%'")
    tailrace.exact(server, database)


def test_a_server_without_tls_is_refused_before_the_password(binary, tailrace):
    for plugin in ("mysql_native_password", "caching_sha2_password"):
        with Peer(plugin=plugin) as peer:
            url = f"mysql://repl@127.0.0.1:{peer.port}/db?tls=verify-identity"
            tailrace.sync(url, "--reconnect-limit=0", password=SECRET).fails(exits.CONFIG, "tls")
            assert not peer.saw("auth")


def test_a_server_with_another_name_is_refused(server, make_database, tailrace):
    if server.profile != "friendly":
        pytest.skip("needs our certificates")
    database = make_database(server)
    one_table(server, database)
    ca = os.environ["TEST_CA"]
    good = tailrace.sync(server.url(database, options=f"tls=verify-identity&ca={ca}"))
    good.expect(exits.OK)
    other = ca.replace("ca.pem", "otherca.pem")
    tailrace.sync(server.url(database, options=f"tls=verify-identity&ca={other}"), "--reconnect-limit=0") \
        .fails(exits.CONFIG, ("certificate", "tls"))


# --- a source that misbehaves -------------------------------------------------------------------------

@pytest.mark.parametrize("fault", [dict(action="raw", data="ff"), dict(action="close", at=5), dict(action="truncate", keep=9),
                                   dict(action="length", value=0xFFFFF0), dict(action="sequence", value=7)],
                         ids=lambda f: f["action"])
def test_a_greeting_that_is_none(binary, tailrace, fault):
    with Peer() as peer:
        made = peer.fault(when="greeting", times=0, **fault)
        result = tailrace.sync(f"mysql://repl@127.0.0.1:{peer.port}/db?tls=disabled", "--reconnect-limit=1s",
                               password=SECRET, timeout=60)
        result.fails(exits.SOURCE, hint=False)
        assert made.fired


# --- tables that cannot be read -----------------------------------------------------------------------

def test_no_grant_on_one_table(server, make_database, tailrace):
    database = make_database(server)
    one_table(server, database)
    server.run(f"CREATE TABLE {database}.secret_table (id INT PRIMARY KEY)")
    user = f"partial_{os.getpid()}"
    server.run(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'", f"GRANT SELECT ON {database}.t TO {user}@'%'",
               f"GRANT INSERT ON {database}.secret_table TO {user}@'%'")
    try:
        result = tailrace.sync(server.url(database, user=user))
        result.expect(exits.PARTIAL)
        assert "secret_table" in result.out + result.err
        tailrace.exact(server, database, tables={"t"})
    finally:
        server.run(f"DROP USER {user}@'%'")


@pytest.mark.parametrize("change", ["DROP TABLE {t}", "ALTER TABLE {t} DROP COLUMN n", "ALTER TABLE {t} MODIFY n BIGINT",
                                    "ALTER TABLE {t} ADD COLUMN more INT DEFAULT 7", "TRUNCATE TABLE {t}"],
                         ids=lambda c: "-".join(c.split()[0:1] + c.split()[3:4]).lower())
def test_a_table_changed_while_it_is_read(server, make_database, tailrace, proxy_of, fill, change):
    database = make_database(server)
    one_table(server, database)
    fill(server, database, "big", 10000)
    proxy = proxy_of(server)
    proxy.throttle(400000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port), *SMALL))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 300000)
    server.run(change.format(t=f"{database}.big"))
    proxy.clear()
    result = tailrace.finish(p).expect(exits.OK, exits.PARTIAL)
    if change.startswith("DROP"):
        assert result.code == exits.PARTIAL and "big" in result.out + result.err
    tailrace.exact(server, database, tables={"t"})
    # Whatever this run made of the table, nothing half-read is to be seen; the next run is exact.
    with tailrace.opened() as copy:
        if "big" in copy.tables("x"):
            assert copy.rows("SELECT count(*) FROM x.big")[0][0] in (0, 10000) or change.startswith("TRUNCATE")
    if not change.startswith("DROP"):
        tailrace.sync(server.url(database)).expect(exits.OK)
        tailrace.exact(server, database)


# --- values -------------------------------------------------------------------------------------------

def test_invalid_bytes_are_quarantined_with_their_key(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20) CHARACTER SET cp1251)",
               f"INSERT INTO {database}.t VALUES (1,'good'),(2,_cp1251 X'98'),(3,'good')")
    tailrace.sync(server.url(database)).expect(exits.PARTIAL)
    report = tailrace.exact(server, database)
    assert report.rejected == 1
    row = tailrace.rows("SELECT _sdc_table, _sdc_column, _sdc_reason, _sdc_record FROM x._sdc_rejected")[0]
    assert row[0] == f"{database}.t" and row[1] == "v" and row[2] and '"id"' in row[3] and "98" in row[3]


def test_invalid_bytes_may_be_replaced(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(20) CHARACTER SET cp1251)",
               f"INSERT INTO {database}.t VALUES (2,_cp1251 X'61986263')")
    tailrace.sync(server.url(database), "--bad-text=replace").expect(exits.OK)
    assert tailrace.rows("SELECT v FROM x.t") == [("a\ufffdbc",)]


@pytest.mark.parametrize("policy", ["null", "reject", "text"])
def test_zero_dates_follow_the_policy(server, make_database, tailrace, policy):
    database = make_database(server)
    c = server.connect()
    with c.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode='ALLOW_INVALID_DATES'")
        cursor.execute(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, d DATE, dt DATETIME, ts TIMESTAMP NULL)")
        cursor.execute(f"INSERT INTO {database}.t VALUES (1,'0000-00-00','0000-00-00','0000-00-00'), "
                       "(2,'2024-05-00','2024-00-01 01:02:03','2024-01-01'), (3,'2023-02-31','2023-02-31','2024-01-01'), "
                       "(4,'2024-02-29','2024-02-29','2024-02-29')")
    c.close()
    result = tailrace.sync(server.url(database), f"--dates={policy}")
    if policy == "reject":
        result.expect(exits.PARTIAL)
        assert tailrace.rows("SELECT id FROM x.t") == [(4,)]
        assert tailrace.rows("SELECT count(*) FROM x._sdc_rejected") == [(3,)]
        return
    result.expect(exits.OK)
    assert tailrace.rows("SELECT id FROM x.t WHERE d IS NULL ORDER BY id") == [(1,), (2,), (3,)]
    if policy == "text":
        assert tailrace.rows("SELECT d__text FROM x.t ORDER BY id") == [("0000-00-00",), ("2024-05-00",), ("2023-02-31",),
                                                                      (None,)]
    else:
        tailrace.exact(server, database)


def test_a_row_past_the_limit_is_quarantined(server, make_database, tailrace):
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v LONGTEXT)",
               f"INSERT INTO {database}.t VALUES (1,'small'),(77,REPEAT('x', 3000000)),(78,'small')")
    tailrace.sync(server.url(database), "--row-limit=1MiB").expect(exits.PARTIAL)
    report = tailrace.exact(server, database, row_limit=1 << 20)
    assert report.rejected == 1
    record, = tailrace.rows("SELECT _sdc_record || ' ' || _sdc_reason FROM x._sdc_rejected")[0]
    assert "77" in record and len(record) < 200000


def test_a_thousand_columns(server, make_database, tailrace):
    database = make_database(server)
    columns = ", ".join(f"c{i} INT" for i in range(1000))
    server.run(f"CREATE TABLE {database}.wide ({columns})",
               f"INSERT INTO {database}.wide VALUES ({', '.join(str(i) for i in range(1000))})")
    tailrace.sync(server.url(database)).expect(exits.OK)
    assert tailrace.exact(server, database).values == 1000


def test_an_empty_table_and_an_empty_database(server, make_database, tailrace):
    database = make_database(server)
    tailrace.sync(server.url(database)).fails(exits.CONFIG, ("no table", database))
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"CREATE TABLE {database}.u (a INT)")
    tailrace.sync(server.url(database)).expect(exits.OK)
    assert tailrace.exact(server, database).tables == 2


# --- the destination ----------------------------------------------------------------------------------

def test_a_destination_that_is_no_duckdb_file(server, make_database, tailrace):
    database = make_database(server)
    one_table(server, database)
    tailrace.copy.write_bytes(b"SQLite format 3\0" + bytes(5000))
    before = tailrace.copy.read_bytes()
    tailrace.sync(server.url(database)).fails(exits.TARGET, "out.duckdb", ("no duckdb", "not a duckdb", "not a valid duckdb"))
    assert tailrace.copy.read_bytes() == before


@pytest.mark.parametrize("where", ["no/such/folder/x.duckdb", "."])
def test_a_destination_that_cannot_be_made(server, make_database, tailrace, where):
    database = make_database(server)
    one_table(server, database)
    tailrace.sync(server.url(database), copy=tailrace.folder / where).fails((exits.CONFIG, exits.TARGET))


def test_a_destination_from_a_newer_version(server, make_database, tailrace):
    database = make_database(server)
    one_table(server, database)
    tailrace.sync(server.url(database)).expect(exits.OK)
    wait_until(lambda: not tailrace.processes())
    c = duckdb.connect(str(tailrace.copy))
    c.execute("UPDATE _tailrace.meta SET value = '999' WHERE key = 'format'")
    c.close()
    tailrace.sync(server.url(database)).fails((exits.CONFIG, exits.TARGET), ("newer", "format"))


def test_a_destination_that_may_not_be_written(server, make_database, tailrace):
    if os.geteuid() == 0 and not shutil.which("chattr"):
        pytest.skip("root may write everything and there is no chattr")
    database = make_database(server)
    one_table(server, database)
    tailrace.sync(server.url(database)).expect(exits.OK)
    wait_until(lambda: not tailrace.processes())
    if os.geteuid() == 0:
        if subprocess.run(["chattr", "+i", str(tailrace.copy)], capture_output=True, check=False).returncode != 0:
            pytest.skip("this file system has no immutable files")
    else:
        tailrace.copy.chmod(0o400)
    try:
        tailrace.sync(server.url(database))\
            .fails((exits.CONFIG, exits.TARGET), ("permission", "permitted", "read-only", "read only"))
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", str(tailrace.copy)], check=True)


def test_a_destination_that_another_program_holds(server, make_database, tailrace):
    database = make_database(server)
    one_table(server, database)
    holder = subprocess.Popen(
        [sys.executable, "-c", "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\n"
         "sys.stdin.read()\nc.close()", str(tailrace.copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "open\n"
    try:
        p = tailrace.start(*tailrace.sync_args(server.url(database)))
        said = pathlib.Path(tailrace.folder / "err-0")
        wait_until(lambda: str(holder.pid) in said.read_text(errors="replace"), timeout=20)
        assert p.poll() is None
    finally:
        holder.stdin.close()
        holder.wait(20)
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)


def test_two_runs_of_one_integration(server, make_database, tailrace, proxy_of, fill):
    database = make_database(server)
    fill(server, database, "t", 5000)
    proxy = proxy_of(server)
    proxy.throttle(200000)
    p = tailrace.start(*tailrace.sync_args(server.url(database, port=proxy.port)))
    wait_until(lambda: proxy.stats()["bytes"]["down"] > 20000)
    tailrace.sync(server.url(database, port=proxy.port)).fails(exits.LIMIT, "x")
    proxy.clear()
    tailrace.finish(p).expect(exits.OK)
    tailrace.exact(server, database)


# --- a full disk --------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A function (MiB) that gives a folder on a file system of that size."""
    mounted = []

    def make(mib):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)],
                                               capture_output=True, check=False).returncode != 0:
            pytest.skip("a small file system cannot be mounted here")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def random_rows(server, database, rows):
    """Rows that do not compress."""
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARBINARY(2000))")
    parts = ", ".join(f"UNHEX(SHA2(CONCAT(RAND(), {i}), 512))" for i in range(16))
    server.run(f"INSERT INTO {database}.t VALUES (1, CONCAT({parts}))")
    have = 1
    while have < rows:
        server.run(f"INSERT INTO {database}.t SELECT id + {have}, CONCAT({parts}) FROM {database}.t WHERE id <= "
                   f"{min(have, rows - have)}")
        have = min(rows, 2 * have)


def test_the_disk_fills_while_spooling(server, make_database, tailrace, small_disk):
    database = make_database(server)
    random_rows(server, database, 30000)  # 30 MB
    tailrace.data = small_disk(8) / "data"
    # Nothing can be loaded, so the spool grows.
    result = tailrace.sync(server.url(database), "--disk-reserve=1MiB", "--epoch-bytes=4MiB")
    if result.code != exits.OK:  # loading may keep pace with spooling: then it simply works
        result.fails(exits.LIMIT, ("disk", "space", "reserve"))
        tailrace.data = tailrace.folder / "data"
        tailrace.sync(server.url(database)).expect(exits.OK)
    tailrace.exact(server, database)


def test_the_disk_fills_while_loading(server, make_database, tailrace, small_disk):
    database = make_database(server)
    one_table(server, database)
    disk = small_disk(12)
    tailrace.copy = disk / "out.duckdb"
    tailrace.sync(server.url(database)).expect(exits.OK)
    server.run(f"DROP TABLE {database}.t")
    random_rows(server, database, 30000)
    tailrace.sync(server.url(database), timeout=180)\
        .fails((exits.TARGET, exits.LIMIT), ("space", "disk", "full"))
    # The earlier copy is still there, whole.
    assert tailrace.rows("SELECT count(*) FROM x.t") == [(2,)]
    wait_until(lambda: not tailrace.processes())
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    tailrace.sync(server.url(database), timeout=180).expect(exits.OK)
    tailrace.exact(server, database)


def test_a_stalled_server_is_given_up(binary, tailrace):
    """Half open: no byte comes and nothing is closed."""
    with Peer() as peer:
        peer.fault("stall", when="greeting", times=0)
        begin = time.monotonic()
        result = tailrace.sync(f"mysql://repl@127.0.0.1:{peer.port}/db?tls=disabled", "--reconnect-limit=1s",
                               password=SECRET, timeout=60)
        result.fails(exits.SOURCE)
        assert time.monotonic() - begin < 45
