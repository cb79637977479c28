#!/usr/bin/env python3
"""A proxy between a client and a real server that misbehaves on command.

It listens on TCP or a unix socket, forwards bytes both ways and applies faults:

    cut       close the connection after N bytes of one direction (reset=1: with a TCP reset)
    halfopen  after N bytes forward nothing more, keep both sockets open
    corrupt   flip bits (mask, default 0xff) of byte number N of one direction
    delay     hold every piece back for ms milliseconds
    throttle  forward at most N bytes a second in each direction
    refuse    close new connections at once

Faults that wait for a byte number are rules: `after` (default 0), `direction` ('down' is server to
client and the default, 'up' the other way), `times` (how often the rule fires, default 1, 0 is always),
`skip` (connections that it lets pass first), `total` (count the bytes of all connections together).

As a module: FaultProxy runs its loop in a thread of its own, so that a test stays plain code.
As a program: --control PATH opens a unix socket that takes one command a line ('cut after=1000',
'delay ms=20', 'stats', 'clear', 'cut-now', 'halfopen-now', 'stop') and answers one JSON line each.
"""
import argparse
import asyncio
import dataclasses
import json
import socket
import struct
import threading
import time

PIECE = 65536
RULES = ("cut", "halfopen", "corrupt")


@dataclasses.dataclass
class Rule:
    action: str
    after: int = 0
    direction: str = "down"
    times: int = 1
    skip: int = 0
    total: bool = False
    reset: bool = False
    mask: int = 0xFF
    fired: int = 0

    def __post_init__(self):
        if self.action not in RULES:
            raise ValueError(f"no rule '{self.action}'")
        if self.direction not in ("up", "down"):
            raise ValueError(f"no direction '{self.direction}'")

    def live(self):
        return self.times == 0 or self.fired < self.times


class Connection:
    """One client and its upstream; counts bytes per direction."""

    def __init__(self, proxy, number, client):
        self.proxy, self.number, self.client = proxy, number, client
        self.server = None
        self.count = {"up": 0, "down": 0}
        self.done = set()  # rules that fired on this connection
        self.closed = False
        self.silent = False

    def close(self, reset=False):
        if self.closed:
            return
        self.closed = True
        for pair in (self.client, self.server):
            if pair is None:
                continue
            sock = pair[1].get_extra_info("socket")
            if reset and sock is not None and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                pair[1].transport.abort()
            else:
                pair[1].close()

    def due(self, direction, length):
        """The first rule that wants a byte of this piece: (rule, offset in the piece), or None."""
        found = None
        for rule in self.proxy.rules:
            if rule.direction != direction or not rule.live() or id(rule) in self.done:
                continue
            if self.number < rule.skip:
                continue
            start = self.proxy.total[direction] if rule.total else self.count[direction]
            at = max(rule.after - start, 0)
            # A cut after N lets N bytes pass; a corruption needs byte N itself to be in the piece.
            if at < length and (rule.action != "corrupt" or rule.after >= start):
                if found is None or at < found[1]:
                    found = (rule, at)
        return found

    async def forward(self, direction, data, writer):
        """False when the connection ends here."""
        while data:
            hit = self.due(direction, len(data))
            if hit is None:
                return await self.send(direction, data, writer)
            rule, at = hit
            rule.fired += 1
            self.done.add(id(rule))
            self.proxy.note(rule.action)
            if rule.action == "corrupt":
                data = bytearray(data)
                data[at] ^= rule.mask
                data = bytes(data)
                continue
            if at and not await self.send(direction, data[:at], writer):
                return False
            if rule.action == "cut":
                self.close(rule.reset)
                return False
            self.silent = True
            return True
        return True

    async def send(self, direction, data, writer):
        proxy = self.proxy
        if proxy.delay_s:
            await asyncio.sleep(proxy.delay_s)
        step = len(data)
        if proxy.rate:
            step = max(1, min(step, proxy.rate // 20))
        for i in range(0, len(data), step):
            if self.closed:
                return False
            part = data[i : i + step]
            writer.write(part)
            await writer.drain()
            self.count[direction] += len(part)
            proxy.total[direction] += len(part)
            if proxy.rate:
                await asyncio.sleep(len(part) / proxy.rate)
        return True

    async def pump(self, direction, reader, writer):
        try:
            while not self.closed:
                data = await reader.read(PIECE)
                if self.silent:
                    if not data:
                        return  # the side that gave up; the other one is kept waiting
                    continue
                if not data:
                    break
                if not await self.forward(direction, data, writer):
                    return
        except (ConnectionError, OSError):
            pass
        if not self.silent:
            self.close()


class FaultProxy:
    """with FaultProxy(("127.0.0.1", 3306)) as p: connect to p.port; p.rule("cut", after=1000)"""

    def __init__(self, upstream, listen=("127.0.0.1", 0)):
        self.upstream, self.listen = upstream, listen
        self.rules, self.connections = [], []
        self.total = {"up": 0, "down": 0}
        self.accepted = self.refused = 0
        self.fired = {}
        self.delay_s = 0.0
        self.rate = 0
        self.refusing = False
        self.loop = None
        self.server = None
        self.address = None
        self._changed = threading.Condition()

    # --- what tests call, from any thread -------------------------------------------------

    @property
    def port(self):
        return self.address[1]

    def rule(self, action, **settings):
        made = Rule(action, **settings)
        return self._call(lambda: (self.rules.append(made), made)[1])

    def delay(self, ms):
        self._call(lambda: setattr(self, "delay_s", ms / 1000.0))

    def throttle(self, rate):
        self._call(lambda: setattr(self, "rate", int(rate)))

    def refuse(self, on=True):
        self._call(lambda: setattr(self, "refusing", bool(on)))

    def cut_now(self, reset=False):
        """Close every open connection; how many there were."""

        def close():
            alive = [c for c in self.connections if not c.closed]
            for c in alive:
                c.close(reset)
            return len(alive)

        return self._call(close)

    def halfopen_now(self):
        def hush():
            alive = [c for c in self.connections if not c.closed]
            for c in alive:
                c.silent = True
            return len(alive)

        return self._call(hush)

    def clear(self):
        """No rules, no delay, no throttle, no refusal. Silent connections stay silent."""

        def reset():
            self.rules.clear()
            self.delay_s, self.rate, self.refusing = 0.0, 0, False

        self._call(reset)

    def stats(self):
        return self._call(
            lambda: {
                "accepted": self.accepted,
                "refused": self.refused,
                "open": sum(not c.closed for c in self.connections),
                "bytes": dict(self.total),
                "fired": dict(self.fired),
            }
        )

    def wait_fired(self, action, count=1, timeout=30.0):
        """Wait until rules of this action fired `count` times; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self.fired.get(action, 0) >= count, timeout)

    def wait_bytes(self, direction, count, timeout=30.0):
        """Wait until this many bytes went through; False when the time is over."""
        end = time.monotonic() + timeout
        while self.total[direction] < count:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def start(self):
        ready = threading.Event()
        failure = []

        def run():
            asyncio.set_event_loop(self.loop)
            try:
                self.loop.run_until_complete(self._open())
            except OSError as e:
                failure.append(e)
            ready.set()
            if not failure:
                self.loop.run_forever()
            self.loop.close()

        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=run, name="fault-proxy", daemon=True)
        self.thread.start()
        ready.wait()
        if failure:
            raise failure[0]
        return self

    def stop(self):
        if not self.thread.is_alive():
            return

        async def end():
            self.server.close()
            for c in self.connections:
                c.close()
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # --- the loop's side ------------------------------------------------------------------

    def note(self, action):
        with self._changed:
            self.fired[action] = self.fired.get(action, 0) + 1
            self._changed.notify_all()

    def _call(self, work):
        async def run():
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    async def _open(self):
        if isinstance(self.listen, str):
            self.server = await asyncio.start_unix_server(self._accept, self.listen)
            self.address = self.listen
        else:
            self.server = await asyncio.start_server(self._accept, *self.listen)
            self.address = self.server.sockets[0].getsockname()[:2]

    async def _accept(self, reader, writer):
        if self.refusing:
            self.refused += 1
            writer.transport.abort()
            return
        c = Connection(self, self.accepted, (reader, writer))
        self.accepted += 1
        self.connections.append(c)
        try:
            if isinstance(self.upstream, str):
                c.server = await asyncio.open_unix_connection(self.upstream)
            else:
                c.server = await asyncio.open_connection(*self.upstream)
        except OSError:
            c.close()
            return
        await asyncio.gather(
            c.pump("up", reader, c.server[1]), c.pump("down", c.server[0], writer)
        )


# --- the program ------------------------------------------------------------------------------

def settings_of(words):
    """'after=10 reset=1' -> {'after': 10, 'reset': 1}; numbers may be 0x…"""
    out = {}
    for word in words:
        key, _, value = word.partition("=")
        try:
            out[key] = int(value, 0)
        except ValueError:
            out[key] = value
    return out


def command(proxy, line):
    """One control line; what to answer."""
    words = line.split()
    if not words:
        return {"error": "empty command"}
    name, settings = words[0], settings_of(words[1:])
    try:
        if name in RULES:
            proxy.rule(name, **settings)
        elif name == "delay":
            proxy.delay(settings["ms"])
        elif name == "throttle":
            proxy.throttle(settings["rate"])
        elif name == "refuse":
            proxy.refuse(bool(settings.get("on", 1)))
        elif name == "cut-now":
            return {"ok": True, "cut": proxy.cut_now(bool(settings.get("reset", 0)))}
        elif name == "halfopen-now":
            return {"ok": True, "silent": proxy.halfopen_now()}
        elif name == "clear":
            proxy.clear()
        elif name == "stats":
            return proxy.stats()
        elif name != "stop":
            return {"error": f"no command '{name}'"}
    except (KeyError, TypeError, ValueError) as e:
        return {"error": str(e)}
    return {"ok": True}


def address(text):
    if text.startswith("unix:"):
        return text[5:]
    host, _, port = text.rpartition(":")
    return (host or "127.0.0.1", int(port))


def serve_control(proxy, path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        peer, _ = listener.accept()
        with peer, peer.makefile("rw") as lines:
            for line in lines:
                answer = command(proxy, line)
                lines.write(json.dumps(answer) + "\n")
                lines.flush()
                if line.split()[:1] == ["stop"]:
                    return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0), help="HOST:PORT or unix:PATH")
    parser.add_argument("--upstream", type=address, required=True, help="HOST:PORT or unix:PATH")
    parser.add_argument("--control", help="unix socket for commands")
    parser.add_argument("rule", nargs="*", help="commands to start with, for example 'cut after=1000'")
    args = parser.parse_args()
    with FaultProxy(args.upstream, args.listen) as proxy:
        for line in args.rule:
            answer = command(proxy, line)
            if "error" in answer:
                parser.error(answer["error"])
        print(json.dumps({"address": proxy.address}), flush=True)
        if args.control:
            serve_control(proxy, args.control)
        else:
            proxy.thread.join()


if __name__ == "__main__":
    main()
