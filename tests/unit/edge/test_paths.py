"""The request target: read once, refused where two servers could read it differently."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.edge.paths import document_key, key_and_action, parse_target, plant_id
from gateway.errors import Malformed


def test_a_plain_target_is_split_into_segments_and_query() -> None:
    target = parse_target(b"/api/v1/plants/1000/orders", b"limit=5&filter=a%20eq%20'b'&flag")
    assert target.segments == ("api", "v1", "plants", "1000", "orders")
    assert target.parameter("filter") == "a eq 'b'"
    assert target.parameter("flag") == ""
    assert target.parameter("absent") is None


def test_a_slash_at_the_end_adds_nothing() -> None:
    assert parse_target(b"/", b"").segments == ()
    assert parse_target(b"/odata/", b"") == parse_target(b"/odata", b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"//a",
        b"/a//b",
        b"/a%2Fb",
        b"/a%2fb",
        b"/a%5Cb",
        b"/a%5cb",
        b"/a\\b",
        b"/..",
        b"/a/../b",
        b"/./a",
        b"/%2e%2e/a",
        b"/%2E",
        b"/.%2e/a",
        b"/%252e%252e",
        b"/a%25b",
        b"/a%00",
        b"/a%0d%0ab",
        b"/a%7f",
        b"/a%1f",
        b"/a%20",
        b"/%20a",
        b"/%c0%ae",
        b"/%ff",
        b"/%ED%A0%80",
        b"/%E2%80%8B",
        b"/a%EF%BB%BF",
        b"/%E2%80%AEa",
        b"/%EF%BC%91",
        b"/u%CC%88",
        b"/%C2%A0a",
        b"/a%E3%80%80b",
        b"/a%2",
        b"/a%",
        b"/%zz",
        b"/\xe4",
        b"/a b",
        b"/a?b",
        b"/a#b",
        b"/a\x01",
    ],
)
def test_a_path_with_two_readings_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_target(raw, b"")


@pytest.mark.parametrize(
    ("raw", "segment"),
    [
        (b"/4711%7C00010", "4711|00010"),
        (b"/4711|00010", "4711|00010"),
        (b"/Schl%C3%BCssel", "Schlüssel"),
        (b"/000000004711", "000000004711"),
        (b"/MAT%201", "MAT 1"),
        (b"/Orders('4711')", "Orders('4711')"),
        (b"/a%3Ab", "a:b"),
        (b"/...", "..."),
        (b"/%E6%9D%B1%E4%BA%AC", "東京"),
    ],
)
def test_keys_of_real_erps_pass(raw: bytes, segment: str) -> None:
    assert parse_target(raw, b"").segments == (segment,)


@pytest.mark.parametrize(
    "query",
    [
        b"a=1&a=2",
        b"=1",
        b"&",
        b"a=1&&b=2",
        b"a=%ff",
        b"a=%",
        b"a=%00",
        b"a=%0a",
        b"a=u%CC%88",
        b"%00=1",
        b"a=%C2%85",
        b"&".join(b"p%d" % n for n in range(65)),
    ],
)
def test_a_query_with_two_readings_is_refused(query: bytes) -> None:
    with pytest.raises(Malformed):
        parse_target(b"/", query)


def test_a_listed_parameter_may_be_given_more_than_once() -> None:
    target = parse_target(b"/", b"id=1&id=2&x=+%2B", repeatable={"id"})
    assert target.query == {"id": ("1", "2"), "x": (" +",)}
    with pytest.raises(Malformed, match="given twice"):
        parse_target(b"/", b"x=1&x=2", repeatable={"id"})


@pytest.mark.parametrize("text", ["1000", "DE01", "A", "A_B-1", "A" * 16])
def test_plant_ids_pass(text: str) -> None:
    assert plant_id(text) == text


@pytest.mark.parametrize("text", ["", "a", "_A", "-A", "A" * 17, "A B", "1000\n", "\uff11000", "..", "A/B", "*", "Ä"])
def test_anything_else_is_no_plant_id(text: str) -> None:
    with pytest.raises(Malformed):
        plant_id(text)


@pytest.mark.parametrize(
    "text", ["", "a" * 129, " a", "a ", "a/b", "a\\b", "a\x00", "a\u200bb", "\uff11", "u\u0308", "a\u2028b"]
)
def test_anything_unprintable_or_ambiguous_is_no_key(text: str) -> None:
    with pytest.raises(Malformed):
        document_key(text)


@pytest.mark.parametrize(
    ("raw", "key", "action"),
    [
        ("4711", "4711", None),
        ("4711:release", "4711", "release"),
        ("4711:technically-complete", "4711", "technically-complete"),
        ("a:b:release", "a:b", "release"),
        ("a%3Arelease", "a:release", None),
        ("a%7Cb:release", "a|b", "release"),
        ("12:00", "12:00", None),
        ("a:Release", "a:Release", None),
        ("a:", "a:", None),
        (":release", ":release", None),
    ],
)
def test_an_action_is_what_follows_the_last_literal_colon(raw: str, key: str, action: str | None) -> None:
    assert key_and_action(raw) == (key, action)


@given(st.text(min_size=1, max_size=40))
@example("a|b")
@example("..")
@example("a:release")
def test_what_is_taken_in_goes_out_as_the_same_one_segment(text: str) -> None:
    try:
        key = document_key(text)
        quoted = quote(key, safe="")
        target = parse_target(b"/" + quoted.encode(), b"")
    except Malformed:
        return
    assert target.segments == (text,)
    assert key_and_action(quoted) == (text, None)
    assert "/" not in quoted


@given(st.binary(max_size=60))
def test_no_path_yields_a_segment_that_is_not_one(raw: bytes) -> None:
    try:
        target = parse_target(b"/" + raw, b"")
    except Malformed:
        return
    for segment in target.segments:
        assert segment
        assert segment not in {".", ".."}
        assert not set(segment) & set("/\\\x00\r\n")
        assert parse_target(b"/" + quote(segment, safe="").encode(), b"").segments == (segment,) or "%" in segment
