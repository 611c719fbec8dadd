"""A second composition root: the production write engine in a virtual world with two simulated ERPs.

One seed is one history. Nothing in it is random but by the seed, so a seed repeats its history exactly.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from gateway.control.content import Content
from gateway.core.canonical.stored import loaded
from gateway.core.phases import PHASES
from gateway.core.waves import Cell, moved
from gateway.settings import shipped
from gateway.sim.clients import Client, Sent
from gateway.sim.edited import edited_lanes
from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.truth import Entry
from gateway.sim.fate import Dice
from gateway.sim.instance import Instance
from gateway.sim.judge import judged, sides_agree
from gateway.sim.occurred import occurred
from gateway.sim.people import worked
from gateway.sim.seams import CountingJournal, Life
from gateway.sim.shape import BEFORE, CLOUD, CORRECTED, DOMAIN, LEGACY, PLANT, STOCK, Shape, manifest
from gateway.sim.virtual_time import VirtualLoop
from gateway.store.schema import empty_sqlite
from gateway.writes.noticed import PATIENCE_S, Reader

Row = tuple[Any, ...]
Contents = Mapping[str, Content]
"""Content revisions by their names."""
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


class World:
    """One history."""

    reader: type[Reader] = Reader

    def __init__(self, contents: Contents, shape: Shape, journal: type[CountingJournal] = CountingJournal) -> None:
        self.contents, self.shape, self.journal = contents, shape, journal
        self.fate = Dice(shape)
        self.fate.crash, self.fate.in_charge = self._crash, self._in_charge
        self.seen: Counter[str] = Counter()
        self.found = self.fate.found
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
        return Instance(self, self._births)

    def new_id(self) -> str:
        """The next id of an intent."""
        self._ids += 1
        return hashlib.sha256(f"{self.shape.seed}/{self._ids}".encode()).hexdigest()[:32]

    def kept_beside(self, name: str) -> dict[str, str] | None:
        """The recipients of orders that the gateway keeps for an ERP, by number; None where the ERP has them."""
        found = self.contents[BEFORE].spoken(name, "production_order", PLANT)
        if found is None or "recipient" not in found.plan.beside:
            return None
        query = "SELECT key, value FROM beside WHERE erp = ? AND object = 'production_order' AND field = 'recipient'"
        return {key.lstrip("0"): loaded(value) for key, value in self.connection.execute(query, (name,))}

    def content(self) -> str:
        """The content revision in force now."""
        at_s = self.shape.corrected_at_s
        return CORRECTED if at_s is not None and self.fate.now_s() >= at_s else BEFORE

    def table(self) -> Cell:
        """The cell as the store has it now."""
        phase, epoch, term = self.connection.execute("SELECT phase, epoch, term FROM cell").fetchone()
        return replace(self.cell, phase=phase, epoch=epoch, term=term)

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
        self.fate.faults["two-gateways"] += self.shape.instances > 1
        self.fate.faults["backflush"] += sum(e.origin == "derived" and e.type.role == "movement" for e in self.truth())
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

    def truth(self) -> Iterator[Entry]:
        """What really happened in the ERPs."""
        return (entry for erp in self.erps.values() for entry in erp.truth)

    def alive(self) -> list[Instance]:
        """The instances that did not crash."""
        return [i for i in self.instances if i.life.alive]

    def serving(self) -> list[Instance]:
        """Those of them whose ports are open: a gateway takes no call before it has its lease and the store's time."""
        return [i for i in self.alive() if i.starting.done()]

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
        self.fate.faults["phase-change"] += 1
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
        calm_s, known = None, -1
        for _ in range(SETTLES_WITHIN_S):
            await asyncio.sleep(1.0)
            (writes,) = self.connection.execute("SELECT COUNT(*) FROM intent").fetchone()
            # What a feed has just carried over may have more to it, which the next look shows.
            calm_s = None if self.still_open() or writes != known else calm_s or self.fate.now_s()
            known = writes
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
        if not (alive := self.alive()) or self._looked_at_again():
            return False
        return all(read.get(feed.id, 0.0) >= since_s for feed in alive[0].wanted_feeds())

    def _looked_at_again(self) -> bool:
        """Whether a record waits for the next look, and for nobody's decision."""
        since_s = self.fate.now_s() - 2 * PATIENCE_S
        records = (
            each for instance in self.alive() for waiting in instance.waiting().values() for each in waiting.values()
        )
        return any(not each.creating and each.since_s > since_s for each in records)

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


@lru_cache(maxsize=1)
def _schema() -> bytes:
    """An empty database, made once by the schema revisions themselves."""
    return empty_sqlite(shipped() / "migrations")


def played(contents: Contents, shape: Shape, make: Callable[[Contents, Shape], World] = World) -> History:
    """Play one history to its end."""
    loop = VirtualLoop()
    # Tasks of crashed instances are thrown away while they wait; that is what a crash is.
    loop.set_exception_handler(lambda *_: None)
    try:
        return loop.run_until_complete(make(contents, shape).play())
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(_gathered(tasks))
        loop.close()


async def _gathered(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
