"""tls=verify-identity: who answers is proved before the password is sent."""
import os

import pytest

from support import exits
from support.peer import Peer
from support.proxy import FaultProxy

SECRET = "s3cr3t-w0rd"


@pytest.fixture
def shop(server, make_database):
    if server.profile != "friendly":
        pytest.skip("needs our certificates")
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY)", f"INSERT INTO {database}.t VALUES (1), (2)")
    return database


def verified(ca=None):
    return "tls=verify-identity" + (f"&ca={ca}" if ca else "")


def test_a_certificate_of_the_given_ca_lets_us_in(server, shop, tailrace):
    tailrace.sync(server.url(shop, options=verified(os.environ["TEST_CA"]))).expect(exits.OK)
    tailrace.exact(server, shop)
    # The integration keeps how to connect.
    tailrace.run("run", "x").expect(exits.OK)
    assert os.environ["TEST_CA"] in tailrace.run("status", "x").out


def test_a_session_is_encrypted(server, shop, tailrace):
    user = f"needs_tls_{os.getpid()}"
    server.run(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw' REQUIRE SSL", f"GRANT SELECT ON {shop}.* TO {user}@'%'")
    try:
        tailrace.sync(server.url(shop, user=user), "--reconnect-limit=0").fails(exits.CONFIG)
        tailrace.sync(server.url(shop, user=user, options=verified(os.environ["TEST_CA"]))).expect(exits.OK)
        tailrace.exact(server, shop)
    finally:
        server.run(f"DROP USER {user}@'%'")


@pytest.mark.parametrize("ca", ["another", "the system's", "missing", "none"])
def test_another_ca_is_refused(server, shop, tailrace, ca):
    path = {"another": os.environ["TEST_CA"].replace("ca.pem", "otherca.pem"), "the system's": None,
            "missing": str(tailrace.folder / "no-such.pem"), "none": str(tailrace.folder / "empty.pem")}[ca]
    (tailrace.folder / "empty.pem").write_text("nothing\n")
    result = tailrace.sync(server.url(shop, options=verified(path)), "--reconnect-limit=0", password=SECRET)
    result.fails(exits.CONFIG, ("certificate", "tls", "ca"))
    assert "denied" not in result.err, "the password was tried"


def test_another_name_is_refused(server, shop, tailrace):
    """The certificate is for 127.0.0.1 and localhost."""
    with FaultProxy(("127.0.0.1", server.port), listen=("127.0.0.2", 0)) as proxy:
        url = f"mysql://repl@127.0.0.2:{proxy.port}/{shop}?{verified(os.environ['TEST_CA'])}"
        result = tailrace.sync(url, "--reconnect-limit=0", password=SECRET)
    result.fails(exits.CONFIG, ("certificate", "tls"))
    assert "denied" not in result.err, "the password was tried"


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password"])
@pytest.mark.parametrize("how", ["no-tls", "claims-tls"])
def test_a_server_without_tls_never_sees_the_login(binary, tailrace, plugin, how):
    with Peer(plugin=plugin, claim_tls=how == "claims-tls") as peer:
        url = f"mysql://repl@127.0.0.1:{peer.port}/db?{verified()}"
        tailrace.sync(url, "--reconnect-limit=0", password=SECRET).fails((exits.CONFIG, exits.SOURCE))
        assert not peer.saw("auth")
