"""ETags that clients see."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.etags import SHAPE, ETag, condition, content_hash, parse


@given(st.sampled_from(["legacy", "cloud"]), st.integers(1, 999), st.text())
def test_an_etag_reads_as_it_was_written(side: str, term: int, native: str) -> None:
    etag = ETag(side, term, native=native)  # type: ignore[arg-type]
    assert parse(str(etag)) == etag
    assert condition(f" {etag} ").tags == (etag,)
    assert condition(f'"x",{etag} , W/"y"').tags == (etag,)


@given(st.text())
def test_what_is_not_written_as_ours_is_none(text: str) -> None:
    assert (parse(text) is not None) is bool(re.fullmatch(SHAPE, text))


@pytest.mark.parametrize("text", ['"x"', '""', 'W/"x"', '"L2n.eA"', '"x", W/"L2n.eA"'])
def test_a_strangers_etag_and_an_old_one_are_no_documents(text: str) -> None:
    assert not condition(text).holds(ETag("legacy", 1, native="x"))


def test_an_etag_that_a_proxy_made_weak_still_says_its_version() -> None:
    assert condition('"x", W/"L1n.eA"').holds(ETag("legacy", 1, native="x"))


@pytest.mark.parametrize("text", [None, "*"])
def test_whoever_names_no_version_means_any(text: str | None) -> None:
    assert condition(text).holds(ETag("legacy", 1, native="x"))
    assert condition(text, required=True).missing


@pytest.mark.parametrize("text", ["", "x", '"x', "W/x", '"x" "y"', '"x",', '*, "x"', 'w/"x"', '"x\x7f"', '"\u00fc"'])
def test_what_is_no_condition_is_broken_and_holds_for_nothing(text: str) -> None:
    assert condition(text).broken
    assert not condition(text).holds(ETag("legacy", 1, native="x"))


@given(st.from_regex(SHAPE, fullmatch=True))
def test_whatever_is_written_as_ours_are_is_read_also_where_we_never_gave_it_out(text: str) -> None:
    found = parse(text)
    assert found is not None
    assert parse(str(found)) == found


_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6)


@given(_NUMBERS, st.integers(0, 40))
def test_equal_numbers_hash_alike_however_they_are_written(number: Decimal, zeros: int) -> None:
    longer = Decimal(f"{number:f}{'0' * zeros}")
    assert content_hash({"quantity": number}) == content_hash({"quantity": longer})


@given(_NUMBERS, _NUMBERS)
def test_numbers_that_differ_hash_differently_in_whichever_digit(one: Decimal, other: Decimal) -> None:
    assert (content_hash({"quantity": one}) == content_hash({"quantity": other})) == (one == other)


def test_a_number_of_more_digits_than_a_pocket_calculator_has_is_not_rounded() -> None:
    one, other = Decimal("1234567890123456789012345678901.5"), Decimal("1234567890123456789012345678901.4")
    assert content_hash({"quantity": one}) != content_hash({"quantity": other})
    assert content_hash({"quantity": Decimal("-0")}) == content_hash({"quantity": Decimal(0)})


def test_another_value_another_line_and_another_order_of_lines_hash_differently() -> None:
    base = {"lines": [{"item": "A"}, {"item": "B"}]}
    others = [{"lines": [{"item": "B"}, {"item": "A"}]}, {"lines": [{"item": "A"}]}, {"lines": None}]
    assert len({content_hash(d) for d in (base, *others)}) == 4
