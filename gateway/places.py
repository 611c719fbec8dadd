"""Where legs and feeds go: an ERP by its declared address and budget, in the words of the content that a write was taken with."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from gateway.connectors.registry import Connectors
from gateway.control.content import Content, load, unpack
from gateway.core.budget import Priority, priority_of_leg
from gateway.core.deployment import Erp
from gateway.core.phases import Side
from gateway.core.waves import Cell
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect
from gateway.errors import Broken, ContentError
from gateway.pipeline.exchange import ErpPath, InForce, erp_path
from gateway.reads.authoritative import ErpSide
from gateway.store.engine import Store
from gateway.store.feeds import FeedId
from gateway.store.journal import Claimed
from gateway.store.waves import files_of
from gateway.writes.place import Place

_CONTENTS_KEPT = 4
_SPOKEN_KEPT = 1000


class Places:
    """Finds places. What is in force is asked for each time: it changes under a leg that waits."""

    def __init__(self, store: Store, connectors: Connectors, in_force: Callable[[], InForce | None]) -> None:
        self._store, self._connectors, self._in_force = store, connectors, in_force
        self._contents: OrderedDict[str, Content] = OrderedDict()
        self._spoken: OrderedDict[tuple[str, ...], Translation | None] = OrderedDict()

    async def of(self, leg: Claimed) -> Place:
        """Where a leg goes. Raises: Broken: its content is in no archive, or its ERP has no such object."""
        intent = leg.intent
        content = await self.content_of(intent.content)
        path = self._path_to(content, leg.erp)
        found = path.of(intent.object, intent.plant)
        if found is None:
            raise Broken(f"{leg.erp} has no {intent.object}.")
        priority = priority_of_leg(
            authoritative=leg.authoritative, settling=leg.state == "settling", reopened=leg.reopened > 0
        )
        made = self._in_force()
        side = ErpSide(
            leg.erp, path.connector, found[0], found[1], intent.plant, leg.ref.side, intent.term, priority,
            made.kept if made is not None else None,
        )  # fmt: skip
        return Place(side, content.manifest(leg.erp))

    def fed(self, made: InForce, cell: Cell, side: Side, object_: str) -> Place | None:
        """Where a cell's feed of an object is read; None where its ERP has no such object."""
        name = cell.erp(side)
        path = made.erps.get(name) if name is not None else None
        found = path.of(object_, cell.plant) if path is not None else None
        if name is None or path is None or found is None:
            return None
        at = ErpSide(
            name, path.connector, found[0], found[1], cell.plant, side, cell.term, Priority.REPLICATION, made.kept
        )
        return Place(at, made.content.manifest(name))

    async def spoken(self, feed: FeedId, content: str) -> Translation | None:
        """How a feed's ERP was spoken to under a content; None where nobody knows that any more."""
        key = (*feed, content)
        if key not in self._spoken:
            try:
                self._spoken[key] = (await self.content_of(content)).spoken(*feed)
            except (Broken, ContentError):
                self._spoken[key] = None
            while len(self._spoken) > _SPOKEN_KEPT:
                self._spoken.popitem(last=False)
        return self._spoken[key]

    async def content_of(self, revision: str) -> Content:
        """The content that an intent was accepted with. Raises: Broken: it is in no archive."""
        made = self._in_force()
        if made is not None and made.content.revision == revision:
            return made.content
        if revision not in self._contents:
            blob = await files_of(self._store, revision)
            if blob is None:
                raise Broken(f"The archive has no content {revision}.")
            # A leg asks no policy: one that was once in force is not tried again, nor by another engine.
            self._contents[revision] = await asyncio.to_thread(load, unpack(blob), try_policies=False)
            while len(self._contents) > _CONTENTS_KEPT:
                self._contents.popitem(last=False)
        return self._contents[revision]

    def path(self, erp: Erp, dialect: Dialect) -> ErpPath:
        """The way to an ERP as declared."""
        return erp_path(erp.erp, self._connectors.to(erp, dialect.file.protocol or ""), dialect)

    def _path_to(self, content: Content, erp: str) -> ErpPath:
        """The way to an ERP: the words are the given content's, the address and the budget those in force."""
        made = self._in_force()
        if made is not None and made.content is content:
            return made.erps[erp]
        declared = content.erps[erp]
        dialect = content.dialects[declared.dialect]
        now = made.content.erps.get(erp) if made is not None else None
        if made is not None and now is not None:
            same = made.content.dialects[now.dialect].file.protocol == dialect.file.protocol
            declared = now if same else declared
        return self.path(declared, dialect)
