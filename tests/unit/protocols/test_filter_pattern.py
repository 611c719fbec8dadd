"""What a description says of filters is true: whatever fits its pattern is read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.filter_pattern import filter_pattern
from gateway.protocols.filters import MAX_BYTES, FieldKind, parse_filter

FIELDS = {
    "id": FieldKind("text"),
    "planned.start": FieldKind("datetime"),
    "ordered_on": FieldKind("date"),
    "quantity": FieldKind("decimal"),
    "lines": FieldKind("integer"),
    "released": FieldKind("boolean"),
    "status": FieldKind("choice", ("open", "it's done", "on-hold")),
    "allocation": FieldKind("text"),
}
PATTERN = re.compile(filter_pattern(FIELDS))


@given(st.from_regex(PATTERN, fullmatch=True).filter(lambda text: len(text.encode()) <= MAX_BYTES))
def test_whatever_fits_the_pattern_is_read(text: str) -> None:
    parse_filter(text, FIELDS)


@pytest.mark.parametrize(
    "text",
    [
        "id eq '4711'",
        "id eq 'O''Neill'",
        "id in ('a', 'Grüße')",
        "id eq null and quantity ge 1.5",
        "(status eq 'open' or status eq 'it''s done') and not (planned.start lt 2026-12-31T06:00:00+01:00)",
        "ordered_on eq 2024-02-29 or ordered_on eq 2000-02-29",
        "released ne true and lines in (1, 2)",
    ],
)
def test_what_clients_ask_for_fits_the_pattern_and_is_read(text: str) -> None:
    assert PATTERN.fullmatch(text)
    parse_filter(text, FIELDS)


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "id", "id eq 4711", "id eq 'a' and", "status gt 'open'", "status eq 'closed'", "name eq 'a'",
        "ordered_on eq 2026-02-30", "ordered_on eq 2100-02-29", "id eq 'a\x85b'",
        "planned.start eq 2026-12-01T06:00:00",
    ],
)  # fmt: skip
def test_what_is_refused_does_not_fit_the_pattern(text: str) -> None:
    assert not PATTERN.search(text)
