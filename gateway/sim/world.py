"""A second composition root: the production write engine in a virtual world, with crashes, outages and two ERPs that misbehave.

One seed is one history. Nothing in it is random but by the seed, so a seed repeats a history exactly.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from gateway.connectors.factory import make_connector
from gateway.connectors.port import NoAnswer, NotSent, TooSlow
from gateway.control.content import Content
from gateway.core.canonical import OBJECTS, Document
from gateway.core.deployment import Auth, ErpLimits
from gateway.core.deployment import Erp as ErpRule
from gateway.core.manifests import Manifest, Rule
from gateway.core.phases import PHASES, Side
from gateway.core.settling import US
from gateway.core.waves import Cell
from gateway.errors import Doubtful, GatewayError, RouteMoved, Unavailable
from gateway.pipeline.exchange import ErpPath, erp_path
from gateway.protocols.port import HttpCall, HttpReply
from gateway.reads.authoritative import ErpSide
from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.wire.messages import Request
from gateway.sim.virtual_time import VirtualLoop
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Claimed, Journal
from gateway.store.sql import StoreDown, Work, in_transaction
from gateway.writes.delivery import Place, Timing
from gateway.writes.engine import EngineLimits, Write, Writes, Written

T = TypeVar("T")
PLANT, DOMAIN = "1000", "production"
LEGACY, CLOUD = "ecc", "s4"
CALL_S, EXEC_S, LEASE_S = 4.0, 6.0, 3.0
CRASH_AT_SEAM, HALF, RELEASES = 0.004, 0.5, 0.2
START = datetime(2027, 1, 16, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a history is made of, drawn from its seed."""

    seed: int
    settle: dict[str, str]
    """side -> how a create is settled there."""
    phase: str
    operations: int
    keys: int
    instances: int
    fault_rate: float
    crashes: tuple[float, ...]
    outages: tuple[tuple[str, float, float], ...]
    pauses: tuple[tuple[int, float, float], ...]
    edits: tuple[float, ...]


def drawn(seed: int) -> Shape:
    """The shape of a seed's history."""
    dice = random.Random(seed)  # noqa: S311  # a simulation
    ends_s = 60.0
    settle = {side: dice.choice(("key", "reference")) for side in (LEGACY, CLOUD)}
    return Shape(
        seed=seed,
        settle=settle,
        phase=dice.choice(("dual_legacy", "dual_cloud", "dual_legacy", "standby", "legacy", "cloud")),
        operations=dice.randint(6, 14),
        keys=dice.randint(1, 3),
        instances=dice.randint(1, 2),
        fault_rate=dice.choice((0.0, 0.1, 0.25, 0.4)),
        crashes=tuple(sorted(dice.uniform(0, ends_s) for _ in range(dice.randint(0, 3)))),
        outages=tuple(
            (dice.choice((LEGACY, CLOUD)), start := dice.uniform(0, ends_s), start + dice.uniform(1, 40))
            for _ in range(dice.randint(0, 2))
        ),
        pauses=tuple(
            (dice.randint(0, 1), dice.uniform(0, ends_s), dice.uniform(1, 25)) for _ in range(dice.randint(0, 1))
        ),
        edits=tuple(sorted(dice.uniform(0, ends_s) for _ in range(dice.randint(0, 1)))),
    )


class Dead(BaseException):
    """The instance that asked is not alive any more."""


@dataclass(slots=True)
class Life:
    """Whether an instance lives, and until when it sleeps."""

    name: str
    alive: bool = True
    asleep_until_s: float = 0.0

    async def check(self) -> None:
        """A seam: the dead never get past it, the paused wait. Every effect on the outside lies between two of them."""
        loop = asyncio.get_running_loop()
        while self.alive and loop.time() < self.asleep_until_s:  # noqa: ASYNC110  # asleep is asleep
            await asyncio.sleep(self.asleep_until_s - loop.time())
        if not self.alive:
            await loop.create_future()


class SimStore:
    """The journal's database in a world: the same SQL, inline; a crash loses what was not committed."""

    def __init__(self, connection: sqlite3.Connection, life: Life, world: World) -> None:
        self._connection, self._life, self._world = connection, life, world

    async def transaction(self, work: Work[T]) -> T:
        await asyncio.sleep(self._world.dice.uniform(0.0005, 0.004))
        await self._life.check()
        self._world.maybe_crash(self._life, "before-commit")
        await self._life.check()
        if self._world.store_down():
            raise StoreDown("the database cannot be reached", unsure=False)
        result = in_transaction(self._connection, work)
        self._world.maybe_crash(self._life, "after-commit")
        await self._life.check()
        return result

    async def close(self) -> None:
        return None


class SimWire:
    """The network to one ERP: late, lossy, and now and then down. The ERP's own answer is decided at one moment in between."""

    def __init__(self, erp: Erp, name: str, life: Life, world: World) -> None:
        self._erp, self._name, self._life, self._world = erp, name, life, world

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        world, loop = self._world, asyncio.get_running_loop()
        await self._life.check()
        world.maybe_crash(self._life, "before-send")
        await self._life.check()
        if world.is_down(self._name):
            await asyncio.sleep(0.01)
            raise NotSent("the ERP is down")
        fault = world.fault(call)
        if fault == "not-sent":
            raise NotSent("connection refused")
        took: asyncio.Future[HttpReply | None] = loop.create_future()
        # The ERP works on, whatever becomes of us: its work is no task of this instance.
        world.at(world.dice.uniform(0.001, 0.05) + world.lateness(fault), lambda: self._work(call, fault, took))
        if fault == "duplicate" and world.dice.random() < HALF:
            world.at(world.dice.uniform(0.1, 1.0), lambda: self._work(call, fault, loop.create_future()))
        try:
            async with asyncio.timeout(timeout_s):
                reply = await asyncio.shield(took)
        except TimeoutError:
            await self._life.check()
            raise TooSlow(f"no answer in {timeout_s} s") from None
        await asyncio.sleep(world.dice.uniform(0.001, 0.05))
        world.maybe_crash(self._life, "after-answer")
        await self._life.check()
        if reply is None or fault in ("drop", "late-drop"):
            raise NoAnswer("the connection was reset")
        return reply

    def _work(self, call: HttpCall, fault: str | None, took: asyncio.Future[HttpReply | None]) -> None:
        if fault == "lost":
            if not took.done():
                took.set_result(None)
            return
        path, _, query = call.target.partition("?")
        headers = {name.lower(): value for name, value in call.headers.items()} | {"host": "erp"}
        answer = self._erp.answer(Request(call.method, path, query, headers, call.body or b""))
        self._world.trace(f"{self._name} {call.method} {path} {answer.status}")
        shown = {name.lower(): value for name, value in answer.headers}
        cookies = tuple(value for name, value in answer.headers if name.lower() == "set-cookie")
        shown["content-length"] = str(len(answer.body))
        if not took.done():
            took.set_result(HttpReply(answer.status, shown, answer.body, cookies))

    async def close(self) -> None:
        return None


@dataclass(slots=True)
class Sent:
    """What a client did and what it was told."""

    operation: str | None
    verb: str
    reference: str
    told: str
    """acknowledged, pending, refused, unavailable, doubt."""
    key: str | None = None


@dataclass(slots=True)
class History:
    """What one seed came to."""

    seed: int
    operations: int
    violations: list[str]
    faults: Counter[str]
    trace: str
    open_cases: int
    acknowledged: int


@dataclass(slots=True)
class Instance:
    """One gateway of a world."""

    life: Life
    writes: Writes
    started: asyncio.Task[None]


class World:
    """One history."""

    def __init__(self, content: Content, shape: Shape, mutants: frozenset[str] = frozenset()) -> None:
        self.content, self.shape, self.mutants = content, shape, mutants
        self.dice = random.Random(shape.seed * 7919 + 1)  # noqa: S311  # a simulation
        self.faults: Counter[str] = Counter()
        self._traced = hashlib.sha256()
        self._down: dict[str, float] = {}
        self._quiet = False
        self._births = 0
        self._ids = 0
        self.sent: list[Sent] = []
        self._connection = _database()
        self._cell = Cell(PLANT, DOMAIN, LEGACY, CLOUD, shape.phase)
        _declare(self._connection, self._cell)
        self.erps = {
            LEGACY: Erp(self._erp_config("legacy", LEGACY)),
            CLOUD: Erp(self._erp_config("cloud", CLOUD)),
        }
        self.manifests = {name: _manifest(name, shape.settle[name]) for name in (LEGACY, CLOUD)}
        self.instances: list[Instance] = []

    def _erp_config(self, face: Any, name: str) -> ErpConfig:
        window = 3600 if self.shape.settle[name] == "key" else 0
        return ErpConfig(
            face=face, name=name, seed=1, clock=self._clock, csrf=False, orders=1, purchases=0, dedup_window_s=window
        )

    def _clock(self) -> datetime:
        return START + timedelta(seconds=self._now_s())

    def _now_s(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    # What the seams ask

    def trace(self, text: str) -> None:
        self._traced.update(f"{self._now_s():.6f} {text}\n".encode())

    def at(self, delay_s: float, work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, work)

    def fault(self, call: HttpCall) -> str | None:
        if self._quiet or self.dice.random() >= self.shape.fault_rate:
            return None
        kinds = ("not-sent", "lost", "drop", "late", "late-drop", "slow", "duplicate")
        kind = self.dice.choice(kinds)
        if kind == "duplicate" and call.safe:
            return None
        if kind == "duplicate" and self.shape.settle and "If-Match" not in call.headers:
            # A network that doubles a request is beyond every protocol where the ERP knows no key.
            return None
        self.faults[kind] += 1
        return kind

    def lateness(self, fault: str | None) -> float:
        if fault in ("late", "late-drop"):
            return self.dice.uniform(CALL_S, CALL_S + EXEC_S - 1.5)
        return self.dice.uniform(0.5, CALL_S) if fault == "slow" else 0.0

    def is_down(self, erp: str) -> bool:
        return not self._quiet and any(
            erp == name and start <= self._now_s() < end for name, start, end in self.shape.outages
        )

    def store_down(self) -> bool:
        return False

    def maybe_crash(self, life: Life, place: str) -> None:
        """At a seam, rarely: the instance is gone in the middle of what it does."""
        if not self._quiet and self.shape.fault_rate and self.dice.random() < CRASH_AT_SEAM:
            self.crash(life, place)

    def crash(self, life: Life, place: str) -> None:
        if not life.alive:
            return
        life.alive = False
        self.faults[f"crash-{place}"] += 1
        self.trace(f"{life.name} crashed {place}")
        self.at(self.dice.uniform(0.5, 8.0), self._restart)

    def _restart(self) -> None:
        self.instances.append(self._born())

    def _born(self) -> Instance:
        self._births += 1
        life = Life(f"gw-{self._births}")
        database = SimStore(self._connection, life, self)
        journal = Journal(database)
        paths = {name: self._path(name, life) for name in (LEGACY, CLOUD)}
        loop = asyncio.get_running_loop()
        timing = Timing(
            call_s=CALL_S,
            wall_us=lambda: int((START.timestamp() + loop.time()) * US),
            steady_s=loop.time,
            boot_s=loop.time,
            chance=self.dice.random,
        )
        writes = Writes(
            journal, Crosswalk(database), _Places(self, paths), timing, life.name, self._new_id, lambda: (LEGACY, CLOUD),
            EngineLimits(replication=4, poll_s=0.8, lease_s=LEASE_S), alone=False,
        )  # fmt: skip
        writes.delivery.mutants = self.mutants
        self._paths = paths
        return Instance(life, writes, asyncio.ensure_future(_starting(writes)))

    def _new_id(self) -> str:
        self._ids += 1
        return hashlib.sha256(f"{self.shape.seed}/{self._ids}".encode()).hexdigest()[:32]

    def _path(self, name: str, life: Life) -> ErpPath:
        rule = self.content.erps[name]
        free = ErpRule(
            erp=name, title=name, dialect=rule.dialect, base_url="http://erp", auth=Auth(kind="none"), headers=rule.headers,
            limits=ErpLimits(breaker_failures=1000, call_timeout_s=CALL_S),
        )  # fmt: skip
        dialect = self.content.dialects[rule.dialect]
        wire = SimWire(self.erps[name], name, life, self)
        return _with_shapes(name, make_connector(free, dialect.file.protocol or "", wire), dialect)

    # The history

    async def play(self) -> History:
        count = self.shape.instances
        self.instances = [self._born() for _ in range(count)]
        clients = [asyncio.ensure_future(self._client(n)) for n in range(self.shape.keys)]
        for at_s in self.shape.crashes:
            self.at(at_s, self._crash_one)
        for which, at_s, for_s in self.shape.pauses:
            self.at(at_s, lambda which=which, for_s=for_s: self._pause(which, for_s))  # type: ignore[misc]  # bound now
        await asyncio.gather(*clients)
        self._quiet = True
        await self._settled()
        violations = await self._violations()
        cases = self._connection.execute("SELECT COUNT(*) FROM case_ WHERE state = 'open'").fetchone()[0]
        acked = sum(sent.told == "acknowledged" for sent in self.sent)
        return History(self.shape.seed, len(self.sent), violations, self.faults, self._traced.hexdigest(), cases, acked)

    def _crash_one(self) -> None:
        alive = [i for i in self.instances if i.life.alive]
        if alive and not self._quiet:
            self.crash(self.dice.choice(alive).life, "any")

    def _pause(self, which: int, for_s: float) -> None:
        alive = [i for i in self.instances if i.life.alive]
        if alive and not self._quiet:
            self.faults["pause"] += 1
            alive[which % len(alive)].life.asleep_until_s = self._now_s() + for_s

    async def _client(self, number: int) -> None:
        """One caller with a document of its own: creates it, then works on it, and repeats what it got no answer to."""
        key: str | None = None
        each = max(2, self.shape.operations // self.shape.keys)
        for n in range(each):
            await asyncio.sleep(self.dice.uniform(0.0, 4.0))
            reference = f"S{self.shape.seed}-{number}-{n}"
            if key is None:
                verb, document = "create", _order(reference)
            elif self.dice.random() < RELEASES and n == each - 1:
                verb, document = "release", None
            else:
                verb, document = "change", {"quantity": Decimal(100 + n)}
            told = await self._until_told(verb, key, document, reference)
            if verb == "create" and told.told in ("acknowledged",) and told.key is not None:
                key = told.key

    async def _until_told(self, verb: str, key: str | None, document: Document | None, reference: str) -> Sent:
        """Ask until there is an answer other than «try again», always under the same Idempotency-Key."""
        sent = Sent(None, verb, reference, "nothing", key)
        self.sent.append(sent)
        for _ in range(60):
            await asyncio.sleep(self.dice.uniform(0.01, 0.5))
            alive = [i for i in self.instances if i.life.alive]
            if not alive:
                continue
            instance = self.dice.choice(alive)
            try:
                got = await asyncio.wait_for(
                    instance.writes.submit(self._write(verb, key, document, reference)), timeout=CALL_S * 2
                )
            except TimeoutError:
                sent.told = "nothing"
                continue
            except RouteMoved:
                continue
            except (Unavailable, StoreDown):
                sent.told = "unavailable"
                continue
            except Doubtful:
                sent.told = "doubt"
                continue
            except GatewayError as err:
                if err.code == "idempotency-in-flight":
                    continue
                sent.told = f"refused:{err.code}"
                return sent
            sent.operation = got.operation
            if isinstance(got, Written):
                sent.told, sent.key = "acknowledged", got.outcome.key or key
                self.trace(f"acknowledged {reference} {sent.key}")
                return sent
            sent.told = "pending"
        return sent

    def _write(self, verb: str, key: str | None, document: Document | None, reference: str) -> Write:
        row = self._connection.execute("SELECT phase, epoch, term FROM cell WHERE plant = ?", (PLANT,)).fetchone()
        cell = replace(self._cell, phase=row[0], epoch=row[1], term=row[2])
        places = tuple(self.place(side, self._paths, cell) for side in PHASES[cell.phase].writes)
        deadline_s = asyncio.get_running_loop().time() + CALL_S
        return Write(
            cell=cell, spec=OBJECTS["production_order"], verb=verb, key=key, document=document, if_match=None,
            places=places, client="mes", subject="mes", content="c", version="v2", deadline_s=deadline_s,
            permitted=_permitted, idempotency_key=reference,
        )  # fmt: skip

    def place(self, side: Side, paths: dict[str, ErpPath], cell: Cell) -> Place:
        name = cell.erp(side) or ""
        found = paths[name].of("production_order", PLANT)
        assert found is not None  # noqa: S101  # both dialects have it
        translation, shape = found
        return Place(
            ErpSide(name, paths[name].connector, translation, shape, PLANT, side, cell.term), self.manifests[name]
        )

    async def _settled(self) -> None:
        """Faults have stopped: everything that is owed must end, or stand in a case."""
        for _ in range(400):
            await asyncio.sleep(1.0)
            if not self._open():
                return

    def _open(self) -> list[tuple[Any, ...]]:
        return self._connection.execute(
            "SELECT intent, side, state, error FROM leg WHERE state NOT IN ('done', 'refused', 'voided', 'parked') "
            "AND NOT EXISTS (SELECT 1 FROM leg p WHERE p.lane = leg.lane AND p.side = leg.side AND p.state = 'parked' "
            "AND p.lane_seq < leg.lane_seq)"
        ).fetchall()

    async def _violations(self) -> list[str]:
        from gateway.sim.judge import judged  # noqa: PLC0415  # it knows the world

        return judged(self)

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection

    def still_open(self) -> list[tuple[Any, ...]]:
        """Legs that have not ended and wait for no person."""
        return self._open()


class _Places:
    """Finds a leg's place; there is one content in a world."""

    def __init__(self, world: World, paths: dict[str, ErpPath]) -> None:
        self._world, self._paths = world, paths

    async def of(self, leg: Claimed) -> Place:
        cell = replace(self._world._cell, term=leg.intent.term)  # its own world
        return self._world.place(leg.ref.side, self._paths, cell)


async def _starting(writes: Writes) -> None:
    for _ in range(100):
        try:
            await writes.start()
        except StoreDown:
            await asyncio.sleep(0.5)
        else:
            return


async def _permitted(_: Document) -> None:
    return None


def _order(reference: str) -> Document:
    return {
        "plant": PLANT, "item": "PUMP-100", "quantity": Decimal(10), "unit": "C62", "type": "PP01",
        "planned_start": START, "planned_end": START + timedelta(days=2),
    }  # fmt: skip


def _manifest(name: str, settle: str) -> Manifest:
    field_ = "ZZGatewayId" if name == LEGACY else "YY1_GatewayId_ORD"
    create = (
        Rule(settle="key", key_header="Repeatability-Request-ID", dedup_window_s=3600, max_exec_s=EXEC_S)
        if settle == "key"
        else Rule(settle="reference", lookup_by=field_, max_exec_s=EXEC_S)
    )
    released = ["released", "started", "confirmed", "delivered", "completed", "closed"]
    rules = {
        "create": create,
        "change": Rule(settle="conditional", max_exec_s=EXEC_S),
        "release": Rule(settle="conditional", max_exec_s=EXEC_S, evidence={"status": released}),
    }
    return Manifest(manifest=name, same_numbers=["item"], objects={"production_order": rules})


def _with_shapes(name: str, connector: Any, dialect: Any) -> ErpPath:
    key = (name, id(dialect))
    known = _PATHS.get(key)
    if known is None:
        known = _PATHS[key] = erp_path(name, connector, dialect)
    return ErpPath(name, connector, dialect, known.shapes)


_PATHS: dict[tuple[str, int], ErpPath] = {}


@lru_cache(maxsize=1)
def _schema() -> bytes:
    """An empty journal, made once by the schema revisions themselves."""
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415

    from gateway.app import shipped  # noqa: PLC0415
    from gateway.store.schema import upgrade_sync  # noqa: PLC0415

    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        upgrade_sync(connection, shipped() / "migrations")
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        image: bytes = raw.serialize()
    return image


def _database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(_schema())
    return connection


def _declare(connection: sqlite3.Connection, cell: Cell) -> None:
    connection.execute(
        "INSERT INTO cell (plant, domain, legacy, cloud, phase, epoch, term) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (cell.plant, cell.domain, cell.legacy, cell.cloud, cell.phase, cell.epoch, cell.term),
    )


def played(content: Content, shape: Shape, mutants: frozenset[str] = frozenset()) -> History:
    """Play one history to its end."""
    loop = VirtualLoop()
    loop.set_exception_handler(lambda *_: None)
    try:
        return loop.run_until_complete(World(content, shape, mutants).play())
    finally:
        _end(loop)


def _end(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(_gathered(tasks))
    loop.close()


async def _gathered(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
