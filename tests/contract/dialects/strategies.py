"""Canonical documents on a dialect's declared domain, derived from the canonical model and from the codecs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from gateway.core.canonical import Document, FieldSpec
from gateway.core.canonical.kinds import Kind
from gateway.dialects.codecs import Codec
from gateway.dialects.resolve import Entry, Level, Plan
from gateway.dialects.specimens import candidates, shadowed, values_of

ABSENT = object()


def documents(plan: Plan) -> st.SearchStrategy[Document]:
    return _level(plan.level, plan.spec.fields)


def _level(level: Level, specs: tuple[FieldSpec, ...]) -> st.SearchStrategy[Document]:
    by_name = {spec.name: spec for spec in specs}
    parts = [_entry(entry, by_name, level) for entry in level.entries if not shadowed(entry, level)]
    return st.tuples(*parts).map(lambda made: {k: v for part in made for k, v in part.items() if v is not ABSENT})


def _entry(entry: Entry, specs: dict[str, FieldSpec], level: Level) -> st.SearchStrategy[Document]:
    name = entry.canonical[0]
    if entry.rows is not None:
        rows = st.lists(_level(entry.rows, specs[name].rows), max_size=2)
        return st.one_of(rows, st.none(), st.just(ABSENT)).map(lambda v: {name: v})
    assert entry.codec is not None
    kinds = [specs[n].kind for n in entry.canonical]
    if entry.codec.canonical > 1:
        return _group(entry, entry.codec, kinds)
    kind = kinds[0]
    assert kind is not None
    value = scalar(kind, entry.codec)
    if any(path in {p for p, _ in level.constants} for path in entry.native):
        return value.map(lambda v: {name: v})
    return st.one_of(value, value, value, st.none(), st.just(ABSENT)).map(lambda v: {name: v})


def _group(entry: Entry, codec: Codec, kinds: list[Kind | None]) -> st.SearchStrategy[Document]:
    parts = []
    for kind in kinds:
        assert kind is not None
        some = st.sampled_from(kind.choices) if kind.choices else _loose(kind)
        parts.append(st.one_of(st.none(), some) if codec.partial else some)
    inside = st.tuples(*parts).filter(codec.domain)
    shown = inside.map(lambda v: dict(zip(entry.canonical, v, strict=True)))
    return shown.map(lambda d: {k: v for k, v in d.items() if v is not None} if codec.partial else d)


def _loose(kind: Kind) -> st.SearchStrategy[Any]:
    if kind.name == "unit":
        return st.sampled_from(["H87", "KGM", "MTR", "HUR"])
    if kind.name == "decimal" and kind.scale == 0:
        return st.just(Decimal(1))
    return st.sampled_from(candidates(kind)[:4])


def scalar(kind: Kind, codec: Codec) -> st.SearchStrategy[Any]:
    """A value of a kind that the codec declares it can write; closed lists are sampled from what it knows."""
    fixed = st.sampled_from(values_of(kind, codec))
    if codec.known or kind.name in {"boolean", "choice", "unit", "currency"}:
        return fixed
    return st.one_of(fixed, _free(kind).map(lambda v: _near(codec, v)).filter(lambda v: v is not ABSENT))


def _near(codec: Codec, value: Any) -> Any:
    """The value itself on the domain, else the nearest one that the system can keep."""
    try:
        if codec.domain(value):
            return value
        near = codec.decode(codec.encode(value))
        return near if near is not None and codec.domain(near) else ABSENT
    except (ValueError, ArithmeticError):
        return ABSENT


def _free(kind: Kind) -> st.SearchStrategy[Any]:
    match kind.name:
        case "text":
            letters = st.characters(exclude_categories=("C",), include_characters="\n\t")
            return st.text(letters, max_size=min(kind.max_length, 12))
        case "identifier":
            letters = st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\")
            return st.text(letters, min_size=1, max_size=min(kind.max_length, 8)) | st.from_regex(
                r"[0-9]{1,4}", fullmatch=True
            )
        case "decimal":
            most = Decimal(10) ** (kind.max_length - kind.scale) - 1
            return st.decimals(-most, most, places=kind.scale, allow_nan=False, allow_infinity=False)
        case "date":
            return st.dates(date(1900, 1, 2), date(2200, 1, 1))
        case "datetime":
            free = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds are naive
            return free.map(lambda v: v.replace(microsecond=0))
    raise ValueError(kind.name)
