"""YAML with its line numbers: plain data, and where in the file each value stands."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.core.findings import in_words
from gateway.errors import ContentError, Mistake

MAX_DEPTH = 64
_LOADER = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
Path = tuple[str | int, ...]
T = TypeVar("T", bound=BaseModel)
_ONLY_SHOWN = frozenset({"title", "owner", "name"})
"""Texts that nothing refers to: a file without one can still be read for what else is wrong."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A parsed file: `data` is plain Python, `marks` gives (line, column) of each path, counted from 1."""

    file: str
    data: Any
    marks: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def mistake(self, path: Iterable[str | int], reason: str) -> Mistake:
        """A mistake at `path`, or at the nearest enclosing place that the file has."""
        steps = tuple(path)
        while steps and steps not in self.marks:
            steps = steps[:-1]
        line, column = self.marks.get(steps, (1, 1))
        return Mistake(self.file, line, column, reason)

    def without(self, path: Path) -> Marked:
        """The same file without what stands at `path`; what follows in a list moves up."""
        *above, last = path
        size, data = len(above), copy.deepcopy(self.data)
        holder = data
        for step in above:
            holder = holder[step]
        del holder[last]
        marks = {}
        for key, mark in self.marks.items():
            if key[: size + 1] == path:
                continue
            below = key[size] if key[:size] == tuple(above) and len(key) > size else None
            moved = isinstance(last, int) and isinstance(below, int) and below > last
            marks[(*key[:size], below - 1, *key[size + 1 :]) if moved else key] = mark  # type: ignore[operator]  # an int
        return Marked(self.file, data, marks)


def parse(file: str, text: str) -> Marked:
    """Read one YAML document of plain data.

    Raises: ContentError: not YAML, a key that stands twice, a key that is no text, or a tag that is not plain data.
    """
    marks: dict[Path, tuple[int, int]] = {}
    wrong: list[Mistake] = []
    try:
        _check_depth(file, text)
        data = _plain(yaml.compose(text, Loader=_LOADER), (), marks, file, wrong)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ContentError([*wrong, Mistake(file, line, column, f"not YAML: {err.problem}")]) from err
    except yaml.YAMLError as err:
        raise ContentError([Mistake(file, 0, 0, f"not YAML: {err}")]) from err
    except RecursionError as err:
        raise ContentError([*wrong, Mistake(file, 0, 0, "an alias stands inside of what it names")]) from err
    if wrong:
        raise ContentError(wrong)
    return Marked(file, data, marks)


def _check_depth(file: str, text: str) -> None:
    """The parser reads on at any depth; what makes a tree of its events would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
                raise ContentError([Mistake(file, line, column, f"nested deeper than {MAX_DEPTH}")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _plain(
    node: yaml.Node | None, path: Path, marks: dict[Path, tuple[int, int]], file: str, wrong: list[Mistake]
) -> Any:
    if node is None:
        return {}
    marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, marks, file, wrong)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, i), marks, file, wrong) for i, child in enumerate(node.value)]
    return _SCALARS.construct_object(node)


def _mapping(
    node: yaml.MappingNode, path: Path, marks: dict[Path, tuple[int, int]], file: str, wrong: list[Mistake]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode) or key in found:
            wrong.append(Mistake(file, line, column, f"the key {key!r} stands twice or is no text"))
            continue
        found[key] = _plain(value_node, (*path, key), marks, file, wrong)
        marks[(*path, key)] = (line, column)
    return found


class _Scalars(yaml.constructor.SafeConstructor):
    """Only text, numbers, booleans and null: dates stay text, so that no zone is guessed."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002  # the base's signature
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        return super().construct_object(node)


_SCALARS = _Scalars()


def _placed(marked: Marked, error: ErrorDetails, model: type[BaseModel]) -> Mistake:
    where, reason = ".".join(str(step) for step in error["loc"]), in_words(error, model)
    return marked.mistake(error["loc"], f"{where}: {reason}" if where else reason)


@dataclass(frozen=True, slots=True)
class Salvaged(Generic[T]):
    """What can be read of a file with mistakes: `marked` is the file without them, `cut` where they stood in it.

    `value` is None where too little is left.
    """

    value: T | None
    marked: Marked
    mistakes: tuple[Mistake, ...] = ()
    cut: tuple[Path, ...] = ()


def salvaged(marked: Marked, model: type[T]) -> Salvaged[T]:
    """Read a file as a pydantic model, or as much of it as can be read: one mistake hides no other."""
    try:
        return Salvaged(model.model_validate(marked.data), marked)
    except ValidationError as err:
        errors = err.errors()
    rest, cut = _without_mistakes(marked, errors)
    try:
        value = model.model_validate(rest.data)
    except ValidationError:
        value = None
    return Salvaged(value, rest, tuple(_placed(marked, e, model) for e in errors), cut)


def _without_mistakes(marked: Marked, errors: list[Any]) -> tuple[Marked, tuple[Path, ...]]:
    found = {path for error in errors if (path := _cut_at(error["loc"])) in marked.marks and path}
    cut = sorted((p for p in found if not any(p[:n] in found for n in range(1, len(p)))), key=_last_first)
    for path in cut:
        marked = marked.without(path)
    unsaid = {e["loc"][0]: "-" for e in errors if e["type"] == "missing" and e["loc"] in {(n,) for n in _ONLY_SHOWN}}
    if unsaid:
        marked = Marked(marked.file, {**marked.data, **unsaid}, marked.marks)
    return marked, tuple(cut)


def _cut_at(place: Path) -> Path:
    """What is taken out for a mistake at `place`: the field of a dialect it stands in, else the entry of the file's own lists."""
    fields = [i for i, step in enumerate(place[:-1]) if step == "fields"]
    return place[: fields[-1] + 2] if fields else place[:2]


def _last_first(path: Path) -> list[int]:
    return [-step if isinstance(step, int) else 0 for step in path]
