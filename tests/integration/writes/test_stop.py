"""Two gateways on one PostgreSQL: one falls asleep in the middle of a call, or dies; the other takes its work over."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.core.settling import US
from gateway.store.sql import machine_us
from tests.e2e.moves import ORDER_SETS, awaited
from tests.support.crashes import (
    PHASES,
    Order,
    Site,
    asleep,
    audited,
    died,
    dual_site,
    effects,
    lose_answers,
    quantity,
    sides,
    together,
    well_again,
)
from tests.support.gateway import RunningGateway
from tests.support.postgres import Cluster
from tests.support.simulated import Pair, SimErp

BEFORE_THE_CHECK, AFTER_IT, ANSWERED = "step.begun", "step.checked", "step.sent"
TAKEN_OVER_WITHIN_US = 5 * US
"""After the end of a dead gateway's lease."""
NOTHING_TELLS = [
    (
        "routes/manifests/ecc.yaml",
        "searchable.\n    create: {settle: reference,",
        "searchable.\n    create: {settle: none,",
    ),
    (
        "routes/manifests/s4.yaml",
        "  production_order:\n    create: {settle: key,",
        "  production_order:\n    create: {settle: none,",
    ),
    ("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 2"),
]
"""Neither ERP has a key or a field by which a new order could be known again. Who waits for an answer is told 202 soon."""
SIDES = {code: phase.removeprefix("dual_") for code, phase in PHASES.items()}
"""The side in charge of each plant."""
Answer = Future[httpx.Response | None]


class Two:
    """Both gateways of a site. Whoever is not started runs already."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._names: dict[RunningGateway, str] = {}
        self.first, self.second = self.started(), self.started()

    def started(self) -> RunningGateway:
        gateway = self.site.started()
        known = set(self._names.values())
        (self._names[gateway],) = {name for (name,) in self.site.rows("SELECT id FROM instance")} - known
        return gateway

    def lease_end_us(self, gateway: RunningGateway) -> int:
        """Until when a gateway may send, by the store's clock; once it is dead, until when it might."""
        ((until_us,),) = self.site.rows(f"SELECT until_us FROM instance WHERE id = '{self._names[gateway]}'")
        return int(until_us)

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


@contextmanager
def sleeping(two: Two, pool: ThreadPoolExecutor, request: Order, point: str) -> Iterator[Answer]:
    """The first gateway has fallen asleep with the request at the point; it wakes up at the end of the block."""
    two.site.crash_at(point, 1, "STOP")
    answer = pool.submit(request.sent, two.first.client("admin"))
    try:
        asleep(two.first)
        yield answer
    finally:
        two.first.process.send_signal(signal.SIGCONT)


def slept(two: Two, pool: ThreadPoolExecutor, request: Order, point: str) -> httpx.Response:
    """The request's answer: the first gateway falls asleep at the point, and wakes up when the second has done its work."""
    with sleeping(two, pool, request, point) as answer:
        two.site.settled(two.second)
    return told(answer)


def told(answer: Answer) -> httpx.Response:
    given = answer.result()
    assert given is not None
    return given


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


@pytest.fixture(scope="module")
def asking(erps: Pair, postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    url, folder = postgres.create("asking"), tmp_path_factory.mktemp("asking")
    made = Two(dual_site(folder, erps, database_url=url, edits=NOTHING_TELLS, CHANGEOVER_LEASE_S="1"))
    yield made
    made.stop()


@pytest.mark.parametrize("code", PHASES)
@pytest.mark.parametrize(("point", "before", "after"), [(BEFORE_THE_CHECK, 0, 0), (AFTER_IT, 0, 1), (ANSWERED, 1, 1)])
def test_where_nothing_tells_a_takeover_asks_a_person_and_sends_nothing_whenever_the_sleeper_wakes_up(
    asking: Two, pool: ThreadPoolExecutor, numbers: Iterator[int], code: str, point: str, before: int, after: int
) -> None:
    """The one call that may still take effect is the sleeper's own, and only if it slept between its look and the socket."""
    site, mark, request = asking.site, asking.site.erps.mark(), Order(code, next(numbers))
    with sleeping(asking, pool, request, point) as answer:
        site.settled(asking.second)
        quiet(site, [request])
        assert asked(site, [request]) == in_doubt([request])
        assert created(site, mark) == in_charge_only([request], before)
    woke_too_late(asking)
    assert told(answer).status_code == 202
    site.settled(asking.first)
    # Whoever woke up with a new document in its hands tells the person which one.
    late = [(SIDES[code], "late-call", "parked")] * after
    awaited(lambda: sorted(asked(site, [request])) == in_doubt([request]) + late)
    assert created(site, mark) == in_charge_only([request], after)


@pytest.mark.parametrize("code", PHASES)
def test_where_nothing_tells_a_person_who_sends_it_again_under_a_sleeper_gets_two_and_is_told_of_both(
    asking: Two, pool: ThreadPoolExecutor, numbers: Iterator[int], code: str
) -> None:
    """Nobody can know that a call is still to leave: the person looked, saw nothing, and waited as long as the ERP may take."""
    site, mark, request = asking.site, asking.site.erps.mark(), Order(code, next(numbers))
    erp, at = leader(asking, code)
    with sleeping(asking, pool, request, AFTER_IT):
        site.settled(asking.second)
        said_no(site, request)
        site.settled(asking.second)
        assert created(site, mark) == [{request.quantity: 1}] * 2
    woke_too_late(asking)
    awaited(lambda: asked(site, [request]) == [(SIDES[code], "late-call", "done")])
    ((*_, reason),) = site.rows(cases_of([request]))
    made = [e for e in erp.since(at, origin="api") if e["verb"] == "create" and e["entity"] in ORDER_SETS]
    assert [quantity(e) for e in made] == [request.quantity] * 2
    assert all(number in reason for e in made for number in e["key"].values())
    assert sum(created(site, mark), Counter()) == {request.quantity: 3}


@pytest.mark.parametrize(("point", "effects_of_each"), [(AFTER_IT, 0), (ANSWERED, 1)])
def test_where_nothing_tells_a_restart_asks_a_person_and_sends_nothing(
    erps: Pair, tmp_path: Path, pool: ThreadPoolExecutor, numbers: Iterator[int], point: str, effects_of_each: int
) -> None:
    """The only gateway falls asleep, for longer than the ERP may take, and is killed."""
    site, mark = dual_site(tmp_path, erps, edits=NOTHING_TELLS, CHANGEOVER_LEASE_S="1"), erps.mark()
    orders = [Order(code, next(numbers)) for code in PHASES]
    gateway = site.started()
    site.crash_at(point, len(orders), "STOP")
    pool.map(lambda o: o.sent(gateway.client("admin")), orders)
    asleep(gateway)
    quiet(site, orders)
    gateway.process.kill()
    died(gateway)
    with site.running() as again:
        answers = [o.insisted(again.client("admin")).status_code for o in orders]
        site.settled(again)
        assert answers == [202] * len(orders)
        assert asked(site, orders) == in_doubt(orders)
        assert created(site, mark) == in_charge_only(orders, effects_of_each)


def intents_of(orders: Sequence[Order]) -> str:
    keys = ", ".join(f"'{order.key}'" for order in orders)
    return f"(SELECT intent FROM replay WHERE key IN ({keys}))"


def cases_of(orders: Sequence[Order]) -> str:
    return (
        "SELECT c.id, c.side, c.kind, l.state, c.reason FROM case_ c JOIN leg l ON l.intent = c.intent AND l.side = c.side "
        f"WHERE c.state = 'open' AND c.intent IN {intents_of(orders)} ORDER BY c.side"
    )


def asked(site: Site, orders: Sequence[Order]) -> list[tuple[str, str, str]]:
    """What a person has to decide: on which side, of what kind, and how the leg stands."""
    return [(side, kind, state) for _, side, kind, state, _ in site.rows(cases_of(orders))]


def created(site: Site, mark: tuple[int, int]) -> list[Counter[int]]:
    """How often the order of each quantity was created, on each side."""
    return [effects(erp, at, "create") for erp, at in sides(site.erps, mark)]


def in_doubt(orders: Sequence[Order]) -> list[tuple[str, str, str]]:
    """The side in charge of each order waits for a person's word."""
    return sorted((SIDES[order.plant], "doubt", "parked") for order in orders)


def in_charge_only(orders: Sequence[Order], times: int) -> list[Counter[int]]:
    """Each order so often in the ERP in charge of its plant, and never in the other."""
    return [Counter({o.quantity: times for o in orders if SIDES[o.plant] == side}) for side in ("legacy", "cloud")]


def quiet(site: Site, orders: Sequence[Order]) -> None:
    """Wait until no call of theirs that was under way could take effect any more."""
    ((until_us,),) = site.rows(f"SELECT MAX(quiet_us) FROM step WHERE intent IN {intents_of(orders)}")
    awaited(lambda: machine_us() > until_us)


def said_no(site: Site, request: Order) -> None:
    """A person looked into the ERP, found nothing, and says so as soon as that may be said."""
    ((case, *_),) = site.rows(cases_of([request]))
    close = ("case", "close", str(case), "--happened", "no", "--reason", "it is not there", "--actor", "anna")
    awaited(lambda: site.made.cli(*close, content=False).exit_code == 0)


def duplicate(two: Two, token: str) -> tuple[int, str] | None:
    """The case about a step that took effect twice: its number and its reason."""
    rows = two.site.rows(
        "SELECT c.id, c.reason FROM case_ c JOIN step s ON s.intent = c.intent AND s.side = c.side "
        f"WHERE c.kind = 'late-call' AND s.token = '{token}'"
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
    two.first, two.second = alive, two.started()


def test_what_a_dead_gateway_held_is_free_within_seconds_of_its_lease_and_not_before(
    two: Two, numbers: Iterator[int]
) -> None:
    """By the store's own clock: when the lease ended, when the legs were freed, and when the living one began those that had not begun."""
    site, mark = two.site, two.site.erps.mark()
    orders = [Order(code, next(numbers)) for code in PHASES for _ in range(3)]
    site.crash_at("other.claimed", len(orders))
    http = two.first.client("admin")
    together(orders, lambda o: o.sent(http))
    died(two.first)
    site.settled(two.second)
    ended_us = two.lease_end_us(two.first)
    others = f"NOT l.authoritative AND l.intent IN {intents_of(orders)}"
    freed_us = [at_us for (at_us,) in site.rows(f"SELECT l.next_at_us FROM leg l WHERE {others}")]
    begun_us = site.rows(
        f"SELECT s.sent_us FROM step s JOIN leg l USING (intent, side) WHERE side = 'legacy' AND {others}"
    )
    taken_us = [*freed_us, *(at_us for (at_us,) in begun_us)]
    assert (len(freed_us), len(begun_us)) == (len(orders), len(orders) / 2)
    assert ended_us <= min(taken_us) <= max(taken_us) <= ended_us + TAKEN_OVER_WITHIN_US
    audited(site, mark, orders)
    two.first = two.started()


def one_died(two: Two) -> tuple[RunningGateway, RunningGateway] | None:
    """The dead one and the living one."""
    if two.first.process.poll() is not None:
        return two.first, two.second
    return (two.second, two.first) if two.second.process.poll() is not None else None
