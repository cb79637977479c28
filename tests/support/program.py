"""The program under test: run it, start and kill it, sync and compare."""
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

from support import exits, oracle
from support.duckcopy import Copy
from support.source import Source, schema_name

PASSWORD = "pw"
# The file is closed soon after the last load, so that the oracle need not wait for it.
# Tests of copies say nothing of the log; those that follow it ask for it.
QUICK = ["--warehouse-idle=100ms", "--method=full"]
# Many small pages and epochs: a table of some MB has many places to be cut at.
SMALL = ["--page-bytes=16KiB", "--epoch-bytes=64KiB", "--epoch-age=300ms"]


@dataclasses.dataclass
class Result:
    args: list
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"{' '.join(self.args)}\nexit {self.code}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"

    def expect(self, *codes):
        assert self.code in codes, str(self)
        return self

    def fails(self, code, *words, hint=True):
        """The exit code (or one of a tuple), each word somewhere in the message (any case), a hint, no secret."""
        self.expect(*(code if isinstance(code, tuple) else (code,)))
        for word in words:
            options = word if isinstance(word, tuple) else (word,)
            assert any(w.lower() in self.err.lower() for w in options), f"{options} not said\n{self}"
        if hint:
            # behind an error of the command line, or as a field of the run's last event
            assert "hint: " in self.err or 'hint="' in self.err, f"no hint\n{self}"
        self.keeps_secret()
        return self

    def keeps_secret(self, secret="s3cr3t-w0rd"):
        assert secret not in self.out + self.err, f"a secret was printed\n{self}"
        return self


class Program:
    """tailrace with a data directory and a destination of its own."""

    def __init__(self, binary, folder):
        self.binary, self.folder = str(binary), pathlib.Path(folder)
        self.data = self.folder / "data"
        self.copy = self.folder / "out.duckdb"
        self.started = []

    def environment(self, password=PASSWORD, **more):
        mine = ("TAILRACE_SOURCE_PASSWORD", "TAILRACE_DATA_DIR")
        env = {k: v for k, v in os.environ.items() if k not in mine}
        env.update(HOME=str(self.folder), LC_ALL="C.UTF-8", NO_COLOR="1")
        if password is not None:
            env["TAILRACE_SOURCE_PASSWORD"] = password
        env.update({k: str(v) for k, v in more.items()})
        return env

    def command(self, args):
        return [self.binary, *map(str, args), "--data-dir", str(self.data)]

    def run(self, *args, timeout=120, password=PASSWORD, env=None):
        args = self.command(args)
        p = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=timeout,
                           stdin=subprocess.DEVNULL, env=self.environment(password, **(env or {})))
        return Result(args, p.returncode, p.stdout, p.stderr)

    def start(self, *args, password=PASSWORD, env=None):
        """In the background; finish() waits for it."""
        args = self.command(args)
        out = open(self.folder / f"out-{len(self.started)}", "w+", encoding="utf-8", errors="replace")
        err = open(self.folder / f"err-{len(self.started)}", "w+", encoding="utf-8", errors="replace")
        p = subprocess.Popen(args, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                             env=self.environment(password, **(env or {})))
        p.files = (out, err)
        self.started.append(p)
        return p

    def finish(self, p, timeout=120):
        p.wait(timeout)
        texts = []
        for f in p.files:
            f.flush()
            f.seek(0)
            texts.append(f.read())
        return Result(p.args, p.returncode, *texts)

    def sync_args(self, url, *more, name="x", copy=None):
        # An option that the caller gives stands behind ours: the last one counts.
        return ["sync", url, f"duckdb:{copy or self.copy}", "--name", name, *QUICK, *more]

    def sync(self, url, *more, name="x", copy=None, **how):
        return self.run(*self.sync_args(url, *more, name=name, copy=copy), **how)

    def opened(self):
        return Copy(self.copy)

    def rows(self, sql):
        with self.opened() as copy:
            return copy.rows(sql)

    def compare(self, server, *databases, name="x", tables=None, views=False, **more):
        """The oracle's report; tables: names to look at, else all base tables."""
        source = Source(port=server.port)
        try:
            found = [t for d in databases for t in source.tables(d, views)]
            if tables is not None:
                found = [t for t in found if t.name in tables]
            with self.opened() as copy:
                return oracle.compare(source, copy, found, schema_name(name), **more)
        finally:
            source.close()

    def exact(self, server, *databases, **more):
        report = self.compare(server, *databases, **more)
        assert report.equal, str(report)
        assert report.tables, "nothing was compared"
        return report

    def processes(self):
        """Ours that still run: those whose arguments name this folder."""
        mine = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes()
                    program = os.path.realpath(entry / "exe")
                except OSError:
                    continue
                if str(self.folder).encode() in words and program == os.path.realpath(self.binary):
                    mine.append(int(entry.name))
        return mine

    def end(self):
        """Nothing of this test outlives it: first wait, then kill our own by number."""
        for p in self.started:
            if p.poll() is None:
                p.kill()
                p.wait(10)
        limit = time.monotonic() + 5
        while self.processes() and time.monotonic() < limit:
            time.sleep(0.05)
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def wait_until(what, timeout=30.0, step=0.02):
    """What `what` answers once it is true; fails the test when the time is over."""
    end = time.monotonic() + timeout
    while not (answer := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(step)
    return answer


__all__ = ["Program", "Result", "wait_until", "exits", "QUICK", "SMALL", "PASSWORD"]
