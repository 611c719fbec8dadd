"""What an ERP's JSON may be: read to the last digit, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.protocols import tryton
from gateway.protocols.json import MAX_DEPTH, loads
from gateway.protocols.port import AnswerBroken


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", Decimal("1.10")),
        ("-0.0", Decimal("-0.0")),
        ("0.10000000000000000000000000000001", Decimal("0.10000000000000000000000000000001")),
        ("12345678901234567.1", Decimal("12345678901234567.1")),
        ("1E5", Decimal("1E5")),
        ("1e400", Decimal("1e400")),
        ("9223372036854775808", 9223372036854775808),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ('"\\u00fc \\ud83d\\ude00"', "ü \N{GRINNING FACE}"),
        ("[true, false, null]", [True, False, None]),
    ],
)
def test_every_digit_and_every_character_is_kept(text: str, value: Any) -> None:
    found = loads(text.encode())
    assert (found, type(found), str(found)) == (value, type(value), str(value))


def test_a_byte_order_mark_is_passed_over() -> None:
    assert loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"NaN", b"Infinity", b'{"a": -Infinity}', b"01", b"1.", b".5", b"+1", b"[1,]", b"{} x", b"{'a': 1}",
        b'"\t"', b'"a\x00b"', b'"\xff"', b'"\xed\xa0\x80"', b'"\\x"', b'"\\ud800"', b"tru", b"\x0b1",
        b"1e99999999999999999999", b"1" * 5000, b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerBroken):
        loads(body)


def nested(opening: str, closing: str, depth: int) -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


READERS = pytest.mark.parametrize("read", [loads, tryton.loads], ids=["plain", "tagged"])
PAIRS = pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[0,"]",', "]")])


@READERS
@PAIRS
def test_a_document_may_nest_as_deep_as_any_document_does(
    read: Callable[[bytes], Any], opening: str, closing: str
) -> None:
    assert read(nested(opening, closing, MAX_DEPTH))
    assert len(read(b"[" + b",".join([nested(opening, closing, MAX_DEPTH - 1)] * 3) + b"]")) == 3


@READERS
@PAIRS
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 900, 5000, 100_000])
def test_what_nests_deeper_than_any_document_is_no_answer(
    read: Callable[[bytes], Any], opening: str, closing: str, depth: int
) -> None:
    """Each version of Python would draw the line elsewhere, and so would each part that reads the document after."""
    with pytest.raises(AnswerBroken):
        read(nested(opening, closing, depth))


@READERS
def test_brackets_in_a_text_nest_nothing(read: Callable[[bytes], Any]) -> None:
    assert read(b'{"a": "' + b"[{" * 500 + b'"}') == {"a": "[{" * 500}
