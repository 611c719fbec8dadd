"""What changed in a system since its dialect was written: found in its metadata before a write finds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gateway.dialects.metadata import EntityType, Metadata, Property
from gateway.dialects.resolve import Entry, Level, Plan, Where

_INTEGERS = frozenset({"Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte", "Edm.SByte", "integer", "biginteger"})
_RECORDS = frozenset({"many2one", "one2one", "one2many", "many2many", "reference"})
"""Types that stand for other records; what a codec makes of them is its own affair."""
_FITS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"Edm.String", "Edm.Guid", "enum", "char", "text", "selection"}),
    "decimal": frozenset({"Edm.Decimal", "Edm.Double", "Edm.Single", "numeric", "float"}) | _INTEGERS,
    "integer": _INTEGERS,
    "boolean": frozenset({"Edm.Boolean", "boolean"}),
    "date": frozenset({"Edm.Date"}),
    "datetime": frozenset({"Edm.DateTimeOffset"}),
    "time": frozenset({"Edm.Time", "Edm.TimeOfDay"}),
    "date_ms": frozenset({"Edm.DateTime"}),
    "datetime_ms": frozenset({"Edm.DateTimeOffset"}),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `where` is Set or Set.Property; `breaks` tells what fails from what is only new.

    `rule` is the place in the object's file that relies on it; empty where none does.
    """

    kind: str
    where: str
    detail: str
    breaks: bool = True
    rule: Where = field(default=(), compare=False)


def drift(plan: Plan, metadata: Metadata, before: Metadata | None = None) -> list[Change]:
    """Compare what a dialect relies on with what its system says.

    Takes: `before`, the metadata it was written against; with it, properties that became required are found too.
    """
    name = str(plan.native.get("set") or plan.native.get("model", ""))
    entity = metadata.of_set(name)
    if entity is None:
        return [Change("set-gone", name, "the ERP has no such entity set or model", rule=("native",))]
    found = list(_level(plan.level, name, entity, metadata))
    if before is not None:
        found += _required(plan.level, name, entity, (metadata, before))
    return [*found, *_operations(plan, metadata)]


def _level(level: Level, where: str, entity: EntityType, metadata: Metadata, rule: Where = ()) -> Iterator[Change]:
    for entry in level.entries:
        is_list = entry.rows is not None or (entry.codec is not None and entry.codec.rows)
        found = _list(entry, where, entity, metadata) if is_list else _single(entry, where, entity, metadata)
        yield from (change if change.rule else replace(change, rule=entry.where) for change in found)
    there = {*entity.properties, *entity.navigations}
    for path, _ in level.constants:
        if path[0] not in there:
            place = (*rule, "constants", ".".join(path))
            yield Change("property-gone", f"{where}.{path[0]}", "a constant is written to it", rule=place)
    known = {p[0] for e in level.entries for p in e.native} | {p[0] for p, _ in level.constants} | set(level.ignored)
    for name in (*entity.properties, *entity.navigations):
        if name not in known:
            yield Change("new-property", f"{where}.{name}", "neither mapped nor ignored", breaks=False)


def _list(entry: Entry, where: str, entity: EntityType, metadata: Metadata) -> Iterator[Change]:
    name = entry.native[0][0]
    target = metadata.types.get(entity.navigations.get(name, ""))
    if target is None:
        yield Change("navigation-gone", f"{where}.{name}", f"{entry.canonical[0]} has no rows to read")
    elif entry.rows is not None:
        yield from _level(entry.rows, f"{where}.{name}", target, metadata, entry.where)
    elif entry.codec is not None:
        for row in entry.codec.rows:
            if row not in target.properties:
                yield Change("property-gone", f"{where}.{name}.{row}", f"{entry.canonical[0]} stands in it")


def _single(entry: Entry, where: str, entity: EntityType, metadata: Metadata) -> Iterator[Change]:
    codec = entry.codec
    assert codec is not None  # noqa: S101  # the caller has looked
    for i, path in enumerate(entry.native):
        place, found = f"{where}.{'.'.join(path)}", _reached(path, entity, metadata)
        if found is None:
            yield Change("property-gone", place, f"{' + '.join(entry.canonical)} stands in it")
            continue
        literal = codec.literals[i] if codec.literals else codec.literal
        if literal in _FITS and found.type not in _FITS[literal] | _RECORDS:
            yield Change("type-changed", place, f"{found.type} is no {literal}")
        elif found.words and codec.known:
            yield from _words(entry, place, found)
        elif entry.access != "read_only" and len(entry.native) == 1:
            yield from _room(codec.max_length, codec.scale, place, found)


def _reached(path: tuple[str, ...], entity: EntityType, metadata: Metadata) -> Property | None:
    """The property at the end of a path through other types; None where it leads nowhere."""
    for step in path[:-1]:
        target = metadata.types.get(entity.navigations.get(step, ""))
        if target is None:
            return None
        entity = target
    return entity.properties.get(path[-1])


def _words(entry: Entry, place: str, found: Property) -> Iterator[Change]:
    """What a closed list lost, and what it gained that nobody can read."""
    codec = entry.codec
    assert codec is not None  # noqa: S101  # the caller has looked
    known = {word for _, words in codec.known for word in words if isinstance(word, str) and word}
    for word in sorted(known - set(found.words)):
        yield Change("word-gone", place, f"{word!r} stands there no more", breaks=entry.access != "read_only")
    for word in sorted(set(found.words) - known):
        yield Change("new-word", place, f"{word!r} may stand there now, and the dialect cannot read it")


def _room(max_length: int, scale: int | None, place: str, found: Property) -> Iterator[Change]:
    if found.max_length and max_length > found.max_length:
        yield Change("too-short", place, f"takes {found.max_length} characters, the dialect writes up to {max_length}")
    if scale is not None and found.scale is not None and scale > found.scale:
        yield Change("too-coarse", place, f"keeps {found.scale} digits after the point, the dialect writes {scale}")


def _required(level: Level, where: str, entity: EntityType, both: tuple[Metadata, Metadata]) -> Iterator[Change]:
    now, before = both
    earlier = before.types.get(entity.name)
    known = {p[0] for e in level.entries if e.access != "read_only" for p in e.native}
    known |= {p[0] for p, _ in level.constants}
    for name, found in entity.properties.items():
        was = earlier.properties.get(name) if earlier is not None else None
        if not found.nullable and name not in entity.keys and (was is None or was.nullable):
            detail = "must have a value now" if name in known else "must have a value now, and the dialect writes none"
            yield Change("became-required", f"{where}.{name}", detail, breaks=name not in known)
    for entry in level.entries:
        target = now.types.get(entity.navigations.get(entry.native[0][0], ""))
        if entry.rows is not None and target is not None:
            yield from _required(entry.rows, f"{where}.{entry.native[0][0]}", target, both)


def _operations(plan: Plan, metadata: Metadata) -> Iterator[Change]:
    for verb, steps in plan.verbs.items():
        for step in steps:
            if step.do != "call" or step.name is None:
                continue
            if step.name not in metadata.operations:
                yield Change("operation-gone", step.name, f"{verb} calls it", rule=("verbs", verb))
                continue
            lost = sorted(set(step.arguments) - set(metadata.operations[step.name]))
            for name in lost:
                yield Change("argument-gone", f"{step.name}.{name}", f"{verb} passes it", rule=("verbs", verb))
