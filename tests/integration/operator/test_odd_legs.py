"""What the other ERP gets of a write that it cannot be told, that it has already, or whose row in the journal is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import awaited
from tests.integration.operator.conftest import dual
from tests.integration.operator.site import ORDERS, QUANTITY, Desk
from tests.support.gateway import deployment
from tests.support.simulated import Pair

# The new ERP keeps a sales order's number as a text; in the old one it is a number, and its zeros are padding.
ODD = {"sales_order": {"number": "0012", "line": "10"}}
BY = ("--reason", "once more", "--actor", "anna")


@pytest.fixture
def narrow(erps: Pair, tmp_path: Path) -> Iterator[Desk]:
    """Plant 2000, in whose old ERP a recipient has four letters at most."""
    made = dual(deployment(tmp_path, erps))
    recipient = 'recipient: {to: GoodsRecipientName, codec: "text(blank=true, max=%d)"}'
    made.edit("translators/sap-ecc/production_order.yaml", recipient % 12, recipient % 4)
    with made.running() as gateway:
        yield Desk(gateway, erps, Plant(gateway.client("admin"), "2000"))


def test_what_the_other_erp_has_no_word_for_is_a_case_at_once_and_again_when_it_is_replayed(narrow: Desk) -> None:
    made = narrow.plant.ordered()
    key = good(made, 201)["id"]
    narrow.done(made)
    mark = narrow.follower.length
    changed = narrow.plant.change("production-orders", key, {"recipient": "GATE 3"}, made.headers["etag"])
    for answer, field in ((narrow.plant.ordered(**ODD), "sales_order"), (changed, "recipient")):
        assert answer.is_success, answer.text
        case = narrow.case_of(answer)
        assert field in narrow.shown(case)["reason"]
        narrow.run("case", "replay", str(case["case"]), *BY)
        assert field in narrow.shown(narrow.case_of(answer))["reason"]
    assert narrow.follower.since(mark, origin="api") == []


def test_a_change_that_somebody_made_in_the_other_erp_already_is_not_made_again(desk: Desk) -> None:
    mark, made = desk.follower.length, desk.plant.ordered()
    key = good(made, 201)["id"]
    desk.done(made)
    (entry,) = desk.orders(desk.sides[1], mark)
    side = desk.sides[1]
    values = {QUANTITY[side]: "27" if side == "legacy" else 27}
    desk.follower.screen(ORDERS[side], key=entry["key"], values=values)
    answer = desk.plant.change("production-orders", key, {"quantity": {"value": "27"}}, made.headers["etag"])
    good(answer)
    desk.done(answer)
    assert desk.orders(side, mark, "update") == []


def test_a_write_whose_row_is_damaged_holds_up_no_other_and_goes_out_once_it_is_mended(desk: Desk) -> None:
    path = desk.gateway.deployment.database_url.removeprefix("sqlite:///")
    mark = desk.follower.length

    def keyed(text: str | None, operation: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as db:
            db.execute("UPDATE leg SET native_key = ? WHERE intent = ? AND NOT authoritative", (text, operation))

    with desk.follower.fault("status", status=503, method="POST", count=0):
        bad, fine = desk.plant.ordered(), desk.plant.ordered()
        keyed("{", bad.headers["x-op-id"])
    desk.done(fine)
    awaited(lambda: desk.gateway.events("leg.failed", intent=bad.headers["x-op-id"]))
    assert len(desk.orders(desk.sides[1], mark)) == 1
    keyed(None, bad.headers["x-op-id"])
    desk.done(bad)
    assert len(desk.orders(desk.sides[1], mark)) == 2
