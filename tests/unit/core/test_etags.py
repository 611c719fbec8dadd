"""ETags that clients see."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.etags import ETag, content_hash, parse


@given(st.sampled_from(["legacy", "cloud"]), st.integers(1, 999), st.text())
def test_an_etag_reads_as_it_was_written(side: str, term: int, native: str) -> None:
    etag = ETag(side, term, native=native)  # type: ignore[arg-type]
    assert parse(str(etag)) == etag
    assert parse(f"W/{etag}") == etag


@given(st.text())
def test_what_is_no_etag_of_ours_is_none(text: str) -> None:
    found = parse(text)
    assert found is None or str(found) in text


def test_equal_numbers_hash_alike_however_they_are_written() -> None:
    assert content_hash({"quantity": Decimal("5")}) == content_hash({"quantity": Decimal("5.000")})


def test_another_value_another_line_and_another_order_of_lines_hash_differently() -> None:
    base = {"lines": [{"item": "A"}, {"item": "B"}]}
    others = [{"lines": [{"item": "B"}, {"item": "A"}]}, {"lines": [{"item": "A"}]}, {"lines": None}]
    assert len({content_hash(d) for d in (base, *others)}) == 4
