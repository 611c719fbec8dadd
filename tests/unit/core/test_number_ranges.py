"""Number ranges meet where a number may be of both, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.core.manifests import Numbers
from gateway.core.number_ranges import NumberRange, outside, shared

PLAIN = ("", "P", "PO-")
"""Prefixes without digits: P1-0 may be the first line of P1, or number 0 after the prefix P1-."""
PREFIXES = st.sampled_from((*PLAIN, "P1-"))
RANGES = st.builds(
    lambda first, more, prefix: NumberRange(first, first + more, prefix),
    st.integers(0, 40),
    st.integers(0, 12),
    PREFIXES,
)


def written(range_: NumberRange) -> set[str]:
    return {f"{range_.prefix}{number}" for number in range(range_.first, range_.last + 1)}


@given(st.lists(RANGES, max_size=3), st.lists(RANGES, max_size=3))
def test_two_erps_share_exactly_the_numbers_that_both_may_give(
    ones: list[NumberRange], others: list[NumberRange]
) -> None:
    both = set().union(*map(written, ones)) & set().union(*map(written, others))
    assert set().union(*map(written, shared(ones, others))) == both


@given(
    RANGES.filter(lambda each: each.prefix in PLAIN),
    st.integers(0, 60),
    st.sampled_from(PLAIN),
    st.integers(0, 6),
    st.sampled_from(("", "-2026", "-00000001")),
)
def test_a_number_is_of_a_range_however_many_zeros_lead_it_and_whatever_follows(
    range_: NumberRange, number: int, prefix: str, width: int, more: str
) -> None:
    key = f"{prefix}{str(number).zfill(width)}{more}"
    assert range_.holds(key) == (f"{prefix}{number}" in written(range_))


@pytest.mark.parametrize("number", ["", "P", "12A", "A12", "-12", "1 2x", "12\n", "१२"])
def test_what_is_no_number_of_the_range_is_outside(number: str) -> None:
    range_ = NumberRange(0, 99)
    assert list(outside([range_], [number])) == ([] if range_.holds(number) else [number])
    assert list(outside([], [number])) == [], "nobody said what the numbers are"
    assert not NumberRange(0, 99, "Q").holds(number)


def test_the_digits_of_a_number_do_not_end_in_the_middle_of_a_word() -> None:
    assert not NumberRange(0, 99).holds("12A")
    assert NumberRange(0, 99).holds("12-A")


@pytest.mark.parametrize(
    "said",
    [
        {"first": 5, "last": 4},
        {"first": 1, "last": 1000, "width": 3},
        {"first": 1, "last": 2, "prefix": "P1"},
        {"first": -1, "last": 2},
    ],
)
def test_a_range_that_holds_nothing_or_cannot_be_written_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Numbers.model_validate(said)
