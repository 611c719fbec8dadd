"""The built-in codecs, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.dialects.codecs import CODECS, Codec, flags, value_map


def made(name: str, **arguments: Any) -> Codec:
    return CODECS[name](**arguments)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(("codec", "canonical", "native"), [
    (made("text"), "", ""),
    (made("leading_zeros", width=18), "1234", "000000000000001234"),
    (made("leading_zeros", width=18), "PUMP-100", "PUMP-100"),
    (made("leading_zeros", width=4), "0", "0000"),
    (made("joined"), "4900000001-2026", ("4900000001", "2026")),
    (made("joined", separator="~", parts=3, empty=True), "A~~01", ("A", "", "01")),
    (made("decimal_text", scale=3), Decimal("2.5"), "2.500"),
    (made("decimal_text", scale=0), Decimal(1000), "1000"),
    (made("decimal_number", scale=2), Decimal("101.78"), Decimal("101.78")),
    (made("decimal_float", scale=3), Decimal("999999999999.999"), 999999999999.999),
    (made("integer"), "10", 10),
    (made("unit_price", scale=4), (Decimal("1.25"), Decimal(1)), "1.2500"),
    (made("boolean"), True, True),
    (made("boolean_text"), True, "X"),
    (made("boolean_text"), False, ""),
    (made("words", of=("a", "b")), "b", "b"),
    (made("date_iso"), date(2026, 11, 22), "2026-11-22"),
    (made("date_compact"), date(2026, 11, 22), "20261122"),
    (made("date_compact"), date(7, 1, 2), "00070102"),
    (made("date_ms"), date(2026, 11, 22), "/Date(1795305600000)/"),
    (made("date_ms"), date(1969, 12, 31), "/Date(-86400000)/"),
    (made("date_in_datetime", at="12:00:00"), date(2026, 11, 22), "2026-11-22T12:00:00Z"),
    (made("date_plain"), date(2026, 11, 22), date(2026, 11, 22)),
    (made("datetime_ms"), at("2026-11-22T06:30:00.123Z"), "/Date(1795329000123+0000)/"),
    (made("datetime_ms", offset=False), at("1969-12-31T23:59:59.999Z"), "/Date(-1)/"),
    (made("datetime_iso"), at("2026-11-22T06:30:00Z"), "2026-11-22T06:30:00Z"),
    (made("datetime_iso"), at("2026-11-22T06:30:00.120Z"), "2026-11-22T06:30:00.120Z"),
    (made("datetime_wall", zone="Asia/Kolkata"), at("2026-11-22T06:30:00Z"), "2026-11-22T12:00:00"),
    (made("local_datetime", zone="Europe/Berlin", form="ms"), at("2026-11-22T05:00:00Z"),
     ("/Date(1795305600000)/", "PT06H00M00S")),
    (made("local_datetime", zone="America/Chicago", form="iso"), at("2026-11-22T05:00:00Z"), ("2026-11-21", "23:00:00")),
    (made("local_day", zone="Europe/Berlin", form="iso"), at("2026-07-01T22:00:00Z"), "2026-07-02"),
    (made("local_day", zone="UTC", form="plain"), at("2026-07-01T00:00:00Z"), date(2026, 7, 1)),
    (made("in_language", language="EN", key="L", value="T"), "Pump", [{"L": "EN", "T": "Pump"}]),
    (made("row_date", value="D", form="iso"), date(2026, 7, 1), [{"D": "2026-07-01"}]),
    (made("internal_transfer"), ("transfer", "A", "B"), ("A", "B")),
    (made("duration_minutes"), Decimal("7.250"), timedelta(minutes=7, seconds=15)),
    (made("sap_stock_owner", width=10), "100010", ("K", "0000100010", "")),
    (made("work_minutes", minutes="MIN", hours="STD"), Decimal("7.250"), ("7.250", "MIN")),
    (made("work_minutes", minutes="MIN", hours="H", form="number"), Decimal(90), (Decimal(90), "MIN")),
    (made("with_address", key="party.code"), "S-1", ("S-1", {"party.code": "S-1"})),
])  # fmt: skip
def test_a_value_is_written_and_read_back(codec: Codec, canonical: Any, native: Any) -> None:
    assert codec.domain(canonical)
    assert codec.encode(canonical) == native
    assert codec.decode(native) == canonical


@pytest.mark.parametrize(("codec", "native", "canonical"), [
    (made("leading_zeros", width=18), "1234", "1234"),
    (made("decimal_text", scale=3), "2", Decimal(2)),
    (made("decimal_text", scale=3), " 2.50 ", Decimal("2.5")),
    (made("decimal_number", scale=3), 0, Decimal(0)),
    (made("decimal_number", scale=3), "0.30", Decimal("0.3")),
    (made("decimal_float", scale=3), 10.0, Decimal(10)),
    (made("decimal_float", scale=3), Decimal("10.0"), Decimal(10)),
    (made("date_ms"), "/Date(1795305600000+0100)/", date(2026, 11, 22)),
    (made("date_ms", exact=False), "/Date(1790956800131)/", date(2026, 10, 2)),
    (made("date_in_datetime"), "2026-11-22T00:00:00.000Z", date(2026, 11, 22)),
    (made("date_in_datetime", exact=False), "2026-11-22T16:00:00.131000Z", date(2026, 11, 22)),
    (made("datetime_iso"), "2026-11-22T07:30:00.1234567+01:00", at("2026-11-22T06:30:00.123456Z")),
    (made("datetime_iso"), "2026-11-22t06:30:00z", at("2026-11-22T06:30:00Z")),
    (made("local_datetime", zone="Europe/Berlin", form="ms"), ("/Date(1795305600000)/", None), at("2026-11-21T23:00:00Z")),
    (made("local_datetime", zone="Europe/Berlin", form="ms"), ("/Date(1795305600000)/", "PT24H00M00S"),
     at("2026-11-22T23:00:00Z")),
    (made("local_datetime", zone="Europe/Berlin", form="ms"), (None, "PT06H00M00S"), None),
    # The hour that spring skips, and the first pass of the one that autumn repeats.
    (made("local_datetime", zone="Europe/Berlin", form="iso"), ("2026-03-29", "02:30:00"), at("2026-03-29T01:30:00Z")),
    (made("local_datetime", zone="Europe/Berlin", form="iso"), ("2026-10-25", "02:30:00"), at("2026-10-25T00:30:00Z")),
    (made("in_language", language="EN", key="L", value="T"), [{"L": "DE", "T": "Pumpe"}], None),
    (made("row_date", value="D", form="iso"), [{"D": "2026-07-01"}, {"D": "2026-08-01"}], date(2026, 7, 1)),
    (made("row_date", value="D", form="iso"), [], None),
    (made("joined"), ("", None), None),
    (made("sap_stock_owner"), ("", "100010", ""), None),
    (made("sap_stock_owner"), ("O", "100010", ""), None),
    (made("sap_stock_owner"), ("M", "100010", ""), "100010"),
    (made("sap_stock_owner"), ("B", "", "C-7"), "C-7"),
    (made("work_minutes", minutes="MIN", hours="STD"), ("1.500", "STD"), Decimal(90)),
    (made("work_minutes", minutes="MIN", hours="STD"), ("0.000", ""), None),
    (made("work_minutes", minutes="MIN", hours="STD"), (None, None), None),
])  # fmt: skip
def test_other_writings_of_a_value_are_read(codec: Codec, native: Any, canonical: Any) -> None:
    assert codec.decode(native) == canonical


@pytest.mark.parametrize(("codec", "native"), [
    (made("text"), 1),
    (made("decimal_text", scale=3), 2),
    *((made("decimal_text", scale=3), wrong) for wrong in ("", "1,5", "1e3", "NaN", "Infinity", "1_000", "٣", "--1")),
    *((made("decimal_number", scale=3), wrong) for wrong in (True, None, 1.5, Decimal("NaN"))),
    (made("integer"), "10"),
    (made("integer"), True),
    (made("work_minutes", minutes="MIN", hours="STD"), ("1.000", "KG")),
    (made("work_minutes", minutes="MIN", hours="STD"), (None, "MIN")),
    (made("boolean"), 1),
    (made("boolean_text"), "x"),
    *((made("date_iso"), wrong) for wrong in ("2026-1-1", "2026-13-01", "20261122", "٢٠٢٦-01-01", 20261122)),
    *((made("date_ms"), wrong) for wrong in ("/Date(1)/", "/Date(1_0)/", "1795305600000", "/Date(99999999999999999)/")),
    (made("date_ms"), "/Date(999999999999999)/"),
    (made("datetime_ms"), "/Date(999999999999999+0000)/"),
    *((made("datetime_iso"), wrong) for wrong in ("2026-11-22", "2026-11-22T06:30:00", "9999-12-31T23:59:59-14:00")),
    (made("local_datetime", zone="UTC", form="ms"), ("/Date(1795305600000)/", "PT25H00M00S")),
    (made("local_datetime", zone="UTC", form="ms"), ("/Date(1795305600000)/", "PT01H60M00S")),
    (made("local_datetime", zone="UTC", form="iso"), ("2026-11-22", "1:00")),
    (made("joined"), ("1", "")),
    (made("joined"), ("1-2", "3")),
    (made("in_language", language="EN", key="L", value="T"), {"L": "EN"}),
    (made("date_in_datetime"), "2026-11-22T16:00:00Z"),
    (made("sap_movement"), ("999", "0001", "", "", "")),
])  # fmt: skip
def test_what_is_no_such_value_is_refused(codec: Codec, native: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each codec has its own words
        codec.decode(native)


@pytest.mark.parametrize(("codec", "canonical"), [
    (made("text", max=3), "four"),
    (made("leading_zeros", width=4), "12345"),
    (made("leading_zeros", width=4), "007"),
    (made("decimal_text", scale=2), Decimal("0.001")),
    (made("decimal_number", scale=0), Decimal("0.5")),
    (made("decimal_float", scale=3), Decimal("99999999999999999.999")),
    (made("integer"), "007"),
    (made("integer"), "A"),
    (made("unit_price", scale=2), (Decimal("1"), Decimal(3))),
    (made("unit_price", scale=2), (Decimal("1"), Decimal(0))),
    (made("unit_price", scale=2), (Decimal("1"), None)),
    (made("local_datetime", zone="UTC", form="iso"), at("2026-11-22T06:30:00.5Z")),
    (made("internal_transfer"), ("issue", "A", "B")),
    (made("duration_minutes"), Decimal("0.0001")),
    (made("joined"), "1"),
    (made("sap_movement"), ("production_receipt", None, "0001", None, None)),
    (made("sap_movement"), (None, "0001", None, None, None)),
])  # fmt: skip
def test_what_a_system_cannot_keep_is_refused_and_never_rounded(codec: Codec, canonical: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each codec has its own words
        codec.encode(canonical)


@pytest.mark.parametrize(("kind", "code", "native"), [
    (("receipt", None, "0001", None, None), "501", ("501", "0001", "", "", "")),
    (("receipt", None, "0001", None, "45"), "101", ("101", "0001", "", "", "0000000045")),
    (("production_receipt", None, "0001", "7", None), "101", ("101", "0001", "", "000000000007", "")),
    (("issue", "0001", None, None, None), "201", ("201", "0001", "", "", "")),
    (("production_issue", "0001", None, "7", None), "261", ("261", "0001", "", "000000000007", "")),
    (("transfer", "0001", "0002", None, None), "311", ("311", "0001", "0002", "", "")),
    (("scrap", "0001", None, None, None), "551", ("551", "0001", "", "", "")),
    (("reversal", "0001", None, None, None), "102", ("102", "0001", "", "", "")),
    (("reversal", None, "0001", None, None), "262", ("262", "0001", "", "", "")),
])  # fmt: skip
def test_a_movement_type_carries_the_direction(kind: tuple[Any, ...], code: str, native: tuple[str, ...]) -> None:
    codec = made("sap_movement", order_width=12, purchase_width=10)
    assert codec.encode(kind) == native
    assert codec.encode(kind)[0] == code
    assert codec.decode(native) == kind
    assert codec.domain(kind)


def test_a_price_per_many_becomes_the_price_of_one_rounded_half_even_where_that_is_allowed() -> None:
    codec = made("unit_price", scale=2, exact=False)
    assert codec.encode((Decimal("1.25"), Decimal(10))) == "0.12"
    assert codec.encode((Decimal("1.35"), Decimal(10))) == "0.14"
    assert codec.decode("0.14") == (Decimal("0.14"), Decimal(1))


def test_an_order_in_tryton_brings_the_move_of_its_product() -> None:
    units = value_map({"H87": "u"}, encode_also={}, decode_also={}, reason=None)
    codec = made("made_product", units=units, production="PROD", storage="STO", currency="EUR")
    item, quantity, unit, moves = codec.encode(("FG-100", Decimal("10.5"), "H87"))
    assert (item, quantity, unit) == ("FG-100", 10.5, "u")
    places = {"from_location": {"code": "PROD"}, "to_location": {"code": "STO"}}
    product = {"product": {"code": "FG-100"}, "quantity": 10.5, "unit": {"symbol": "u"}}
    assert moves == [product | places | {"unit_price": Decimal(0), "currency": {"code": "EUR"}}]
    assert codec.decode(("FG-100", 10.5, "u", [12])) == ("FG-100", Decimal("10.5"), "H87")


def test_of_several_flags_the_strongest_state_counts() -> None:
    codec = flags({"new": (True, False), "done": (False, True)}, width=2)
    assert codec.decode((True, True)) == "done"
    assert codec.decode((False, None)) is None
    with pytest.raises(ValueError, match="true or false"):
        codec.decode(("X", False))


@pytest.mark.parametrize("states", [
    {"a": (True, False), "b": (True, False)},
    {"a": (False, False)},
    {"a": (True, True), "b": (True, False)},
])  # fmt: skip
def test_states_that_could_never_be_told_apart_are_refused_at_load(states: dict[str, tuple[bool, ...]]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # three different mistakes
        flags(states, width=2)


def test_words_without_a_word_of_their_own_are_written_and_not_read_back() -> None:
    codec = value_map({"open": "O"}, encode_also={"late": "O"}, decode_also={"X": "open"}, reason="few words", blank="")
    assert (codec.encode("late"), codec.decode("X"), codec.decode("O")) == ("O", "open", "open")
    assert not codec.domain("late")
    assert codec.blank == ""
    with pytest.raises(ValueError, match="none of"):
        codec.decode("?")


@pytest.mark.parametrize(("name", "arguments"), [
    ("local_datetime", {"zone": "Mars/Base", "form": "ms"}),
    ("local_datetime", {"zone": "UTC", "form": "xml"}),
    ("local_day", {"zone": "UTC", "form": "xml"}),
    ("unit_price", {"scale": 2, "form": "words"}),
])  # fmt: skip
def test_wrong_arguments_are_refused_at_load(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each codec has its own words
        made(name, **arguments)
