"""Documents that test a dialect: together they hold every word of every list, every boundary, null and absent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice, product
from typing import Any

from gateway.core.canonical import Document, FieldSpec
from gateway.core.canonical.kinds import Kind
from gateway.core.units import UNITS
from gateway.dialects.codecs import Codec
from gateway.dialects.resolve import Entry, Level, Plan

_MOST_ROWS = 3
_MOST_GROUPS = 40

# Around the hours that spring skips and autumn repeats in Berlin and Chicago, and a zone that is not on the hour.
_MOMENTS = (
    datetime(2026, 1, 15, 5, 30, tzinfo=UTC),
    datetime(2026, 3, 8, 7, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 8, 8, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    datetime(2026, 7, 1, 22, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 7, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 23, 59, 59, 999000, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 30, 12, tzinfo=UTC),
)
_DAYS = (date(2026, 11, 22), date(1970, 1, 1), date(1900, 1, 1), date(2028, 2, 29), date(9999, 12, 31), date(1, 1, 2))


def specimens(plan: Plan) -> Iterator[Document]:
    """Documents on the dialect's declared domain, the same ones every time."""
    yield from _documents(plan.level, plan.spec.fields)


def values_of(kind: Kind, codec: Codec) -> tuple[Any, ...]:
    """Values of a kind that a codec declares it can write; what is outside is brought inside where that works."""
    inside = (_inside(codec, value) for value in candidates(kind))
    return tuple(dict.fromkeys(value for value in inside if value is not None))


def candidates(kind: Kind) -> tuple[Any, ...]:
    """Values of a kind, whatever the dialect."""
    match kind.name:
        case "text":
            return tuple(
                t[: kind.max_length]
                for t in ("pump", "Größe 40 µm, 泵", "it's", "a" * kind.max_length, " x ", "<&>", "")
            )
        case "identifier":
            words = ("1", "0", "42", "007", "A-1", "9" * kind.max_length, "Z" * kind.max_length, "Ä.1", "1234567890")
            return tuple(w[: kind.max_length] for w in words)
        case "decimal":
            return _decimals(kind)
        case "boolean":
            return (True, False)
        case "date":
            return _DAYS
        case "datetime":
            return _MOMENTS
        case "choice":
            return kind.choices
        case "unit":
            return tuple(sorted(UNITS))
        case "currency":
            return ("EUR", "USD", "JPY", "INR")
    raise ValueError(f"no specimens of {kind.name}")


def _decimals(kind: Kind) -> tuple[Decimal, ...]:
    least = Decimal(1).scaleb(-kind.scale)
    most = Decimal("9" * kind.max_length).scaleb(-kind.scale)
    some = (Decimal(10), Decimal(0), Decimal(1), least, most, -least, Decimal("2.500"), Decimal("0.10"))
    return tuple(value for value in some if value == round(value, kind.scale))


def _inside(codec: Codec, value: Any) -> Any:
    try:
        if codec.domain(value):
            return value
        near = codec.decode(codec.encode(value))
        return near if near is not None and codec.domain(near) else None
    except (ValueError, ArithmeticError):
        return None


def _documents(level: Level, specs: tuple[FieldSpec, ...]) -> Iterator[Document]:
    by_name = {spec.name: spec for spec in specs}
    choices = [(e, _choices(e, by_name, level)) for e in level.entries if not shadowed(e, level)]
    longest = max((len(found) for _, found in choices), default=0)
    for i in range(longest):
        made: Document = {}
        for _, found in choices:
            made.update(found[i % len(found)])
        yield made
    # Everything absent but what must be there for a constant to give way.
    yield {k: v for e, found in choices if _over_constant(e, level) for k, v in found[0].items()}


def _choices(entry: Entry, specs: dict[str, FieldSpec], level: Level) -> list[Document]:
    """What an entry may contribute to a document: one piece of it per value, then null, then nothing."""
    if entry.rows is not None:
        rows = list(_documents(entry.rows, specs[entry.canonical[0]].rows))
        pieces: list[Document] = [
            {entry.canonical[0]: rows[i : i + _MOST_ROWS]} for i in range(0, len(rows), _MOST_ROWS)
        ]
        return [*pieces, {entry.canonical[0]: []}, {entry.canonical[0]: None}, {}]
    assert entry.codec is not None  # noqa: S101  # an entry has rows or a codec
    if entry.codec.canonical > 1:
        return _groups(entry, entry.codec, specs)
    kind = specs[entry.canonical[0]].kind
    assert kind is not None  # noqa: S101  # a scalar
    found: list[Document] = [{entry.canonical[0]: v} for v in values_of(kind, entry.codec)]
    return found if _over_constant(entry, level) else [*found, {entry.canonical[0]: None}, {}]


def _groups(entry: Entry, codec: Codec, specs: dict[str, FieldSpec]) -> list[Document]:
    fields = []
    for name in entry.canonical:
        kind = specs[name].kind
        assert kind is not None  # noqa: S101  # a scalar
        some = (
            candidates(kind) if kind.choices else candidates(kind)[: _MOST_ROWS if len(entry.canonical) > 1 else None]
        )
        alone = dict(zip(entry.canonical, codec.alone, strict=False)).get(name)
        some = values_of(kind, alone[1]) if alone else some
        fields.append((*some, None) if codec.partial else some)
    whole = (values for values in product(*fields) if codec.domain(values))
    found = []
    for values in islice(_spread(whole), _MOST_GROUPS):
        pairs = zip(entry.canonical, values, strict=True)
        found.append({name: value for name, value in pairs if not (codec.partial and value is None)})
    return [*found, {}]


def _spread(values: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """An even selection, so that a long product is not only its beginning."""
    whole = list(values)
    step = max(1, len(whole) // _MOST_GROUPS)
    return whole[::step]


def shadowed(entry: Entry, level: Level) -> bool:
    """Whether the entry only shows again what other entries write: a key made of the document's own fields."""
    others = {path for e in level.entries if e is not entry and e.access == "both" for path in e.native}
    shown = {path for e in level.entries if e is not entry for path in e.native}
    return entry.access == "read_only" and bool(set(entry.native) & (others or shown)) and len(entry.native) > 1


def _over_constant(entry: Entry, level: Level) -> bool:
    return any(path in {p for p, _ in level.constants} for path in entry.native)
