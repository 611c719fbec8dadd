"""The protocols of the simulated ERPs, without a socket."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import orjson
import pytest

from gateway.sim.erps.declare import DATE, FLAG, INSTANT, QTY, TIME, WHOLE, Kind, Property, text
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.tables import model_of
from gateway.sim.erps.wire.filters import compiled, from_v2
from gateway.sim.erps.wire.options import options2, options4
from gateway.sim.erps.wire.paths import key_from, key_text, resolve
from gateway.sim.erps.wire.values import read2, read4, renderer2, renderer4

ORDER2 = model_of("legacy").types["order"]
ORDER4 = model_of("cloud").types["order"]


def prop(kind: Kind) -> Property:
    return Property("x", "X", kind, frozenset())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("A eq datetime'2026-10-02T00:00:00'", "A eq 2026-10-02T00:00:00"),
        ("A eq datetimeoffset'2026-10-02T00:00:00Z'", "A eq 2026-10-02T00:00:00Z"),
        ("A eq time'PT6H30M'", "A eq 06:30:00"),
        ("A gt 100.50M and B eq 12L", "A gt 100.50 and B eq 12"),
        ("A eq 'datetime''x'' 12M'", "A eq 'datetime''x'' 12M'"),
        ("substringof('a,b',Name)", "contains(Name,'a,b')"),
        ("substringof('x',tolower(Name)) eq true", "contains(tolower(Name),'x') eq true"),
    ],
)
def test_v2_filters_are_rewritten_outside_of_text_only(written: str, meant: str) -> None:
    assert from_v2(written) == meant


@pytest.mark.parametrize("face", ["legacy", "cloud", "d365"])
def test_every_property_of_every_entity_can_be_filtered_by(face: str) -> None:
    samples = {
        "text": "'x'", "decimal": "1.5", "flag": "true", "whole": "1", "date": "2026-10-02", "time": "06:00:00",
        "stamp": "2026-10-02T00:00:00Z", "instant": "2026-10-02T00:00:00Z",
    }  # fmt: skip
    for entity in model_of(face).types.values():  # type: ignore[arg-type]
        for p in entity.properties:
            assert compiled(entity, f"{p.name} eq {samples[p.kind.base]}", v2=False).holds(entity.blank()) in (
                True,
                False,
            )


def test_equalities_below_and_are_found_for_the_index_and_none_below_or() -> None:
    both = compiled(ORDER4, "Product eq 'A' and ProductionPlant eq '1000' and OrderPlannedTotalQty gt 5", v2=False)
    assert both.equal == (("item", "A"), ("plant", "1000"))
    assert compiled(ORDER4, "Product eq 'A' or ProductionPlant eq '1000'", v2=False).equal == ()


@pytest.mark.parametrize(
    "text", ["", "Product", "Product eq 5 5", "Product eq 'x", "Product eq 5", "OrderPlannedTotalQty eq 'x'"]
)
def test_filters_that_are_none_are_refused(text: str) -> None:
    if text in ("", "Product"):
        text += " and"
    with pytest.raises(ErpRefusal) as refused:
        compiled(ORDER4, text, v2=False).holds(ORDER4.blank())
    assert refused.value.status == 400


def test_keys_survive_the_way_into_a_url_and_back() -> None:
    entity = model_of("legacy").types["item_plant"]
    row = entity.blank() | {"item": "O'Neill/10 %", "plant": "1000"}
    written = key_text(entity, row)
    assert written == "(Product='O%27%27Neill%2F10%20%25',Plant='1000')".replace("%27", "'")
    target = resolve(model_of("legacy"), f"/sap/opu/odata/sap/API_PRODUCT_SRV/A_ProductPlant{written}")
    assert target.key == ("O'Neill/10 %", "1000")


@pytest.mark.parametrize(
    "inner", ["", "X='1'", "'1','2'", "ManufacturingOrder=1", "'1", "ManufacturingOrder='1',A='2'"]
)
def test_keys_that_do_not_fit_are_refused(inner: str) -> None:
    with pytest.raises(ErpRefusal):
        key_from(ORDER2, inner)


def test_values_are_written_as_each_version_wants_them() -> None:
    moment = datetime(2026, 10, 2, 16, 0, 0, 250000, tzinfo=UTC)
    assert renderer2(QTY)(Decimal("1.5")) == "1.500"
    assert renderer2(DATE)(date(2026, 10, 2)) == "/Date(1790899200000)/"
    assert renderer2(INSTANT)(moment) == "/Date(1790956800250+0000)/"
    assert renderer2(TIME)(time(6, 5)) == "PT06H05M00S"
    numbers = renderer4(QTY, plain_numbers=False, as_text=False)(Decimal("9007199254740993.125"))
    assert orjson.dumps(numbers) == b"9007199254740993.125"
    assert orjson.dumps(renderer4(QTY, plain_numbers=True, as_text=False)(Decimal("10.000"))) == b"10"
    assert renderer4(INSTANT, plain_numbers=False, as_text=False)(moment) == "2026-10-02T16:00:00.250Z"


BAD = [
    (QTY, 1), (QTY, "x"), (QTY, "NaN"), (QTY, "12345678901.0"), (FLAG, "true"), (WHOLE, "1"), (WHOLE, True),
    (text(2), "abc"), (DATE, "/Date(x)/"), (TIME, "06:00"),
]  # fmt: skip


def test_values_are_read_as_strictly_as_the_real_ones_do() -> None:
    assert read2(prop(DATE), "/Date(1790899200000+0000)/") == date(2026, 10, 2)
    assert read2(prop(INSTANT), "2026-10-02T18:00:00+02:00") == datetime(2026, 10, 2, 16, tzinfo=UTC)
    assert read2(prop(TIME), "PT6H") == time(6)
    assert read2(prop(text(4)), None) == ""
    assert read4(prop(QTY), 5, decimals_as_text=False) == Decimal(5)
    for kind, value in BAD:
        with pytest.raises(ErpRefusal):
            read2(prop(kind), value)
    for value in ("5", True, Decimal("0.0001")):
        with pytest.raises(ErpRefusal):
            read4(prop(QTY), value, decimals_as_text=False)


def test_both_versions_nest_selections_and_expansions() -> None:
    purchase2, purchase4 = model_of("legacy").types["purchase"], model_of("cloud").types["purchase"]
    two = "$select=PurchaseOrder,to_PurchaseOrderItem/Plant&$expand=to_PurchaseOrderItem/to_ScheduleLine"
    four = "$expand=to_PurchaseOrderItem($select=Plant;$expand=to_ScheduleLine($select=ScheduleLine))"
    shape2, shape4 = options2(purchase2, two).shape, options4(purchase4, four).shape
    assert shape2.expand["to_PurchaseOrderItem"].select == {"Plant"}
    assert "to_ScheduleLine" in shape2.expand["to_PurchaseOrderItem"].expand
    assert shape4.expand["to_PurchaseOrderItem"].expand["to_ScheduleLine"].select == {"ScheduleLine"}
