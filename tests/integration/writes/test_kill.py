"""A gateway killed at any point of a write owes nothing, doubles nothing and loses nothing after its next start.

Each life of the gateway takes creations and changes of orders of both plants at once: one plant is led by the old ERP, the other
by the new one. On each side one answer of each kind is lost after the ERP committed, one before, and the third arrives. All
stand at the same point when the process is killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest

from gateway.core.phases import SIDES
from tests.e2e.moves import ORDER_SETS
from tests.support.crashes import (
    LOSSES,
    PHASES,
    RELEASED_AT_ONCE,
    Order,
    Site,
    audited,
    died,
    dual_site,
    each_loss,
    effects,
    lose_answers,
    losses_met,
    quantity,
    sides,
    together,
    well_again,
)
from tests.support.postgres import Cluster
from tests.support.simulated import Pair, SimErp

OUTCOMES = 3  # answered, lost after the commit, lost before it
ALL = len(PHASES) * OUTCOMES * 2  # creations and changes
METHODS = ("POST", "PATCH")
IN_DOUBT = len(each_loss(*METHODS))
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
    ("settle.begun", IN_DOUBT),
]
"""A change is one call in every dialect: between two steps only a creation can stand, and that has its own tests below."""


@pytest.fixture(autouse=True)
def well(erps: Pair) -> Iterator[None]:
    """A test that fails leaves the ERPs well for the next one."""
    yield
    well_again(erps)


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


@pytest.mark.parametrize(("point", "standing"), EVERYWHERE)
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
    lose_answers(site.erps, *METHODS)
    site.crash_at(point, standing)
    http = lives.gateway.client("admin")
    together(orders, lambda o: o.sent(http))
    died(lives.gateway)
    if point == "settle.begun":
        assert settling(site) == dict.fromkeys(product(SIDES, ("create", "change")), len(LOSSES))
    lose_answers(site.erps, *METHODS)
    lives.go_on()
    http = lives.gateway.client("admin")
    answers = together(orders, lambda o: o.insisted(http))
    site.settled(lives.gateway)
    # Asked for twice: what was not met before the kill is met after it.
    assert losses_met(site.erps) == dict.fromkeys(each_loss(*METHODS), 2)
    well_again(site.erps)
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 204}
    audited(site, mark, [*orders, *before])


def settling(site: Site) -> Counter[tuple[str, str]]:
    """How many legs of each side and verb somebody had begun to settle."""
    legs = site.rows(
        "SELECT leg.side, intent.verb FROM leg JOIN intent ON intent.id = leg.intent WHERE leg.state = 'settling'"
    )
    return Counter((side, verb) for side, verb in legs)


def existing(lives: Lives, numbers: Iterator[int]) -> tuple[list[Order], list[Order]]:
    """Orders that are there on both sides, and a change of each that was not sent yet."""
    orders = [Order(plant, next(numbers)) for plant in PHASES for _ in range(OUTCOMES)]
    http = lives.gateway.client("admin")
    answers = together(orders, lambda o: o.insisted(http))
    lives.site.settled(lives.gateway)
    return orders, [o.changed(http, answer, next(numbers)) for o, answer in zip(orders, answers, strict=True)]


TELLING = (
    "routes/manifests/ecc.yaml",
    "searchable.\n    create: {settle: reference,",
    'searchable.\n    create: {settle: reference, steps: {ReleaseOrder: {OrderIsReleased: ["True"]}},',
)
"""What the old ERP's order looks like once the second call was carried out."""


@pytest.fixture(scope="module")
def two_steps(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """On SQLite, and nothing tells of the old ERP whether the second call was carried out."""
    lives = Lives(dual_site(tmp_path_factory.mktemp("steps"), erps, edits=RELEASED_AT_ONCE))
    yield lives
    lives.gateway.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two_told(erps: Pair, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """Both ERPs tell whether the second call was carried out."""
    more = {}
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres")
        more = {"database_url": cluster.create("told"), "CHANGEOVER_LEASE_S": "1"}
    lives = Lives(dual_site(tmp_path_factory.mktemp("told"), erps, edits=[*RELEASED_AT_ONCE, TELLING], **more))
    yield lives
    lives.gateway.stop()


def test_a_gateway_killed_between_two_steps_carries_out_each_once_whatever_became_of_the_answers(
    two_told: Lives, numbers: Iterator[int]
) -> None:
    """On each side, of the first step before the kill and of the second after it: one answer is lost after the ERP
    committed, one before, and the others arrive."""
    site, mark = two_told.site, two_told.site.erps.mark()
    orders = [Order(plant, next(numbers)) for plant in PHASES for _ in range(OUTCOMES + len(LOSSES))]
    lose_answers(site.erps, "POST")
    site.crash_at("step.between", len(orders))
    http = two_told.gateway.client("admin")
    together(orders, lambda o: o.sent(http))
    died(two_told.gateway)
    assert losses_met(site.erps) == dict.fromkeys(each_loss("POST"), 1)
    well_again(site.erps)
    lose_releases(site, mark, orders)
    two_told.go_on()
    http = two_told.gateway.client("admin")
    together(orders, lambda o: o.insisted(http))
    site.settled(two_told.gateway)
    assert losses_met(site.erps) == dict.fromkeys(each_loss("POST"), 1)
    well_again(site.erps)
    audited(site, mark, orders)
    assert [releases(*side) for side in sides(site.erps, mark)] == [Counter(o.quantity for o in orders)] * 2


def releases(erp: SimErp, mark: int) -> Counter[int]:
    """How often the order of each quantity was released."""
    updated = [e for e in erp.since(mark, origin="api") if e["verb"] == "update"]
    return Counter(quantity(e) for e in updated if e["after"].get("OrderIsReleased"))


def lose_releases(site: Site, mark: tuple[int, int], orders: list[Order]) -> None:
    """Of the orders that each ERP leads and that stand between their steps, lose one release of each kind."""
    for plant, (erp, at) in zip(PHASES, sides(site.erps, mark), strict=True):
        standing = {o.quantity for o in orders if o.plant == plant} - releases(erp, at).keys()
        made = [e for e in erp.since(at, origin="api") if e["entity"] in ORDER_SETS and quantity(e) in standing]
        assert len(made) >= OUTCOMES
        for action, entry in zip(LOSSES, made, strict=False):
            (number,) = entry["key"].values()
            rule = {"action": action, "method": "POST", "match": f"(?=.*ReleaseOrder).*{number}"}
            erp.door.post("/_faults", json=rule).raise_for_status()


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
    legacy, cloud = (effects(*side, "create") for side in sides(site.erps, mark))
    assert legacy == dict.fromkeys(old | new, 1)
    assert cloud == dict.fromkeys(new, 1)
    assert [releases(*side) for side in sides(site.erps, mark)] == [Counter(new)] * 2
    assert [(side, kind) for _, side, kind, _ in site.cases()] == [("legacy", "doubt")] * len(old)
