"""What a dialect covers, how it reads, and whether it keeps its laws: the data behind `changeover dialect`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.canonical import Document
from gateway.dialects.compile import Translation
from gateway.dialects.library import ENTERPRISE, Dialect
from gateway.dialects.resolve import Entry, Level
from gateway.dialects.running import Mismatch
from gateway.dialects.specimens import specimens

NativeDocument = Mapping[str, Any]
Recorded = Mapping[tuple[str, str], Iterable[NativeDocument]]
ENVELOPE = frozenset({"__metadata", "__name__", "_timestamp", "id", "rec_name"})


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a canonical object a dialect has; rows count as `list.field`."""

    object: str
    mapped: tuple[str, ...]
    read_only: tuple[str, ...]
    refused: tuple[str, ...]
    dropped: tuple[str, ...]
    beside: tuple[str, ...]
    ignored: int
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a translation as a person reads it."""

    canonical: str
    native: str
    codec: str
    access: str
    normalising: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a check found. `kind` is law, unmapped or unreadable; `plant` is * for the base."""

    kind: str
    dialect: str
    object: str
    plant: str
    field: str
    reason: str


def coverage(dialect: Dialect) -> tuple[Coverage, ...]:
    """What each object of a dialect maps, shows only, refuses, drops, leaves to the gateway and ignores."""
    made = []
    for name in dialect.objects:
        translation = dialect.of(name, ENTERPRISE)
        if translation is not None:
            made.append(_coverage(name, translation))
    return tuple(made)


def _coverage(name: str, translation: Translation) -> Coverage:
    levels = list(_levels(translation.plan.level))
    lines = [(prefix, e) for prefix, level in levels for e in level.entries if e.rows is None]
    lacking = [(prefix + n, u) for prefix, level in levels for n, u in level.unsupported.items()]
    return Coverage(
        name,
        tuple(prefix + n for prefix, e in lines if e.access != "read_only" for n in e.canonical),
        tuple(prefix + n for prefix, e in lines if e.access == "read_only" for n in e.canonical),
        tuple(n for n, u in lacking if u.policy == "refuse"),
        tuple(n for n, u in lacking if u.policy == "drop"),
        tuple(n for n, u in lacking if u.policy == "keep_beside"),
        sum(len(level.ignored) for _, level in levels),
        ("list", "read", *translation.plan.verbs),
    )


def _levels(level: Level, prefix: str = "") -> Iterator[tuple[str, Level]]:
    yield prefix, level
    for entry in level.entries:
        if entry.rows is not None:
            yield from _levels(entry.rows, f"{prefix}{entry.canonical[0]}.")


def show(translation: Translation) -> tuple[Line, ...]:
    """Every mapped field of a translation, in the order of its file, then those that the system lacks."""
    levels = tuple(_levels(translation.plan.level))
    mapped = (_line(prefix, entry) for prefix, level in levels for entry in level.entries)
    lacking = (
        Line(prefix + name, "", f"{u.policy}({u.reason})" if u.reason else u.policy, "none", None)
        for prefix, level in levels
        for name, u in level.unsupported.items()
    )
    return (*mapped, *lacking)


def _line(prefix: str, entry: Entry) -> Line:
    canonical = " + ".join(prefix + name for name in entry.canonical)
    native = ", ".join(".".join(path) for path in entry.native)
    if entry.codec is None:
        return Line(canonical, native, "each", entry.access, None)
    return Line(canonical, native, entry.label, entry.access, entry.codec.normalising)


def checked(dialects: Mapping[str, Dialect], recorded: Recorded) -> tuple[Finding, ...]:
    """All findings of all dialects.

    Takes: `recorded`, (dialect, object) -> native documents as the protocol hands them over.
    """
    found: list[Finding] = []
    for dialect in dialects.values():
        for (name, plant), translation in dialect.translations.items():
            place = (dialect.name, name, plant)
            found += [Finding("law", *place, field, reason) for field, reason in law_breaks(translation)]
        for name in dialect.objects:
            translation_ = dialect.of(name, ENTERPRISE)
            if translation_ is not None:
                documents = recorded.get((dialect.name, name), ())
                found += _recorded(translation_, (dialect.name, name, ENTERPRISE), documents)
    return tuple(dict.fromkeys(found))


def _recorded(
    translation: Translation, place: tuple[str, str, str], documents: Iterable[NativeDocument]
) -> Iterator[Finding]:
    for document in documents:
        for field in unmapped(translation, document):
            yield Finding("unmapped", *place, field, "neither mapped nor ignored")
        try:
            settled(translation, document)
        except Mismatch as err:
            yield Finding("unreadable", *place, _dotted(err.native), err.reason)
        except ValueError as err:
            yield Finding("law", *place, "", str(err))


def settled(translation: Translation, document: NativeDocument) -> Document:
    """The canonical form of a native document that settles after one round. Raises: Mismatch, ValueError."""
    first = translation.decode(document)
    there = translation.encode(first)
    if translation.encode(translation.decode(there)) != there:
        raise ValueError("encoding what was decoded does not settle")
    return first


def law_breaks(translation: Translation) -> Iterator[tuple[str, str]]:
    """(field, reason) of each specimen that does not survive the way there and back."""
    for document in specimens(translation.plan):
        try:
            there = translation.encode(document)
            back = translation.decode(there)
            again = translation.encode(back)
            settles = translation.encode(translation.decode(again)) == again
        except Mismatch as err:
            yield _dotted(err.canonical), err.reason
            continue
        yield from ((field, f"{document[field]!r} came back as {back.get(field)!r}") for field in _lost(document, back))
        if not settles:
            yield "", "encoding what was decoded does not settle"


def _lost(before: Document, after: Document) -> list[str]:
    return [name for name, value in before.items() if name not in after or not _equal(value, after[name])]


def _equal(left: Any, right: Any) -> bool:
    """Equal as documents are; rows may have gained fields that a constant stands for."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(not _lost(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def unmapped(translation: Translation, document: NativeDocument) -> tuple[str, ...]:
    """Native fields of a document that the dialect neither maps nor ignores, as dotted paths."""
    return tuple(dict.fromkeys(_unmapped(translation.plan.level, document, ())))


def _unmapped(level: Level, document: NativeDocument, above: tuple[str, ...]) -> Iterator[str]:
    known = {path: e for e in level.entries for path in e.native} | {path: None for path, _ in level.constants}
    for name, value in document.items():
        path = (*above, name)
        if path in known:
            entry = known[path]
            if entry is not None and entry.rows is not None and isinstance(value, list):
                for row in value:
                    yield from (f"{name}.{inner}" for inner in _unmapped(entry.rows, row, ()))
        elif name in ENVELOPE or ".".join(path) in level.ignored:
            continue
        elif isinstance(value, dict) and any(p[: len(path)] == path for p in known):
            yield from _unmapped(level, value, path)
        elif not (value is None and any(p[: len(path)] == path for p in known)):
            yield ".".join(path)


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in path)
