"""A gateway killed at any point of a write owes nothing, doubles nothing and loses nothing after its next start.

Each life of the gateway takes creations and changes of orders of both plants at once: one plant is led by the old ERP, the other
by the new one. On each side one answer of each kind is lost after the ERP committed, one before, and the third arrives. All
stand at the same point when the process is killed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crashes import (
    PHASES,
    Order,
    Site,
    audited,
    died,
    dual_site,
    effects,
    lose_answers,
    losses_met,
    quantity,
    together,
    well_again,
)
from tests.support.postgres import Cluster
from tests.support.simulated import Pair

OUTCOMES = 3  # answered, lost after the commit, lost before it
ALL = len(PHASES) * OUTCOMES * 2  # creations and changes
EVERYWHERE = [
    ("accept.before_commit", 1),
    ("accept.before_commit", ALL),
    ("accept.after_commit", ALL),
    ("step.begun", ALL),
    ("step.checked", ALL),
    ("step.sent", ALL),
    ("outcome.before_commit", 1),
    ("outcome.before_commit", ALL),
    ("outcome.after_commit", ALL),
    ("other.claimed", ALL),
    ("settle.begun", ALL // OUTCOMES),
]


class Lives:
    """One deployment and the gateway that serves it now."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.gateway = site.started()

    def go_on(self) -> None:
        self.gateway = self.site.started()


@pytest.fixture(scope="module")
def sqlite(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    lives = Lives(dual_site(tmp_path_factory.mktemp("killed"), erps))
    yield lives
    lives.gateway.stop()


@pytest.fixture(scope="module")
def postgresql(erps: Pair, postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    url = postgres.create("killed")
    lives = Lives(dual_site(tmp_path_factory.mktemp("killed"), erps, database_url=url, CHANGEOVER_LEASE_S="1"))
    yield lives
    lives.gateway.stop()


@pytest.mark.parametrize(("point", "standing"), EVERYWHERE)
def test_a_gateway_on_sqlite_killed_at_a_point_loses_and_doubles_nothing(
    sqlite: Lives, numbers: Iterator[int], point: str, standing: int
) -> None:
    killed_and_audited(sqlite, numbers, point, standing)


@pytest.mark.parametrize(
    ("point", "standing"), [case for case in EVERYWHERE if case[0].startswith(("accept.after", "step", "outcome"))]
)
def test_a_gateway_on_postgresql_killed_at_a_point_loses_and_doubles_nothing(
    postgresql: Lives, numbers: Iterator[int], point: str, standing: int
) -> None:
    killed_and_audited(postgresql, numbers, point, standing)


def killed_and_audited(lives: Lives, numbers: Iterator[int], point: str, standing: int) -> None:
    site = lives.site
    mark = site.erps.mark()
    before, changes = existing(lives, numbers)
    orders = [Order(plant, next(numbers)) for plant in PHASES for _ in range(OUTCOMES)]
    orders += changes
    lose_answers(site.erps, "POST", "PATCH")
    site.crash_at(point, standing)
    http = lives.gateway.client("admin")
    together(orders, lambda o: o.sent(http))
    died(lives.gateway)
    lose_answers(site.erps, "POST", "PATCH")
    lives.go_on()
    http = lives.gateway.client("admin")
    answers = together(orders, lambda o: o.insisted(http))
    site.settled(lives.gateway)
    assert min(losses_met(site.erps).values()) >= 1
    well_again(site.erps)
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 204}
    audited(site, mark, [*orders, *before])


def existing(lives: Lives, numbers: Iterator[int]) -> tuple[list[Order], list[Order]]:
    """Orders that are there on both sides, and a change of each that was not sent yet."""
    orders = [Order(plant, next(numbers)) for plant in PHASES for _ in range(OUTCOMES)]
    http = lives.gateway.client("admin")
    answers = together(orders, lambda o: o.insisted(http))
    lives.site.settled(lives.gateway)
    return orders, [o.changed(http, answer, next(numbers)) for o, answer in zip(orders, answers, strict=True)]


@pytest.fixture(scope="module")
def two_steps(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """A site where a new order is released at once: two calls for one write."""
    made = dual_site(
        tmp_path_factory.mktemp("steps"),
        erps,
        edits=[
            (
                "translators/sap-ecc/production_order.yaml",
                "create: [{do: create}]",
                "create: [{do: create}, {do: call, name: ReleaseOrder, arguments: {ManufacturingOrder: ManufacturingOrder}}]",
            ),
            (
                "translators/sap-s4/production_order.yaml",
                "create: [{do: create}]",
                "create: [{do: create}, {do: call, name: ReleaseOrder, bound: true}]",
            ),
        ],
    )
    lives = Lives(made)
    yield lives
    lives.gateway.stop()


def test_a_gateway_killed_between_two_steps_goes_on_with_the_second_or_asks_a_person(
    two_steps: Lives, numbers: Iterator[int]
) -> None:
    """Under a key the second step is sent again. Where only a new document can be looked up, nothing tells whether it was sent."""
    site, mark = two_steps.site, two_steps.site.erps.mark()
    orders = [Order(plant, next(numbers)) for plant in PHASES for _ in range(OUTCOMES)]
    site.crash_at("step.between", len(orders))
    http = two_steps.gateway.client("admin")
    together(orders, lambda o: o.sent(http))
    died(two_steps.gateway)
    two_steps.go_on()
    http = two_steps.gateway.client("admin")
    together(orders, lambda o: o.insisted(http))
    site.settled(two_steps.gateway)
    old, new = ({o.quantity for o in orders if o.plant == plant} for plant in PHASES)
    legacy, cloud = (
        effects(erp, at, "create") for erp, at in zip((site.erps.legacy, site.erps.cloud), mark, strict=True)
    )
    assert legacy == dict.fromkeys(old | new, 1)
    assert cloud == dict.fromkeys(new, 1)
    released = {quantity(e) for e in site.erps.cloud.since(mark[1], origin="api") if e["after"].get("OrderIsReleased")}
    assert released == new
    assert [(side, kind) for _, side, kind, _ in site.cases()] == [("legacy", "doubt")] * len(old)
