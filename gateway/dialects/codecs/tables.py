"""Codecs of closed lists: yes and no, words for words, and a state kept in several flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.dialects.codecs.codec import Codec, exactly

_MOST_FLAGS = 12


def boolean() -> Codec:
    """true or false."""
    check = exactly(bool)
    return Codec(check, check, literal="boolean", schema=({"type": "boolean"},))


def boolean_text(*, true: str = "X", false: str = "") -> Codec:
    """A flag written as a word."""
    look = _lookup({true: True, false: False})
    return Codec(
        lambda v: true if v else false,
        look,
        known=((True, (true,)), (False, (false,))),
        schema=({"type": "string", "enum": [true, false]},),
    )


def words(*, of: tuple[str, ...]) -> Codec:
    """The canonical model's own words."""
    return value_map({word: word for word in of}, encode_also={}, decode_also={}, reason=None)


def value_map(
    pairs: Mapping[str, Any],
    *,
    encode_also: Mapping[str, Any],
    decode_also: Mapping[str, str],
    reason: str | None,
    blank: Any = None,
) -> Codec:
    """A closed list of words on both sides.

    Takes: `pairs` canonical -> native, one to one; `encode_also` and `decode_also`, words of one side that the other
           has no own word for, with the `reason` that makes the codec normalising; `blank`, the native word for null.
    """
    if len({(type(v), v) for v in pairs.values()}) != len(pairs):
        raise ValueError("two words have the same native word; put one under `normalising`")
    there = {**pairs, **encode_also}
    here = {native: canonical for canonical, native in pairs.items()} | dict(decode_also)
    return Codec(
        _lookup(there),
        _lookup(here),
        blank=None if blank in here else blank,
        known=tuple((c, tuple(n for n, to in here.items() if to == c)) for c in pairs),
        literal=_literal(pairs),
        schema=({"enum": list(dict.fromkeys(here))},),
        normalising=reason,
        domain=lambda v: v in pairs,
    )


def _literal(pairs: Mapping[str, Any]) -> str:
    kinds = {type(v) for v in pairs.values()}
    return "boolean" if kinds == {bool} else "integer" if kinds == {int} else "text"


def _lookup(table: Mapping[Any, Any]) -> Callable[[Any], Any]:
    def look(value: Any) -> Any:
        try:
            return table[value]
        except (KeyError, TypeError):
            raise ValueError(f"{str(value)[:40]!r} is none of {', '.join(map(str, table))}") from None

    return look


def flags(states: Mapping[str, tuple[bool, ...]], *, width: int) -> Codec:
    """One state as several native booleans; the last listed state whose flags all hold is the one that is read.

    No flag at all is null.
    Takes: `states`, canonical state -> the value of each flag, ordered from the weakest to the strongest.
    """
    if width > _MOST_FLAGS:
        raise ValueError(f"at most {_MOST_FLAGS} flags")
    if len(set(states.values())) != len(states):
        raise ValueError("two states have the same flags")
    if any(not any(needed) for needed in states.values()):
        raise ValueError("a state without a flag cannot be told from no state")
    table = _states_by_mask(states, width)
    bits = tuple(1 << i for i in range(width))

    def decode(values: tuple[Any, ...]) -> str | None:
        mask = 0
        for value, bit in zip(values, bits, strict=True):
            if value is True:
                mask |= bit
            elif value is not None and value is not False:
                raise ValueError(f"true or false expected, {type(value).__name__} found")
        found = table[mask]
        if found is None and mask:
            raise ValueError("no state has these flags")
        return found

    return Codec(
        _lookup(states),
        decode,
        native=width,
        nothing=(False,) * width,
        literal="boolean",
        known=tuple((state, (needed,)) for state, needed in states.items()),
        schema=({"type": "boolean"},) * width,
        normalising="flags of earlier states may stay set beside the one that counts",
        domain=lambda v: v in states,
    )


def _states_by_mask(states: Mapping[str, tuple[bool, ...]], width: int) -> list[str | None]:
    """For every set of flags the state that is read, found once at load."""
    needed = [(state, sum(1 << i for i, flag in enumerate(flags_) if flag)) for state, flags_ in states.items()]
    for i, (state, mask) in enumerate(needed):
        if any(later & mask == later for _, later in needed[i + 1 :]):
            raise ValueError(f"{state!r} is never read: a later state needs only flags that it sets")
    strongest = needed[::-1]
    return [next((s for s, need in strongest if have & need == need), None) for have in range(1 << width)]
