"""What an ERP's JSON may be: read to the last digit, or not at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.protocols.json import loads
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
        b"1e99999999999999999999", b"1" * 5000, b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerBroken):
        loads(body)
