"""JSON: what two readers could understand differently is refused, and no digit is lost."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.json_strict import JsonLimits, dumps, loads
from gateway.errors import Malformed, TooLarge

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
NUMBERS = st.integers(-(10**60), 10**60) | st.decimals(
    allow_nan=False, allow_infinity=False, places=6, max_value=10**20
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


@given(DOCUMENTS)
def test_reading_what_was_written_gives_the_same(document: object) -> None:
    assert loads(dumps(document)) == document


@given(DOCUMENTS)
def test_another_writer_s_text_is_read_alike(document: object) -> None:
    plain = json.loads(dumps(document))
    assert loads(json.dumps(plain, allow_nan=False).encode()) == json.loads(json.dumps(plain), parse_float=Decimal)


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,20}([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_no_digit_of_a_decimal_is_lost(text: str) -> None:
    number = loads(text.encode())
    assert number.as_tuple() == Decimal(text).as_tuple()
    assert Decimal(dumps(number).decode()).as_tuple() == number.as_tuple()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        loads(data)
    except Malformed:
        return


@given(st.dictionaries(TEXT, st.integers(), min_size=1, max_size=5), st.data())
def test_a_repeated_key_is_always_refused(document: dict[str, int], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(sorted(document)))
    pairs = [*document.items(), (again, 0)]
    text = "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs) + "}"
    with pytest.raises(Malformed, match="given twice"):
        loads(text.encode())


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b'{"plant":"1","plant":"2"}', "/plant"),
        (b'{"lines":[{"a":1},{"a":1,"a":2}]}', "/lines/1/a"),
        (b'{"a/b":{"~":1,"~":2}}', "/a~1b/~0"),
        (b'{"a":[1,NaN]}', "/a/1"),
        (b'{"a":-Infinity}', "/a"),
        (b'{"a":1e999}', "/a"),
        (b'{"a":1e-999}', "/a"),
        (b'{"a":1e99999999999999999999999}', "/a"),
        (b'{"a":' + b"9" * 65 + b"}", "/a"),
        (b'{"a":0.' + b"9" * 65 + b"}", "/a"),
        (b'{"a":"\\u0000"}', "/a"),
        (b'{"a":["\\ud800"]}', "/a/0"),
        (b'{"a":"\\udc00\\ud800"}', "/a"),
        (b'{"\\u0000":1}', ""),
    ],
)
def test_a_mistake_is_named_by_its_place(data: bytes, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        loads(data)
    assert caught.value.extra["field"] == field


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [(b"", 1, 1), (b"{", 1, 2), (b"[1 2]", 1, 4), (b"{} {}", 1, 4), (b"[01]", 1, 3)],
)
def test_a_syntax_error_is_named_by_line_and_column(data: bytes, line: int, column: int) -> None:
    with pytest.raises(Malformed) as caught:
        loads(data)
    assert (caught.value.extra["line"], caught.value.extra["column"]) == (line, column)


def test_a_comma_too_many_is_named_at_the_comma_or_behind_it() -> None:
    with pytest.raises(Malformed) as caught:
        loads(b'{\n "a": 1,\n}')
    # Python 3.13 names the comma itself, earlier ones what follows it.
    assert (caught.value.extra["line"], caught.value.extra["column"]) in {(2, 8), (3, 1)}


@pytest.mark.parametrize(
    "data",
    [
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\x01"',
        b"{'a':1}",
        b"[1,]",
        b"// x\n1",
        b"+1",
        b".5",
        b"1.",
        b"0x5",
        b"True",
        b"nan",
    ],
    ids=repr,
)
def test_what_is_no_json_in_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        loads(data)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_limited_exactly(opening: bytes, closing: bytes) -> None:
    assert loads(opening * 32 + b"1" + closing * 32) is not None
    with pytest.raises(Malformed, match="nested"):
        loads(opening * 33 + b"1" + closing * 33)
    with pytest.raises(Malformed):
        loads(opening * 100_000)


def test_brackets_in_texts_do_not_count() -> None:
    document = {"a": "[[[[{{{{" * 20, "b": ['\\"[', "]]}"], "c": "," * 20_000}
    assert loads(dumps(document)) == document


def test_brackets_in_texts_do_not_hide_nesting() -> None:
    with pytest.raises(Malformed, match="nested"):
        loads(b'["]",' * 33 + b"1" + b',"["]' * 33)


def test_members_are_counted_exactly() -> None:
    assert len(loads(b"[" + b",".join([b"[]"] * 10_000) + b"]")) == 10_000
    assert len(loads(dumps({str(n): n for n in range(10_000)}))) == 10_000
    for data in (b"[" + b",".join([b"[]"] * 10_001) + b"]", dumps([[n] for n in range(5_001)])):
        with pytest.raises(Malformed, match="members"):
            loads(data)


def test_the_size_of_documents_and_texts_is_limited() -> None:
    with pytest.raises(TooLarge):
        loads(b" " * 101, JsonLimits(max_bytes=100))
    limits = JsonLimits(max_string_chars=10)
    assert loads(b'["aaaaaaaaaa","b"]', limits)
    for data in (b'["aaaaaaaaaaa"]', b'{"aaaaaaaaaaa":1}'):
        with pytest.raises(Malformed, match="too long"):
            loads(data, limits)


def test_numbers_keep_their_kind() -> None:
    assert loads(b"[9007199254740993,0.1234567890123456789012,1.10,1E2,-0]") == [
        9007199254740993,
        Decimal("0.1234567890123456789012"),
        Decimal("1.10"),
        Decimal("1E2"),
        0,
    ]
    assert dumps([Decimal("1.10"), 2**70, Decimal("0.000000001")]) == b"[1.10,1180591620717411303424,1E-9]"


def test_dates_are_written_as_iso() -> None:
    moment = dt.datetime(2026, 11, 22, 1, 2, 3, tzinfo=dt.UTC)
    assert dumps({"d": moment.date(), "t": moment}) == b'{"d":"2026-11-22","t":"2026-11-22T01:02:03+00:00"}'


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), "\ud800", object(), {1: 2}, {"a": {2**70: 1}}])
def test_what_json_cannot_say_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_emoji_and_escaped_letters_are_sound() -> None:
    assert loads(b'["\\ud83d\\ude00","\\u00fc"]') == ["\U0001f600", "ü"]
