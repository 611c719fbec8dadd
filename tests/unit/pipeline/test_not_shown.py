"""What a write is answered with when its document cannot be shown as its place would show it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from gateway.core.canonical import OBJECTS
from gateway.core.etags import ETag
from gateway.pipeline.exchange import Exchange, Operation, Response, begun
from gateway.pipeline.execute import _shown
from gateway.pipeline.render import render
from gateway.protocols.shape import shape_of
from gateway.reads.authoritative import ErpSide
from gateway.store.sql import StoreDown
from gateway.writes.carry import Outcome
from gateway.writes.write import Written
from tests.contract.dialects.content import translation

BOUGHT = translation("sap-ecc", "purchase_order")
NOTHING: Any = None


class Numbers:
    """A crosswalk whose store went away after the write was done."""

    async def to_shown(self, erp: str, own: Any) -> Any:
        raise StoreDown("gone", unsure=False)


def side(plant: str) -> ErpSide:
    return ErpSide("ecc", NOTHING, BOUGHT, shape_of(BOUGHT.plan), plant, "legacy", 1)


def exchange(key: str | None) -> Exchange:
    table = SimpleNamespace(one_number=False)
    in_force = SimpleNamespace(writes=object(), table=table, numbers=Numbers(), public_url="")
    contract = SimpleNamespace(version="v2", deprecated_at=None)
    return begun(
        method="POST", raw_path=b"/", query_string=b"", raw_headers=[], receive=NOTHING, clock=NOTHING, limits=NOTHING,
        in_force=in_force, contract=contract, operation=Operation("1000", OBJECTS["purchase_order"], "change", key),
    )  # fmt: skip


async def answered(key: str | None) -> Response:
    x = exchange(key)
    outcome = Outcome({"id": "4500000001", "supplier": "100010"}, ETag("legacy", 1, "e"), "4500000001")
    result = await _shown(x, side("1000"), x.operation, Written("op-1", outcome))  # type: ignore[arg-type]  # it has one
    response = (await render(begun(**{**x.__dict__, "result": result}))).response
    assert response is not None
    return response


async def test_a_new_document_whose_number_cannot_be_told_now_is_done_and_its_operation_will_tell_it() -> None:
    response = await answered(None)
    assert (response.status, json.loads(response.body)["state"]) == (202, "done")
    assert dict(response.headers)["location"] == "/api/v2/operations/op-1"


async def test_a_change_that_cannot_be_told_in_clients_numbers_now_is_changed_without_a_picture() -> None:
    response = await answered("4500000001")
    assert (response.status, response.body) == (204, b"")
    assert dict(response.headers)["etag"] == str(ETag("legacy", 1, "e"))
