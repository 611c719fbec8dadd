"""What the two ERPs of a cell derived by themselves, compared: equal is counted, a difference is a person's to decide.

Nothing is written to an ERP. Each ERP's feed notes what it derived; whoever reads the feed of the ERP in charge compares. A difference
counts once both feeds were read to their end a while after it was first seen, and once no write that could explain it is owed to either
ERP any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded
from gateway.core.crosswalk import Number, canonical_id, erp_space, parents
from gateway.core.derived import Deriving, Paired, Record, amounts_of, attributed, lines_of, paired, told
from gateway.core.intents import ENDED, NewCase
from gateway.core.phases import SIDES
from gateway.observe.logs import log
from gateway.reads import numbers
from gateway.store.crosswalk import Crosswalk
from gateway.store.derived import DerivedBook, DerivedRow, Write
from gateway.writes.feed_plan import Feed
from gateway.writes.place import Timing

KIND = "derived"
UNKNOWN_S = 60.0
"""How long the document that a derived one refers to may stay unknown."""
_US = 1_000_000
_BEFORE_US = 86_400 * _US
"""So long before it was seen, a document's confirmation is looked for."""


@dataclass(slots=True)
class Comparison:
    """Compares for one instance. Takes: `settle_s`, how much later than the other an ERP may derive. Raises, everywhere: StoreDown."""

    crosswalk: Crosswalk
    book: DerivedBook
    timing: Timing
    settle_s: float
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(object, `equal`, `different` or `apart`) -> how many documents since the start."""

    async def noted(self, feed: Feed, key: str, document: Document) -> DerivedRow:
        """A derived document as the store keeps it."""
        erp, object_ = feed.source.side.name, feed.spec.name
        named = tuple(sorted(parents(object_, document)))
        (shown,) = await numbers.for_client(self.crosswalk, erp, object_, [document])
        record = Record(erp, key, self.timing.wall_us(), lines_of(shown))
        return DerivedRow(object_, feed.cell.plant, await self._parent(erp, named), named, record)

    async def early(self, feed: Feed, key: str, document: Document) -> DerivedRow | None:
        """One that was there before anybody looked: another's counterpart perhaps, and never a difference."""
        row = await self.noted(feed, key, document)
        return replace(row, state="left") if row.parent is not None else None

    async def look(self, feed: Feed) -> None:
        """Compare all that is new of a cell's object. Takes: the feed of the ERP in charge."""
        object_, plant = feed.spec.name, feed.cell.plant
        erps = {feed.source.side.name, feed.target.side.name}
        # Before the rows: a look that ends in between brings rows that are not among them.
        read_us = await self.book.read_us(object_, plant, erps)
        await self._resolve(await self.book.unresolved(object_, plant))
        rows = await self.book.groups(object_, plant)
        for _, group in groupby(sorted(rows, key=_by_parent), _by_parent):
            await self._group(feed, [row for row in group if row.record.erp in erps], read_us)

    async def _parent(self, erp: str, named: Collection[Number]) -> str | None:
        found = [await self.crosswalk.holder(object_, erp_space(erp), number) for object_, number in named]
        known = sorted(id_ for id_ in found if id_ is not None)
        if len(known) != len(found):
            return None
        return known[0] if len(known) == 1 else canonical_id("several", "", "+".join(known))

    async def _resolve(self, rows: Iterable[DerivedRow]) -> None:
        """A document made by hand becomes known when its own feed is read; what nobody mirrors has no counterpart."""
        now_us, strange, known = self.timing.wall_us(), list[DerivedRow](), list[tuple[DerivedRow, str]]()
        for row in rows:
            parent = await self._parent(row.record.erp, row.named)
            if parent is not None:
                known.append((row, parent))
            elif now_us - row.record.seen_us > UNKNOWN_S * _US:
                strange.append(row)
        await self.book.resolved(known)
        await self._settled(strange, "apart")

    async def _group(self, feed: Feed, rows: Sequence[DerivedRow], read_us: int) -> None:
        """All of both ERPs that refers to one document."""
        of = {row.record: row for row in rows}
        found: Paired = paired(of)
        await self._settled([of[record] for record in found.equal], "equal")
        before_us = read_us - int(self.settle_s * _US)
        due = {r for r in found.left if of[r].state == "new" and r.seen_us <= before_us}
        if not due:
            return
        shown = await self._shown(of[found.left[0]])
        writes = await self._deriving(feed, shown, min(record.seen_us for record in due), before_us)
        if any(write.open for write in writes):
            return  # what is owed may still derive it
        for write, records in _by_write(attributed(found.left, writes)):
            if due & set(records):
                told_of = [of[r] for r in records if of[r].state == "new" or of[r].case is not None]
                await self._differs(feed, told_of, write, shown)

    async def _settled(self, rows: Sequence[DerivedRow], state: str) -> None:
        if rows:
            await self.book.settle(rows, "equal" if state == "equal" else "apart", self.timing.wall_us())
        for row in rows:
            self.counted[row.object, state] += 1

    async def _differs(
        self, feed: Feed, rows: Sequence[DerivedRow], write: Deriving | None, shown: Collection[Number]
    ) -> None:
        """Rows without a counterpart, all of one write, or of none: then the last write to what they refer to stands for them."""
        new = [row for row in rows if row.state == "new"]
        if write is not None and not write.both:
            await self._settled(new, "apart")  # its own case says that only one ERP took it
            return
        intent = write.intent if write is not None else await self._last(rows[0])
        if intent is None:
            log.warning("derived.alone", object=rows[0].object, records=[row.record.key for row in rows])
            await self._settled(new, "apart")
            return
        reason = _reason(feed, rows, write, shown)
        if await self._told(feed, rows, new, intent, reason):
            self.counted[rows[0].object, "different"] += len(new)
            log.info("derived.differs", intent=intent, reason=reason)

    async def _told(
        self, feed: Feed, rows: Sequence[DerivedRow], new: Sequence[DerivedRow], intent: str, reason: str
    ) -> bool:
        """Ask a person, on the side that lacks something. Gives: False where another instance compares too, and was first."""
        case = next((row.case for row in rows if row.case is not None), None)
        if case is not None:
            return await self.book.add_to_case(new, case, reason)
        alone = feed.source.side.name not in {row.record.erp for row in rows}
        side = feed.source.side.side if alone else feed.target.side.side
        return await self.book.open_case(new, intent, side, NewCase(KIND, reason), self.timing.wall_us())

    async def _last(self, row: DerivedRow) -> str | None:
        """A case about a leg that is owed would be closed with it: only a write that is done with stands for what no write explains."""
        found = await self.book.ended(row.parent or "")
        return next((write.id for write in found if len(write.legs) == len(SIDES)), None)

    async def _shown(self, row: DerivedRow) -> list[Number]:
        """What a row refers to, in the numbers that clients know."""
        known = await self.crosswalk.to_shown(row.record.erp, row.named)
        return [(object_, known.get((object_, number), number)) for object_, number in row.named]

    async def _deriving(self, feed: Feed, shown: Collection[Number], seen_us: int, before_us: int) -> list[Deriving]:
        """The writes that could explain a group, the newest first; one that ended after `before_us` is open still."""
        found: dict[str, Deriving] = {}
        for object_, number in shown:
            writes = await self.book.writes(feed.deriving, feed.cell.plant, seen_us - _BEFORE_US, number)
            found |= {w.id: d for w in writes if (d := _deriving(w, (object_, number), before_us)) is not None}
        return list(found.values())


def _by_parent(row: DerivedRow) -> str:
    return row.parent or ""


def _deriving(write: Write, of: Number, before_us: int) -> Deriving | None:
    document = loaded(write.document or "{}")
    if of not in parents(write.object, document):
        return None
    both = len(write.legs) == len(SIDES) and all(state == "done" for state in write.legs.values())
    owed = any(state not in ENDED for state in write.legs.values()) or max(write.ends_us.values()) > before_us
    return Deriving(write.id, amounts_of(document), both, owed)


def _by_write(found: dict[Record, Deriving | None]) -> Iterator[tuple[Deriving | None, list[Record]]]:
    for write in dict.fromkeys(found.values()):
        yield write, [record for record, its in found.items() if its == write]


def _reason(feed: Feed, rows: Sequence[DerivedRow], write: Deriving | None, shown: Iterable[Number]) -> str:
    """What each ERP derived, in words."""
    told_of = {
        place.side.name: told([row.record for row in rows if row.record.erp == place.side.name], feed.spec.name)
        for place in (feed.source, feed.target)
    }
    said = ", and ".join(
        f"{erp} has {words or 'nothing like it'}"
        for erp, words in sorted(told_of.items(), key=lambda each: not each[1])
    )
    of = ", ".join(f"{object_} {number}" for object_, number in shown)
    why = f"derived from this write to {of}" if write is not None else f"of {of}, which no write explains"
    return f"{said}; {why}"
