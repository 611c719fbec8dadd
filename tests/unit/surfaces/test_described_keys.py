"""What descriptions say of keys in paths is true: whatever fits is taken, and keys as ERPs give them fit."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.paths import key_and_action, parse_target
from gateway.surfaces.openapi import KEY

SCHEMA = KEY["schema"]
PATTERN = re.compile(SCHEMA["pattern"])


@given(st.from_regex(PATTERN, fullmatch=True).filter(lambda text: len(text) <= SCHEMA["maxLength"]))
def test_whatever_fits_the_pattern_is_taken_as_a_key(text: str) -> None:
    target = parse_target(f"/api/v2/items/{quote(text, safe='')}".encode(), b"")
    assert key_and_action(target.raw_segments[-1]) == (text, None)


@pytest.mark.parametrize(
    "key", ["1", "000001000000", "10-200.A", "a b", "4500000001:10", "Größe 5", "ДЖЯ-1", "部品一", "[x]", "a?#"]
)
def test_keys_as_erps_give_them_fit(key: str) -> None:
    assert PATTERN.fullmatch(key)


@pytest.mark.parametrize(
    "key", ["", " a", "a ", "a\u2003", "\x85", "a\x9f", "a/b", "a\\b", "50%", ".", "..", "e\u0301", "\u200d"]
)
def test_what_is_refused_does_not_fit(key: str) -> None:
    assert not PATTERN.search(key)
