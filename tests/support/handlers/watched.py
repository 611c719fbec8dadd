"""Writes down which handlers are executed, here and in every process that is started: each marks a file when it is first entered.

Needs nothing but Python: `sitecustomize.py` beside it calls this before anything of the gateway is imported.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOMS = ("connectors", "store", "writes")
FILE = "EXECUTED_HANDLERS"
"""The variable that names the file: one line for each handler and process, `file|function|exceptions|which of these`."""
_MARK = "__handler_is_executed__"
Place = tuple[str, str, int]
"""Function, exceptions, and which of those with the same in it, from 0."""


def handlers(tree: ast.AST) -> Iterator[tuple[ast.ExceptHandler | ast.withitem, Place]]:
    """Every `except` and every `suppress` of a file, in the order of the code."""
    met: Counter[tuple[str, str]] = Counter()
    for node, function, on in _within(tree, ()):
        yield node, (function, on, met[function, on])
        met[function, on] += 1


def _within(node: ast.AST, place: tuple[str, ...]) -> Iterator[tuple[ast.ExceptHandler | ast.withitem, str, str]]:
    if isinstance(node, ast.ExceptHandler):
        yield node, ".".join(place), ast.unparse(node.type) if node.type is not None else "everything"
    if isinstance(node, ast.withitem) and _suppresses(node):
        yield node, ".".join(place), ast.unparse(node.context_expr)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        place = (*place, node.name)
    for child in ast.iter_child_nodes(node):
        yield from _within(child, place)


def _suppresses(item: ast.withitem) -> bool:
    return ast.unparse(item.context_expr).startswith(("suppress(", "contextlib.suppress("))


def marked(source: str | bytes, file: str) -> ast.Module:
    """The code of a file, each of its handlers telling first that it is executed."""
    tree = ast.parse(source)
    calls = {id(node): _call((file, *place)) for node, place in list(handlers(tree))}
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            node.body.insert(0, calls[id(node)])
        elif isinstance(node, ast.With):
            for item in node.items:
                if id(item) in calls:
                    node.body = [_told(item, calls[id(item)], node.body)]
    return ast.fix_missing_locations(tree)


def _call(handler: tuple[str, str, str, int]) -> ast.stmt:
    return ast.parse(f"{_MARK}({'|'.join(map(str, handler))!r})").body[0]


def _told(item: ast.withitem, call: ast.stmt, body: list[ast.stmt]) -> ast.Try:
    """The body of a `suppress`, so that what is going to be suppressed is told."""
    assert isinstance(item.context_expr, ast.Call)
    kinds = ast.Tuple(list(item.context_expr.args), ast.Load())
    return ast.Try(body, [ast.ExceptHandler(kinds, None, [call, ast.Raise()])], [], [])


class _Loader(SourceFileLoader):
    """Compiles marked code, and keeps it beside the other: a gateway that is started often must not compile often."""

    def source_to_code(self, data: Any, path: Any, *more: Any, **options: Any) -> CodeType:
        return compile(marked(data, "gateway/" + str(path).rpartition("/gateway/")[2]), path, "exec", dont_inherit=True)

    def get_data(self, path: str) -> bytes:
        return super().get_data(_beside(path))

    def set_data(self, path: str, data: Any, **more: Any) -> None:
        super().set_data(_beside(path), data, **more)


def _beside(path: str) -> str:
    return f"{path.removesuffix('.pyc')}.marked.pyc" if path.endswith(".pyc") else path


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(tuple(f"gateway.{room}" for room in ROOMS)):
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


def watch(file: str) -> None:
    """From now on handlers of modules that are imported mark the file."""
    seen: set[str] = set()
    # Opened now: a handler may be entered because no file can be opened any more, and telling of it must not fail.
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def mark(handler: str) -> None:
        if handler not in seen:
            seen.add(handler)
            os.write(out, f"{handler}\n".encode())

    setattr(builtins, _MARK, mark)
    sys.meta_path.insert(0, _Finder())


def executed(file: Path) -> set[tuple[str, Place]]:
    """The handlers that stand in the file."""
    rows = (line.split("|") for line in file.read_text("utf-8").splitlines()) if file.exists() else ()
    return {(name, (function, "|".join(on), int(which))) for name, function, *on, which in rows}
