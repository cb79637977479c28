"""For generated values of every type on every server, a SELECT and the log give the same Avro bytes: test_binlog_parity.c
compares them. The log has names and labels of the columns (binlog_row_metadata=FULL) for odd seeds; for even ones it has what
the servers write as shipped (MINIMAL, NO_LOG), and the catalog tells the rest."""
import os
import subprocess

import pytest
from conftest import LONG

from support import binlog_values, gen_types
from support.log_writer import Writer, settings_of

SEEDS = range(1, 21 if LONG else 6)


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
    if not LONG and seed > (2 if server.profile == "friendly" else 1) and not (newest and seed == 4):
        pytest.skip("one of the longer form's seeds")
    settings = settings_of(server, seed) if server.profile == "friendly" else {}
    parity(server, binary, make_database(server), writer_of(server, settings), seed + int(os.environ.get("TEST_SEED", "0")))
