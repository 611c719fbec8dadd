"""A record of a change feed that nobody can read, or that is gone: it is told, and it holds up no other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager

import pytest

from gateway.sim.erps.truth import Cause
from tests.e2e.calls import Json, Plant, good
from tests.e2e.moves import awaited
from tests.e2e.test_direct_edits import (
    LEADS,
    Order,
    cases,
    changed,
    feeds,
    followed,
    following,
    legacy,
    looked,
    new_order,
    on_screen,
    quantity,
    shown_order,
    verdicts,
)
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import SimErp

BOTH = pytest.mark.parametrize("code", sorted(LEADS))


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    with following(followed(separate)) as started:
        yield started


@pytest.fixture
def order(gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp) -> Order:
    return shown_order(gateway, plant, leader, follower)


@pytest.fixture
def other(order: Order, plant: Plant, leader: SimErp, follower: SimErp) -> Order:
    return Order(plant, leader, follower)


def feed(gateway: RunningGateway, erp: SimErp, code: str) -> Json:
    """How the feed of production orders is."""
    found: Json = feeds(gateway)[f"{'ecc' if legacy(erp) else 's4'}/production_order/{code}"]
    return found


def number(order: Order, erp: SimErp) -> str:
    (found,) = order.key(erp).values()
    return str(found)


@contextmanager
def unreadable(erp: SimErp, order: Order) -> Iterator[None]:
    """A program of the ERP's own measures the order in a unit that no screen takes and no dialect knows."""
    business, key = erp.app.erp.business, (number(order, erp),)
    before = business.row("order", key)["unit"]
    for unit in ("ZZ", before):
        with business.unit(Cause("screen", "BATCH", "batch")) as work:
            work.update("order", key, business.touched(work, {"unit": unit}))
        if unit == "ZZ":
            yield


def gone(erp: SimErp, order: Order) -> AbstractContextManager[None]:
    """The ERP lists the order, and does not find it any more when it is asked for."""
    return erp.fault("status", status=404, method="GET", match=number(order, erp), count=0)


@BOTH
def test_an_order_that_no_dialect_can_read_is_told_and_those_beside_it_are_carried_over(
    gateway: RunningGateway, order: Order, other: Order, leader: SimErp, follower: SimErp, code: str
) -> None:
    with unreadable(leader, order):
        assert "ProductionUnit" in awaited(lambda: feed(gateway, leader, code)["error"])
        on_screen(leader, other.key(leader), quantity=58)
        awaited(lambda: quantity(other.now(follower)) == 58)
    awaited(lambda: feed(gateway, leader, code)["error"] is None)
    on_screen(leader, order.key(leader), quantity=59)
    awaited(lambda: quantity(order.now(follower)) == 59)


@BOTH
def test_an_edit_that_waits_and_that_nobody_can_read_holds_up_no_other(
    gateway: RunningGateway, order: Order, other: Order, leader: SimErp, follower: SimErp, code: str
) -> None:
    with ExitStack() as later:
        with leader.fault("error_in_200", method="GET", match=number(order, leader), count=0):
            on_screen(leader, order.key(leader), quantity=71)
            awaited(lambda: feed(gateway, leader, code)["waiting"])
            on_screen(leader, other.key(leader), quantity=70)
            awaited(lambda: quantity(other.now(follower)) == 70)
            assert number(order, leader).lstrip("0") in feed(gateway, leader, code)["error"]
            later.enter_context(unreadable(leader, order))
        on_screen(leader, other.key(leader), quantity=72)
        awaited(lambda: quantity(other.now(follower)) == 72)
        assert quantity(order.now(follower)) == 10
    awaited(lambda: quantity(order.now(follower)) == 71)


@BOTH
def test_an_edit_that_waits_and_whose_order_is_away_comes_once_it_is_back_and_holds_up_no_other(
    gateway: RunningGateway, order: Order, other: Order, leader: SimErp, follower: SimErp, code: str
) -> None:
    with leader.fault("error_in_200", method="GET", match=number(order, leader)), gone(leader, order):
        on_screen(leader, order.key(leader), quantity=73)
        on_screen(leader, other.key(leader), quantity=74)
        awaited(lambda: quantity(other.now(follower)) == 74)
        on_screen(leader, other.key(leader), quantity=75)
        awaited(lambda: quantity(other.now(follower)) == 75)
        assert quantity(order.now(follower)) == 10
    awaited(lambda: quantity(order.now(follower)) == 73)


@BOTH
def test_an_order_that_is_away_after_it_was_changed_is_changed_elsewhere_once_it_is_back(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp, code: str
) -> None:
    mark, before = follower.length, verdicts(gateway, "gone")
    with gone(leader, order):
        on_screen(leader, order.key(leader), quantity=61)
        awaited(lambda: verdicts(gateway, "gone") > before)
        looked(gateway)
        assert feed(gateway, leader, code)["error"] is None
        assert changed(follower, mark) == []
    awaited(lambda: quantity(order.now(follower)) == 61)  # it was only away for a moment


@BOTH
def test_an_order_that_is_away_after_it_was_made_is_made_elsewhere_once_it_is_back(
    gateway: RunningGateway, order: Order, plant: Plant, leader: SimErp, follower: SimErp, code: str
) -> None:
    mark, before = follower.length, verdicts(gateway, "gone")
    with leader.fault("status", status=404, method="GET", match=r"ProductionOrder(_2)?\(", count=0):
        new_order(leader, plant.plant)
        awaited(lambda: verdicts(gateway, "gone") > before)
        looked(gateway)
        assert feed(gateway, leader, code)["error"] is None
        assert changed(follower, mark, "create") == []
    awaited(lambda: len(changed(follower, mark, "create")) == 1)


@BOTH
def test_a_change_of_an_order_that_the_other_erp_does_not_have_any_more_is_a_persons_to_decide(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp
) -> None:
    mark = follower.length
    with gone(follower, order):
        on_screen(leader, order.key(leader), quantity=62)
        awaited(
            lambda: [c for c in cases(gateway, "direct-edit") if number(order, follower).lstrip("0") in c["reason"]]
        )
    looked(gateway)
    assert changed(follower, mark) == []
    assert quantity(order.now(leader)) == 62


@BOTH
def test_an_order_that_the_erp_shows_in_no_way_anybody_understands_is_told_and_tried_again(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp
) -> None:
    failures = len(gateway.events("feeds.failed"))
    with leader.fault("error_in_200", method="GET", match=number(order, leader)):
        on_screen(leader, order.key(leader), quantity=63)
        gateway.awaited("feed.record_failed", key=number(order, leader).lstrip("0"))
    awaited(lambda: quantity(order.now(follower)) == 63)
    assert len(gateway.events("feeds.failed")) == failures


def stored(made: Deployment, cursor: str | None, since: object) -> tuple[str | None, object]:
    """Write where the feed of plant 1000's orders in the old ERP is. Gives: what stood there."""
    with closing(sqlite3.connect(made.folder / "gateway.db", isolation_level=None, timeout=20)) as db:
        where = "WHERE erp = 'ecc' AND object = 'production_order' AND plant = '1000'"
        ((before, since_before),) = db.execute(f"SELECT cursor, since_us FROM feed {where}").fetchall()
        db.execute(f"UPDATE feed SET cursor = ?, since_us = ? {where}", (cursor, since))
    return before, since_before


@pytest.mark.parametrize(
    ("cursor", "since", "event", "least", "most"),
    [("yesterday", 0, "feed.cursor", 1, 1), (None, "lately", "feeds.failed", 2, float("inf"))],
)
def test_a_feed_whose_place_in_the_store_is_damaged_stops_no_write_and_no_other_feed_and_goes_on_once_it_is_mended(
    own: Deployment, cursor: str | None, since: object, event: str, least: int, most: float
) -> None:
    """What keeps a feed from its place is said once, what keeps all of them from looking each time."""
    leader, follower = own.erps.legacy, own.erps.cloud
    with followed(own).running() as first:
        awaited(lambda: feeds(first) and all(each["lag_s"] is not None for each in feeds(first).values()))
        order = Order(Plant(first.client("admin"), "1000"), leader, follower)
        looked(first)
    before = stored(own, cursor, since)
    on_screen(leader, order.key(leader), quantity=65)
    with own.running() as second:
        awaited(lambda: len(second.events(event)) >= least)
        good(Plant(second.client("admin"), "1000").ordered(), 201)
        looked(second, "s4/")
        looked(second, "s4/")
        assert quantity(order.now(follower)) == 10
        assert len(second.events(event)) <= most
        stored(own, *before)
        awaited(lambda: quantity(order.now(follower)) == 65)
