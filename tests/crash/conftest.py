"""The fixtures of the flow tests, and a wrapper that tells how warehouse processes ended."""
import importlib.util
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
_spec = importlib.util.spec_from_file_location("flow_fixtures", ROOT / "tests/flow/conftest.py")
_flow = importlib.util.module_from_spec(_spec)
sys.modules["flow_fixtures"] = _flow
_spec.loader.exec_module(_flow)

binary, tailrace, make_database = _flow.binary, _flow.tailrace, _flow.make_database


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        names = [n for n in _flow.SERVERS if "mariadb1011" in n] or _flow.SERVERS
        metafunc.parametrize("server", names[:1] or [_flow.NO_SERVERS], indirect=True)


@pytest.fixture
def server(request):
    return _flow.server_of(request.param)


WRAPPER = """#!/bin/sh
if {once} && grep -q 137 "{notes}" 2>/dev/null; then unset TAILRACE_FAULT; fi
# The process tells by closing its standard output that it is ready: the shell must not hold it open.
"{exe}" "$@" &
exec >/dev/null
wait $!
echo $? >>"{notes}"
"""


@pytest.fixture
def ends(binary, tmp_path):
    """A function (once) -> (environment, statuses): with the environment each warehouse process notes its exit status;
    137 is SIGKILL. With once, one that is started after another was killed has no fault."""
    wrapper, notes = tmp_path / "warehouse-and-note", tmp_path / "ends"

    def make(once=True):
        wrapper.write_text(WRAPPER.format(once="true" if once else "false", notes=notes,
                                          exe=os.environ.get("TAILRACE_EXE") or binary), encoding="ascii")
        wrapper.chmod(0o755)
        return {"TAILRACE_EXE": wrapper}, lambda: notes.read_text(encoding="ascii").split() if notes.exists() else []

    return make
