"""A write of several steps of which the ERP refuses a later one: the client hears of it, and a person decides what becomes of the rest."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from tests.e2e.calls import Plant, good, order, refused
from tests.e2e.moves import awaited, orders
from tests.support.crashes import ORDERS, RELEASED_AT_ONCE, Site, dual_site
from tests.support.simulated import Pair, SimErp

LOCKED = {"action": "status", "status": 400, "message": "Plant is closed", "method": "POST", "match": "ReleaseOrder"}
BY_ANNA = ("--reason", "the plant is open again", "--actor", "anna")


@pytest.fixture(scope="module")
def site(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """ERPs in which a new order is released by a second call."""
    return dual_site(tmp_path_factory.mktemp("half"), erps, edits=RELEASED_AT_ONCE)


class Half:
    """An order that the ERP in charge made and would not release."""

    def __init__(self, plant: Plant, leader: SimErp, site: Site) -> None:
        self.plant, self.headers, self.document = plant, {"Idempotency-Key": str(uuid4())}, order()
        self.mark = leader.length
        with leader.fault(**LOCKED):
            self.told = refused(self.again(), 422, "erp-refused")
        (row,) = site.rows(
            f"SELECT id, side, kind, reason FROM case_ WHERE intent = '{self.told['operation']}' AND state = 'open'"
        )
        self.case, self.side, self.kind, self.reason = row

    def again(self) -> httpx.Response:
        return self.plant.create(ORDERS, self.document, **self.headers)


@pytest.fixture
def half(plant: Plant, leader: SimErp, site: Site) -> Half:
    return Half(plant, leader, site)


def test_the_client_hears_what_was_done_and_what_was_not_each_time_it_asks(
    half: Half, leader: SimErp, follower: SimErp
) -> None:
    mark = follower.length
    assert (half.kind, "Plant is closed" in half.reason) == ("half-done", True)
    assert half.told["detail"].startswith("The first 1 step(s) were carried out")
    assert "Plant is closed" in half.told["detail"]
    for again in (half.again(), half.again()):
        assert refused(again, 422, "erp-refused")["detail"] == half.told["detail"]
        assert again.headers["idempotent-replayed"] == "true"
    assert len(orders(leader, half.mark)) == 1
    assert orders(follower, mark) == []


def test_sent_again_by_a_person_it_is_finished_and_the_other_erp_has_it_too(
    half: Half, site: Site, leader: SimErp, follower: SimErp
) -> None:
    mark = follower.length
    assert site.made.cli("case", "replay", str(half.case), *BY_ANNA, content=False).exit_code == 0
    awaited(lambda: orders(follower, mark))
    told = good(half.again(), 201)
    (made,), (there,) = orders(leader, half.mark), orders(follower, mark)
    assert told["id"] == made["key"][next(iter(made["key"]))].lstrip("0")
    assert told["status"] == "released"
    assert there["verb"] == "create"
    assert [e["after"]["OrderIsReleased"] for e in orders(leader, half.mark, "update")] == [True]


def test_given_up_by_a_person_it_is_refused_and_the_order_that_is_there_is_known(
    half: Half, site: Site, leader: SimErp, follower: SimErp
) -> None:
    """What is left behind is somebody's to tidy up: nobody takes it for an order that a person made."""
    mark = follower.length
    assert site.made.cli("case", "close", str(half.case), *BY_ANNA, content=False).exit_code == 0
    assert refused(half.again(), 422, "erp-refused")["detail"] == half.told["detail"]
    (made,) = orders(leader, half.mark)
    number = next(iter(made["key"].values()))
    lane = site.rows(f"SELECT lane FROM intent WHERE id = '{half.told['operation']}'")[0][0]
    known = site.rows(f"SELECT space, key FROM crosswalk WHERE canonical = '{lane}'")
    assert sorted(space for space, _ in known) == sorted(["erp:ecc" if half.side == "legacy" else "erp:s4", "shown"])
    assert {key.lstrip("0") for _, key in known} == {number.lstrip("0")}
    assert orders(follower, mark) == []
