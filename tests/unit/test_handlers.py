"""Every handler where the gateway meets ERPs and databases is executed by a test that `tests/handlers.md` names."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("connectors", "store", "writes")
NOBODY = "nothing: "
Handler = tuple[str, str, str]


def handlers() -> list[Handler]:
    """(file, function, exceptions) of every `except` and every `suppress`, in the order of the code."""
    files = (path for room in ROOMS for path in sorted((REPOSITORY / "gateway" / room).glob("**/*.py")))
    return [
        (str(path.relative_to(REPOSITORY)), *found)
        for path in files
        for found in _within(ast.parse(path.read_text("utf-8")), ())
    ]


def _within(node: ast.AST, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ExceptHandler):
        yield ".".join(place), ast.unparse(node.type) if node.type is not None else "everything"
    if isinstance(node, ast.withitem) and ast.unparse(node.context_expr).startswith(
        ("suppress(", "contextlib.suppress(")
    ):
        yield ".".join(place), ast.unparse(node.context_expr)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        place = (*place, node.name)
    for child in ast.iter_child_nodes(node):
        yield from _within(child, place)


def rows() -> list[tuple[Handler, str]]:
    """The table: a handler, and the test that executes it."""
    lines = (REPOSITORY / "tests/handlers.md").read_text("utf-8").splitlines()
    cells = [
        [cell.strip().strip("`") for cell in line.strip("| ").split(" | ")] for line in lines if "gateway/" in line
    ]
    return [((file, function, on), test) for file, function, on, test in (row for row in cells if len(row) == 4)]


def test_every_handler_has_a_row_and_every_row_a_handler() -> None:
    code, table = Counter(handlers()), Counter(handler for handler, _ in rows())
    assert sorted((code - table).elements()) == [], "who executes these?"
    assert sorted((table - code).elements()) == [], "these are gone"


def test_every_test_that_is_named_is_there() -> None:
    for handler, test in rows():
        if test.startswith(NOBODY):
            assert len(test.split()) > 5, f"{handler}: why?"
            continue
        file, _, name = test.partition("::")
        tree = ast.parse((REPOSITORY / file).read_text("utf-8"))
        found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in found, f"{handler} is executed by {test}, which is not there"
