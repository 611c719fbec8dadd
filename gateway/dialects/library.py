"""All dialects of a content revision, compiled: from the files of `translators/` to functions per object and plant.

Takes texts, opens nothing. The overlays of a plant's region and of the plant itself are laid over the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gateway.core.marked import Marked, parse, validated
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


@dataclass(slots=True)
class _Sources:
    """The parsed files of one dialect."""

    name: str
    head: Marked | None = None
    objects: dict[str, Marked] = field(default_factory=dict)
    overlays: dict[str, Marked] = field(default_factory=dict)


def load_dialects(texts: Mapping[str, str], regions: Mapping[str, str | None]) -> Mapping[str, Dialect]:
    """Compile every dialect.

    Takes: `texts`, file name below `translators/` -> YAML; `regions`, plant -> its region.
    Raises: ContentError: every mistake of every file.
    """
    mistakes: list[Mistake] = []
    units: dict[str, UnitFile] = {}
    sources: dict[str, _Sources] = {}
    for name, text in sorted(texts.items()):
        try:
            _sort(PurePosixPath(name), parse(name, text), units, sources)
        except ContentError as err:
            mistakes += err.mistakes
    made = {}
    for source in sources.values():
        try:
            made[source.name] = _dialect(source, units, regions)
        except ContentError as err:
            mistakes += err.mistakes
    if mistakes:
        raise ContentError(mistakes)
    return made


def _sort(path: PurePosixPath, marked: Marked, units: dict[str, UnitFile], sources: dict[str, _Sources]) -> None:
    folder, *rest = path.parts
    if folder == "units":
        units[path.stem] = validated(marked, UnitFile)
        return
    source = sources.setdefault(folder, _Sources(folder))
    if rest == ["dialect.yaml"]:
        source.head = marked
    elif rest[0] == "overlays":
        source.overlays[str(validated(marked, OverlayFile).overlay)] = marked
    else:
        source.objects[path.stem] = marked


def _dialect(source: _Sources, units: Mapping[str, UnitFile], regions: Mapping[str, str | None]) -> Dialect:
    if source.head is None:
        raise ContentError([Mistake(f"{source.name}/dialect.yaml", 0, 0, "the dialect has no dialect.yaml")])
    head = validated(source.head, DialectFile)
    if head.units and head.units not in units:
        raise ContentError([source.head.mistake(("units",), f"no unit table {head.units!r}")])
    table = units.get(head.units) if head.units else None
    translations: dict[tuple[str, str], Translation] = {}
    chains = {plant: _chain(source, plant, regions.get(plant)) for plant in (ENTERPRISE, *regions)}
    mistakes: list[Mistake] = []
    for plant, chain in chains.items():
        if plant != ENTERPRISE and not chain:
            continue
        try:
            translations |= _compiled(source, head, table, plant, chain)
        except ContentError as err:
            mistakes += err.mistakes
    if mistakes:
        raise ContentError(list(dict.fromkeys(mistakes)))
    return Dialect(source.name, head, tuple(source.objects), translations, source.objects, chains)


def _chain(source: _Sources, plant: str, region: str | None) -> tuple[Marked, ...]:
    names = [f"region/{region}"] if region else []
    if plant != ENTERPRISE:
        names.append(f"plant/{plant}")
    return tuple(source.overlays[name] for name in names if name in source.overlays)


def _compiled(
    source: _Sources, head: DialectFile, table: UnitFile | None, plant: str, chain: tuple[Marked, ...]
) -> dict[tuple[str, str], Translation]:
    overlays = [validated(marked, OverlayFile) for marked in chain]
    parameters = dict(head.parameters)
    values = dict(head.values)
    for overlay in overlays:
        parameters |= overlay.parameters
        values |= overlay.values
    setting = Setting(source.name, head.model_copy(update={"values": values}), table, parameters)
    made: dict[tuple[str, str], Translation] = {}
    mistakes: list[Mistake] = []
    for name, marked in source.objects.items():
        try:
            made[name, plant] = _translation(setting, marked, name, chain, overlays)
        except ContentError as err:
            mistakes += err.mistakes
    if mistakes:
        raise ContentError(mistakes)
    return made


def _translation(
    setting: Setting, marked: Marked, name: str, chain: Sequence[Marked], overlays: list[OverlayFile]
) -> Translation:
    file = validated(marked, ObjectFile)
    if file.object != name:
        raise ContentError([marked.mistake(("object",), f"the file is called {name}.yaml")])
    for overlay in overlays:
        if name in overlay.objects:
            file = laid_over(file, overlay.objects[name])
    problems = Problems()
    try:
        plan = resolve(setting, file, problems)
    except ValueError as err:
        raise ContentError([marked.mistake((), str(err))]) from err
    if plan is None:
        raise ContentError([_placed(marked, chain, name, where, reason) for where, reason in problems.found])
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
