"""What generated functions call while they run, and the error that names the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.core.canonical import Document
from gateway.dialects.resolve import Entry

ABSENT = object()


class Mismatch(Exception):
    """A document does not fit its dialect. `canonical` and `native` are paths; rows carry their number from 0."""

    def __init__(self, canonical: tuple[str | int, ...], native: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.canonical, self.native, self.reason = canonical, native, reason

    def within(self, canonical: str, native: str, row: int) -> Mismatch:
        return Mismatch((canonical, row, *self.canonical), (native, row, *self.native), self.reason)


def rows(run: Callable[[Any], Any], values: Any, outer: tuple[str, str]) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise ValueError(f"a list expected, {type(values).__name__} found")  # noqa: TRY004  # one kind of refusal
    made = []
    for i, value in enumerate(values):
        try:
            made.append(run(value))
        except Mismatch as err:
            raise err.within(*outer, i) from err
    return made


def refuse(names: frozenset[str], document: Document) -> None:
    for name in names.intersection(document):
        if document[name] is not None:
            raise Mismatch((name,), (), "this system has no such field")


def known(document: Any, tree: Mapping[str, Any], shown: set[tuple[str, ...]], above: tuple[str, ...]) -> None:
    if not isinstance(document, dict):
        raise Mismatch((), above, f"an object expected, {type(document).__name__} found")
    for name, value in document.items():
        if name not in tree:
            path = (*above, name)
            raise Mismatch((), path, "the field is read-only" if path in shown else "unknown field")
        if value is not None and tree[name] is not None:
            known(value, tree[name], shown, (*above, name))


def explain(error: Exception, owners: tuple[Entry | None, ...]) -> Mismatch:
    trace = error.__traceback__
    owner = owners[trace.tb_lineno - 1] if trace else None
    if owner is None:
        return Mismatch((), (), f"a document expected ({error})")
    reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return Mismatch(owner.canonical[:1], (".".join(owner.native[0]),), reason)
