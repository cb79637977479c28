"""Logs of other people's servers, from MySQL 5.0 to 9.6 and MariaDB 10.0 to 11.8, where a folder with them stands beside the
repository (TEST_BINLOGS, else ../shared/binlogs). They are not part of it. Its README.md says what is in each: for every file the
events must be the same, or the file must be one that both mysqlbinlog and mariadb-binlog refuse."""
import collections
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(os.environ.get("TEST_BINLOGS", ROOT.parent / "shared/binlogs"))
FILES = sorted((FOLDER / "public").glob("*"))

# Our reason for each file that is refused.
REFUSED = {"blackbeam__corrupt-relay-bin.000624": "the body of a QUERY_EVENT is damaged",
           "webscalesql__trunc_binlog.000001": "the log has the format of a server before MySQL 5.0"}
# The page's short names; those of rows say the version behind the name.
SHORT = {"fde": "FORMAT_DESCRIPTION", "prev_gtids": "PREVIOUS_GTIDS", "anon_gtid": "ANONYMOUS_GTID", "gtid_tagged": "GTID_TAGGED",
         "payload": "TRANSACTION_PAYLOAD", "partial_update": "PARTIAL_UPDATE_ROWS", "begin_load": "BEGIN_LOAD_QUERY",
         "exec_load": "EXECUTE_LOAD_QUERY", "type100": "AURORA_PADDING", "ma_gtid": "MARIADB_GTID", "ma_gtid_list": "GTID_LIST",
         "ma_checkpoint": "BINLOG_CHECKPOINT", "annotate": "ANNOTATE_ROWS"}


def described():
    """{file: (events, True when both tools refuse it)}"""
    found = {}
    for line in (FOLDER / "README.md").read_text().splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 9 and "__" in cells[0]:
            events = {name: int(n) for name, n in re.findall(r"(\w+):(\d+)", cells[6])}
            found[cells[0]] = (events, cells[4] == cells[5] == "error")
    return found


def long_name(short):
    if m := re.fullmatch(r"(write|update|delete)([12])", short):
        return m[1].upper() + "_ROWS_EVENT" + ("_V1" if m[2] == "1" else "")
    return SHORT.get(short, short.upper()) + "_EVENT"


@pytest.mark.parametrize("path", FILES or [pytest.param(None, marks=pytest.mark.skip(reason="no folder of binary logs"))],
                         ids=lambda p: p.name if p else "none")
def test_a_public_log_is_decoded_or_refused_as_its_page_says(binary, path):
    events, both_refuse = described()[path.name]
    r = subprocess.run([binary, "binlog", str(path), "--json"], capture_output=True)
    told = [json.loads(line) for line in r.stdout.decode().splitlines()]
    if path.name in REFUSED:
        assert both_refuse and r.returncode == 4
        assert REFUSED[path.name] in json.loads(r.stderr)["error"]
        return
    assert r.returncode == 0, r.stderr
    got = collections.Counter(e["type"] for e in told if "row" not in e and "packed" not in e)
    assert got == {long_name(k): n for k, n in events.items()}
    assert not [e for e in told if e.get("type") == "unknown"]
    # Diffs of documents that MINIMAL images do not have can only be read again.
    undecoded = sum('"invalid"' in json.dumps(e) for e in told)
    assert undecoded == (6 if path.name == "blackbeam__json.binlog.000001" else 0)
