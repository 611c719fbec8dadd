"""Every handler where the gateway meets ERPs and databases is executed by a test that `tests/handlers.md` names.

Whether it really was is held by each run of the tests (`tests/conftest.py`).
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from tests.support.handlers.table import NOBODY, REPOSITORY, Row, in_code, not_executed, rows
from tests.support.handlers.watched import FILE, executed

WATCHED = str(Path(__file__).parents[1] / "support/handlers")


def test_every_handler_has_a_row_and_every_row_a_handler() -> None:
    code, table = set(in_code()), {row.handler for row in rows()}
    assert sorted(code - table) == [], "who executes these?"
    assert sorted(table - code) == [], "these are gone"


def test_every_test_that_is_named_is_there() -> None:
    for handler, test in rows():
        if test.startswith(NOBODY):
            assert len(test.split()) > 5, f"{handler}: why?"
            continue
        file, _, name = test.partition("::")
        tree = ast.parse((REPOSITORY / file).read_text("utf-8"))
        found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in found, f"{handler} is executed by {test}, which is not there"


def test_a_row_whose_test_passed_and_left_the_handler_alone_is_found() -> None:
    first, *_ = rows()
    assert not_executed([first.test], set()) == [row for row in rows() if row.test == first.test]
    assert not_executed([], set()) == []
    assert first not in not_executed([first.test], {first.handler})


def test_a_process_that_is_started_tells_which_handlers_it_executes(tmp_path: Path) -> None:
    room = tmp_path / "gateway/store"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").touch()
    (room / "__init__.py").touch()
    (room / "broken.py").write_text(
        "from contextlib import suppress\n"
        "def one(words, n):\n"
        "    with suppress(KeyError, IndexError):\n"
        "        words[n]\n"
        "    try:\n"
        "        return words[n]\n"
        "    except LookupError:\n"
        "        return None\n"
        "    except TypeError as err:\n"
        "        return str(err)\n"
    )
    out = tmp_path / "executed"
    for _ in range(2):  # compiled, and from the cache
        out.unlink(missing_ok=True)
        told = subprocess.run(
            [sys.executable, "-c", "from gateway.store.broken import one; print(one('abc', 0), one('abc', 3))"],
            env={**os.environ, "PYTHONPATH": f"{WATCHED}:{tmp_path}", FILE: str(out)}, cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert told.stdout == "a None\n"
        file = "gateway/store/broken.py"
        assert executed(out) == {
            (file, ("one", "suppress(KeyError, IndexError)", 0)),
            (file, ("one", "LookupError", 0)),
        }


def test_the_rows_tell_apart_what_one_function_catches_twice() -> None:
    twice = [row for row in rows() if row.handler[1][2] > 0]
    assert Row(*twice[0]).handler in in_code()
