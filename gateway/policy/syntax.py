"""Reading the syntax tree that regorus prints as JSON: which nodes there are, where they stand, what they contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]

# The expressions of the embedded profile and the fields of their sub-expressions. What is not here is outside it.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "Var": (),
    "String": (),
    "RawString": (),
    "Number": (),
    "Bool": (),
    "Null": (),
    "Array": ("items",),
    "Set": ("items",),
    "Object": ("fields",),
    "ArrayCompr": ("term", "query"),
    "SetCompr": ("term", "query"),
    "ObjectCompr": ("key", "value", "query"),
    "RefDot": ("refr",),
    "RefBrack": ("refr", "index"),
    "Call": ("params",),
    "BoolExpr": ("lhs", "rhs"),
    "BinExpr": ("lhs", "rhs"),
    "Membership": ("key", "value", "collection"),
    "AssignExpr": ("lhs", "rhs"),
}
LITERALS: dict[str, tuple[str, ...]] = {
    "Expr": ("expr",),
    "NotExpr": ("expr",),
    "SomeIn": ("key", "value", "collection"),
    "SomeVars": (),
    "Every": ("domain", "query"),
}
SCALARS = frozenset({"String", "RawString", "Number", "Bool", "Null"})
COMPREHENSIONS = frozenset({"ArrayCompr", "SetCompr", "ObjectCompr"})


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference taken apart: its root name and its steps, None where a step is not a constant text."""

    root: str
    steps: tuple[str | None, ...]
    indexes: tuple[Node, ...]


def kind_of(node: Node) -> tuple[str, Node]:
    """An expression's or a literal's kind and its inside."""
    return next(iter(node.items()))


def position(inside: Node) -> tuple[int, int]:
    span = inside.get("span") or {}
    return int(span.get("line", 0)), int(span.get("col", 0))


def children(inside: Node, fields: tuple[str, ...]) -> Iterator[Node]:
    """The sub-expressions of a node, and its queries under the kind `Query`."""
    for field in fields:
        value = inside.get(field)
        if field == "query":
            yield {"Query": value}
        elif field == "fields":
            for _, key, item in value or ():
                yield from (key, item)
        elif isinstance(value, list):
            yield from value
        elif value is not None:
            yield value


def take_apart(node: Node) -> Ref | None:
    """The reference a node is, or None when it is another expression or does not start at a name."""
    steps: list[str | None] = []
    indexes: list[Node] = []
    kind, inside = kind_of(node)
    while kind in ("RefDot", "RefBrack"):
        if kind == "RefDot":
            steps.append(inside["field"][1])
        else:
            index_kind, index = kind_of(inside["index"])
            steps.append(index["value"] if index_kind in ("String", "RawString") else None)
            indexes.append(inside["index"])
        kind, inside = kind_of(inside["refr"])
    if kind != "Var":
        return None
    return Ref(inside["value"], tuple(reversed(steps)), tuple(reversed(indexes)))


def root_of(node: Node) -> Node:
    """What a reference refers into."""
    while kind_of(node)[0] in ("RefDot", "RefBrack"):
        node = kind_of(node)[1]["refr"]
    return node


def package_of(module: Node) -> str:
    ref = take_apart(module["ast"]["package"]["refr"])
    return ".".join([ref.root, *(step or "" for step in ref.steps)]) if ref else ""


def head_of(rule: Node) -> tuple[str, Node]:
    """A rule's head kind (`Compr`, `Set`, `Func`, `Default`) and its inside."""
    kind, inside = kind_of(rule)
    if kind == "Default":
        return kind, inside
    head_kind, head = kind_of(inside["head"])
    return head_kind, head


def name_of(head: Node) -> str:
    """The name a rule head defines."""
    ref = take_apart(head["refr"])
    return ref.root if ref else ""
