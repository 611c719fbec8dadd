"""The demo's judge: two ERPs that hold the same are told apart from two that do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.cli.demo.sameness import diverged
from gateway.sim.erps import Erp, ErpConfig
from gateway.sim.erps.declare import Face, Key
from gateway.sim.erps.rules import verbs
from gateway.sim.erps.rules.business import Draft
from gateway.sim.erps.truth import Cause

Pair = dict[Face, Erp]


@pytest.fixture
def erps() -> Pair:
    """Two ERPs whose own numbers differ by more than their ranges: one has made other orders before."""
    pair: Pair = {face: Erp(ErpConfig(face=face)) for face in ("legacy", "cloud")}
    worked_off(pair["cloud"], "only here")
    return pair


def made(erp: Erp, reference: str, **values: Any) -> Key:
    order = {"plant": "1000", "item": "PUMP-100", "qty": Decimal(4), "reference": reference} | values
    with erp.business.unit(Cause()) as unit:
        return verbs.create(erp.business, unit, Draft("order", order))


def confirmed(erp: Erp, key: Key, quantity: str = "4") -> None:
    release = next(a for a in erp.model.actions.values() if a.verb == "release_order")
    with erp.business.unit(Cause()) as unit:
        verbs.act(erp.business, unit, release, key, {})
    values = {"order": key[0], "yield_qty": Decimal(quantity), "is_final": True}
    with erp.business.unit(Cause()) as unit:
        verbs.create(erp.business, unit, Draft("confirmation", values))


def worked_off(erp: Erp, reference: str, quantity: str = "4", **values: Any) -> Key:
    key = made(erp, reference, **values)
    confirmed(erp, key, quantity)
    return key


def verdict(erps: Pair, *references: str) -> dict[str, str]:
    return diverged({face: [e.as_json() for e in erp.truth] for face, erp in erps.items()}, list(references))


def test_the_same_order_under_two_numbers_is_the_same(erps: Pair) -> None:
    for reference in ("A", "B"):
        keys = {worked_off(erp, reference) for erp in erps.values()}
        assert len(keys) == 2
    assert verdict(erps, "A", "B") == {}


def test_an_order_in_one_erp_alone_is_none(erps: Pair) -> None:
    assert verdict(erps, "only here", "nowhere") == {
        "only here": "0 in the legacy ERP, 1 in the cloud ERP",
        "nowhere": "0 in the legacy ERP, 0 in the cloud ERP",
    }


def test_an_order_made_twice_is_not_the_same(erps: Pair) -> None:
    for erp in (erps["legacy"], erps["cloud"], erps["cloud"]):
        worked_off(erp, "A")
    assert verdict(erps, "A") == {"A": "1 in the legacy ERP, 2 in the cloud ERP"}


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"qty": Decimal(5)}, "order.qty"),
        ({"text": "for Milwaukee"}, "order.text"),
        ({"item": "PUMP-200"}, "order.item"),
        ({"mrp_controller": "002"}, "order.mrp_controller"),
    ],
)
def test_a_field_that_differs_is_named(erps: Pair, there: dict[str, Any], words: str) -> None:
    made(erps["legacy"], "A")
    made(erps["cloud"], "A", **there)
    assert words in verdict(erps, "A")["A"]


def test_a_confirmation_that_did_not_arrive_shows(erps: Pair) -> None:
    worked_off(erps["legacy"], "A")
    made(erps["cloud"], "A")
    assert verdict(erps, "A") == {"A": "order.delivered: '4.000' / '0.000'"}


def test_goods_that_moved_otherwise_show(erps: Pair) -> None:
    for erp, quantity in ((erps["legacy"], "4"), (erps["cloud"], "3")):
        worked_off(erp, "A", quantity)
    assert verdict(erps, "A")


def test_what_a_person_changed_in_one_of_them_shows(erps: Pair) -> None:
    keys = {face: worked_off(erp, "A") for face, erp in erps.items()}
    cloud = erps["cloud"]
    with cloud.business.unit(Cause("screen", "MUELLER", "screen")) as unit:
        verbs.change(cloud.business, unit, "order", keys["cloud"], {"unloading_point": "Gate 4"})
    assert verdict(erps, "A") == {"A": "order.unloading_point: '' / 'Gate 4'"}
