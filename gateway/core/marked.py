"""YAML with its line numbers: plain data, and where in the file each value stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from gateway.errors import ContentError, Mistake

Path = tuple[str | int, ...]
T = TypeVar("T", bound=BaseModel)


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

    def under(self, *path: str | int) -> Marked:
        """The part of the file below `path`, with its marks."""
        data = self.data
        for step in path:
            data = data[step]
        size = len(path)
        return Marked(self.file, data, {k[size:]: v for k, v in self.marks.items() if k[:size] == path})


def parse(file: str, text: str) -> Marked:
    """Read one YAML document of plain data.

    Raises: ContentError: not YAML, a key that stands twice, a key that is no text, or a tag that is not plain data.
    """
    marks: dict[Path, tuple[int, int]] = {}
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader)
        data = _plain(node, (), marks, file)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ContentError([Mistake(file, line, column, f"not YAML: {err.problem}")]) from err
    except yaml.YAMLError as err:
        raise ContentError([Mistake(file, 0, 0, f"not YAML: {err}")]) from err
    return Marked(file, data, marks)


def _plain(node: yaml.Node | None, path: Path, marks: dict[Path, tuple[int, int]], file: str) -> Any:
    if node is None:
        return {}
    marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, marks, file)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, i), marks, file) for i, child in enumerate(node.value)]
    return _SCALARS.construct_object(node)


def _mapping(node: yaml.MappingNode, path: Path, marks: dict[Path, tuple[int, int]], file: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode) or key in found:
            raise ContentError([Mistake(file, line, column, f"the key {key!r} stands twice or is no text")])
        found[key] = _plain(value_node, (*path, key), marks, file)
        marks[(*path, key)] = (line, column)
    return found


class _Scalars(yaml.constructor.SafeConstructor):
    """Only text, numbers, booleans and null: dates stay text, so that no zone is guessed."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002  # the base's signature
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        return super().construct_object(node)


_SCALARS = _Scalars()


def validated(marked: Marked, model: type[T]) -> T:
    """Read a file as a pydantic model, with every mistake placed in the file.

    Raises: ContentError.
    """
    try:
        return model.model_validate(marked.data)
    except ValidationError as err:
        raise ContentError([_placed(marked, e) for e in err.errors()]) from err


def _placed(marked: Marked, error: Any) -> Mistake:
    where = ".".join(str(step) for step in error["loc"])
    return marked.mistake(error["loc"], f"{where}: {error['msg']}" if where else error["msg"])
