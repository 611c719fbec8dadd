"""Generated Python for a plan: two functions per level, one branch per field.

Interpreting a table costs three to ten times as much per document; a generated function is read once at load and is as
fast as hand-written code. Each generated line knows which entry it came from, so an error names the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import CodeType
from typing import Any

from gateway.core.canonical import Document
from gateway.dialects.codecs.codec import as_text
from gateway.dialects.resolve import Entry, Level, Plan
from gateway.dialects.running import ABSENT, Mismatch, explain, known, refuse, rows


@dataclass(frozen=True, slots=True)
class Translation:
    """The compiled directions of one object.

    `encode` writes all mapped fields (what the system shows); `encode_write` leaves out what is read-only there and
    refuses what the system lacks; `encode_change` is the same without constants, for a document that holds only what
    changes; `decode` reads leniently (an ERP may show more); `decode_strict` refuses fields nobody mapped (a client may
    not send more) and fields that are read-only. `encode_key` gives the native key; `decode_key` reads the canonical key alone.
    """

    plan: Plan
    encode: Callable[[Document], dict[str, Any]]
    encode_write: Callable[[Document], dict[str, Any]]
    encode_change: Callable[[Document], dict[str, Any]]
    decode: Callable[[Mapping[str, Any]], Document]
    decode_strict: Callable[[Mapping[str, Any]], Document]
    encode_key: Callable[[Document], dict[str, Any]]
    decode_key: Callable[[Mapping[str, Any]], Document]


def compile_plan(plan: Plan) -> Translation:
    """Compile all directions of a plan."""
    key = _key_level(plan)
    named = Level(tuple(e for e in plan.level.entries if plan.spec.key in e.canonical))
    return Translation(
        plan,
        _Writer(plan, "encode").encode(plan.level, write=False),
        _Writer(plan, "encode_write").encode(plan.level, write=True),
        _Writer(plan, "encode_change").encode(replace(plan.level, constants=()), write=True),
        _Writer(plan, "decode").decode(plan.level, strict=False),
        _Writer(plan, "decode_strict").decode(plan.level, strict=True),
        _Writer(plan, "encode_key").encode(key, write=False),
        _Writer(plan, "decode_key").decode(named, strict=False),
    )


def _key_level(plan: Plan) -> Level:
    """The part of the level that makes up the native key, constants included."""
    wanted = {tuple(str(k).split(".")) for k in plan.native.get("key", ())}
    entries = tuple(e for e in plan.level.entries if any(path in wanted for path in e.native))
    constants = tuple(c for c in plan.level.constants if c[0] in wanted)
    return Level(entries, constants)


class _Writer:
    """Writes the source of one function per level, with the names it refers to beside it."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.file = f"<dialect {plan.dialect}/{plan.spec.name} {name}>"
        self.lines: list[str] = []
        self.owners: list[Entry | None] = []
        self.names: dict[str, Any] = {"ABSENT": ABSENT, "rows": rows, "explain": explain, "Mismatch": Mismatch}

    def put(self, indent: int, line: str, owner: Entry | None = None) -> None:
        self.lines.append("    " * indent + line)
        self.owners.append(owner)

    def name(self, value: Any) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def encode(self, level: Level, *, write: bool) -> Callable[[Any], Any]:
        children = {e.canonical: self.encode(e.rows, write=write) for e in level.entries if e.rows}
        self._start("c")
        if write:
            refused = {n for n, lacking in level.unsupported.items() if lacking.policy == "refuse"}
            if refused:
                self.put(2, f"refuse({self.name(frozenset(refused))}, c)")
                self.names["refuse"] = refuse
        self.put(2, "n = {}")
        made: set[tuple[str, ...]] = set()
        for path, value in level.constants:
            self._assign(path, self.name(value), made, 2, None)
        for entry in level.entries:
            if not (write and entry.access == "read_only") and not (not write and entry.access == "write_only"):
                self._encode_entry(entry, children.get(entry.canonical), made)
        return self._finish("n")

    def _encode_entry(self, entry: Entry, child: Any, made: set[tuple[str, ...]]) -> None:
        if entry.codec is None:
            self.put(2, f"v = c.get({entry.canonical[0]!r}, ABSENT)", entry)
            self.put(2, "if v is not ABSENT:", entry)
            outer = (entry.canonical[0], ".".join(entry.native[0]))
            value = f"None if v is None else rows({self.name(child)}, v, {self.name(outer)})"
            self._assign(entry.native[0], value, made, 3, entry)
        elif entry.codec.canonical > 1:
            self._encode_joined(entry, made)
        else:
            self._encode_scalar(entry, made)

    def _encode_scalar(self, entry: Entry, made: set[tuple[str, ...]]) -> None:
        codec = entry.codec
        assert codec is not None  # noqa: S101  # the caller has looked
        self.put(2, f"v = c.get({entry.canonical[0]!r}, ABSENT)", entry)
        self.put(2, "if v is not ABSENT:", entry)
        if codec.native > 1:
            nothing = codec.nothing or (None,) * codec.native
            self.put(3, f"t = {self.name(nothing)} if v is None else {self.name(codec.encode)}(v)", entry)
            for i, path in enumerate(entry.native):
                self._assign(path, f"t[{i}]", made, 3, entry)
        elif codec.same and codec.blank is None:
            self._assign(entry.native[0], "v", made, 3, entry)
        else:
            blank = "None" if codec.blank is None else self.name(codec.blank)
            self._assign(entry.native[0], f"{blank} if v is None else {self.name(codec.encode)}(v)", made, 3, entry)

    def _encode_joined(self, entry: Entry, made: set[tuple[str, ...]]) -> None:
        codec = entry.codec
        assert codec is not None  # noqa: S101  # the caller has looked
        parts = [f"v{i}" for i in range(codec.canonical)]
        for part, name in zip(parts, entry.canonical, strict=True):
            self.put(2, f"{part} = c.get({name!r}, ABSENT)", entry)
        self.put(2, f"if {_some(parts)}:", entry)
        if codec.partial:
            self.put(3, f"t = {_nulls(parts)}", entry)
        else:
            self.put(3, f"t = ({', '.join(parts)})", entry)
            self.put(3, f"if ABSENT in t: raise ValueError({_together(entry)!r})", entry)
        if codec.native == 1:
            value = f"None if all(v is None for v in t) else {self.name(codec.encode)}(t)"
            self._assign(entry.native[0], value, made, 3, entry)
            return
        nothing = self.name((None,) * codec.native)
        self.put(3, f"t = {nothing} if all(v is None for v in t) else {self.name(codec.encode)}(t)", entry)
        for i, path in enumerate(entry.native):
            self._assign(path, f"t[{i}]", made, 3, entry)

    def _assign(
        self, path: tuple[str, ...], value: str, made: set[tuple[str, ...]], indent: int, owner: Entry | None
    ) -> None:
        target = "n"
        for depth, step in enumerate(path[:-1], start=1):
            # Only the first writer of a nested object may find it missing, but it may have been skipped: always ask.
            target = f"{target}.setdefault({step!r}, {{}})"
            made.add(path[:depth])
        self.put(indent, f"{target}[{path[-1]!r}] = {value}", owner)

    def decode(self, level: Level, *, strict: bool) -> Callable[[Any], Any]:
        children = {e.canonical: self.decode(e.rows, strict=strict) for e in level.entries if e.rows}
        self._start("n")
        if strict:
            self._known(level)
        self.put(2, "c = {}")
        for entry in level.entries:
            if entry.access == "write_only" and not strict:
                continue
            if not (strict and entry.access == "read_only"):
                self._decode_entry(entry, children.get(entry.canonical))
        return self._finish("c")

    def _known(self, level: Level) -> None:
        writable = [p for e in level.entries if e.access != "read_only" for p in e.native]
        tree: dict[str, Any] = {}
        for path in (*writable, *(p for p, _ in level.constants)):
            inner = tree
            for step in path[:-1]:
                inner = inner.setdefault(step, {})
            inner.setdefault(path[-1], None)
        shown = {
            p[:depth]
            for e in level.entries
            if e.access == "read_only"
            for p in e.native
            for depth in range(1, len(p) + 1)
        }
        self.put(2, f"known(n, {self.name(tree)}, {self.name(shown)}, ())")
        self.names["known"] = known

    def _decode_entry(self, entry: Entry, child: Any) -> None:
        for i, path in enumerate(entry.native):
            self._fetch(path, f"v{i}", entry)
        if entry.codec is None:
            outer = (entry.canonical[0], ".".join(entry.native[0]))
            self.put(2, "if v0 is not ABSENT:", entry)
            self.put(
                3,
                f"c[{entry.canonical[0]!r}] = None if v0 is None else rows({self.name(child)}, v0, {self.name(outer)})",
                entry,
            )
        elif len(entry.native) > 1:
            self._decode_split(entry)
        elif entry.codec.canonical > 1:
            self.put(2, "if v0 is not ABSENT:", entry)
            targets = ", ".join(f"c[{name!r}]" for name in entry.canonical)
            nothing = ", ".join("None" for _ in entry.canonical)
            self.put(3, f"{targets} = ({nothing}) if v0 is None else {self.name(entry.codec.decode)}(v0)", entry)
        else:
            self._decode_scalar(entry)

    def _decode_scalar(self, entry: Entry) -> None:
        codec = entry.codec
        assert codec is not None  # noqa: S101  # the caller has looked
        empty = "v0 is None" if codec.blank is None else f"v0 is None or v0 == {self.name(codec.blank)}"
        made = f"{self.name(codec.decode)}(v0)"
        self.put(2, "if v0 is not ABSENT:", entry)
        if codec.decode is as_text:  # half of all fields: text is looked at here, anything else is told by the codec
            made = f"v0 if v0 and v0.__class__ is str else None if {empty} else {made}"
        elif codec.blank in (None, ""):  # what counts as true is neither null nor blank
            made = f"{made} if v0 else None if {empty} else {made}"
        else:
            made = f"None if {empty} else {made}"
        self.put(3, f"c[{entry.canonical[0]!r}] = {made}", entry)

    def _decode_split(self, entry: Entry) -> None:
        codec = entry.codec
        assert codec is not None  # noqa: S101  # the caller has looked
        parts = [f"v{i}" for i in range(len(entry.native))]
        self.put(2, f"if {_some(parts)}:", entry)
        self.put(3, f"t = {_nulls(parts)}", entry)
        if codec.canonical == 1:
            nothing = self.name((None,) * codec.native)
            self.put(3, f"c[{entry.canonical[0]!r}] = None if t == {nothing} else {self.name(codec.decode)}(t)", entry)
            return
        names = self.name(entry.canonical)
        self.put(3, f"t = zip({names}, {self.name(codec.decode)}(t))", entry)
        kept = " if v is not None" if codec.partial else ""
        self.put(3, f"c.update((k, v) for k, v in t{kept})", entry)

    def _fetch(self, path: tuple[str, ...], into: str, entry: Entry) -> None:
        self.put(2, f"{into} = n.get({path[0]!r}, ABSENT)", entry)
        for step in path[1:]:
            self.put(
                2, f"{into} = {into}.get({step!r}, ABSENT) if {into}.__class__ is dict else {into} and ABSENT", entry
            )

    def _start(self, argument: str) -> None:
        self.lines, self.owners = [], []
        self.put(0, f"def run({argument}):")
        self.put(1, "try:")

    def _finish(self, result: str) -> Callable[[Any], Any]:
        self.put(2, f"return {result}")
        self.put(1, "except Mismatch:")
        self.put(2, "raise")
        self.put(1, "except Exception as err:")
        self.put(2, "raise explain(err, owners) from err")
        scope = {**self.names, "owners": tuple(self.owners)}
        exec(_code("\n".join(self.lines), self.file), scope)  # noqa: S102  # our own generated source
        made: Callable[[Any], Any] = scope["run"]
        return made


@lru_cache(maxsize=1024)
def _code(source: str, file: str) -> CodeType:
    """Most plants have the same: without an overlay nothing is compiled again for them."""
    return compile(source, file, "exec")


def _some(parts: list[str]) -> str:
    return " or ".join(f"{part} is not ABSENT" for part in parts)


def _nulls(parts: list[str]) -> str:
    return "(" + ", ".join(f"None if {part} is ABSENT else {part}" for part in parts) + ")"


def _together(entry: Entry) -> str:
    return f"{' and '.join(entry.canonical)} are given together or not at all"
