"""For generated values of every type on every server, a SELECT and the log give the same Avro bytes: test_binlog_parity.c
compares them. The log has names and labels of the columns (binlog_row_metadata=FULL) for odd seeds; for even ones it has what
the servers write as shipped (MINIMAL, NO_LOG), and the catalog tells the rest."""
import os
import pathlib
import subprocess

import pymysql
import pytest
from conftest import LONG

from support import binlog_values, gen_types

# What a server writes, by seed; a third one packs as much as it can, a fourth leaves out as much as it can.
MYSQL = [{"@@GLOBAL.binlog_row_metadata": "FULL"},
         {"@@GLOBAL.binlog_row_metadata": "MINIMAL", "binlog_row_value_options": "PARTIAL_JSON"},
         {"@@GLOBAL.binlog_row_metadata": "FULL", "binlog_row_value_options": "PARTIAL_JSON", "binlog_transaction_compression": "ON"},
         {"@@GLOBAL.binlog_row_metadata": "MINIMAL", "binlog_row_image": "MINIMAL"},
         {"@@GLOBAL.binlog_row_metadata": "FULL", "binlog_row_image": "NOBLOB"}]
MARIADB = [{"@@GLOBAL.binlog_row_metadata": "FULL"},
           {"@@GLOBAL.binlog_row_metadata": "NO_LOG", "@@GLOBAL.log_bin_compress": "1", "@@GLOBAL.log_bin_compress_min_len": "10"},
           {"@@GLOBAL.binlog_row_metadata": "MINIMAL"},
           {"@@GLOBAL.binlog_row_metadata": "NO_LOG", "binlog_row_image": "MINIMAL"},
           {"@@GLOBAL.binlog_row_metadata": "MINIMAL", "binlog_row_image": "NOBLOB"}]
SEEDS = range(1, 21 if LONG else 6)


class Writer:
    """A connection that makes a server write its log in some way, and puts the settings back."""

    def __init__(self, server, settings):
        self.db = server.connect()
        self.cursor = self.db.cursor()
        self.before = {k: self.one(f"SELECT {k}") for k in settings if k.startswith("@@GLOBAL")}
        for k, v in settings.items():
            self.set(k, v)
        self.run("FLUSH BINARY LOGS")
        self.first = self.logs()[-1]

    def one(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchone()[0]

    def set(self, name, value):
        self.cursor.execute(f"SET {name if name.startswith('@@') else 'SESSION ' + name} = "
                            + (str(value) if str(value).isdigit() else f"'{value}'"))

    def run(self, sql):
        try:
            self.cursor.execute(sql)
        except pymysql.err.Error as e:
            raise AssertionError(f"{sql[:500]}: {e}") from e

    def logs(self):
        self.cursor.execute("SHOW BINARY LOGS")
        return [row[0] for row in self.cursor.fetchall()]

    def files(self):
        """The logs that were written since the start, closed."""
        logs = self.logs()
        self.run("FLUSH BINARY LOGS")
        folder = pathlib.Path(self.one("SELECT @@log_bin_basename")).parent
        return [str(folder / f) for f in logs[logs.index(self.first):]]

    def has_labels(self):
        return self.one("SELECT @@GLOBAL.binlog_row_metadata") == "FULL"

    def end(self):
        for k, v in self.before.items():
            self.set(k, v)
        self.db.close()


@pytest.fixture
def writer_of():
    running = []

    def make(server, settings):
        running.append(Writer(server, settings))
        return running[-1]

    yield make
    for w in running:
        w.end()


def compare(server, binary, writer, database, values):
    program = binary.parent / "tests/flow/flow_test_binlog_parity"
    if not program.exists():
        pytest.skip("the tests are not built")
    done = subprocess.run([program], capture_output=True, text=True, errors="replace", timeout=600, env={
        **os.environ, "TAILRACE_TEST_SOCKET": server.socket, "PARITY_DATABASE": database, "PARITY_LOGS": ":".join(writer.files()),
        "PARITY_VALUES": str(values), **({} if writer.has_labels() else {"PARITY_NO_LABELS": "1"})})
    print(done.stdout[-6000:], done.stderr[-6000:])
    assert done.returncode == 0
    assert " values, " in done.stdout


def parity(server, binary, database, writer, seed):
    features = gen_types.Features.of(server.run("SELECT VERSION()")[0][0])
    print(f"seed {seed}")
    for sql in gen_types.statements(seed, features, database, gen_types.Options(rows=20, wide=200)):
        writer.run(sql)
    for sql in binlog_values.more(seed, features, database):
        writer.run(sql)
    compare(server, binary, writer, database, 40000)
    for sql in binlog_values.changes(writer.cursor, database):
        writer.run(sql)
    compare(server, binary, writer, database, 20000)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_log_tells_what_a_select_reads(every_server, binary, make_database, writer_of, seed):
    server = every_server
    if server.run("SELECT @@log_bin")[0][0] != 1:
        pytest.skip("this server keeps no log")
    newest = server.name in ("f-mysql97", "f-mariadb118")
    if not LONG and seed > (5 if newest else 2 if server.profile == "friendly" else 1):
        pytest.skip("one of the longer form's seeds")
    settings = (MARIADB if server.mariadb else MYSQL)[(seed - 1) % 5] if server.profile == "friendly" else {}
    parity(server, binary, make_database(server), writer_of(server, settings), seed + int(os.environ.get("TEST_SEED", "0")))
