"""All dialects of a content revision, compiled: from the files of `translators/` to functions per object and plant.

Takes texts, opens nothing. The overlays of a plant's region and of the plant itself are laid over the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gateway.core.marked import Marked, parse, salvaged
from gateway.dialects.compile import Translation, compile_plan
from gateway.dialects.grammar import DialectFile, FieldRule, ObjectFile, ObjectOverlay, OverlayFile, UnitFile
from gateway.dialects.resolve import Problems, Setting, Where, resolve
from gateway.errors import ContentError, Mistake

ENTERPRISE = "*"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect: its own file and every object's translation, by (object, plant); plant `*` is the base."""

    name: str
    file: DialectFile
    objects: tuple[str, ...]
    translations: Mapping[tuple[str, str], Translation]
    files: Mapping[str, Marked] = field(default_factory=dict)
    """Object -> its file."""
    overlays: Mapping[str, tuple[Marked, ...]] = field(default_factory=dict)
    """Plant -> what is laid over the files for it: its region's overlay, then its own."""

    def of(self, object_: str, plant: str) -> Translation | None:
        """The translation of an object at a plant; None where the dialect has no such object."""
        return self.translations.get((object_, plant)) or self.translations.get((object_, ENTERPRISE))

    def mistake(self, object_: str, plant: str, where: Where, reason: str) -> Mistake:
        """A mistake at a place of an object's file, or in the overlay of the plant that says otherwise there."""
        return _placed(self.files[object_], self.overlays.get(plant, ()), object_, where, reason)


_NO_UNITS = UnitFile(title="stands in for a table that cannot be read", units={})
_REFERRED_TO = frozenset({"parameters", "defaults", "units", "values"})
"""What of a dialect's own file its objects name: where it is wrong, only their shape can be told."""


@dataclass(slots=True)
class _Sources:
    """The files of one dialect. `unread` are those that are no YAML: nobody knows what they say."""

    name: str
    head: Marked | None = None
    objects: dict[str, Marked] = field(default_factory=dict)
    overlays: dict[str, tuple[Marked, OverlayFile]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def load_dialects(texts: Mapping[str, str], regions: Mapping[str, str | None]) -> Mapping[str, Dialect]:
    """Compile every dialect.

    Takes: `texts`, file name below `translators/` -> YAML; `regions`, plant -> its region.
    Raises: ContentError: every mistake of every file.
    """
    made, mistakes = compiled_dialects(texts, regions)
    if mistakes:
        raise ContentError(mistakes)
    return made


def compiled_dialects(
    texts: Mapping[str, str], regions: Mapping[str, str | None]
) -> tuple[dict[str, Dialect], list[Mistake]]:
    """The dialects that have no mistakes, and every mistake of the others."""
    mistakes: list[Mistake] = []
    units: dict[str, UnitFile] = {}
    sources: dict[str, _Sources] = {}
    for name, text in sorted(texts.items()):
        path = PurePosixPath(name)
        try:
            _sort(path, parse(name, text), units, sources, mistakes)
        except ContentError as err:
            mistakes += err.mistakes
            if path.parts[0] == "units":
                units[path.stem] = _NO_UNITS
            else:
                sources.setdefault(path.parts[0], _Sources(path.parts[0])).unread.add("/".join(path.parts[1:]))
    made = {}
    for source in sources.values():
        found: list[Mistake] = []
        dialect = _dialect(source, units, regions, found)
        if dialect is not None and not found and not source.unread:
            made[source.name] = dialect
        mistakes += found
    return made, list(dict.fromkeys(mistakes))


def _sort(
    path: PurePosixPath,
    marked: Marked,
    units: dict[str, UnitFile],
    sources: dict[str, _Sources],
    mistakes: list[Mistake],
) -> None:
    folder, *rest = path.parts
    if folder == "units":
        table = salvaged(marked, UnitFile)
        mistakes += table.mistakes
        units[path.stem] = table.value or _NO_UNITS
        return
    source = sources.setdefault(folder, _Sources(folder))
    if rest == ["dialect.yaml"]:
        source.head = marked
    elif rest[0] == "overlays":
        overlay = salvaged(marked, OverlayFile)
        mistakes += overlay.mistakes
        if overlay.mistakes:
            source.unread.add("/".join(rest))
        if overlay.value is not None:
            source.overlays[overlay.value.overlay] = (overlay.marked, overlay.value)
    else:
        source.objects[path.stem] = marked


def _dialect(
    source: _Sources, units: Mapping[str, UnitFile], regions: Mapping[str, str | None], mistakes: list[Mistake]
) -> Dialect | None:
    head = _head(source, units, mistakes)
    if head is None:
        for marked in source.objects.values():
            mistakes += salvaged(marked, ObjectFile).mistakes
        return None
    table = units.get(head.units, _NO_UNITS) if head.units else None
    translations: dict[tuple[str, str], Translation] = {}
    chains = {plant: _chain(source, plant, regions.get(plant)) for plant in (ENTERPRISE, *regions)}
    for plant, chain in chains.items():
        if plant == ENTERPRISE or chain:
            translations |= _compiled(source, head, table, plant, chain, mistakes)
    overlays = {plant: tuple(marked for marked, _ in chain) for plant, chain in chains.items()}
    return Dialect(source.name, head, tuple(source.objects), translations, source.objects, overlays)


def _head(source: _Sources, units: Mapping[str, UnitFile], mistakes: list[Mistake]) -> DialectFile | None:
    """The dialect's own file; None where its objects cannot be judged by it."""
    if source.head is None:
        if "dialect.yaml" not in source.unread:
            mistakes.append(Mistake(f"{source.name}/dialect.yaml", 0, 0, "the dialect has no dialect.yaml"))
        return None
    found = salvaged(source.head, DialectFile)
    mistakes += found.mistakes
    head = found.value
    if head is not None and head.units and head.units not in units:
        mistakes.append(source.head.mistake(("units",), f"no unit table {head.units!r}"))
    return None if any(path[0] in _REFERRED_TO for path in found.cut) else head


_Chain = tuple[tuple[Marked, OverlayFile], ...]


def _chain(source: _Sources, plant: str, region: str | None) -> _Chain:
    names = [f"region/{region}"] if region else []
    if plant != ENTERPRISE:
        names.append(f"plant/{plant}")
    return tuple(source.overlays[name] for name in names if name in source.overlays)


def _compiled(
    source: _Sources, head: DialectFile, table: UnitFile | None, plant: str, chain: _Chain, mistakes: list[Mistake]
) -> dict[tuple[str, str], Translation]:
    parameters = dict(head.parameters)
    values = dict(head.values)
    for _, overlay in chain:
        parameters |= overlay.parameters
        values |= overlay.values
    setting = Setting(source.name, head.model_copy(update={"values": values}), table, parameters)
    made: dict[tuple[str, str], Translation] = {}
    for name, marked in source.objects.items():
        try:
            made[name, plant] = _translation(setting, marked, name, chain)
        except ContentError as err:
            mistakes += err.mistakes
    return made


def _translation(setting: Setting, marked: Marked, name: str, chain: _Chain) -> Translation:
    """Raises: ContentError: every mistake of the file, also of the fields beside one that cannot be read."""
    found = salvaged(marked, ObjectFile)
    mistakes = list(found.mistakes)
    file = found.value
    if file is None:
        raise ContentError(mistakes)
    if file.object != name:
        mistakes.append(marked.mistake(("object",), f"the file is called {name}.yaml"))
    for _, overlay in chain:
        if name in overlay.objects:
            file = laid_over(file, overlay.objects[name])
    problems = Problems(unread=frozenset(found.cut))
    plan = None
    try:
        plan = resolve(setting, file, problems)
    except ValueError as err:
        mistakes.append(found.marked.mistake((), str(err)))
    overlays = [laid for laid, _ in chain]
    mistakes += [_placed(found.marked, overlays, name, where, reason) for where, reason in problems.found]
    if plan is None or mistakes:
        raise ContentError(mistakes)
    return compile_plan(plan)


def _placed(marked: Marked, chain: Sequence[Marked], name: str, where: Where, reason: str) -> Mistake:
    """The place in the last overlay that holds the field, or else in the base file."""
    for overlay in reversed(chain):
        if where and ("objects", name, *where) in overlay.marks:
            return overlay.mistake(("objects", name, *where), reason)
    return marked.mistake(where, reason)


def laid_over(base: ObjectFile, overlay: ObjectOverlay) -> ObjectFile:
    """The object with a site's own fields: one given replaces the base's, null takes it away, rows are laid over."""
    return base.model_copy(update=_layers(base, overlay))


def _layers(base: ObjectFile | FieldRule, over: ObjectOverlay | FieldRule) -> dict[str, Any]:
    fields: dict[str, FieldRule] = dict(base.fields)
    for name, rule in over.fields.items():
        if rule is None:
            fields.pop(name, None)
        else:
            fields[name] = _field(fields.get(name), rule)
    mapped = {name.strip() for key in over.fields for name in key.split("+")} - set(over.unsupported)
    unsupported = {**base.unsupported, **over.unsupported}
    return {
        "fields": fields,
        "constants": {**base.constants, **over.constants},
        "ignore": {**base.ignore, **over.ignore},
        "unsupported": {k: v for k, v in unsupported.items() if k not in mapped},
    }


def _field(base: FieldRule | None, over: FieldRule) -> FieldRule:
    """A rule with fields but neither `to` nor `each` speaks of the rows of the list that is already there."""
    rows_only = base is not None and base.each is not None and over.each is None and not over.to
    return base.model_copy(update=_layers(base, over)) if base is not None and rows_only else over
