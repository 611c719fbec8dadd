"""The filter language as a regular expression for descriptions (pure): whatever matches it, `parse_filter` reads.

No pattern has parentheses within parentheses without end, counts parts, or has all of Unicode: of these the reader takes more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gateway.core.letters import LETTERS
from gateway.protocols.filters import FieldKind

_USUAL = "(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31"
_LEAP = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29"
_DAY = f"(?:[1-9][0-9]{{3}}-(?:{_USUAL})|{_LEAP})"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_NUMBER = "[+-]?[0-9]{1,15}"
_VALUES: Mapping[str, str] = {
    "text": f"'(?:[ -&(-~{LETTERS}]|'')*'",
    "decimal": rf"{_NUMBER}(?:\.[0-9]{{1,6}})?",
    "integer": _NUMBER,
    "boolean": "(?:true|false)",
    "date": _DAY,
    "datetime": rf"{_DAY}T{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})",
}
# Texts have an order in some ERPs only: nothing is promised of it.
_UNORDERED, _EQUAL, _ORDER = ("text", "boolean", "choice"), "eq|ne", "eq|ne|gt|ge|lt|le"
_JOINED = " (?:and|or) "
# How often each may come again: no filter of so many has more parts than the reader takes (MAX_NODES).
_PARTS, _IN_GROUP, _IN_LIST, _IN_ONE_LIST = 4, 2, 3, 49


def filter_pattern(fields: Mapping[str, FieldKind]) -> str:
    """A long list of one field's values; or comparisons joined by `and` and `or`, some of them in parentheses, with or without `not`."""
    one = f"(?:{'|'.join(_comparisons(fields))})"
    group = rf"(?:not )?\({one}(?:{_JOINED}{one}){{0,{_IN_GROUP}}}\)"
    part = f"(?:{one}|{group})"
    lists = "|".join(f"(?:{names}) {_list(kind, _IN_ONE_LIST)}" for kind, names in _kinds(fields))
    return f"^(?:{lists}|{part}(?:{_JOINED}{part}){{0,{_PARTS}}})$"


def _kinds(fields: Mapping[str, FieldKind]) -> Iterator[tuple[FieldKind, str]]:
    """Fields of one kind are compared alike."""
    for kind in dict.fromkeys(fields.values()):
        yield kind, "|".join(re.escape(name) for name, its in fields.items() if its == kind)


def _comparisons(fields: Mapping[str, FieldKind]) -> Iterator[str]:
    for kind, names in _kinds(fields):
        operators = _EQUAL if kind.name in _UNORDERED else _ORDER
        yield rf"(?:{names}) (?:(?:{operators}) {_value(kind)}|(?:{_EQUAL}) null|{_list(kind, _IN_LIST)})"


def _list(kind: FieldKind, more: int) -> str:
    return rf"in \({_value(kind)}(?:, {_value(kind)}){{0,{more}}}\)"


def _value(kind: FieldKind) -> str:
    if kind.name != "choice":
        return _VALUES[kind.name]
    return "'(?:" + "|".join(re.escape(word).replace("'", "''") for word in kind.values) + ")'"
