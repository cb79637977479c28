"""Fixtures of the flow tests: real servers, the program, its data directory.

TAILRACE_BIN   the program; without it build/debug/tailrace
TEST_SERVERS   and TEST_<NAME>_PORT, …: tools/servers/test-servers env
TEST_LONG      1: also the long forms
"""
import dataclasses
import os
import pathlib
import re
import socket
import subprocess
import sys

import pymysql
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import log_workload  # noqa: E402
from support.program import Program  # noqa: E402
from support.proxy import FaultProxy  # noqa: E402

SERVERS = os.environ.get("TEST_SERVERS", "").split()
LONG = os.environ.get("TEST_LONG") == "1"
NO_SERVERS = pytest.param(None, marks=pytest.mark.skip(
    reason="no test server runs: tools/servers/test-servers up all, then its env"))


@dataclasses.dataclass
class Server:
    name: str
    port: int
    socket: str
    instance: str
    flavor: str
    profile: str

    @property
    def mariadb(self):
        return self.flavor.startswith("mariadb")

    def connect(self, user="app", password="pw", **more):
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password, autocommit=True,
                               charset="utf8mb4", **more)

    def run(self, *statements):
        c = self.connect()
        try:
            with c.cursor() as cursor:
                for sql in statements:
                    cursor.execute(sql)
                return cursor.fetchall()
        finally:
            c.close()

    def url(self, *databases, user="repl", port=None, options="tls=disabled"):
        return f"mysql://{user}@127.0.0.1:{port or self.port}/{','.join(databases)}?{options}"

    def mysrv(self, *args, **more):
        return subprocess.run([str(ROOT / "tools/servers/mysrv.sh"), args[0], self.instance, *args[1:]],
                              check=more.pop("check", True), capture_output=True, text=True, errors="replace",
                              timeout=120, **more)


def server_of(name):
    def get(what):
        return os.environ[f"TEST_{name.upper().replace('-', '_')}_{what}"]

    return Server(name, int(get("PORT")), get("SOCKET"), get("INSTANCE"), get("FLAVOR"), get("PROFILE"))


def one_of_each():
    """A MySQL and a MariaDB: for what does not depend on versions."""
    return [n for n in SERVERS if "mysql" in n][:1] + [n for n in SERVERS if "mariadb1011" in n][:1]


def newest():
    return [n for n in SERVERS if n in ("f-mysql97", "f-mariadb118")] or SERVERS[:1]


def pytest_generate_tests(metafunc):
    if "every_server" in metafunc.fixturenames:
        metafunc.parametrize("every_server", SERVERS or [NO_SERVERS], indirect=True)
    if "newest_server" in metafunc.fixturenames:
        metafunc.parametrize("newest_server", (SERVERS if LONG else newest()) or [NO_SERVERS], indirect=True)
    if "either_server" in metafunc.fixturenames:
        names = newest()
        if not LONG:
            names = names[len(metafunc.function.__name__) % 2:][:1] or names[:1]
        metafunc.parametrize("either_server", names or [NO_SERVERS], indirect=True)
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", (one_of_each() or SERVERS[:1]) or [NO_SERVERS], indirect=True)


@pytest.fixture
def every_server(request):
    return server_of(request.param)


@pytest.fixture
def newest_server(request):
    """The newest MySQL and the newest MariaDB; every server in the long form."""
    return server_of(request.param)


@pytest.fixture
def either_server(request):
    """The newest MySQL or the newest MariaDB, for what no server decides; both in the long form."""
    return server_of(request.param)


@pytest.fixture
def server(request):
    return server_of(request.param)


@pytest.fixture(scope="session")
def binary():
    given = os.environ.get("TAILRACE_BIN")
    path = pathlib.Path(given) if given else ROOT / "build/debug/tailrace"
    if not path.is_absolute():
        path = ROOT / path
    if not path.exists():
        if given:
            pytest.fail(f"TAILRACE_BIN names '{path}', which is not there")
        pytest.skip("the program is not built: make build")
    return path


@pytest.fixture
def tailrace(binary, tmp_path):
    program = Program(binary, tmp_path)
    yield program
    program.end()


@pytest.fixture
def make_database(request):
    """A function (server, suffix) that makes an empty database; they go at the end."""
    made = []

    def make(server, suffix=""):
        name = re.sub(r"\W", "_", request.node.originalname.removeprefix("test_"))[:30] + f"_{os.getpid()}{suffix}"
        server.run(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        made.append((server, name))
        return name

    yield make
    for server, name in made:
        server.run(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture
def make_workload(make_database):
    """A function (server, seed, **options) that sets up a random workload on a database of its own."""
    made = []

    def make(server, seed, **options):
        w = log_workload.Workload(server.connect, server.port, make_database(server, f"_{len(made)}"), seed, **options)
        made.append(w)
        w.setup()
        return w

    yield make
    for w in made:  # what is prepared keeps a database from being dropped
        w.close()


@pytest.fixture(scope="session")
def own_server():
    """A function (flavor, *settings) that gives a server of the tests' own, the same one for the same words: what is
    set or thrown away there meets nobody. It goes at the end."""
    made = {}

    def make(flavor, *settings):
        if (flavor, *settings) in made:
            return made[(flavor, *settings)]
        if not SERVERS:
            pytest.skip("no test server runs: tools/servers/test-servers up all, then its env")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        name = f"{os.environ.get('TEST_SERVERS_PREFIX', '')}own-{os.getpid()}-{len(made)}"
        home = os.environ.get("MYSRV_HOME", "/tmp/mysrv")
        server = Server(name, port, f"{home}/inst/{name}/s", name, flavor, "own")
        made[(flavor, *settings)] = server
        server.mysrv("init", "--flavor", flavor, "--port", str(port), *(w for s in settings for w in ("--set", s)))
        return server

    yield make
    for server in made.values():
        server.mysrv("destroy", check=False)


@pytest.fixture
def proxy_of():
    """A function (server) that starts a fault proxy before it."""
    running = []

    def make(server):
        running.append(FaultProxy(("127.0.0.1", server.port)).start())
        return running[-1]

    yield make
    for proxy in running:
        proxy.stop()


def numbers(server, database, table, rows, width=200):
    """A table of `rows` rows of about `width` bytes, key `id` from 1, filled by the server alone. (MySQL 9.6
    and later have no MD5().)"""
    server.run(f"CREATE TABLE `{database}`.`{table}` (id INT NOT NULL PRIMARY KEY, v VARCHAR({width}), n INT)",
               f"INSERT INTO `{database}`.`{table}` VALUES (1, REPEAT('a', {width - 10}), 1)")
    have = 1
    while have < rows:
        more = min(have, rows - have)
        server.run(f"INSERT INTO `{database}`.`{table}` SELECT id + {have}, CONCAT(SHA2(id + {have}, 256), SUBSTR(v, 65)), n + 1 "
                   f"FROM `{database}`.`{table}` WHERE id <= {more}")
        have += more


@pytest.fixture
def fill():
    return numbers
