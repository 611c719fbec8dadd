"""`policies/manifest.yaml`: what a bundle may see of a document and which obligations it may set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from gateway.core.findings import in_words
from gateway.errors import ContentError, Mistake
from gateway.policy.decision import Path

MANIFEST = "manifest.yaml"
TOO_DEEP = "nested too deeply, or an alias stands inside of what it names"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Package = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=120)]
Obligation = Literal["mask", "row_filter", "rate_class", "log", "step_up", "region"]

Tree = dict[str, "Tree | None"]
"""Declared fields: name -> None for a scalar, or the fields below; a list's name ends in `[]`."""


class Total(BaseModel):
    """An exact sum over a list, for policies that set limits: the products of `multiply` over `divide`, added up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    over: Name
    multiply: list[Name] = Field(min_length=1, max_length=3)
    divide: Name | None = None


class Manifest(BaseModel):
    """What a bundle declares of itself. Field paths are dotted; `lines[].price` is a field of each row of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = Field(alias="schema")
    package: Package = "changeover.authz"
    rule: Name = "decision"
    time_bucket_s: Annotated[int, Field(ge=60, le=86_400)] | None = None
    document: dict[Name, list[Path]] = {}
    totals: dict[Name, dict[Name, Total]] = {}
    obligations: list[Obligation] = []

    def own_tree(self, obj: str) -> Tree:
        """The declared document fields of one object."""
        return _tree([*self.document.get(obj, ()), *self.totals.get(obj, ())])

    def whole_tree(self) -> Tree:
        """The declared document fields of all objects: the shape that every question has."""
        paths = [path for listed in self.document.values() for path in listed]
        return _tree(paths + [name for named in self.totals.values() for name in named])


def _tree(paths: list[str]) -> Tree:
    root: Tree = {}
    for path in paths:
        here = root
        *parents, leaf = path.split(".")
        for step in parents:
            below = here.setdefault(step, {})
            if below is None:
                raise ValueError(f"{path}: {step} is declared as a field and as a group")
            here = below
        if here.setdefault(leaf, None) is not None:
            raise ValueError(f"{path}: declared as a field and as a group")
    _check_names(root)
    return root


def _check_names(tree: Tree) -> None:
    bare = [name.removesuffix("[]") for name in tree]
    for name in bare:
        if bare.count(name) > 1:
            raise ValueError(f"{name}: declared as a list and as a single value")
    for below in tree.values():
        if below is not None:
            _check_names(below)


class _StrictLoader(yaml.SafeLoader):
    """YAML without duplicate keys."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
        seen.add(key)
    return cast("dict[Any, Any]", loader.construct_mapping(node, deep=True))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(file: str, text: str) -> Any:
    """Parse YAML strictly. Raises: ContentError."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader with one more rule
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ContentError([Mistake(file, line, column, error.problem or "not YAML")]) from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ContentError([Mistake(file, 0, 0, "not YAML")]) from error
    except RecursionError as error:
        raise ContentError([Mistake(file, 0, 0, TOO_DEEP)]) from error


def read_manifest(file: str, text: str) -> Manifest:
    """Read and check a manifest. Raises: ContentError with every mistake and where it stands."""
    value = read_yaml(file, text)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    try:
        manifest = Manifest.model_validate(value)
    except ValidationError as error:
        raise ContentError([_mistake(file, root, row) for row in error.errors()]) from error
    problems = list(_contradictions(manifest))
    if problems:
        raise ContentError([Mistake(file, *_position(root, ("document",)), reason) for reason in problems])
    return manifest


def _contradictions(manifest: Manifest) -> Iterator[str]:
    try:
        manifest.whole_tree()
    except ValueError as error:
        yield str(error)
    for obj, totals in manifest.totals.items():
        for name in totals:
            if name in {re.split(r"[.\[]", path)[0] for path in manifest.document.get(obj, ())}:
                yield f"{obj}.{name}: declared as a field and as a total"


def _mistake(file: str, root: yaml.Node | None, error: ErrorDetails) -> Mistake:
    where = ".".join(str(step) for step in error["loc"])
    return Mistake(file, *_position(root, error["loc"]), f"{where}: {in_words(error, Manifest)}")


def _position(node: yaml.Node | None, loc: tuple[int | str, ...]) -> tuple[int, int]:
    for step in loc:
        below = _child(node, step)
        if below is None:
            break
        node = below
    return (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (0, 0)


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return cast("yaml.Node", node.value[step])
    return None
