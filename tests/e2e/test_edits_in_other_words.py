"""The words of an ERP's dialect are corrected while orders live in both ERPs: that is nobody's edit, and edits go on being seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.e2e.calls import Plant
from tests.e2e.changes import await_applied
from tests.e2e.moves import awaited
from tests.e2e.test_direct_edits import (
    Order,
    cases,
    changed,
    feeds,
    followed,
    following,
    legacy,
    looked,
    on_screen,
    quantity,
)
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import SimErp

WIDE = 'planner: {to: MRPController, codec: "text(blank=true, max=3)"}'
NARROW = 'planner: {to: MRPController, values: {K1: "101"}}'
BOTH = pytest.mark.parametrize("code", ["1000", "2000"])
FILES = ("translators/sap-ecc/production_order.yaml", "translators/sap-s4/production_order.yaml")
CROSSED = ("  planner: {to: MRPController,", "  planner: {to: ProductionSupervisor,"), (
    "  supervisor: {to: ProductionSupervisor,", "  supervisor: {to: MRPController,"
)  # fmt: skip


@pytest.fixture
def gateway(own: Deployment) -> Iterator[RunningGateway]:
    made = followed(own)
    made.environment["CHANGEOVER_FEED_OVERLAP_S"] = "1"
    with following(made) as started:
        yield started


def corrected(gateway: RunningGateway, name: str, *edits: tuple[str, str]) -> None:
    """Somebody puts a dialect right while everything runs."""
    for old, new in edits:
        gateway.deployment.edit(name, old, new)
    done = gateway.deployment.cli("apply")
    assert done.exit_code == 0, done.stderr
    await_applied(gateway)
    start_s = time.monotonic()  # a look that began before reads on in the old words
    awaited(lambda: all(feed["lag_s"] < time.monotonic() - start_s - 0.2 for feed in feeds(gateway).values()))


def waiting(gateway: RunningGateway) -> int:
    """How many documents nobody can tell now."""
    return sum(int(feed["waiting"]) for feed in feeds(gateway).values())


def by_hand(erp: SimErp, order: Order, name: str, value: str) -> None:
    """A field of the native order, changed in the ERP's own screens."""
    erp.screen(("A_ProductionOrder_2", "ProductionOrder")[not legacy(erp)], key=order.key(erp), values={name: value})


@BOTH
@pytest.mark.parametrize("which", ["leader", "follower"])
def test_a_field_that_is_read_in_other_words_is_not_what_somebody_changed(
    gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp, which: str
) -> None:
    new = Order(plant, leader, follower)
    seen = Order(plant, leader, follower)
    for erp in (leader, follower):
        by_hand(erp, seen, "MRPController", "101")
        by_hand(erp, seen, "ProductionSupervisor", "202")
    looked(gateway)
    looked(gateway)
    marks, erp = (leader.length, follower.length), leader if which == "leader" else follower
    corrected(gateway, FILES[not legacy(erp)], *CROSSED)
    looked(gateway)
    for order in (new, seen):
        on_screen(erp, order.key(erp), quantity=77)
    other = follower if erp is leader else leader
    for order in (new, seen):
        awaited(lambda order=order: quantity(order.now(other)) == Decimal(77))  # type: ignore[misc]  # bound now
    looked(gateway)
    looked(gateway)
    assert changed(erp, marks[erp is follower]) == []
    for entry in changed(other, marks[other is follower]):
        assert (entry["after"]["MRPController"], entry["after"]["ProductionSupervisor"]) in (("101", "202"), ("", ""))
    assert cases(gateway, "direct-edit") == []
    # From now on the new words count: where the ERPs agree in them, and where they never did.
    by_hand(erp, new, "ProductionSupervisor", "303")
    awaited(lambda: new.now(other)["MRPController"] == "303")
    assert new.now(other)["ProductionSupervisor"] == ""
    by_hand(erp, seen, "ProductionSupervisor", "303")
    (case,) = awaited(lambda: cases(gateway, "direct-edit"))
    assert case["reason"].startswith("The fields have other values")
    assert seen.now(other)["MRPController"] == "101"


@BOTH
@pytest.mark.parametrize("which", ["leader", "follower"])
def test_an_edit_that_the_dialect_cannot_read_waits_until_it_can(
    gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp, which: str
) -> None:
    erp, other = (leader, follower) if which == "leader" else (follower, leader)
    name = FILES[not legacy(erp)]
    corrected(gateway, name, (WIDE, NARROW))
    order, next_ = Order(plant, leader, follower), Order(plant, leader, follower)
    for _ in range(2):  # until the new orders' own writes are known again; an order of before may wait, in these words
        looked(gateway, may_wait=True)
    before = waiting(gateway)
    by_hand(erp, order, "MRPController", "P01")
    awaited(lambda: waiting(gateway) > before)
    for more in (21, 22, 23):
        on_screen(erp, next_.key(erp), quantity=more)  # the others go on, and the feed's last moment with them
        awaited(lambda more=more: quantity(next_.now(other)) == more)  # type: ignore[misc]  # bound now
        time.sleep(1.1)  # longer than what is read again at each look
    assert order.now(other)["MRPController"] == ""
    corrected(gateway, name, (NARROW, WIDE))
    awaited(lambda: order.now(other)["MRPController"] == "P01")
    looked(gateway)
    assert not any(feed["error"] for feed in feeds(gateway).values())


@BOTH
@pytest.mark.parametrize("which", ["leader", "follower"])
def test_a_field_that_the_new_words_cannot_tell_hides_no_edit_of_another(
    gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp, which: str
) -> None:
    erp, other = (leader, follower) if which == "leader" else (follower, leader)
    order = Order(plant, leader, follower, planner="P01")
    looked(gateway)
    mark, before = other.length, len(cases(gateway, "direct-edit"))
    corrected(gateway, FILES[not legacy(erp)], (WIDE, NARROW))
    by_hand(erp, order, "MRPController", "101")
    for value in (41, 42):
        on_screen(erp, order.key(erp), quantity=value)
        awaited(lambda value=value: quantity(order.now(other)) == value)  # type: ignore[misc]  # bound now
    assert {e["after"]["MRPController"] for e in changed(other, mark)} == {"P01"}
    assert len(cases(gateway, "direct-edit")) == before
