"""`tests/handlers.md`: every handler where the gateway meets ERPs and databases, and a test that executes it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.handlers.watched import ROOMS, Place, handlers

REPOSITORY = Path(__file__).parents[3]
NOBODY = "nothing: "
Handler = tuple[str, Place]


class Row(NamedTuple):
    """A handler, and the test that executes it."""

    handler: Handler
    test: str


def in_code() -> list[Handler]:
    """Every handler that there is, in the order of the code."""
    files = (path for room in ROOMS for path in sorted((REPOSITORY / "gateway" / room).glob("**/*.py")))
    return [
        (str(path.relative_to(REPOSITORY)), place)
        for path in files
        for _, place in handlers(ast.parse(path.read_text("utf-8")))
    ]


def rows() -> Iterator[Row]:
    """The table's rows. Those of one function and the same exceptions follow each other as they do in the code."""
    met: Counter[tuple[str, str, str]] = Counter()
    for line in (REPOSITORY / "tests/handlers.md").read_text("utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("| ").split(" | ")]
        if len(cells) == 4 and cells[0].startswith("gateway/"):
            file, function, on, test = cells
            yield Row((file, (function, on, met[file, function, on])), test)
            met[file, function, on] += 1


def not_executed(passed: Iterable[str], executed: set[Handler]) -> list[Row]:
    """The rows that are not true of a run. Takes: the tests that passed, as `file::name`; the handlers that were executed."""
    ran = set(passed)
    return [row for row in rows() if row.test in ran and row.handler not in executed]
