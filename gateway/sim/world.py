"""A second composition root: the production write engine in a virtual world with two simulated ERPs.

One seed is one history. Nothing in it is random but by the seed, so a seed repeats its history exactly.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from gateway.connectors.factory import make_connector
from gateway.control.content import Content
from gateway.core.canonical.stored import loaded
from gateway.core.deployment import Auth, ErpLimits
from gateway.core.deployment import Erp as ErpRule
from gateway.core.phases import PHASES, Side
from gateway.core.settling import US
from gateway.core.waves import Cell, moved
from gateway.dialects.library import Dialect
from gateway.pipeline.exchange import ErpPath, erp_path
from gateway.reads.authoritative import ErpSide
from gateway.settings import shipped
from gateway.sim.clients import Client, Sent
from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.erp import Erp
from gateway.sim.fate import LEASE_S, Dice
from gateway.sim.judge import edited_lanes, judged, sides_agree
from gateway.sim.occurred import occurred
from gateway.sim.people import worked
from gateway.sim.seams import CALL_S, CountingJournal, Life, SimStore, SimWire
from gateway.sim.shape import CLOUD, LEGACY, PLANT, Shape, manifest
from gateway.sim.virtual_time import VirtualLoop
from gateway.store.beside import BesideBook
from gateway.store.crosswalk import Crosswalk
from gateway.store.feeds import FeedBook, FeedId
from gateway.store.journal import Claimed
from gateway.store.schema import empty_sqlite
from gateway.store.sql import StoreDown
from gateway.writes.engine import Writes
from gateway.writes.feed import Feeds
from gateway.writes.feed_plan import Feed, feeds_of
from gateway.writes.feed_state import FeedLimits
from gateway.writes.noticed import Reader, Waiting
from gateway.writes.place import Place, StoreClock, Timing
from gateway.writes.relay import RelayLimits

Row = tuple[Any, ...]
DOMAIN, STOCK = "production", "inventory"
NAP_WHEN_BEGUN = 0.04
SETTLES_WITHIN_S = 600


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


@dataclass(slots=True)
class Instance:
    """One gateway of a world, and the table as it last saw it."""

    life: Life
    writes: Writes
    paths: dict[str, ErpPath]
    starting: asyncio.Future[None]
    cell: Cell
    feeds: Feeds
    beside: BesideBook

    def waiting(self) -> Mapping[FeedId, Mapping[str, Waiting]]:
        """The records that it cannot tell yet."""
        return self.feeds.waiting if self.life.alive else {}


class World:
    """One history."""

    reader: type[Reader] = Reader

    def __init__(self, content: Content, shape: Shape, journal: type[CountingJournal] = CountingJournal) -> None:
        self.content, self.shape, self._journal = content, shape, journal
        self.fate = Dice(shape)
        self.fate.crash, self.fate.in_charge = self._crash, self._in_charge
        self.seen: Counter[str] = Counter()
        self.found: list[str] = []
        self.sent: list[Sent] = []
        self.flips: list[tuple[int, str]] = []
        """(epoch, phase) in the order in which they came into force."""
        self.taken: set[str] = set()
        """Intents of which the journal said that it has them."""
        self.edits = 0
        self._births, self._ids = 0, 0
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(_schema())
        self.cell = Cell(PLANT, DOMAIN, LEGACY, CLOUD, shape.phase)
        self.connection.executemany(
            "INSERT INTO cell (plant, domain, legacy, cloud, phase, epoch, term) VALUES (?, ?, ?, ?, ?, 1, 1)",
            [(PLANT, domain, LEGACY, CLOUD, shape.phase) for domain in (DOMAIN, STOCK)],
        )
        self.erps = {LEGACY: self._erp("legacy", LEGACY), CLOUD: self._erp("cloud", CLOUD)}
        self.manifests = {name: manifest(name, shape) for name in (LEGACY, CLOUD)}
        self.instances: list[Instance] = []

    def _erp(self, face: Any, name: str) -> Erp:
        window_s = self.shape.window_s[name] if self.shape.settle[name] == "key" else 0
        return Erp(
            ErpConfig(
                face=face, name=name, clock=self.fate.clock, csrf=False, orders=1, purchases=0, dedup_window_s=window_s
            )
        )

    def _in_charge(self) -> str:
        """The ERP in charge now."""
        side = PHASES[self.table().phase].authoritative
        return LEGACY if side == "legacy" else CLOUD

    def _crash(self, life: Life, place: str) -> None:
        if not life.alive:
            return
        life.alive = False
        self.fate.faults[f"crash-{place}"] += 1
        self.fate.trace(f"{life.name} crashed {place}")
        self.crashed(life)
        self.fate.later(self.fate.between(0.5, 8.0), lambda: self.instances.append(self._born()))

    def crashed(self, life: Life) -> None:
        """For mutants that lose more than a crash should."""

    # Instances

    def _born(self) -> Instance:
        self._births += 1
        life = Life(f"gw-{self._births}")
        database = SimStore(self.connection, life, self.fate)

        async def begun() -> None:
            """A step is in the journal and not on its way yet: the worst moment to fall asleep."""
            self.fate.naps(life, NAP_WHEN_BEGUN)
            await life.go_on()

        journal, loop = self._journal(database, self.seen, self.taken, begun), asyncio.get_running_loop()
        skew_us = int(self.shape.skew_s[self._births % len(self.shape.skew_s)] * US)
        paths, beside = {name: self._path(name, life) for name in (LEGACY, CLOUD)}, BesideBook(database)
        timing = Timing(
            call_s=CALL_S,
            wall_us=StoreClock(lambda: self.fate.wall_us() + skew_us),
            steady_s=loop.time,
            boot_s=loop.time,
            chance=self.fate.dice.random,
        )
        writes = Writes(
            journal, Crosswalk(database), _Places(self, paths, beside), timing, life.name, self._new_id, lambda: (LEGACY, CLOUD),
            RelayLimits(replication=4, poll_s=0.8, lease_s=LEASE_S), alone=False,
        )  # fmt: skip
        reader = self.reader(journal, writes.crosswalk, FeedBook(database), timing, life.name, self._new_id)
        limits = FeedLimits(poll_s=2.0 if self.shape.follows else 0.0, overlap_s=30.0)
        feeds = Feeds(reader, lambda: self.wanted_feeds(instance), limits)
        starting = asyncio.ensure_future(_starting(writes, feeds))
        instance = Instance(life, writes, paths, starting, self.table(), feeds, beside)
        asyncio.ensure_future(self._following(instance))  # noqa: RUF006  # it ends with the world
        return instance

    async def _following(self, instance: Instance) -> None:
        """An instance sees a change of the table a little later."""
        while instance.life.alive:
            await asyncio.sleep(self.fate.between(0.3, 1.0))
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
        connector = make_connector(free, dialect.file.protocol or "", SimWire(self.erps[name], name, life, self.fate))
        return replace(_shapes(name, dialect), connector=connector)

    def kept_beside(self, name: str) -> dict[str, str] | None:
        """The recipients of orders that the gateway keeps for an ERP, by number; None where the ERP has them."""
        found = self.content.dialects[self.content.erps[name].dialect].of("production_order", PLANT)
        if found is None or "recipient" not in found.plan.beside:
            return None
        query = "SELECT key, value FROM beside WHERE erp = ? AND object = 'production_order' AND field = 'recipient'"
        return {key.lstrip("0"): loaded(value) for key, value in self.connection.execute(query, (name,))}

    def table(self) -> Cell:
        """The cell as the store has it now."""
        phase, epoch, term = self.connection.execute("SELECT phase, epoch, term FROM cell").fetchone()
        return replace(self.cell, phase=phase, epoch=epoch, term=term)

    def wanted_feeds(self, instance: Instance) -> list[Feed]:
        """The feeds of the cells, as an instance sees them; orders and stock move together."""
        cells = (instance.cell, replace(instance.cell, domain=STOCK))

        def place(side: Side, object_: str) -> Place:
            return self.place(side, instance.paths, instance.beside, object_, instance.cell.term)

        return [feed for cell in cells for feed in feeds_of(cell, "c", place)]

    def place(self, side: Side, paths: dict[str, ErpPath], beside: BesideBook, object_: str, term: int) -> Place:
        """Where a leg goes."""
        name = self.cell.erp(side) or ""
        found = paths[name].of(object_, PLANT)
        if found is None:
            raise LookupError(object_)
        at = ErpSide(name, paths[name].connector, found[0], found[1], PLANT, side, term, beside=beside)
        return Place(at, self.manifests[name])

    # The history

    async def play(self) -> History:
        """Let it all happen, then let it settle, then judge it."""
        self.instances = [self._born() for _ in range(self.shape.instances)]
        for at_s in self.shape.crashes:
            self.fate.later(at_s, self._crash_one)
        for which, at_s, for_s in self.shape.pauses:
            self.fate.later(at_s, lambda which=which, for_s=for_s: self._pause(which, for_s))  # type: ignore[misc]  # bound now
        for at_s, erp, what, user in self.shape.edits:
            self.fate.later(at_s, lambda erp=erp, what=what, user=user: self._edited(erp, what, user))  # type: ignore[misc]  # bound now
        movers = [asyncio.ensure_future(self._mover()) for _ in range(self.shape.movers)]
        await asyncio.gather(*(Client(self, n).play() for n in range(self.shape.keys)))
        await asyncio.gather(*movers)
        for at_s, *_ in self.shape.edits[-1:]:
            await asyncio.sleep(max(0.0, at_s - self.fate.now_s()))
        self.fate.quiet = True
        await self._settled()
        violations = (*self.found, *judged(self))
        cases = self.connection.execute("SELECT COUNT(*) FROM case_ WHERE state = 'open'").fetchone()[0]
        acknowledged = sum(sent.told == "acknowledged" for sent in self.sent)
        self.fate.trace(str(sorted(self.seen.items())))
        return History(
            self.shape.seed, len(self.sent), acknowledged, cases, violations, self.fate.faults, occurred(self),
            self.fate.traced(),
        )  # fmt: skip

    def _edited(self, erp: str, what: str, user: str) -> None:
        """Somebody works in an ERP itself."""
        if worked(self.erps[erp], what, user, self.fate.dice):
            self.edits += 1
            self.fate.faults["direct-edit"] += 1
            self.fate.trace(f"{user} {what} in {erp}")

    def alive(self) -> list[Instance]:
        """The instances that did not crash."""
        return [i for i in self.instances if i.life.alive]

    def _crash_one(self) -> None:
        if (alive := self.alive()) and not self.fate.quiet:
            self._crash(self.fate.dice.choice(alive).life, "any")

    def _pause(self, which: int, for_s: float) -> None:
        if (alive := self.alive()) and not self.fate.quiet:
            self.fate.faults["pause"] += 1
            alive[which % len(alive)].life.asleep_until_s = self.fate.now_s() + for_s

    async def _mover(self) -> None:
        """Move the cell on when nothing is open: what a drained flip does, without freezing."""
        for at_s, phase in self.shape.moves:
            await asyncio.sleep(max(0.0, at_s - self.fate.now_s()))
            expected = self.table()
            for _ in range(60):
                await asyncio.sleep(self.fate.between(0.1, 0.4))
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
        self.fate.trace(f"moved to {phase}")
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

    async def _settled(self) -> None:
        """Faults have stopped: what is owed must end, or stand in a case."""
        calm_s: float | None = None
        for _ in range(SETTLES_WITHIN_S):
            await asyncio.sleep(1.0)
            calm_s = None if self.still_open() else calm_s or self.fate.now_s()
            if calm_s is not None and self._read_since(calm_s + 3.0):
                return

    def _read_since(self, since_s: float) -> bool:
        """Whether every feed was read to its end since then."""
        if not self.shape.follows:
            return True
        read: dict[Any, float] = {}
        for instance in self.alive():
            for id_, read_s in instance.feeds.gauge.read_s.items():
                read[id_] = max(read.get(id_, 0.0), read_s)
        if not (alive := self.alive()):
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

    def __init__(self, world: World, paths: dict[str, ErpPath], beside: BesideBook) -> None:
        self._world, self._paths, self._beside = world, paths, beside

    async def of(self, leg: Claimed) -> Place:
        return self._world.place(leg.ref.side, self._paths, self._beside, leg.intent.object, leg.intent.term)


async def _starting(writes: Writes, feeds: Feeds) -> None:
    while True:
        try:
            await writes.relay.start()
        except StoreDown:
            await asyncio.sleep(0.5)
        else:
            feeds.start()
            return


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
