"""A step in doubt stays in doubt until the ERP itself has told what became of it, whatever else goes wrong meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import orders, settled
from tests.e2e.test_dual_writes import ORDERS
from tests.support.gateway import DUAL, RunningGateway, deployment
from tests.support.simulated import Pair, SimErp


@pytest.fixture(scope="module")
def gateway(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    made = deployment(tmp_path_factory.mktemp("doubt"), erps)
    made.begin_in(DUAL)
    made.environment["CHANGEOVER_WRITE_CALL_S"] = "3"
    made.edit("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 2")
    with made.running() as started:
        yield started


def test_a_change_whose_answer_was_lost_is_done_once_although_the_erp_is_too_busy_to_tell(
    plant: Plant, leader: SimErp
) -> None:
    """The second try meets a busy ERP. That it was not taken says nothing about the first."""
    made = plant.ordered()
    key, mark = good(made, 201)["id"], leader.length
    with ExitStack() as faults:
        faults.enter_context(leader.fault("commit_then_drop", method="PATCH", count=1))
        faults.enter_context(leader.fault("status", status=503, method="PATCH", count=2))
        changed = plant.change(ORDERS, key, {"quantity": {"value": "33"}}, made.headers["etag"])
        settled(plant, changed)
    assert len(orders(leader, mark, "update")) == 1


def test_a_write_that_was_promised_is_kept_although_the_erp_is_too_busy_when_its_turn_comes(
    plant: Plant, leader: SimErp
) -> None:
    """A caller who was told 202 has gone: nobody would hear that nothing was sent."""
    made = plant.ordered()
    key, mark = good(made, 201)["id"], leader.length
    with ExitStack() as faults:
        faults.enter_context(leader.fault("commit_then_drop", method="PATCH", count=1))
        faults.enter_context(leader.fault("status", status=503, method="PATCH", count=4))
        faults.enter_context(leader.fault("status", status=503, method="POST", match="elease", count=2))
        changed = plant.change(ORDERS, key, {"quantity": {"value": "34"}}, made.headers["etag"])
        released = plant.act(ORDERS, key, "release")
        assert (changed.status_code, released.status_code) == (202, 202)
        shown = settled(plant, released)
    assert shown["legs"][0]["attempts"] == 2
    assert [entry["after"]["OrderIsReleased"] for entry in orders(leader, mark, "update")] == [False, True]


def test_a_change_in_doubt_whose_order_is_gone_is_a_persons_to_decide_though_its_lock_is_known(
    plant: Plant, leader: SimErp
) -> None:
    made = plant.ordered()
    key, mark = good(made, 201)["id"], leader.length
    with ExitStack() as faults:
        faults.enter_context(leader.fault("commit_then_drop", method="PATCH", count=1))
        faults.enter_context(leader.fault("status", status=404, method="GET", match=key, skip=1, count=0))
        changed = plant.change(ORDERS, key, {"quantity": {"value": "35"}}, made.headers["etag"])
        shown = settled(plant, changed, "parked")
    assert key in shown["legs"][0]["error"]
    assert len(orders(leader, mark, "update")) == 1
