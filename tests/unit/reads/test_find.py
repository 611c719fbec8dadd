"""One document by its number: the one that was asked for, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.filters import EVERYTHING
from gateway.dialects.compile import Translation
from gateway.errors import NoSuchDocument
from gateway.protocols.port import Answer
from gateway.reads.authoritative import ErpSide, find, query_of
from tests.contract.dialects.content import translation

ITEM: Translation = translation("tryton", "item")


class Lenient:
    """An ERP for which small and large letters are the same, as its database compares them."""

    async def read(self, shape: Any, key: Any, deadline_s: float, priority: Any) -> Answer:
        return Answer(document={"code": key["code"].upper(), "name": "Valve"})


def side() -> ErpSide:
    nothing: Any = None
    lenient: Any = Lenient()
    return ErpSide("old", lenient, ITEM, nothing, "*", "legacy", 1)


async def test_a_document_is_found_under_its_own_number_only() -> None:
    assert (await find(side(), "P-47", 1.0)).document["name"] == "Valve"
    with pytest.raises(NoSuchDocument, match="its number is 'P-47'"):
        await find(side(), "p-47", 1.0)


def test_a_list_in_the_order_of_a_moment_is_asked_for_by_its_day_and_then_its_time() -> None:
    """An order by the day alone leaves everything of one day as it comes."""
    orders = side()._replace(translation=translation("sap-ecc", "production_order"))
    asked = query_of(orders, EVERYTHING, ("planned_start desc", "id"), 10).order
    assert asked == (
        "MfgOrderPlannedStartDate desc", "MfgOrderPlannedStartTime desc", "ManufacturingOrder",
    )  # fmt: skip
