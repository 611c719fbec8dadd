"""The ERP that is not in charge is away for a week: it is hardly asked meanwhile, and gets what it is owed little by little."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations

import pytest

from gateway.connectors.factory import make_connector
from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.permits import Budgets
from gateway.control.content import Content
from gateway.core.budget import Seat, priority_of_leg
from gateway.core.canonical import Document
from gateway.core.deployment import Auth, ErpLimits
from gateway.pipeline.exchange import ErpPath
from gateway.protocols.port import HttpCall, HttpReply
from gateway.sim.clients import Client
from gateway.sim.erps.erp import Erp
from gateway.sim.instance import Instance
from gateway.sim.judge import judged
from gateway.sim.seams import SimWire
from gateway.sim.shape import CLOUD, LEGACY, PLANT, Shape
from gateway.sim.virtual_time import VirtualLoop
from gateway.sim.world import Contents, World
from gateway.store.journal import Claimed
from gateway.writes import relay
from gateway.writes.place import Place
from gateway.writes.relay import RelayLimits
from tests.support.worlds import calm

AWAY = {"dual_legacy": CLOUD, "dual_cloud": LEGACY}
"""The ERP that is not in charge."""
HOUR_S, HOURS = 3600, 7 * 24
GONE_S, BACK_S = HOUR_S, HOUR_S + HOURS * HOUR_S
ORDERS, WRITES, EARLY = 120, 4, 20
"""Each order is made and then changed. The early ones are made before the ERP is gone, all other writes are owed for days."""
GATEWAYS, PER_S, AT_ONCE, OF_THEM_OWED = 2, 4, 8, 6
TRIED_FIRST, TRIED_EVERY_S = 5, 600
LIMITS = ErpLimits(
    concurrency=AT_ONCE,
    calls_per_s=PER_S,
    calls_burst=GATEWAYS,
    breaker_failures=TRIED_FIRST,
    breaker_open_s=TRIED_EVERY_S,
)
RELAY = RelayLimits(poll_s=TRIED_EVERY_S / 2, lease_s=1200)
"""A week has many seconds, so the store is seldom looked at; but more often than the ERP may be tried."""
STORM = 10_000
WEAK_FOR, WEAK_S = 500, 2
"""The ERP takes so long for each of the first calls after its return."""


@dataclass(slots=True)
class Calls:
    """The calls to one ERP: when each began and ended, and how many there ever were at once."""

    began_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    most: int = 0

    def begin(self, now_s: float) -> None:
        self.began_s.append(now_s)
        self.most = max(self.most, len(self.began_s) - len(self.ended_s))

    def end(self, now_s: float) -> None:
        self.ended_s.append(now_s)

    def since(self, at_s: float) -> list[float]:
        """When calls began since then."""
        return self.began_s[bisect_left(self.began_s, at_s) :]


class Wire(SimWire):
    """The network to an ERP, with a log of its calls."""

    calls: Calls

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        clock = asyncio.get_running_loop().time
        self.calls.begin(clock())
        try:
            if 0 < len(self.calls.since(BACK_S)) <= WEAK_FOR:
                await asyncio.sleep(WEAK_S)
            return await super().exchange(call, timeout_s)
        finally:
            self.calls.end(clock())


class Gateway(Instance):
    """A gateway that keeps to what is declared of its ERPs, as the real one does. Its table never moves."""

    def __init__(self, world: Week, birth: int) -> None:
        self._calls, self._budgets = world.calls, Budgets()
        self._budgets.seat(Seat(birth - 1, GATEWAYS))
        self._connectors: dict[str, GuardedConnector] = {}
        super().__init__(world, birth)
        self.writes.relay._limits = RELAY
        self.writes.relay.room = lambda erp: self._connectors[erp].guard.room_behind()

    def _path(self, name: str, content: Content) -> ErpPath:
        found, rule = super()._path(name, content), content.erps[name]
        wire = Wire(self._world.erps[name], name, self.life, self._world.fate)
        wire.calls = self._calls[name]
        declared = rule.model_copy(update={"auth": Auth(kind="none"), "csrf": None, "limits": LIMITS})
        protocol = content.dialects[rule.dialect].file.protocol
        self._connectors[name] = make_connector(declared, str(protocol), wire, self._budgets)
        return replace(found, connector=self._connectors[name])

    async def of(self, leg: Claimed) -> Place:
        place, settling = await super().of(leg), leg.state == "settling"
        priority = priority_of_leg(authoritative=leg.authoritative, settling=settling, reopened=False)
        return place._replace(side=place.side._replace(priority=priority))

    async def _followed(self) -> None:
        return None


class Planner(Client):
    """Makes an order and changes it, at any times of the week."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._name = f"W-{number}"
        self._times_s = sorted(world.fate.between(GONE_S, BACK_S) for _ in range(WRITES))
        if number < EARLY:
            self._times_s[0] = world.fate.between(0, GONE_S / 2)

    async def play(self) -> None:
        key = None
        for n, at_s in enumerate(self._times_s):
            await asyncio.sleep(at_s - self._world.fate.now_s())
            verb, document = ("change", quantity(n)) if n else ("create", order(self._name) | quantity(n))
            sent = await self._until_told("production_order", verb, key, document, f"{self._name}-{n}")
            key = sent.key


def quantity(n: int) -> Document:
    return {"quantity": Decimal(100 + n)}


def order(name: str) -> Document:
    return {"plant": PLANT, "item": "PUMP-100", "unit": "C62", "type": "PP01", "unloading_point": name}


class Week(World):
    """A week without one ERP, and what comes after it."""

    def __init__(self, contents: Contents, shape: Shape) -> None:
        super().__init__(contents, shape)
        self.away = AWAY[shape.phase]
        self.calls = {name: Calls() for name in self.erps}
        self.owed = 0

    def _born(self) -> Instance:
        self._births += 1
        return Gateway(self, self._births)

    async def pass_by(self) -> None:
        """Until nothing is owed any more."""
        self.instances = [self._born() for _ in range(GATEWAYS)]
        planned = asyncio.gather(*(Planner(self, n).play() for n in range(ORDERS)))
        while self.fate.now_s() < BACK_S:
            await asyncio.sleep(HOUR_S)
            assert len(self.calls[self.away].began_s) < STORM, "nobody need see the whole week of it"
        await planned
        self.owed = len(self.still_open())
        while not self.drained():
            assert self.fate.now_s() < BACK_S + HOUR_S, self.still_open()
            await asyncio.sleep(1)


@pytest.fixture(scope="module", params=AWAY)
def week(request: pytest.FixtureRequest, contents: Contents) -> Week:
    shape = calm(request.param, outages=((AWAY[request.param], GONE_S, BACK_S),))
    made = Week(contents, shape)
    with pytest.MonkeyPatch.context() as code, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        code.setattr(relay, "TAKEN_OVER_S", RELAY.lease_s)  # nobody dies
        runner.run(made.pass_by())
    return made


def test_an_erp_that_is_away_is_tried_now_and_then_however_much_it_is_owed(week: Week) -> None:
    """In no hour more than its breaker lets through: of each gateway the first few calls, and one whenever its pause is over."""
    hours = Counter((at_s - GONE_S) // HOUR_S for at_s in week.calls[week.away].began_s if GONE_S <= at_s < BACK_S)
    assert max(hours.values()) <= GATEWAYS * (TRIED_FIRST + HOUR_S // TRIED_EVERY_S)
    assert len(hours) == HOURS, "nobody looked for an hour whether it is back"
    assert week.owed == ORDERS * WRITES - EARLY


def test_all_that_was_owed_for_a_week_arrives_once_and_in_order(week: Week) -> None:
    """By the records of both ERPs, beside all that the histories are judged by."""
    assert [sent.told for sent in week.sent] == ["acknowledged"] * ORDERS * WRITES
    wanted = {f"W-{number}": [100 + n for n in range(WRITES)] for number in range(ORDERS)}
    assert written(week.erps[LEGACY]) == written(week.erps[CLOUD]) == wanted
    assert judged(week) == []
    assert week.connection.execute("SELECT * FROM case_").fetchall() == []


def test_an_erp_that_is_back_never_gets_more_calls_at_once_than_are_kept_for_what_nobody_waits_for(week: Week) -> None:
    """At first it takes seconds for each call, and they would pile up: one gateway at least makes use of all it may."""
    assert OF_THEM_OWED / GATEWAYS <= week.calls[week.away].most <= OF_THEM_OWED < AT_ONCE


def test_an_erp_that_is_back_gets_what_it_is_owed_as_a_stream_and_not_as_a_wave(week: Week) -> None:
    """Until it has answered once, each gateway has asked it once. After that no stretch of time, however short and wherever it
    begins, has more calls than the declared rate gives to it and may come together: the first moment is like any other.
    """
    calls = week.calls[week.away]
    began_s = calls.since(BACK_S)
    answered_s = min(at_s for at_s in calls.ended_s if at_s >= BACK_S)
    assert sum(at_s <= answered_s for at_s in began_s) <= GATEWAYS
    stretches = combinations(enumerate(began_s), 2)
    assert all(
        m - n + 1 <= LIMITS.calls_burst + PER_S * (end_s - start_s) + 1e-6 for (n, start_s), (m, end_s) in stretches
    )
    assert len(began_s) >= week.owed


def written(erp: Erp) -> dict[str, list[Decimal]]:
    """The quantities that an ERP was given through its API for each order, in the order in which it took them."""
    found = defaultdict(list)
    for entry in erp.truth:
        if entry.type.role == "order" and entry.origin == "api" and entry.row_after is not None:
            found[str(entry.row_after["unloading_point"])].append(Decimal(str(entry.row_after["qty"])))
    return dict(found)
