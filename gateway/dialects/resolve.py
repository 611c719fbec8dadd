"""From a dialect's files to the flat plan a compiler can follow: every field with its codec, every path split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gateway.core.canonical import OBJECTS, FieldSpec, ObjectSpec
from gateway.dialects.codecs import Codec, flags, value_map
from gateway.dialects.grammar import DialectFile, FieldRule, ObjectFile, Step, UnitFile, Unsupported
from gateway.dialects.named import codec_of, parametrised, unit_codec

Where = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the plan: canonical names, native paths, and the codec or the rows between them."""

    canonical: tuple[str, ...]
    native: tuple[tuple[str, ...], ...]
    codec: Codec | None
    access: str
    rows: Level | None = None
    label: str = ""
    where: Where = ()
    """Its place in the object's file."""


@dataclass(frozen=True, slots=True)
class Level:
    """The fields of a document, or of the rows of one of its lists."""

    entries: tuple[Entry, ...]
    constants: tuple[tuple[tuple[str, ...], Any], ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    unsupported: Mapping[str, Unsupported] = field(default_factory=dict)

    def entry(self, canonical: str) -> Entry | None:
        return next((e for e in self.entries if canonical in e.canonical), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """One object of one dialect as it stands for one plant."""

    dialect: str
    spec: ObjectSpec
    native: Mapping[str, Any]
    level: Level
    verbs: Mapping[str, tuple[Step, ...]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    """The canonical fields that the gateway keeps for the ERP, which has none for them."""


@dataclass(slots=True)
class Problems:
    """Mistakes found on the way: path in the object's file, and the reason.

    `unread` are fields whose own mistakes are told already: they are not missing.
    """

    found: list[tuple[Where, str]] = field(default_factory=list)
    unread: frozenset[Where] = frozenset()

    def add(self, where: Where, reason: str) -> None:
        self.found.append((where, reason))


@dataclass(frozen=True)
class Setting:
    """What an object is resolved against: the dialect's own file, its unit table and the parameters in force."""

    name: str
    dialect: DialectFile
    units: UnitFile | None
    parameters: Mapping[str, Any]

    @cached_property
    def unit_codec(self) -> Codec | None:
        """The codec of the unit table, made once for all fields. Raises: ValueError: a code that the model does not know."""
        return None if self.units is None else unit_codec(self.units, self.dialect.blank)


def resolve(setting: Setting, file: ObjectFile, problems: Problems) -> Plan | None:
    """Resolve one object; mistakes go to `problems`, and a plan comes only where there are none."""
    spec = OBJECTS.get(file.object)
    if spec is None:
        problems.add(("object",), f"no canonical object {file.object!r}; there are {', '.join(OBJECTS)}")
        return None
    before = len(problems.found)
    whole = FieldRule(fields=file.fields, constants=file.constants, ignore=file.ignore, unsupported=file.unsupported)
    level = _level(setting, whole, spec.fields, (), problems)
    beside = frozenset(name for name, lacking in level.unsupported.items() if lacking.policy == "keep_beside")
    for name in sorted(beside & {spec.key, "plant"}):
        problems.add(("unsupported", name), "it says which document it is: it cannot be kept beside")
    if len(problems.found) > before:
        return None
    verbs = {verb: tuple(steps) for verb, steps in file.verbs.items()}
    native = parametrised(file.native, setting.parameters)
    return Plan(setting.name, spec, native, level, verbs, setting.parameters, beside)


def _level(setting: Setting, rule: FieldRule, specs: tuple[FieldSpec, ...], where: Where, problems: Problems) -> Level:
    by_name = {spec.name: spec for spec in specs}
    entries = [
        entry
        for name, child in rule.fields.items()
        if (entry := _entry(setting, name, child, by_name, (*where, "fields", name), problems))
    ]
    _complete(rule, entries, by_name, where, problems)
    _kept_beside(setting, rule, where, problems)
    _written_once(entries, rule.constants, where, problems)
    constants = tuple((_path(k), parametrised(v, setting.parameters)) for k, v in rule.constants.items())
    ignored = {name: reason for reason, names in rule.ignore.items() for name in names}
    return Level(tuple(entries), constants, ignored, rule.unsupported)


def _complete(
    rule: FieldRule, entries: Iterable[Entry], specs: Mapping[str, FieldSpec], where: Where, problems: Problems
) -> None:
    mapped = {name for e in entries for name in e.canonical} | {
        n.strip() for key in rule.fields for n in key.split("+")
    }
    mapped_wrongly = {
        name.strip()
        for path in problems.unread
        if path[:-1] in ((*where, "fields"), (*where, "unsupported"))
        for name in str(path[-1]).split("+")
    }
    for name in specs:
        if name not in mapped and name not in rule.unsupported and name not in mapped_wrongly:
            problems.add(
                (*where, "fields"), f"the canonical field {name!r} is neither mapped nor listed as unsupported"
            )
    for name, lacking in rule.unsupported.items():
        place = (*where, "unsupported", name)
        if name not in specs:
            problems.add(place, f"no canonical field {name!r}")
        elif name in mapped:
            problems.add(place, f"{name!r} is mapped and unsupported at once")
        elif lacking.policy == "drop" and not lacking.reason:
            problems.add(place, "drop needs a reason: drop(reason)")


def _kept_beside(setting: Setting, rule: FieldRule, where: Where, problems: Problems) -> None:
    """What the gateway keeps for an ERP is a document's own: rows have no name that lasts."""
    for name, lacking in rule.unsupported.items():
        place = (*where, "unsupported", name)
        if lacking.policy != "keep_beside":
            continue
        if setting.dialect.kind == "client":
            problems.add(place, "keep_beside is for an ERP's dialect: a client's fields are shown or not")
        elif where:
            problems.add(place, "keep_beside is for the fields of a document, not of its rows")


def _written_once(entries: Iterable[Entry], constants: Mapping[str, Any], where: Where, problems: Problems) -> None:
    # A constant under a field is what stands there when the document does not say.
    constant = {_path(k) for k in constants}
    seen: dict[tuple[str, ...], str] = {}
    for entry in entries:
        for path in entry.native:
            if path in constant and entry.access != "both":
                problems.add((*where, "fields", entry.canonical[0]), f"{'.'.join(path)} is a constant too")
            if path in seen and entry.access != "read_only":
                problems.add((*where, "fields", entry.canonical[0]), f"{'.'.join(path)} is written by {seen[path]} too")
            seen[path] = entry.canonical[0]


def _entry(
    setting: Setting, key: str, rule: FieldRule, specs: Mapping[str, FieldSpec], where: Where, problems: Problems
) -> Entry | None:
    names = tuple(part.strip() for part in key.split("+"))
    unknown = [name for name in names if name not in specs]
    if unknown:
        problems.add(where, f"no canonical field {unknown[0]!r}")
        return None
    if rule.each is not None:
        spec = specs[names[0]]
        if not spec.rows:
            problems.add(where, f"{names[0]!r} is no list")
            return None
        rows = _level(setting, rule, spec.rows, where, problems)
        return Entry(names, (_path(rule.each),), None, rule.access, rows, where=where)
    try:
        return _scalar(setting, names, rule, [specs[name] for name in names], where)
    except (ValueError, TypeError) as err:
        problems.add(where, str(err))
        return None


def _scalar(setting: Setting, names: tuple[str, ...], rule: FieldRule, specs: list[FieldSpec], where: Where) -> Entry:
    if specs[0].kind is None:
        raise ValueError(f"{names[0]!r} is a list: it needs `each`")
    native = tuple(_path(to) for to in rule.to)
    codec = _codec(setting, rule, specs[0])
    if not native:
        raise ValueError("no native field: `to` is missing")
    if (codec.canonical, codec.native) != (len(names), len(native)):
        raise ValueError(
            f"the codec joins {codec.canonical} with {codec.native} fields, not {len(names)} with {len(native)}"
        )
    return Entry(names, native, codec, rule.access, label=_label(setting, rule, specs[0]), where=where)


def _label(setting: Setting, rule: FieldRule, spec: FieldSpec) -> str:
    """The codec in the file's own words."""
    if rule.flags is not None or rule.values is not None:
        return "flags" if rule.flags is not None else "values"
    assert spec.kind is not None  # noqa: S101  # a scalar
    unit = spec.kind.name == "unit" and setting.units is not None
    return rule.codec or ("units" if unit else setting.dialect.defaults.get(spec.kind.name, ""))


def _codec(setting: Setting, rule: FieldRule, spec: FieldSpec) -> Codec:
    assert spec.kind is not None  # noqa: S101  # the caller has looked
    if rule.flags is not None:
        return _flags(rule, spec)
    if rule.values is not None:
        return _values(setting, rule, spec)
    if rule.codec is None and spec.kind.name == "unit" and setting.unit_codec is not None:
        return setting.unit_codec
    named = rule.codec or setting.dialect.defaults.get(spec.kind.name)
    if named is None:
        raise ValueError(f"no codec, and the dialect has no default for {spec.kind.name}")
    own: dict[str, Any] = {"scale": spec.kind.scale, "length": spec.kind.max_length, "choices": spec.kind.choices}
    if setting.unit_codec is not None:
        own["units"] = setting.unit_codec
    return codec_of(named, {**own, **setting.parameters})


def _flags(rule: FieldRule, spec: FieldSpec) -> Codec:
    states = rule.flags or {}
    _known_choices(spec, states)
    foreign = sorted({flag for flags_ in states.values() for flag in flags_} - set(rule.to))
    if foreign:
        raise ValueError(f"{foreign[0]} is not listed under `to`")
    return flags({state: tuple(to in set_ for to in rule.to) for state, set_ in states.items()}, width=len(rule.to))


def _values(setting: Setting, rule: FieldRule, spec: FieldSpec) -> Codec:
    if isinstance(rule.values, str) and rule.values not in setting.dialect.values:
        raise ValueError(f"the dialect has no value map {rule.values!r}")
    pairs = setting.dialect.values[rule.values] if isinstance(rule.values, str) else rule.values or {}
    more = rule.normalising
    _known_choices(spec, {*pairs, *(more.encode if more else ()), *(more.decode.values() if more else ())})
    return value_map(
        pairs,
        encode_also=more.encode if more else {},
        decode_also=more.decode if more else {},
        reason=more.reason if more else None,
        blank=setting.dialect.blank,
    )


def _known_choices(spec: FieldSpec, words: Iterable[str]) -> None:
    assert spec.kind is not None  # noqa: S101  # a scalar
    wrong = [w for w in words if spec.kind.choices and w not in spec.kind.choices]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is none of {', '.join(spec.kind.choices)}")


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))
