"""What the answer to a write shows by itself, so that nobody needs to read the document again."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocols.port import Answer
from gateway.protocols.shape import shape_of
from gateway.reads.authoritative import ErpSide
from gateway.writes.carry import shown_at_once
from tests.contract.dialects.content import translation

BOUGHT = translation("sap-ecc", "purchase_order")
NOTHING: Any = None


def side(plant: str) -> ErpSide:
    return ErpSide("ecc", NOTHING, BOUGHT, shape_of(BOUGHT.plan), plant, "legacy", 1)


@pytest.mark.parametrize(("plant", "shown"), [("1000", True), ("2000", False)])
def test_an_answer_shows_a_new_document_only_where_it_can_be_found_afterwards(plant: str, *, shown: bool) -> None:
    line = {"PurchaseOrderItem": "00010", "Plant": "1000", "Material": "SEAL-7", "OrderQuantity": "1"}
    line |= {"PurchaseOrderQuantityUnit": "ST", "NetPriceAmount": "1.00", "NetPriceQuantity": "1"}
    native = {"PurchaseOrder": "4500000001", "Supplier": "100010", "to_PurchaseOrderItem": [line]}
    found = shown_at_once(side(plant), Answer(native), "4500000001")
    assert (found is not None) is shown
