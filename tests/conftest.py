"""Watches which handlers are executed, and fails a run in which a test passed that is said to execute one and did not."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.handlers.table import Row, not_executed
from tests.support.handlers.watched import FILE, executed, watch

_FOLDER = Path(__file__).parent / "support/handlers"
_OUT = Path(tempfile.mkdtemp(prefix="changeover-tests-")) / "executed"
_passed: set[str] = set()

# Now, and not in a hook: other conftest files import the gateway while they are read.
watch(str(_OUT))
os.environ[FILE] = str(_OUT)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_FOLDER), os.environ.get("PYTHONPATH"))))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.add(report.nodeid.partition("[")[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for (file, (function, on, _)), test in _untrue():
        terminalreporter.write_line(f"NOT EXECUTED {file} {function}: except {on}: {test} passed without it", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and _untrue():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    shutil.rmtree(_OUT.parent, ignore_errors=True)


def _untrue() -> list[Row]:
    return not_executed(_passed, executed(_OUT))
