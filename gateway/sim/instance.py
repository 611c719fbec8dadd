"""One gateway of a simulated world: the production engine and feed reader on seams that lose, delay and repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.connectors.factory import make_connector
from gateway.control.content import Content
from gateway.core.deployment import Auth, ErpLimits
from gateway.core.deployment import Erp as ErpRule
from gateway.core.phases import Side
from gateway.core.settling import US
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect
from gateway.pipeline.exchange import ErpPath, erp_path
from gateway.reads.authoritative import ErpSide
from gateway.sim.fate import LEASE_S
from gateway.sim.seams import CALL_S, Life, SimStore, SimWire
from gateway.sim.shape import PLANT, STOCK
from gateway.store.beside import BesideBook
from gateway.store.crosswalk import Crosswalk
from gateway.store.derived import DerivedBook
from gateway.store.feeds import FeedBook, FeedId
from gateway.store.journal import Claimed
from gateway.store.sql import StoreDown
from gateway.writes.derived import Comparison
from gateway.writes.engine import Writes
from gateway.writes.feed import Feeds
from gateway.writes.feed_plan import Feed, feeds_of
from gateway.writes.feed_state import FeedLimits
from gateway.writes.noticed import Waiting
from gateway.writes.place import Place, StoreClock, Timing
from gateway.writes.relay import RelayLimits

if TYPE_CHECKING:
    from gateway.sim.world import World

NAP_WHEN_BEGUN = 0.04
SETTLES_S = 4.0
"""How much later than the other an ERP may derive its movements."""


class Instance:
    """One gateway, and the table as it last saw it. It begins when it is made, and needs a running loop."""

    def __init__(self, world: World, birth: int) -> None:
        self._world = world
        self.life = Life(f"gw-{birth}")
        self.cell, self.content = world.table(), world.content()
        database = SimStore(world.connection, self.life, world.fate)
        journal, loop = world.journal(database, world.seen, world.taken, self._begun), asyncio.get_running_loop()
        skew_us = int(world.shape.skew_s[birth % len(world.shape.skew_s)] * US)
        timing = Timing(
            call_s=CALL_S,
            wall_us=StoreClock(lambda: world.fate.wall_us() + skew_us),
            steady_s=loop.time,
            boot_s=loop.time,
            chance=world.fate.dice.random,
        )
        self._paths: dict[tuple[str, str], ErpPath] = {}
        self._beside = BesideBook(database)
        self.writes = Writes(
            journal, Crosswalk(database), self, timing, self.life.name, world.new_id, lambda: tuple(world.erps),
            RelayLimits(replication=4, poll_s=0.8, lease_s=LEASE_S), alone=False,
        )  # fmt: skip
        compared = Comparison(self.writes.crosswalk, DerivedBook(database), timing, SETTLES_S)
        reader = world.reader(
            journal,
            self.writes.crosswalk,
            FeedBook(database),
            self,
            timing,
            self.life.name,
            world.new_id,
            comparison=compared,
        )
        limits = FeedLimits(poll_s=2.0 if world.shape.follows else 0.0, overlap_s=30.0)
        self.feeds = Feeds(reader, self.wanted_feeds, limits)
        self.starting = asyncio.ensure_future(self._started())
        self._following = asyncio.ensure_future(self._followed())

    async def _begun(self) -> None:
        """A step is in the journal and not on its way yet: the worst moment to fall asleep."""
        self._world.fate.naps(self.life, NAP_WHEN_BEGUN)
        await self.life.go_on()

    async def _started(self) -> None:
        while True:
            try:
                await self.writes.relay.start()
            except StoreDown:
                await asyncio.sleep(0.5)
            else:
                self.feeds.start()
                return

    async def _followed(self) -> None:
        """An instance sees a change of the table a little later."""
        while self.life.alive:
            await asyncio.sleep(self._world.fate.between(0.3, 1.0))
            await self.life.go_on()
            self.cell, self.content = self._world.table(), self._world.content()

    def waiting(self) -> Mapping[FeedId, Mapping[str, Waiting]]:
        """The records that it cannot tell yet."""
        return self.feeds.waiting if self.life.alive else {}

    def wanted_feeds(self) -> list[Feed]:
        """The feeds of the cells, as this instance sees them; orders and stock move together."""
        cells = (self.cell, replace(self.cell, domain=STOCK))

        def place(side: Side, object_: str) -> Place:
            return self.place(side, object_, self.cell.term)

        return [feed for cell in cells for feed in feeds_of(cell, self.content, place)]

    async def of(self, leg: Claimed) -> Place:
        """A leg's place, in the content its intent was accepted with."""
        self._world.seen["other-words"] += leg.intent.content != self.content
        return self.place(leg.ref.side, leg.intent.object, leg.intent.term, leg.intent.content)

    async def spoken(self, feed: FeedId, content: str) -> Translation | None:
        """How a feed's ERP was spoken to under a content."""
        return self._world.contents[content].spoken(*feed)

    def place(self, side: Side, object_: str, term: int, content: str | None = None) -> Place:
        """Where a write of an object goes, as a content says it: the one in force, where none is named."""
        name = self.cell.erp(side) or ""
        path = self._path_to(name, content or self.content)
        found = path.of(object_, PLANT)
        if found is None:
            raise LookupError(object_)
        at = ErpSide(name, path.connector, found[0], found[1], PLANT, side, term, beside=self._beside)
        return Place(at, self._world.manifests[name])

    def _path_to(self, name: str, content: str) -> ErpPath:
        if (name, content) not in self._paths:
            self._paths[name, content] = self._path(name, self._world.contents[content])
        return self._paths[name, content]

    def _path(self, name: str, content: Content) -> ErpPath:
        rule = content.erps[name]
        free = ErpRule(
            erp=name, title=name, dialect=rule.dialect, base_url="http://erp", auth=Auth(kind="none"),
            headers=rule.headers, limits=ErpLimits(breaker_failures=1000, call_timeout_s=CALL_S),
        )  # fmt: skip
        dialect = content.dialects[rule.dialect]
        wire = SimWire(self._world.erps[name], name, self.life, self._world.fate)
        return replace(_shapes(name, dialect), connector=make_connector(free, dialect.file.protocol or "", wire))


_PATHS: dict[tuple[str, int], ErpPath] = {}


def _shapes(name: str, dialect: Dialect) -> ErpPath:
    """The shapes of an ERP's documents, worked out once for all histories."""
    key = (name, id(dialect))
    if key not in _PATHS:
        _PATHS[key] = erp_path(name, None, dialect)  # type: ignore[arg-type]  # each world puts its own connector in
    return _PATHS[key]
