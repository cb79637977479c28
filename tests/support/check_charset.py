#!/usr/bin/env python3
"""Compare our character sets with running servers: every code of every set, as TAP.

    tests/support/check_charset.py INSTANCE ...     instances of tools/servers/mysrv.sh

For each server: its collations; each of its sets code by code, in both directions (what it
maps and we do not, what we map and it does not); and strings of random codes in a row. It
asks our compiled converter, not the table's source.
"""
import importlib.machinery
import importlib.util
import os
import random
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = ["tests/support/charset_dump.c", "src/mysql/charset.c", "src/mysql/charset_data.c",
           "src/base/alloc.c", "src/base/buf.c", "src/base/error.c", "src/base/str.c"]
STRINGS, LENGTH = 200, 60


def load_generator():
    """The module tools/gen-charset, which knows how to ask a server."""
    loader = importlib.machinery.SourceFileLoader(
        "gen_charset", os.path.join(TOP, "tools", "gen-charset"))
    sys.dont_write_bytecode = True
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("gen_charset", loader))
    loader.exec_module(module)
    return module


def build(folder):
    """Compile the dumper; its path."""
    program = os.path.join(folder, "charset_dump")
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-O2", "-D_GNU_SOURCE", "-Isrc",
                    "-o", program, *SOURCES], cwd=TOP, check=True)
    return program


def dump(program, args, text=""):
    done = subprocess.run([program, *args], input=text, text=True, check=True,
                          capture_output=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def our_table(gen, program, family, charset):
    table = {}
    for pattern in gen.patterns(charset):
        rows = dump(program, [family, charset, *(f"{lo:02X}-{hi:02X}" for lo, hi in pattern)])
        table.update((bytes.fromhex(c), bytes.fromhex(v)) for c, v in rows)
    return table


def table_faults(theirs, ours):
    """The first codes on which two tables differ."""
    def show(value):
        return value.hex() if value else "nothing"
    odd = sorted(c for c in theirs.keys() | ours.keys() if theirs.get(c) != ours.get(c))
    return [f"{len(odd)} codes differ"] * bool(odd) + [
        f"{c.hex()}: server {show(theirs.get(c))}, ours {show(ours.get(c))}" for c in odd[:10]]


def string_faults(gen, program, server, family, charset, codes):
    """Strings of random codes of the set, where boundaries of codes matter."""
    choose = random.Random(charset)
    strings = [b"".join(choose.choices(codes, k=LENGTH)).hex() for _ in range(STRINGS)]
    ask = "".join(f"SELECT HEX(CONVERT(CONVERT(x'{s}' USING {charset}) USING utf8mb4));\n"
                  for s in strings)
    theirs = [row[0] for row in gen.sql(server, ask)]
    ours = [row[0] for row in dump(program, [family, charset], "\n".join(strings) + "\n")]
    return [f"{s}: server {t}, ours {o}" for s, t, o in zip(strings, theirs, ours)
            if t != o][:3]


def collation_faults(gen, program, server):
    ours = {int(n): name for n, name in dump(program, ["collations"])}
    return [f"collation {n}: server {name}, ours {ours.get(n, 'nothing')}"
            for n, name in sorted(gen.collations(server).items()) if ours.get(n) != name]


class Tap:
    """Counts and prints."""

    def __init__(self):
        self.count = self.failed = 0

    def report(self, name, faults):
        self.count += 1
        self.failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {self.count} - {name}", flush=True)
        for fault in faults:
            print(f"# {fault}")


def check_server(gen, program, server, tap):
    version = gen.sql(server, "SELECT VERSION();")[0][0]
    family = "mariadb" if "MariaDB" in version else "mysql"
    print(f"# {server}: {version}")
    tap.report(f"{server}: collations", collation_faults(gen, program, server))
    for charset in sorted(gen.charsets(server)):
        if charset == "binary":
            continue
        theirs = gen.mapped(server, charset)
        tap.report(f"{server}: {charset}, every code ({len(theirs)} with a character)",
                   table_faults(theirs, our_table(gen, program, family, charset)))
        tap.report(f"{server}: {charset}, codes in a row",
                   string_faults(gen, program, server, family, charset, sorted(theirs)))


def main():
    servers = sys.argv[1:]
    if not servers:
        print("1..0 # SKIP no server given")
        return 0
    gen, tap, folder = load_generator(), Tap(), tempfile.mkdtemp()
    try:
        program = build(folder)
        for server in servers:
            check_server(gen, program, server, tap)
    finally:
        shutil.rmtree(folder)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
