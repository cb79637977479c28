"""Every type, from every server: generated databases, synced, then judged by the oracle."""
import os
import pathlib
import re

import pytest

from support import exits, gen_types

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/types.md"
FRIENDLY = ["f-mysql97", "f-mariadb105", "f-mariadb1011", "f-mariadb118"]
seen = {}  # server -> set of (MySQL's type, DuckDB's type)


def load(server, database, seed, options):
    version = server.run("SELECT VERSION()")[0][0]
    c = server.connect()
    try:
        with c.cursor() as cursor:
            for sql in gen_types.statements(seed, gen_types.Features.of(version), database, options):
                cursor.execute(sql)
    finally:
        c.close()


def test_every_type_is_copied_exactly(every_server, make_database, tailrace):
    seed = int(os.environ.get("TEST_SEED", "1"))
    print(f"seed {seed}")
    database = make_database(every_server)
    load(every_server, database, seed, gen_types.Options())
    result = tailrace.sync(every_server.url(database), timeout=300)
    report = tailrace.compare(every_server, database)
    seen[every_server.name] = report.types
    assert report.equal, f"{report}\n{result}"
    # Invalid text and a zero date in a key are there in every generated database.
    assert report.rejected >= 5
    result.expect(exits.PARTIAL)


def test_again_gives_the_same(server, make_database, tailrace):
    database = make_database(server)
    load(server, database, 2, gen_types.Options(rows=10, wide=50, invalid_text=False, charsets=False))
    for _ in range(2):
        tailrace.sync(server.url(database), timeout=300).expect(exits.OK, exits.PARTIAL)
        tailrace.exact(server, database)


def test_a_text_of_64_mib(server, make_database, tailrace):
    if server.profile != "friendly":
        pytest.skip("the server's own max_allowed_packet is too small to make such a text")
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.big (id INT NOT NULL PRIMARY KEY, t LONGTEXT)",
               f"INSERT INTO {database}.big VALUES (1, 'small'), (2, REPEAT('ab', 16777216)), (3, 'after')",
               f"UPDATE {database}.big SET t = CONCAT(t, t) WHERE id = 2")
    assert server.run(f"SELECT LENGTH(t) FROM {database}.big WHERE id = 2")[0][0] == 64 << 20
    tailrace.sync(server.url(database)).expect(exits.OK)
    assert tailrace.exact(server, database).rejected == 0


def family(name):
    """'int(11) unsigned' and 'int unsigned' are one line of the page."""
    name = re.sub(r"^(tinyint)\((?!1\))\d+\)|^(smallint|mediumint|int|bigint|year)\(\d+\)",
                  lambda m: m[1] or m[2], name)
    return re.sub(r"\((?!1\))[\d,]+\)", "(…)" if "decimal" not in name else "(p,s)", name)


def page_text():
    lines = {}
    for server, types in seen.items():
        for mysql, duck in types:
            duck = re.sub(r"DECIMAL\([\d,]+\)", "DECIMAL(p,s)", duck)
            lines.setdefault((family(mysql), duck), set()).add(server.removeprefix("f-"))
    out = ["# Types, as the tests saw them", "",
           "Written by `make docs` from what tests/flow/test_sync_types.py copied and an independent client compared",
           "value by value. `text` past 38 digits: DuckDB's DECIMAL ends there.", "",
           "| Source | DuckDB | Proved on |", "| --- | --- | --- |"]
    out += [f"| `{m}` | `{d}` | {', '.join(sorted(on))} |" for (m, d), on in sorted(lines.items())]
    return "\n".join(out) + "\n"


def test_the_page_of_types_says_what_was_seen():
    if not all(name in seen for name in FRIENDLY):
        pytest.skip("needs the friendly servers, all in this run")
    for name in [n for n in seen if n not in FRIENDLY]:
        del seen[name]
    text = page_text()
    if os.environ.get("TAILRACE_WRITE_DOCS") == "1":
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.exists(), f"{PAGE} is not there: make docs writes it"
    assert PAGE.read_text(encoding="utf-8") == text, "docs/reference/types.md differs: make docs rewrites it"
