"""Orders that are released as they are made: what the gateway did is no person's release, and a copy does no more than was done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import awaited, operation
from tests.e2e.test_direct_edits import cases, changed, followed, following, looked, new_order, verdicts
from tests.support.crashes import RELEASED_AT_ONCE
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import SimErp

BOTH = pytest.mark.parametrize("code", ["1000", "2000"])


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    made = followed(separate)
    for name, old, new in RELEASED_AT_ONCE:
        made.edit(name, old, new)
    with following(made) as started:
        yield started


@BOTH
def test_an_order_that_the_gateway_releases_as_it_makes_it_was_released_by_nobody_else(
    gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    before, marks = verdicts(gateway, "edit", "new"), (leader.length, follower.length)
    answer = plant.ordered()
    good(answer, 201)
    awaited(lambda: operation(plant, answer)["state"] == "done")
    looked(gateway)
    looked(gateway)
    assert verdicts(gateway, "edit", "new") == before
    for erp, mark in zip((leader, follower), marks, strict=True):
        assert [e["after"]["OrderIsReleased"] for e in changed(erp, mark)] == [True]


@BOTH
@pytest.mark.parametrize("made_in", ["leader", "follower"])
def test_an_order_that_somebody_makes_and_does_not_release_is_not_released_in_the_other_erp(
    gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp, made_in: str
) -> None:
    here, there = (leader, follower) if made_in == "leader" else (follower, leader)
    mark, known = there.length, {case["case"] for case in cases(gateway, "direct-edit")}
    new_order(here, plant.plant)
    (case,) = awaited(lambda: [c for c in cases(gateway, "direct-edit") if c["case"] not in known])
    assert case["reason"].endswith("does release too, and nobody did that here")
    looked(gateway)
    assert changed(there, mark, "create") == []
