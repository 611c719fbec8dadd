"""The embedded profile, rule by rule: walks the syntax tree and refuses what the engines may answer differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import Mistake
from gateway.policy.syntax import (
    COMPREHENSIONS,
    EXPRESSIONS,
    LITERALS,
    SCALARS,
    Node,
    Ref,
    children,
    head_of,
    kind_of,
    position,
    root_of,
    take_apart,
)

HINT = "outside the embedded profile; use an OPA server for it"
BUILTINS = {
    "array.concat": 2,
    "concat": 2,
    "contains": 2,
    "count": 1,
    "endswith": 2,
    "intersection": 1,
    "is_array": 1,
    "is_boolean": 1,
    "is_null": 1,
    "is_number": 1,
    "is_object": 1,
    "is_set": 1,
    "is_string": 1,
    "max": 1,
    "min": 1,
    "object.get": 3,
    "object.keys": 1,
    "object.union": 2,
    "split": 2,
    "startswith": 2,
    "substring": 3,
    "trim_prefix": 2,
    "trim_suffix": 2,
    "union": 1,
}
TEST_BUILTINS = {"print": None}
EXACT_DIGITS = 15
LIST, MAYBE_LIST = "list", "maybe-list"


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of `input` and `data`: the keys that every question has, and the data documents of the bundle.

    A leaf of `input_tree` is None for a scalar, `LIST`, or `MAYBE_LIST` for a list that is null while unknown.
    """

    input_tree: Mapping[str, Any]
    data: Mapping[str, Any]


@dataclass(slots=True)
class Module:
    """One file: its package, its rules by name, its imports by local name."""

    file: str
    package: str
    is_test: bool
    rules: list[Node]
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    source: bytes = b""


@dataclass(slots=True)
class World:
    """All files together."""

    shape: Shape
    modules: list[Module]
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    """package -> rule name -> `defined` when it always has a value, `function`, or `maybe`."""


def text_at(source: bytes, span: Mapping[str, int]) -> str:
    """The text a span covers."""
    return source[span["start"] : span["end"]].decode()


class RuleCheck:
    """Walks one rule."""

    def __init__(self, world: World, module: Module, mistakes: list[Mistake]) -> None:
        self._world, self._module, self._mistakes = world, module, mistakes
        self._locals: set[str] = set()
        self.uses: set[tuple[str, str]] = set()

    def run(self, rule: Node) -> None:
        kind, head = head_of(rule)
        if kind == "Default":
            self._default(head)
            return
        for arg in head.get("args", ()):
            self._argument(arg)
        self._collect_locals(rule)
        self._check_locals(head)
        self._head(kind, head)
        for body in kind_of(rule)[1]["bodies"]:
            if body.get("assign"):
                self._expression(body["assign"]["value"])
            self._query(body["query"])

    def _refuse(self, inside: Node, reason: str) -> None:
        self._mistakes.append(Mistake(self._module.file, *position(inside), reason))

    # heads

    def _default(self, head: Node) -> None:
        if head.get("args") or kind_of(head["refr"])[0] != "Var":
            self._refuse(head, f"this default is {HINT}; write `default name := value`")
        self._expression(head["value"])

    def _argument(self, arg: Node) -> None:
        kind, inside = kind_of(arg)
        if kind == "Var":
            self._locals.add(inside["value"])
        elif kind not in SCALARS:
            self._refuse(inside, f"a pattern as a function's argument is {HINT}")

    def _head(self, kind: str, head: Node) -> None:
        refr_kind, refr = kind_of(head["refr"])
        if refr_kind == "RefBrack" and kind == "Compr" and self._is_partial_object(refr) and head.get("assign"):
            self._expression(refr["index"])
        elif refr_kind != "Var":
            self._refuse(refr, f"this rule head is {HINT}; write `name[key] := value` or `name contains value`")
        for part in (head.get("key"), (head.get("assign") or {}).get("value")):
            if part is not None:
                self._expression(part)

    def _is_partial_object(self, refr: Node) -> bool:
        # With a constant key the embedded engine knows the parts of the object but not the object.
        return kind_of(refr["refr"])[0] == "Var" and kind_of(refr["index"])[0] == "Var"

    # names

    def _collect_locals(self, node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                self._collect_locals(item)
        elif isinstance(node, dict):
            self._collect_here(node)
            for item in node.values():
                self._collect_locals(item)

    def _collect_here(self, node: Node) -> None:
        for kind, inside in node.items():
            if kind == "SomeVars":
                self._locals |= {self._text(span) for span in inside["vars"]}
            elif kind == "SomeIn":
                self._bind(inside.get("key"))
                self._bind(inside["value"])
            elif kind == "Every":
                self._locals |= {self._text(inside[part]) for part in ("key", "value") if inside.get(part)}
            elif kind == "AssignExpr":
                self._bind(inside["lhs"])

    def _bind(self, node: Node | None) -> None:
        if node is None:
            return
        kind, inside = kind_of(node)
        if kind == "Var":
            self._locals.add(inside["value"])
        elif kind not in SCALARS:
            self._refuse(inside, f"a pattern on the left is {HINT}; bind one name")

    def _text(self, span: Mapping[str, int]) -> str:
        return text_at(self._module.source, span)

    def _check_locals(self, head: Node) -> None:
        outer = {*self._world.rules[self._module.package], *self._module.aliases, "input", "data"}
        for name in sorted(self._locals & outer):
            self._refuse(head, f"the local name {name} hides a rule, an import or a document")

    # bodies

    def _query(self, query: Node) -> None:
        for statement in query["stmts"]:
            for change in statement.get("with_mods", ()):
                if not self._module.is_test:
                    self._refuse(kind_of(change["refr"])[1], f"`with` outside tests is {HINT}")
                self._expression(change["as"])
            self._literal(statement["literal"])

    def _literal(self, literal: Node) -> None:
        kind, inside = kind_of(literal)
        if kind not in LITERALS:
            self._refuse(inside, f"{kind} is {HINT}")
            return
        if kind == "NotExpr":
            self._not(inside)
        if kind == "Every" and not self._certain(inside["domain"]):
            self._refuse(inside, "`every` over something that may be undefined; bind it to a name first")
        if kind == "SomeIn" and self._nullable(inside["collection"]):
            self._refuse(inside, "`some` over a list that may be null: engines differ in it; write `row := list[_]`")
        for child in children(inside, LITERALS[kind]):
            self._expression(child)

    def _expression(self, node: Node) -> None:
        kind, inside = kind_of(node)
        if kind == "Query":
            self._query(inside)
            return
        if kind not in EXPRESSIONS:
            word = "arithmetic" if kind in ("ArithExpr", "UnaryExpr") else kind
            self._refuse(inside, f"{word} is {HINT}")
            return
        if kind in ("Var", "RefDot", "RefBrack"):
            self._reference(node, inside)
            return
        self._special(kind, inside)
        for child in children(inside, EXPRESSIONS[kind]):
            self._expression(child)

    def _special(self, kind: str, inside: Node) -> None:
        if kind == "Call":
            self._call(inside)
        elif kind == "Number":
            text = self._text(inside["span"]).lstrip("-")
            if not text.replace(".", "", 1).isdigit() or len(text.replace(".", "")) > EXACT_DIGITS:
                self._refuse(inside, f"a number with an exponent or more than {EXACT_DIGITS} digits is {HINT}")
        elif kind == "Membership" and inside.get("key") is not None:
            self._refuse(inside, f"`key, value in` is {HINT}; write `collection[key] == value`")
        elif kind == "AssignExpr" and inside["op"] != "ColEq":
            self._refuse(inside, f"unification with `=` is {HINT}; write `:=` or `==`")

    # references

    def _reference(self, node: Node, inside: Node) -> None:
        ref = take_apart(node)
        if ref is None:
            self._refuse(inside, f"a reference into a computed value is {HINT}; bind it to a name first")
            self._expression(root_of(node))
            return
        for index in ref.indexes:
            self._expression(index)
        path = self._absolute(ref)
        if path is None:
            self._local(ref, inside)
        elif path[0] == "input":
            if not self._module.is_test:
                self._input(path[1:], inside)
        else:
            self._data(path[1:], inside)

    def _absolute(self, ref: Ref) -> tuple[str | None, ...] | None:
        """The path from `input` or `data` on; None for a local name."""
        if ref.root in ("input", "data"):
            return (ref.root, *ref.steps)
        if ref.root in self._module.aliases:
            return (*self._module.aliases[ref.root], *ref.steps)
        if ref.root in self._world.rules[self._module.package]:
            return ("data", *self._module.package.split("."), ref.root, *ref.steps)
        return None

    def _local(self, ref: Ref, inside: Node) -> None:
        if ref.root != "_" and ref.root not in self._locals:
            self._refuse(inside, f"{ref.root} is not a name known here; declare it with `some`, or is it misspelt?")

    def _input(self, steps: tuple[str | None, ...], inside: Node) -> None:
        here: Any = self._world.shape.input_tree
        if not steps:
            self._refuse(inside, f"all of `input` as a value is {HINT}")
        for step in steps:
            if here in (LIST, MAYBE_LIST):
                return
            if not isinstance(here, Mapping) or step is None or step not in here:
                self._refuse(inside, f"input.{_dotted(steps)} is not part of the question; declare it in manifest.yaml")
                return
            here = here[step]

    def _data(self, steps: tuple[str | None, ...], inside: Node) -> None:
        if not steps or steps[0] is None:
            self._refuse(inside, f"`data` without a constant first name is {HINT}")
            return
        if steps[0] in self._world.shape.data:
            return
        used = self._rule_at(steps)
        if used is None:
            self._refuse(inside, f"data.{_dotted(steps)} is neither a data document nor a rule of this bundle")
        else:
            self.uses.add(used)

    def _rule_at(self, steps: tuple[str | None, ...]) -> tuple[str, str] | None:
        for length in range(len(steps) - 1, 0, -1):
            package = ".".join(step or "" for step in steps[:length])
            name = steps[length]
            if name is not None and name in self._world.rules.get(package, {}):
                return package, name
        return None

    def _call(self, inside: Node) -> None:
        ref = take_apart(inside["fcn"])
        name = ".".join([ref.root, *(step or "" for step in ref.steps)]) if ref else ""
        path = self._absolute(ref) if ref else None
        if path is not None and path[0] == "data":
            used = self._rule_at(path[1:])
            if used is not None and self._world.rules[used[0]][used[1]] == "function":
                self.uses.add(used)
            else:
                self._refuse(inside, f"{name} is no function of this bundle")
            return
        if name in BUILTINS:
            if len(inside["params"]) != BUILTINS[name]:
                self._refuse(inside, f"{name} takes {BUILTINS[name]} argument(s)")
        elif not (self._module.is_test and name in TEST_BUILTINS):
            self._refuse(inside, f"the builtin {name} is {HINT}")

    # negation

    def _not(self, inside: Node) -> None:
        operand = inside["expr"]
        kind, body = kind_of(operand)
        parts: list[Node]
        if kind in ("Var", "RefDot", "RefBrack"):
            ref = take_apart(operand)
            parts = list(ref.indexes) if ref else []
        elif kind in ("Call", "BoolExpr", "Membership"):
            parts = list(children(body, EXPRESSIONS[kind]))
        else:
            parts = [] if kind in SCALARS else [operand]
        for part in parts:
            if not self._certain(part):
                self._refuse(
                    kind_of(part)[1],
                    "`not` over something that may be undefined: engines differ in it; bind it to a name first",
                )

    def _certain(self, node: Node) -> bool:
        """True where the expression has a value for every question."""
        kind, inside = kind_of(node)
        if kind in SCALARS or kind in COMPREHENSIONS:
            return True
        if kind in ("Array", "Set", "Object"):
            return all(self._certain(child) for child in children(inside, EXPRESSIONS[kind]))
        if kind not in ("Var", "RefDot", "RefBrack"):
            return False
        ref = take_apart(node)
        if ref is None:
            return False
        path = self._absolute(ref)
        if path is None:
            return not ref.steps and ref.root != "_"
        return self._certain_path(path)

    def _nullable(self, node: Node) -> bool:
        """True for a part of the question that is no list, or null while it is unknown."""
        ref = take_apart(node) if kind_of(node)[0] in ("Var", "RefDot", "RefBrack") else None
        path = self._absolute(ref) if ref else None
        if path is None or path[0] != "input" or self._module.is_test:
            return False
        here: Any = self._world.shape.input_tree
        for step in path[1:]:
            here = here.get(step) if isinstance(here, Mapping) and step is not None else None
        return here is None or here == MAYBE_LIST

    def _certain_path(self, path: tuple[str | None, ...]) -> bool:
        if path[0] == "data":
            used = self._rule_at(path[1:])
            if used is not None:
                return len(used[0].split(".")) + 2 == len(path) and self._world.rules[used[0]][used[1]] == "defined"
        here: Any = self._world.shape.input_tree if path[0] == "input" else self._world.shape.data
        for step in path[1:]:
            if not isinstance(here, Mapping) or step is None or step not in here:
                return False
            here = here[step]
        return True


def _dotted(steps: tuple[str | None, ...]) -> str:
    return ".".join(step if step is not None else "[..]" for step in steps)
