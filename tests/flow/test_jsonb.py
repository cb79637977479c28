"""Binary JSON from a real server's log: what test_jsonb prints of documents and updates that were never seen
before is what the server prints."""
import os
import random
import subprocess
import sys

import pytest
from conftest import LONG, ROOT


def test_jsonb_prints_what_the_server_prints(newest_server, binary, tmp_path):
    if newest_server.mariadb:
        pytest.skip("MariaDB has no binary JSON")
    program = binary.parent / "tests/unit/mysql_test_jsonb"
    if not program.exists():
        pytest.skip("the unit tests are not built")
    seed = int(os.environ.get("TEST_SEED", random.randrange(10**6)))
    golden = tmp_path / "golden.tsv"
    count = "3000" if LONG else "300"
    with golden.open("w") as out:
        subprocess.run([sys.executable, ROOT / "tests/support/capture_jsonb.py", newest_server.socket, str(seed), count,
                        count], check=True, stdout=out)
    done = subprocess.run([program], cwd=ROOT, env={**os.environ, "TEST_JSONB_GOLDEN": str(golden)},
                          capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, f"seed {seed}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
