"""Two gateways on one PostgreSQL: one falls asleep in the middle of a call, or dies; the other takes its work over."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.support.crashes import (
    PHASES,
    Order,
    Site,
    asleep,
    audited,
    awaited,
    died,
    dual_site,
    effects,
    lose_answers,
    together,
    well_again,
)
from tests.support.gateway import RunningGateway
from tests.support.postgres import Cluster
from tests.support.simulated import Pair, SimErp

BEFORE_THE_CHECK, AFTER_IT = "step.begun", "step.checked"


class Two:
    """Both gateways of a site. Whoever is not started runs already."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.first, self.second = site.started(), site.started()

    def stop(self) -> None:
        for gateway in (self.first, self.second):
            gateway.stop()


@pytest.fixture(scope="module")
def two(erps: Pair, postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    url = postgres.create("stopped")
    made = Two(dual_site(tmp_path_factory.mktemp("stopped"), erps, database_url=url, CHANGEOVER_LEASE_S="1"))
    yield made
    made.stop()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def leader(two: Two, code: str) -> tuple[SimErp, int]:
    """The ERP in charge of a plant, and where its record stands."""
    erps = two.site.erps
    erp = erps.legacy if PHASES[code] == "dual_legacy" else erps.cloud
    return erp, erp.length


def slept(two: Two, pool: ThreadPoolExecutor, request: Order, point: str) -> httpx.Response:
    """The request's answer: the first gateway falls asleep at the point, and wakes up when the second has done its work."""
    two.site.crash_at(point, 1, "STOP")
    answer: Future[httpx.Response | None] = pool.submit(request.sent, two.first.client("admin"))
    try:
        asleep(two.first)
        two.site.settled(two.second)
    finally:
        two.first.process.send_signal(signal.SIGCONT)
    told = answer.result()
    assert told is not None
    return told


@pytest.mark.parametrize("code", PHASES)
@pytest.mark.parametrize("verb", ["create", "change"])
def test_a_gateway_that_slept_through_its_lease_before_it_looked_sends_nothing(
    two: Two, pool: ThreadPoolExecutor, numbers: Iterator[int], code: str, verb: str
) -> None:
    request, mark = wanted(two, code, verb, numbers), two.site.erps.mark()
    answer = slept(two, pool, request, BEFORE_THE_CHECK)
    assert answer.status_code in (200, 201, 202)
    two.site.settled(two.first)
    audited(two.site, mark, [request])


@pytest.mark.parametrize("code", ["2000"])
def test_under_a_key_a_call_that_leaves_after_the_takeover_is_the_same_call(
    two: Two, pool: ThreadPoolExecutor, numbers: Iterator[int], code: str
) -> None:
    request, mark = wanted(two, code, "create", numbers), two.site.erps.mark()
    slept(two, pool, request, AFTER_IT)
    woke_too_late(two)
    audited(two.site, mark, [request])


@pytest.mark.parametrize("code", PHASES)
def test_a_conditional_change_that_leaves_after_the_takeover_changes_nothing(
    two: Two, pool: ThreadPoolExecutor, numbers: Iterator[int], code: str
) -> None:
    request, mark = wanted(two, code, "change", numbers), two.site.erps.mark()
    slept(two, pool, request, AFTER_IT)
    woke_too_late(two)
    audited(two.site, mark, [request])


def test_under_a_reference_a_call_that_leaves_after_the_takeover_makes_a_second_document_that_can_be_found(
    two: Two, pool: ThreadPoolExecutor, numbers: Iterator[int]
) -> None:
    """What no gateway can prevent without the ERP's help: both documents carry the step's id, and a case names them."""
    request = wanted(two, "1000", "create", numbers)
    erp, mark = leader(two, "1000")
    slept(two, pool, request, AFTER_IT)
    woke_too_late(two)
    assert effects(erp, mark, "create")[request.quantity] == 2
    made = [e["after"] for e in erp.since(mark, entity="A_ProductionOrder_2") if e["verb"] == "create"]
    ids = [document["ZZGatewayId"] for document in made]
    ((token,),) = two.site.rows(f"SELECT token FROM step WHERE token IN ('{ids[0]}', '{ids[1]}') AND side = 'legacy'")
    assert ids == [token, token]
    case, reason = awaited(lambda: duplicate(two, token))
    assert all(document["ManufacturingOrder"] in reason for document in made)
    closed = two.site.made.run("case", "close", str(case), "--reason", "the second one is cancelled in the ERP")
    assert closed.returncode == 0, closed.stderr


def duplicate(two: Two, token: str) -> tuple[int, str] | None:
    """The case about a step that took effect twice: its number and its reason."""
    rows = two.site.rows(
        "SELECT c.id, c.reason FROM case_ c JOIN step s ON s.intent = c.intent AND s.side = c.side "
        f"WHERE c.kind = 'duplicate' AND s.token = '{token}'"
    )
    return (int(rows[0][0]), str(rows[0][1])) if rows else None


def wanted(two: Two, code: str, verb: str, numbers: Iterator[int]) -> Order:
    if verb == "create":
        return Order(code, next(numbers))
    http, before = two.first.client("admin"), Order(code, next(numbers))
    answer = before.insisted(http)
    two.site.settled(two.first)
    return before.changed(http, answer, next(numbers))


def woke_too_late(two: Two) -> None:
    """The sleeper was told that the leg is another's, and wrote nothing of what it learned."""
    two.first.awaited("leg.fenced")
    two.first.lines.clear()


@pytest.mark.parametrize("point", ["step.begun", "step.sent", "outcome.after_commit", "other.claimed", "settle.begun"])
def test_what_a_dead_gateway_had_under_way_is_taken_over_by_the_living_one(
    two: Two, numbers: Iterator[int], point: str
) -> None:
    site, mark = two.site, two.site.erps.mark()
    orders = [Order(code, next(numbers)) for code in PHASES for _ in range(3)]
    lose_answers(site.erps, "POST")
    with ExitStack() as stack:
        stack.callback(well_again, site.erps)
        site.crash_at(point, 1)
        both = [two.first.client("admin"), two.second.client("admin")]
        together(orders, lambda o: o.sent(both[o.quantity % 2]))
        dead, alive = awaited(lambda: one_died(two))
        died(dead)
        http = alive.client("admin")
        together(orders, lambda o: o.insisted(http))
        site.settled(alive)
    audited(site, mark, orders)
    two.first, two.second = alive, site.started()


def one_died(two: Two) -> tuple[RunningGateway, RunningGateway] | None:
    """The dead one and the living one."""
    if two.first.process.poll() is not None:
        return two.first, two.second
    return (two.second, two.first) if two.second.process.poll() is not None else None
