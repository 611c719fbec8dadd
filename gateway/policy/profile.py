"""The embedded profile: the part of Rego in which the embedded engine and an OPA server answer alike.

An allow-list, read from the syntax tree. What is outside is refused with its place: builtins and constructs the engines
differ in or that look at time, chance or the network; arithmetic, which one of them does in binary floating point;
recursion, which one does not survive; `not` over an operand that may be undefined, which one takes for true and the
other for no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.errors import Mistake
from gateway.policy.manifest import Tree
from gateway.policy.rule_check import HINT, LIST, MAYBE_LIST, Module, RuleCheck, Shape, World, text_at
from gateway.policy.syntax import SCALARS, Node, head_of, kind_of, name_of, package_of, position, take_apart

IMPORTS = ("rego.v1",)


def input_shape(document: Tree) -> dict[str, Any]:
    """The keys of a question as a tree, by the manifest's document fields."""
    return {
        "schema": None,
        "subject": {"id": None, "client": None, "roles": LIST, "plants": LIST, "auth": None},
        "cell": {"plant": None, "domain": None},
        **dict.fromkeys(("object", "verb", "phase", "side", "version", "time_bucket")),
        "document": _plain(document),
        "client": {"surface": None, "network": None},
    }


def _plain(tree: Tree) -> dict[str, Any]:
    return {
        name.removesuffix("[]"): MAYBE_LIST if name.endswith("[]") else (None if below is None else _plain(below))
        for name, below in tree.items()
    }


def check_profile(modules: list[Node], shape: Shape) -> list[Mistake]:
    """Every place where these modules leave the profile. Takes: regorus's syntax trees."""
    mistakes: list[Mistake] = []
    world = World(shape, [_module(module, mistakes) for module in modules])
    for module in world.modules:
        named = world.rules.setdefault(module.package, {})
        for rule in module.rules:
            _note_rule(rule, named)
    edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for module in world.modules:
        if module.package.split(".")[0] in shape.data:
            mistakes.append(Mistake(module.file, 1, 1, f"package {module.package}: a data document has that name"))
        for rule in module.rules:
            checker = RuleCheck(world, module, mistakes)
            checker.run(rule)
            edges.setdefault((module.package, name_of(head_of(rule)[1])), set()).update(checker.uses)
    mistakes += _recursion(world, edges)
    return sorted(set(mistakes), key=lambda m: (m.file, m.line, m.column, m.reason))


def _module(module: Node, mistakes: list[Mistake]) -> Module:
    file, source = module["source"]["file"], module["source"]["contents"]
    found = Module(file, package_of(module), file.endswith("_test.rego"), module["ast"]["rules"])
    found.source = source.encode()
    for row in module["ast"]["imports"]:
        ref = take_apart(row["refr"])
        path: list[str] = [ref.root, *(step or "" for step in ref.steps)] if ref else [""]
        if ".".join(path) in IMPORTS:
            continue
        if path[0] not in ("data", "input") or len(path) == 1 or "" in path:
            mistakes.append(Mistake(file, *position(row), f"import {'.'.join(path)} is {HINT}"))
            continue
        alias = row.get("as")
        found.aliases[text_at(found.source, alias) if alias is not None else path[-1]] = tuple(path)
    return found


def _note_rule(rule: Node, named: dict[str, str]) -> None:
    kind, head = head_of(rule)
    name = name_of(head)
    if kind == "Func":
        named[name] = "function"
    elif kind in ("Set", "Default") or kind_of(head["refr"])[0] == "RefBrack" or _is_constant(rule, head):
        named[name] = "defined"
    else:
        named.setdefault(name, "maybe")


def _is_constant(rule: Node, head: Node) -> bool:
    assign = head.get("assign")
    if not assign or kind_of(rule)[1].get("bodies"):
        return False
    return kind_of(assign["value"])[0] in SCALARS


def _recursion(world: World, edges: Mapping[tuple[str, str], set[tuple[str, str]]]) -> Iterator[Mistake]:
    for module in world.modules:
        for rule in module.rules:
            start = (module.package, name_of(head_of(rule)[1]))
            if start in _reachable(start, edges):
                where = position(kind_of(rule)[1])
                yield Mistake(module.file, *where, f"rule {start[1]} depends on itself")


def _reachable(start: tuple[str, str], edges: Mapping[tuple[str, str], set[tuple[str, str]]]) -> set[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    todo = [start]
    while todo:
        for after in edges.get(todo.pop(), ()):
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return seen
