"""No plant moves away from an ERP that is still owed one of its writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.changes import GATE, SWITCH, await_applied
from tests.e2e.moves import awaited, declare, open_legs, operation, orders
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import SimErp


def _removed(own: Deployment) -> None:
    path = own.content / "routes/waves.yaml"
    text = path.read_text("utf-8")
    start, end = text.index('  - plants: ["1000"]'), text.index('  - plants: ["2000"]')
    path.write_text(text[:start] + text[end:], "utf-8")


def _rebound(own: Deployment) -> None:
    path = own.content / "routes/waves.yaml"
    before, start, after = path.read_text("utf-8").partition('  - plants: ["1000"]')
    path.write_text(before + start + after.replace("    cloud: s4\n", "    cloud: ecc\n", 1), "utf-8")


AWAY = {
    "to the other side": lambda own: declare(own, "dual_legacy", "dual_cloud"),
    "to one side": lambda own: declare(own, "dual_legacy", "legacy"),
    "out of the table": _removed,
    "to another ERP": _rebound,
}


@contextmanager
def down(erp: SimErp) -> Iterator[None]:
    """Nobody gets an answer from an ERP for the time of the block."""
    with erp.fault("drop_before", count=0):
        yield


@pytest.fixture
def running(own: Deployment, starter: Callable[[Deployment], RunningGateway]) -> RunningGateway:
    """Plant 1000 is written to both ERPs."""
    declare(own, "legacy", "dual_legacy")
    return starter(own)


@pytest.mark.parametrize("change", AWAY.values(), ids=AWAY)
def test_a_plant_whose_other_erp_is_behind_does_not_move_until_that_one_has_caught_up(
    own: Deployment, running: RunningGateway, change: Callable[[Deployment], None]
) -> None:
    plant, mark = Plant(running.client("admin"), "1000"), own.erps.cloud.length
    with down(own.erps.cloud):
        answer = plant.ordered()
        good(answer, 201)
        change(own)
        refused = own.cli(*SWITCH)
        assert refused.exit_code == GATE, refused.output
        assert "(1000, production): 1 open, the oldest since" in refused.stderr
        assert "--wait" in refused.stderr
        assert running.admin("/admin/v1/waves").json()["revision"] == 1
        assert good(plant.ordered(), 201)
    done = own.cli(*SWITCH, "--wait", "60")
    assert done.exit_code == 0, done.output
    await_applied(running)
    assert open_legs(own) == 0
    assert len(orders(own.erps.cloud, mark)) == 2


def test_what_moves_no_write_is_applied_while_writes_are_open(own: Deployment, running: RunningGateway) -> None:
    plant = Plant(running.client("admin"), "1000")
    with down(own.erps.cloud):
        answer = plant.ordered()
        good(answer, 201)
        own.edit("routes/waves.yaml", "wave-2: {title: Milwaukee", "wave-2: {title: Milwaukee at last")
        other = own.content / "routes/waves.yaml"
        text = other.read_text("utf-8")
        other.write_text(
            text.replace("    target: cloud\n    wave: wave-2", "    phase: cloud\n    target: cloud\n    wave: wave-2")
        )
        done = own.cli(*SWITCH)
        assert done.exit_code == 0, done.output
        await_applied(running)
    awaited(lambda: operation(plant, answer)["state"] == "done")


def test_a_suspended_cell_that_holds_its_writes_back_says_how_to_let_them_go(
    own: Deployment, running: RunningGateway
) -> None:
    assert own.cli("suspend", "1000", "production", "--reason", "test", content=False).exit_code == 0
    await_applied(running)
    plant = Plant(running.client("admin"), "1000")
    good(plant.ordered(), 201)
    declare(own, "dual_legacy", "dual_cloud")
    refused = own.cli(*SWITCH, "--wait", "0.2")
    assert (refused.exit_code, "changeover resume" in refused.stderr) == (GATE, True)
    assert own.cli("resume", "1000", "production", "--reason", "test", content=False).exit_code == 0
    done = own.cli(*SWITCH, "--wait", "60")
    assert done.exit_code == 0, done.output


def test_a_parked_write_holds_no_plant_back(own: Deployment, running: RunningGateway) -> None:
    plant = Plant(running.client("admin"), "1000")
    with own.erps.cloud.fault("status", status=400, message="Period closed", method="POST", match="Order"):
        answer = plant.ordered()
        awaited(lambda: operation(plant, answer)["state"] == "parked")
    declare(own, "dual_legacy", "dual_cloud")
    done = own.cli(*SWITCH)
    assert done.exit_code == 0, done.output
