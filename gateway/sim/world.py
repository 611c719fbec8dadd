"""A second composition root: the production write engine in a virtual world with two simulated ERPs.

One seed is one history. Nothing in it is random but by the seed, so a seed repeats its history exactly.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gateway.connectors.factory import make_connector
from gateway.control.content import Content
from gateway.core.canonical import OBJECTS, Document
from gateway.core.deployment import Auth, ErpLimits
from gateway.core.deployment import Erp as ErpRule
from gateway.core.intents import Accepted, Command, EpochMoved, Fenced, Known, Move, Verdict
from gateway.core.manifests import Manifest, Rule
from gateway.core.phases import PHASES, Side
from gateway.core.settling import US
from gateway.core.waves import Cell, moved
from gateway.dialects.library import Dialect
from gateway.errors import Doubtful, GatewayError, IdempotencyInFlight, RouteMoved, Unavailable
from gateway.pipeline.exchange import ErpPath, erp_path
from gateway.protocols.port import HttpCall
from gateway.reads.authoritative import ErpSide
from gateway.settings import shipped
from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.erp import Erp
from gateway.sim.judge import edited_lanes, judged, sides_agree
from gateway.sim.people import worked
from gateway.sim.seams import CALL_S, EXEC_S, Life, SimStore, SimWire
from gateway.sim.shape import CLOUD, LEGACY, Shape
from gateway.sim.virtual_time import VirtualLoop
from gateway.store.crosswalk import Crosswalk
from gateway.store.feeds import FeedBook, FeedId
from gateway.store.journal import Claimed, Journal
from gateway.store.schema import empty_sqlite
from gateway.store.sql import Database, StoreDown
from gateway.writes.engine import Write, Writes, Written
from gateway.writes.feed import Feeds
from gateway.writes.feed_plan import Feed, feeds_of
from gateway.writes.feed_state import FeedLimits
from gateway.writes.noticed import Reader, Waiting
from gateway.writes.place import Place, StoreClock, Timing
from gateway.writes.relay import RelayLimits

Row = tuple[Any, ...]
PLANT, DOMAIN, STOCK = "1000", "production", "inventory"
LEASE_S = 3.0
CRASH_AT_SEAM, NAP_AT_SEAM, NAP_WHEN_BEGUN, REFUSED_AGAIN, RELEASES, CONFIRMS = 0.003, 0.003, 0.04, 0.2, 0.25, 0.5
SETTLES_WITHIN_S = 600
START = datetime(2027, 1, 16, 6, tzinfo=UTC)
_RELEASED = ["released", "started", "confirmed", "delivered", "completed", "closed"]


@dataclass(slots=True)
class Sent:
    """What a client did and what it was told at last: acknowledged, pending, refused, unavailable, doubt or nothing."""

    reference: str
    verb: str
    told: str = "nothing"
    operation: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What one seed came to."""

    seed: int
    operations: int
    acknowledged: int
    open_cases: int
    violations: tuple[str, ...]
    faults: Counter[str]
    occurred: frozenset[str]
    trace: str


class CountingJournal(Journal):
    """The journal, and what the protocol had to do in it."""

    def __init__(
        self, database: Database, seen: Counter[str], taken: set[str], begun: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(database)
        self._seen, self._taken, self._begun = seen, taken, begun

    async def do(self, command: Command) -> Verdict:
        verdict = await self.committed(command)
        if isinstance(verdict, Accepted):
            self._taken.add(verdict.intent.id)
        if isinstance(command, Move):
            self._seen[f"{command.event}-{command.ref.side}"] += 1
            if command.case is not None:
                self._seen[f"case-{command.case.kind}"] += 1
        for kind, name in ((Fenced, "fenced"), (Known, "known"), (EpochMoved, "epoch-moved")):
            if isinstance(verdict, kind):
                self._seen[name] += 1
        if isinstance(command, Move) and command.event == "begin":
            await self._begun()
        return verdict

    async def committed(self, command: Command) -> Verdict:
        """What the production journal says, once it has committed."""
        return await super().do(command)


@dataclass(slots=True)
class Instance:
    """One gateway of a world, and the table as it last saw it."""

    life: Life
    writes: Writes
    paths: dict[str, ErpPath]
    starting: asyncio.Future[None]
    cell: Cell
    feeds: Feeds

    def waiting(self) -> Mapping[FeedId, Mapping[str, Waiting]]:
        """The records that it cannot tell yet."""
        return self.feeds.waiting if self.life.alive else {}


class World:
    """One history."""

    reader: type[Reader] = Reader

    def __init__(self, content: Content, shape: Shape, journal: type[CountingJournal] = CountingJournal) -> None:
        self.content, self.shape, self._journal = content, shape, journal
        self.dice = random.Random(shape.seed * 7919 + 1)  # noqa: S311  # a simulation
        self.faults: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.found: list[str] = []
        self.sent: list[Sent] = []
        self.flips: list[tuple[int, str]] = []
        """(epoch, phase) in the order in which they came into force."""
        self.taken: set[str] = set()
        """Intents of which the journal said that it has them."""
        self.edits = 0
        self.quiet = False
        self._traced, self._births, self._ids = hashlib.sha256(), 0, 0
        self._keys: set[str] = set()
        """Every key that a call was sent under."""
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(_schema())
        self.cell = Cell(PLANT, DOMAIN, LEGACY, CLOUD, shape.phase)
        self.connection.executemany(
            "INSERT INTO cell (plant, domain, legacy, cloud, phase, epoch, term) VALUES (?, ?, ?, ?, ?, 1, 1)",
            [(PLANT, domain, LEGACY, CLOUD, shape.phase) for domain in (DOMAIN, STOCK)],
        )
        self.erps = {LEGACY: self._erp("legacy", LEGACY), CLOUD: self._erp("cloud", CLOUD)}
        self.manifests = {name: _manifest(name, shape) for name in (LEGACY, CLOUD)}
        self.instances: list[Instance] = []

    def _erp(self, face: Any, name: str) -> Erp:
        window_s = self.shape.window_s[name] if self.shape.settle[name] == "key" else 0
        return Erp(
            ErpConfig(
                face=face, name=name, clock=self._clock, csrf=False, orders=1, purchases=0, dedup_window_s=window_s
            )
        )

    # Fate

    def between(self, least: float, most: float) -> float:
        return self.dice.uniform(least, most)

    def trace(self, text: str) -> None:
        self._traced.update(f"{self.now_s():.6f} {text}\n".encode())

    def later(self, delay_s: float, work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, work)

    def now_s(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    def wall_us(self) -> int:
        return int((START.timestamp() + self.now_s()) * US)

    def _clock(self) -> datetime:
        return START + timedelta(seconds=self.now_s())

    def store_fault(self) -> str | None:
        if self.quiet or not any(start <= self.now_s() < end for start, end in self.shape.store_outages):
            return None
        fault = self.dice.choice(("down", "down", "down", "unsure"))
        self.faults[f"store-{fault}"] += 1
        return fault

    def wire_fault(self, erp: str, call: HttpCall) -> str | None:
        if self.quiet or not self.shape.fault_rate:
            return None
        if self._again(call) and self.dice.random() < REFUSED_AGAIN:
            self.faults["refused-again"] += 1
            return "refused"
        if self.dice.random() >= self.shape.fault_rate:
            return None
        kinds = ["not-sent", "lost", "drop", "late", "late-drop", "slow", "busy"]
        if call.method == "POST" and "sap/" in call.target:
            kinds.append("refused")
        fault = self.dice.choice(kinds)
        self.faults[fault] += 1
        return fault

    def _again(self, call: HttpCall) -> bool:
        """Whether a call under this key left before: what stands before an ERP may refuse what the ERP already did."""
        key = call.headers.get("Repeatability-Request-ID")
        again = key in self._keys
        if key is not None:
            self._keys.add(key)
        return again

    def erp_down(self, erp: str) -> bool:
        down = not self.quiet and any(
            erp == name and start <= self.now_s() < end for name, start, end in self.shape.outages
        )
        self.faults[f"down-{'authoritative' if erp == self.authoritative else 'other'}"] += down
        return down

    @property
    def authoritative(self) -> str:
        """The ERP in charge now."""
        side = PHASES[self.table().phase].authoritative
        return LEGACY if side == "legacy" else CLOUD

    def dies(self, life: Life, place: str) -> None:
        if not self.quiet and self.shape.fault_rate and self.dice.random() < CRASH_AT_SEAM:
            self._crash(life, place)

    def naps(self, life: Life, often: float = NAP_AT_SEAM) -> None:
        """Now and then an instance stops for longer than its lease, and knows nothing of it when it goes on."""
        if not self.quiet and self.shape.fault_rate and self.dice.random() < often:
            self.faults["nap"] += 1
            life.asleep_until_s = self.now_s() + self.between(LEASE_S, 10 * LEASE_S)

    def _crash(self, life: Life, place: str) -> None:
        if not life.alive:
            return
        life.alive = False
        self.faults[f"crash-{place}"] += 1
        self.trace(f"{life.name} crashed {place}")
        self.crashed(life)
        self.later(self.between(0.5, 8.0), lambda: self.instances.append(self._born()))

    def crashed(self, life: Life) -> None:
        """For mutants that lose more than a crash should."""

    # Instances

    def _born(self) -> Instance:
        self._births += 1
        life = Life(f"gw-{self._births}")
        database = SimStore(self.connection, life, self)

        async def begun() -> None:
            """A step is in the journal and not on its way yet: the worst moment to fall asleep."""
            self.naps(life, NAP_WHEN_BEGUN)
            await life.go_on()

        journal, loop = self._journal(database, self.seen, self.taken, begun), asyncio.get_running_loop()
        skew_us = int(self.shape.skew_s[self._births % len(self.shape.skew_s)] * US)
        paths = {name: self._path(name, life) for name in (LEGACY, CLOUD)}
        timing = Timing(
            call_s=CALL_S,
            wall_us=StoreClock(lambda: self.wall_us() + skew_us),
            steady_s=loop.time,
            boot_s=loop.time,
            chance=self.dice.random,
        )
        writes = Writes(
            journal, Crosswalk(database), _Places(self, paths), timing, life.name, self._new_id, lambda: (LEGACY, CLOUD),
            RelayLimits(replication=4, poll_s=0.8, lease_s=LEASE_S), alone=False,
        )  # fmt: skip
        reader = self.reader(journal, writes.crosswalk, FeedBook(database), timing, life.name, self._new_id)
        limits = FeedLimits(poll_s=2.0 if self.shape.follows else 0.0, overlap_s=30.0)
        feeds = Feeds(reader, lambda: self.wanted_feeds(instance), limits)
        starting = asyncio.ensure_future(_starting(writes, feeds))
        instance = Instance(life, writes, paths, starting, self.table(), feeds)
        asyncio.ensure_future(self._following(instance))  # noqa: RUF006  # it ends with the world
        return instance

    async def _following(self, instance: Instance) -> None:
        """An instance sees a change of the table a little later."""
        while instance.life.alive:
            await asyncio.sleep(self.between(0.3, 1.0))
            await instance.life.go_on()
            instance.cell = self.table()

    def _new_id(self) -> str:
        self._ids += 1
        return hashlib.sha256(f"{self.shape.seed}/{self._ids}".encode()).hexdigest()[:32]

    def _path(self, name: str, life: Life) -> ErpPath:
        rule = self.content.erps[name]
        free = ErpRule(
            erp=name, title=name, dialect=rule.dialect, base_url="http://erp", auth=Auth(kind="none"),
            headers=rule.headers, limits=ErpLimits(breaker_failures=1000, call_timeout_s=CALL_S),
        )  # fmt: skip
        dialect = self.content.dialects[rule.dialect]
        connector = make_connector(free, dialect.file.protocol or "", SimWire(self.erps[name], name, life, self))
        return replace(_shapes(name, dialect), connector=connector)

    def table(self) -> Cell:
        """The cell as the store has it now."""
        phase, epoch, term = self.connection.execute("SELECT phase, epoch, term FROM cell").fetchone()
        return replace(self.cell, phase=phase, epoch=epoch, term=term)

    def wanted_feeds(self, instance: Instance) -> list[Feed]:
        """The feeds of the cells, as an instance sees them; orders and stock move together."""
        cells = (instance.cell, replace(instance.cell, domain=STOCK))

        def place(side: Side, object_: str) -> Place:
            return self.place(side, instance.paths, object_, instance.cell.term)

        return [feed for cell in cells for feed in feeds_of(cell, "c", place)]

    def place(self, side: Side, paths: dict[str, ErpPath], object_: str, term: int) -> Place:
        """Where a leg goes."""
        name = self.cell.erp(side) or ""
        found = paths[name].of(object_, PLANT)
        if found is None:
            raise LookupError(object_)
        return Place(ErpSide(name, paths[name].connector, found[0], found[1], PLANT, side, term), self.manifests[name])

    # The history

    async def play(self) -> History:
        """Let it all happen, then let it settle, then judge it."""
        self.instances = [self._born() for _ in range(self.shape.instances)]
        for at_s in self.shape.crashes:
            self.later(at_s, self._crash_one)
        for which, at_s, for_s in self.shape.pauses:
            self.later(at_s, lambda which=which, for_s=for_s: self._pause(which, for_s))  # type: ignore[misc]  # bound now
        for at_s, erp, what, user in self.shape.edits:
            self.later(at_s, lambda erp=erp, what=what, user=user: self._edited(erp, what, user))  # type: ignore[misc]  # bound now
        movers = [asyncio.ensure_future(self._mover()) for _ in range(self.shape.movers)]
        await asyncio.gather(*(self._client(n) for n in range(self.shape.keys)))
        await asyncio.gather(*movers)
        for at_s, *_ in self.shape.edits[-1:]:
            await asyncio.sleep(max(0.0, at_s - self.now_s()))
        self.quiet = True
        await self._settled()
        violations = (*self.found, *judged(self))
        cases = self.connection.execute("SELECT COUNT(*) FROM case_ WHERE state = 'open'").fetchone()[0]
        acknowledged = sum(sent.told == "acknowledged" for sent in self.sent)
        self.trace(str(sorted(self.seen.items())))
        return History(
            self.shape.seed, len(self.sent), acknowledged, cases, violations, self.faults, occurred(self),
            self._traced.hexdigest(),
        )  # fmt: skip

    def _edited(self, erp: str, what: str, user: str) -> None:
        """Somebody works in an ERP itself."""
        if worked(self.erps[erp], what, user, self.dice):
            self.edits += 1
            self.faults["direct-edit"] += 1
            self.trace(f"{user} {what} in {erp}")

    def _alive(self) -> list[Instance]:
        return [i for i in self.instances if i.life.alive]

    def _crash_one(self) -> None:
        if (alive := self._alive()) and not self.quiet:
            self._crash(self.dice.choice(alive).life, "any")

    def _pause(self, which: int, for_s: float) -> None:
        if (alive := self._alive()) and not self.quiet:
            self.faults["pause"] += 1
            alive[which % len(alive)].life.asleep_until_s = self.now_s() + for_s

    async def _mover(self) -> None:
        """Move the cell on when nothing is open: what a drained flip does, without freezing."""
        for at_s, phase in self.shape.moves:
            await asyncio.sleep(max(0.0, at_s - self.now_s()))
            expected = self.table()
            for _ in range(60):
                await asyncio.sleep(self.between(0.1, 0.4))
                if self._moved(expected, phase) is not None:
                    break

    def _moved(self, expected: Cell, phase: str) -> bool | None:
        """One try. None: something is open still."""
        now = self.table()
        if now.epoch != expected.epoch or now.phase == phase:
            self.seen["move-lost"] += 1
            return False
        if not self.drained():
            return None
        after = moved(now, phase)
        self.connection.execute("UPDATE cell SET phase = ?, epoch = ?, term = ?", (phase, after.epoch, after.term))
        self.flips.append((after.epoch, phase))
        self.trace(f"moved to {phase}")
        if PHASES[now.phase].authoritative != PHASES[phase].authoritative:
            self.seen["flip" if phase.endswith("cloud") else "rollback"] += 1
            # What somebody did in an ERP a moment ago may still be on its way.
            differing = sides_agree(self, but=edited_lanes(self))
            self.found += [f"I5 at the flip to {phase}: {words}" for words in differing]
        return True

    def drained(self) -> bool:
        """Whether nothing is open that is not parked."""
        return not self.connection.execute(
            "SELECT 1 FROM leg WHERE state NOT IN ('done', 'refused', 'voided', 'parked') LIMIT 1"
        ).fetchone()

    async def _client(self, number: int) -> None:
        """One caller with orders of its own, who repeats what it got no answer to under the same key."""
        key, released = None, False
        for n in range(self.shape.each):
            await asyncio.sleep(self.between(0.0, 5.0))
            reference = f"S{self.shape.seed}-{number}-{n}"
            if key is None:
                sent = await self._until_told("production_order", "create", None, _order(reference), reference)
                key = sent.key if sent.told == "acknowledged" else None
            elif released and self.dice.random() < CONFIRMS:
                await self._until_told("confirmation", "create", None, _confirmation(key), reference)
            elif not released and self.dice.random() < RELEASES:
                sent = await self._until_told("production_order", "release", key, None, reference)
                released = sent.told == "acknowledged"
            elif not released:
                patch: Document = {"quantity": Decimal(100 + n)}
                await self._until_told("production_order", "change", key, patch, reference)

    async def _until_told(
        self, object_: str, verb: str, key: str | None, document: Document | None, reference: str
    ) -> Sent:
        sent = Sent(reference, f"{verb} {object_}", key=key)
        self.sent.append(sent)
        for _ in range(80):
            await asyncio.sleep(self.between(0.01, 0.6))
            if not (alive := self._alive()):
                continue
            if await self._asked(self.dice.choice(alive), sent, object_, verb, key, document):
                return sent
        return sent

    async def _asked(
        self, instance: Instance, sent: Sent, object_: str, verb: str, key: str | None, document: Document | None
    ) -> bool:
        """Ask once. Gives: whether there is an answer that stands."""
        write = self._write(instance, object_, verb, key, document, sent.reference)
        try:
            got = await asyncio.wait_for(instance.writes.submit(write), timeout=CALL_S * 2)
        except RouteMoved:
            instance.cell = self.table()
            return False
        except (TimeoutError, IdempotencyInFlight):
            return False
        except (Unavailable, StoreDown):
            sent.told = "unavailable"
            return False
        except Doubtful:
            sent.told = "doubt"
            return False
        except GatewayError as err:
            sent.told = f"refused: {err.code}"
            return True
        sent.operation = got.operation
        sent.told = "pending"
        if not isinstance(got, Written):
            return False
        sent.told, sent.key = "acknowledged", got.outcome.key or key
        self.trace(f"acknowledged {sent.reference} {sent.key}")
        return True

    def _write(
        self, instance: Instance, object_: str, verb: str, key: str | None, document: Document | None, reference: str
    ) -> Write:
        cell = instance.cell
        places = tuple(self.place(side, instance.paths, object_, cell.term) for side in PHASES[cell.phase].writes)
        return Write(
            cell=cell, spec=OBJECTS[object_], verb=verb, key=key, document=document, if_match=None, places=places,
            client="mes", subject="mes", content="c", version="v2", deadline_s=self.now_s() + CALL_S,
            permitted=_permitted, idempotency_key=reference,
        )  # fmt: skip

    async def _settled(self) -> None:
        """Faults have stopped: what is owed must end, or stand in a case."""
        calm_s: float | None = None
        for _ in range(SETTLES_WITHIN_S):
            await asyncio.sleep(1.0)
            calm_s = None if self.still_open() else calm_s or self.now_s()
            if calm_s is not None and self._read_since(calm_s + 3.0):
                return

    def _read_since(self, since_s: float) -> bool:
        """Whether every feed was read to its end since then."""
        if not self.shape.follows:
            return True
        read: dict[Any, float] = {}
        for instance in self._alive():
            for id_, read_s in instance.feeds.gauge.read_s.items():
                read[id_] = max(read.get(id_, 0.0), read_s)
        if not (alive := self._alive()):
            return False
        return all(read.get(feed.id, 0.0) >= since_s for feed in self.wanted_feeds(alive[0]))

    def still_open(self) -> list[tuple[Any, ...]]:
        """Legs that have not ended and wait, directly or behind others, for no person."""
        rows = self.connection.execute(
            "SELECT intent, side, state, error, lane, lane_seq, authoritative FROM leg "
            "WHERE state NOT IN ('done', 'refused', 'voided')"
        ).fetchall()
        waits = self.connection.execute("SELECT intent, side, on_intent FROM wait").fetchall()
        blocked = {(r[0], r[1]) for r in rows if r[2] == "parked"}
        while more := {(r[0], r[1]) for r in rows if _behind(r, rows, waits, blocked)} - blocked:
            blocked |= more
        return [r[:4] for r in rows if (r[0], r[1]) not in blocked]


def _behind(leg: Row, legs: list[Row], waits: list[Row], blocked: set[tuple[str, str]]) -> bool:
    """Whether a leg waits for one that is blocked: its own authoritative one, an earlier one of its lane, or a parent's."""
    intent, side, _, _, lane, seq, _ = leg
    before = [
        r for r in legs if (r[4] == lane and r[1] == side and r[5] < seq) or (r[0] == intent and r[6] and r[1] != side)
    ]
    parents = {(on, s) for i, s, on in waits if (i, s) == (intent, side)}
    return bool(blocked & ({(r[0], r[1]) for r in before} | parents))


class _Places:
    """Finds a leg's place; a world has one content."""

    def __init__(self, world: World, paths: dict[str, ErpPath]) -> None:
        self._world, self._paths = world, paths

    async def of(self, leg: Claimed) -> Place:
        return self._world.place(leg.ref.side, self._paths, leg.intent.object, leg.intent.term)


_NOTED = "SELECT COUNT(*) FROM step s JOIN leg l USING (intent, side)"
_PAIRS = "SELECT COUNT(*) FROM crosswalk a JOIN crosswalk b USING (object, canonical)"


def occurred(w: World) -> frozenset[str]:
    """Which rows of the failure table this history met."""
    seen, faults, db = w.seen, w.faults, w.connection

    def rows(sql: str) -> bool:
        return bool(db.execute(sql).fetchone()[0])

    two = {s: sum(v for k, v in seen.items() if k.startswith(s)) for s in ("doubt-", "put_back-")}
    met = {
        "F1": faults["crash-before-commit"],
        "F2": faults["crash-after-commit"] or faults["crash-before-send"],
        "F3": faults["crash-after-answer"],
        "F4": two["doubt-"] and rows(f"{_NOTED} WHERE l.authoritative AND s.note IS NOT NULL"),
        "F5": two["doubt-"] and rows(f"{_NOTED} WHERE NOT l.authoritative AND s.note IS NOT NULL"),
        "F6": two["doubt-"] and "reference" in w.shape.settle.values(),
        "F7": rows("SELECT COUNT(*) FROM case_ WHERE reason LIKE '%remembers a key%'"),
        "F8": seen["known"],
        "F9": rows("SELECT COUNT(*) FROM intent WHERE lane_seq > 1"),
        "F10": rows("SELECT COUNT(*) FROM intent WHERE object = 'confirmation'"),
        "F11": seen["move-lost"],
        "F12": seen["epoch-moved"],
        "F13": seen["flip"] or seen["rollback"],
        "F14": faults["pause"] or faults["nap"],
        "F15": seen["known"] and w.flips,
        "F16": rows(f"{_PAIRS} WHERE a.space < b.space AND a.key <> b.key"),
        "F17": seen["case-split"],
        "F18": any(w.shape.skew_s),
        "F19": rows("SELECT COUNT(*) FROM leg WHERE state = 'parked'") and w.shape.keys > 1,
        "F20": faults["down-other"] > 0,
        "F21": faults["down-authoritative"] > 0,
        "F22": seen["rollback"],
        "F24": rows("SELECT COUNT(*) FROM intent WHERE origin = 'erp'"),
        "F25": faults["store-down"] or faults["store-unsure"],
    }  # fmt: skip
    return frozenset(name for name, value in met.items() if value)


async def _starting(writes: Writes, feeds: Feeds) -> None:
    while True:
        try:
            await writes.relay.start()
        except StoreDown:
            await asyncio.sleep(0.5)
        else:
            feeds.start()
            return


async def _permitted(_: Document) -> None:
    return None


def _order(reference: str) -> Document:
    return {
        "plant": PLANT, "item": "PUMP-100", "quantity": Decimal(10), "unit": "C62", "type": "PP01",
        "unloading_point": reference, "planned_start": START, "planned_end": START + timedelta(days=2),
    }  # fmt: skip


def _confirmation(order: str) -> Document:
    return {"plant": PLANT, "order": order, "operation": "20", "quantity": Decimal(1), "unit": "C62"}


def _manifest(name: str, shape: Shape) -> Manifest:
    """What the ERP of this history can do."""
    settle, window_s = shape.settle[name], float(shape.window_s[name])
    keyed = Rule(settle="key", key_header="Repeatability-Request-ID", dedup_window_s=window_s, max_exec_s=EXEC_S)
    field_ = "ZZGatewayId" if name == LEGACY else "YY1_GatewayId_ORD"
    found = Rule(settle="reference", lookup_by=field_, max_exec_s=EXEC_S)
    nothing = Rule(settle="none", max_exec_s=EXEC_S)
    derives = {"derives": ["movement"]}
    rules = {
        "create": {"key": keyed, "reference": found}.get(settle, nothing),
        "change": Rule(settle="conditional", max_exec_s=EXEC_S),
        "release": Rule(settle="conditional", max_exec_s=EXEC_S, evidence={"status": _RELEASED}),
    }
    confirmed = (keyed if settle == "key" else nothing).model_copy(update=derives)
    objects = {"production_order": rules, "confirmation": {"create": confirmed}}
    followed = {"production_order": "changed_at", "movement": "posting_date"}
    return Manifest(manifest=name, same_numbers=["item"], delta_feed=followed, objects=objects)


_PATHS: dict[tuple[str, int], ErpPath] = {}


def _shapes(name: str, dialect: Dialect) -> ErpPath:
    """The shapes of an ERP's documents, worked out once for all histories."""
    key = (name, id(dialect))
    if key not in _PATHS:
        _PATHS[key] = erp_path(name, None, dialect)  # type: ignore[arg-type]  # each world puts its own connector in
    return _PATHS[key]


@lru_cache(maxsize=1)
def _schema() -> bytes:
    """An empty database, made once by the schema revisions themselves."""
    return empty_sqlite(shipped() / "migrations")


def played(content: Content, shape: Shape, make: Callable[[Content, Shape], World] = World) -> History:
    """Play one history to its end."""
    loop = VirtualLoop()
    # Tasks of crashed instances are thrown away while they wait; that is what a crash is.
    loop.set_exception_handler(lambda *_: None)
    try:
        return loop.run_until_complete(make(content, shape).play())
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(_gathered(tasks))
        loop.close()


async def _gathered(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
