"""The fault proxy does what it says: an echo server stands behind it."""
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

from support.proxy import FaultProxy

HERE = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def echo():
    """Answers every byte it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(peer):
        try:
            with peer:
                while data := peer.recv(65536):
                    peer.sendall(data)
        except ConnectionError:
            pass

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()
    listener.close()


@pytest.fixture
def proxy(echo):
    with FaultProxy(echo) as p:
        yield p


def connect(proxy, timeout=5):
    return socket.create_connection(proxy.address, timeout=timeout)


def read_all(sock):
    got = b""
    while data := sock.recv(65536):
        got += data
    return got


def ask(sock, data):
    sock.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = sock.recv(65536)
        assert piece, "closed early"
        got += piece
    return got


def test_forwards_everything(proxy):
    data = bytes(range(256)) * 4000
    with connect(proxy) as s:
        s.settimeout(10)
        threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
        got = b""
        while len(got) < len(data):
            got += s.recv(65536)
    assert got == data


@pytest.mark.parametrize("n", [0, 1, 999, 1000])
def test_cuts_after_exactly_n_bytes(proxy, n):
    proxy.rule("cut", after=n)
    with connect(proxy) as s:
        s.sendall(b"x" * 2000)
        assert len(read_all(s)) == n
    assert proxy.wait_fired("cut", timeout=2)
    with connect(proxy) as s:  # the rule fired once: the next connection lives
        assert ask(s, b"y" * 3000) == b"y" * 3000


def test_cuts_upwards_so_that_the_server_sees_n_bytes(proxy):
    proxy.rule("cut", after=10, direction="up")
    with connect(proxy) as s:
        s.sendall(b"z" * 100)
        assert len(read_all(s)) <= 10


def test_resets(proxy):
    proxy.rule("cut", after=5, reset=True)
    with connect(proxy) as s:
        s.sendall(b"x" * 100)
        with pytest.raises(ConnectionResetError):
            while s.recv(100):
                pass


def test_half_open_is_silent_and_open(proxy):
    proxy.rule("halfopen", after=4)
    with connect(proxy, timeout=0.5) as s:
        s.sendall(b"abcdefgh")
        assert s.recv(100) == b"abcd"
        with pytest.raises(TimeoutError):
            s.recv(100)


def test_corrupts_one_byte_only(proxy):
    proxy.rule("corrupt", after=3, mask=0x01)
    with connect(proxy) as s:
        assert ask(s, b"aaaaaa") == b"aaa`aa"
        assert ask(s, b"aaaaaa") == b"aaaaaa"


def test_skips_connections_and_counts_in_total(proxy):
    proxy.rule("cut", after=0, skip=1)
    with connect(proxy) as s:
        assert ask(s, b"first") == b"first"
    with connect(proxy) as s:
        s.sendall(b"second")
        assert read_all(s) == b""
    proxy.clear()
    have = proxy.stats()["bytes"]["down"]
    proxy.rule("cut", after=have + 8, total=True)
    with connect(proxy) as s:
        assert ask(s, b"12345") == b"12345"
        s.sendall(b"67890")
        assert len(read_all(s)) == 3


def test_throttles_and_delays(proxy):
    proxy.throttle(20000)
    with connect(proxy) as s:
        t = time.monotonic()
        ask(s, b"x" * 10000)
        assert time.monotonic() - t > 0.4
    proxy.clear()
    proxy.delay(100)
    with connect(proxy) as s:
        t = time.monotonic()
        ask(s, b"x")
        assert time.monotonic() - t > 0.19


def test_refuses_and_cuts_now(proxy):
    with connect(proxy) as s:
        ask(s, b"hello")
        assert proxy.cut_now() == 1
        assert s.recv(10) == b""
    proxy.refuse()
    with connect(proxy) as s:
        try:
            assert s.recv(10) == b""
        except ConnectionResetError:
            pass
    assert proxy.stats()["refused"] == 1


def test_program_takes_rules_and_commands(echo, tmp_path):
    control = str(tmp_path / "c")
    listen = str(tmp_path / "l")
    p = subprocess.Popen(
        [sys.executable, str(HERE / "proxy.py"), "--listen", f"unix:{listen}",
         "--upstream", f"{echo[0]}:{echo[1]}", "--control", control, "cut after=3"],
        stdout=subprocess.PIPE, text=True)
    assert json.loads(p.stdout.readline())["address"] == listen
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(listen)
        s.sendall(b"abcdef")
        assert read_all(s) == b"abc"
    with socket.socket(socket.AF_UNIX) as s, s.makefile("rw") as f:
        for _ in range(100):
            try:
                s.connect(control)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
        for line, want in (("stats", "fired"), ("nonsense", "error"), ("delay ms=1", "ok"), ("stop", "ok")):
            f.write(line + "\n")
            f.flush()
            assert want in json.loads(f.readline())
    assert p.wait(10) == 0
