"""What becomes of one record of a change feed: nothing, or an intent of origin `erp` that carries a person's edit to the other ERP.

An edit is believed only of a document that was read between two looks at the journal which saw the same: what was read before one of
our own writes ended looks like somebody took it back. The journal takes the intent only if its lane has not moved since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core import feeds, settling
from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped
from gateway.core.crosswalk import SHOWN, Number, canonical_id, erp_space, parents
from gateway.core.feeds import Difference, Verdict
from gateway.errors import GatewayError, NoSuchDocument, Unavailable
from gateway.observe.logs import log
from gateway.reads import numbers
from gateway.reads.authoritative import find
from gateway.store.crosswalk import Crosswalk
from gateway.store.feeds import FeedBook, FeedId, Image, Line, Looked
from gateway.store.journal import Journal
from gateway.store.sql import StoreDown
from gateway.writes.carry import through
from gateway.writes.derived import Comparison
from gateway.writes.edits import Edits, going_round
from gateway.writes.feed_plan import Feed, copied, done_there_only, refused_there
from gateway.writes.place import Timing
from gateway.writes.post_image import PostImages, Words, image_after, image_of

PATIENCE_S = 60.0
"""How long a document may wait for the one that it refers to."""
FOLDED = 20
"""So many writes of a lane are looked through at each look before what they come to is kept."""


@dataclass(slots=True)
class Waiting:
    """A record that cannot be told yet. `creating` are the creates under way when it was first seen: it may be one of theirs."""

    moment: feeds.Moment | None
    since_s: float
    creating: frozenset[str] | None = None
    away_since_s: float | None = None
    """Since when it is not there when it is asked for."""


@dataclass(frozen=True, slots=True)
class Record:
    """A document of a feed, with its number there."""

    key: str
    document: Document


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a record was, and what is remembered of it."""

    verdict: Verdict
    image: Image | None = None
    again: bool = False
    """It shows more than one intent can say: look once more."""


@dataclass(slots=True)
class Reader:
    """Judges records for one instance. Raises, everywhere: StoreDown, GatewayError where an ERP cannot be asked."""

    journal: Journal
    crosswalk: Crosswalk
    book: FeedBook
    words: Words
    timing: Timing
    instance: str
    new_id: Callable[[], str]
    waiting: dict[FeedId, dict[str, Waiting]] = field(default_factory=dict)
    looked_us: dict[FeedId, int] = field(default_factory=dict)
    """When each feed's last look began that read it to its end."""
    comparison: Comparison | None = None
    """What compares derived records; None: they are counted only."""
    _images: PostImages = field(init=False)
    _edits: Edits = field(init=False)

    def __post_init__(self) -> None:
        self._images = PostImages(self.crosswalk, self.words)
        self._edits = Edits(self.journal, self.crosswalk, self.timing, self.instance, self.new_id)

    async def judged(
        self, feed: Feed, records: Sequence[Record], looked: Looked, before: feeds.Moment | None = None
    ) -> Mapping[str, Verdict]:
        """What each record is; edits are in the journal when this comes back, and `looked` has grown by what was learned.

        Takes: `before`, the moment up to which a record that nobody heard of was there before anybody looked.
        """
        lines = await self._lines(feed, [record.key for record in records]) if records else {}
        found = {}
        for record in records:
            noticed = await self._whatever_comes(feed, record, lines[record.key], looked, before)
            found[record.key] = noticed.verdict
            if noticed.verdict not in ("wait", "gone") and not noticed.again:
                self.waiting.get(feed.id, {}).pop(record.key, None)
            if noticed.image is not None:
                looked.images.append(noticed.image)
            looked.edits += noticed.verdict in ("edit", "new")
            looked.derived += noticed.verdict == "derived"
            if noticed.verdict == "derived" and feed.compared and self.comparison is not None:
                looked.records.append(await self.comparison.noted(feed, record.key, record.document))
        return found

    async def _whatever_comes(
        self, feed: Feed, record: Record, line: Line, looked: Looked, before: feeds.Moment | None
    ) -> Noticed:
        """One record that nobody can tell holds up no other: it is tried again at each look, and the feed says so."""
        try:
            return await self._one(feed, record, line, before)
        except (StoreDown, Unavailable):
            raise
        except Exception as err:  # a record may hold anything
            log.error("feed.record_failed", erp=feed.id[0], object=feed.id[1], key=record.key, exc_info=err)
            looked.error = f"{record.key}: {type(err).__name__}: {err}"
            return self._wait(feed, record)

    def hold(self, feed: Feed, key: str, moment: feeds.Moment) -> None:
        """A document that cannot be read changed at `moment` or later: it is asked for at each look, and the cursor stays."""
        mine = self.waiting.setdefault(feed.id, {})
        mine.setdefault(key, Waiting(moment, self.timing.steady_s()))

    def forgets(self, feed: Feed, key: str, *, away: bool) -> bool:
        """Whether a record that waits need wait no more: its document was away, without a break, for as long as one may be."""
        waiting, now_s = self.waiting[feed.id][key], self.timing.steady_s()
        waiting.away_since_s = (waiting.away_since_s or now_s) if away else None
        return waiting.away_since_s is not None and now_s - waiting.away_since_s > PATIENCE_S

    async def known_before(self, feed: Feed, records: Sequence[Record], looked: Looked) -> None:
        """Remember records as they are: they changed before anybody looked."""
        lines = await self._lines(feed, [record.key for record in records])
        for record in records:
            line = lines[record.key]
            seen = await self._as_told(feed, record, line) if not line.busy else None
            if seen is not None:
                looked.images.append(image_of(feed, line, seen))
            if feed.compared and self.comparison is not None and self._derived(feed, record, line):
                early = await self.comparison.early(feed, record.key, record.document)
                looked.records += [early] if early is not None else []

    @staticmethod
    def _derived(feed: Feed, record: Record, line: Line) -> bool:
        return _unheard_of(line) and feeds.derived(feed.spec.name, record.document, feed.derives)

    async def _as_told(self, feed: Feed, record: Record, line: Line) -> Document | None:
        """A record as it is once the line's writes have ended; None where that cannot be told now.

        One that says something else than they left behind was edited since, or read before the last of them ended: it is read again.
        """
        if not line.done:
            return record.document
        known, d = await self._images.compared(feed, line, record.document)
        if d.nothing and feeds.up_to_date(record.document, known, feed.evidence):
            return record.document
        found = await find(feed.source.side, record.key, self.timing.deadline_s())
        return found.document if (await self._lines(feed, [record.key]))[record.key] == line else None

    async def _lines(self, feed: Feed, keys: Iterable[str]) -> Mapping[str, Line]:
        own, there = feed.source.side.name, feed.target.side.name
        more = (SHOWN, erp_space(there)) if feed.same_numbers else ()
        otherwise = own if feed.leads or not feed.same_numbers else there
        return await self.book.lines(feed.id, keys, (erp_space(own), *more), otherwise)

    async def _one(self, feed: Feed, record: Record, line: Line, before: feeds.Moment | None) -> Noticed:
        if _unheard_of(line):
            changed = record.document.get(feed.changed_at)
            if before is not None and changed is not None and changed < before:
                return Noticed("before", image_of(feed, line, record.document))
            ours, suspects = await self._may_be_ours(feed, record)
            if ours:
                return self._wait(feed, record, suspects)
            if self._derived(feed, record, line):
                return Noticed("derived")
            return await self._made(feed, record, suspects)
        if line.busy:
            return self._wait(feed, record)
        known, d = await self._images.compared(feed, line, record.document)
        if d.nothing and (not d.unknown or known.whole or known.ours):
            old = line.content not in (None, feed.content) or len(line.done) > FOLDED
            more = old or d.unknown or d.unseen or feeds.moved_on(record.document, known, feed.evidence)
            learned = more and feeds.up_to_date(record.document, known, feed.evidence)
            return Noticed("echo", image_of(feed, line, record.document) if learned else None)
        return await self._edited(feed, record, line)

    def _wait(self, feed: Feed, record: Record, creating: frozenset[str] | None = None) -> Noticed:
        moment = record.document.get(feed.changed_at)
        mine = self.waiting.setdefault(feed.id, {})
        first = mine.setdefault(record.key, Waiting(moment, self.timing.steady_s(), creating))
        first.creating = creating if first.creating is None else first.creating
        return Noticed("wait")

    # A document that was there before

    async def _edited(self, feed: Feed, record: Record, line: Line) -> Noticed:
        """Look again, closely, and carry over what is still different."""
        try:
            found = await find(feed.source.side, record.key, self.timing.deadline_s())
        except NoSuchDocument:
            return Noticed("gone")
        again = (await self._lines(feed, [record.key]))[record.key]
        if again != line:
            return self._wait(feed, record)
        record = Record(record.key, found.document)
        known, d = await self._images.compared(feed, line, found.document)
        counterpart, reached = await self._counterpart(feed, line, record.key)
        reason = None
        if d.unknown and not (known.whole or known.ours):
            if not reached:
                return self._wait(feed, record)
            guessed = feeds.against(counterpart or {}, d)
            if guessed.edited != d.edited and not feed.leads:
                reason = f"{feed.source.side.name} is not in charge, and nobody knows what stood there before"
            d = guessed
        same_there = counterpart is not None and feeds.settled_there(d, counterpart)
        if d.nothing or (same_there and not await self.book.open_in(line.canonical)):
            return Noticed("echo", image_of(feed, line, found.document))
        return await self._carry_over(feed, record, line, d, reason)

    async def _counterpart(self, feed: Feed, line: Line, key: str) -> tuple[Document | None, bool]:
        """The document as the other ERP has it, in this one's numbers; and whether that one could be asked."""
        target, object_ = feed.target.side, feed.spec.name
        names = await self.crosswalk.of(object_, line.canonical)
        number = names.get(erp_space(target.name)) or (key if feed.same_numbers else None)
        if number is None:
            return None, True
        try:
            found = await find(target, number, self.timing.deadline_s())
        except NoSuchDocument:
            return None, True
        except GatewayError:
            return None, False
        (shown,) = await numbers.for_client(self.crosswalk, target.name, object_, [found.document])
        own = await numbers.for_erp(self.crosswalk, feed.source.side.name, object_, shown)
        said = through(feed.source.side, {n: own.get(n) for n in feed.tracked if n in own}, own)
        return said | feeds.rows_of(own, feed.lines), True

    async def _carry_over(self, feed: Feed, record: Record, line: Line, d: Difference, reason: str | None) -> Noticed:
        if d.edited:
            patch, before = await self._edits.shown(feed, d.edited), await self._edits.shown(feed, d.before)
            text = dumped({"patch": patch, "before": before})
            reason = reason or refused_there(feed, d.edited) or going_round(line, d)
            taken = await self._edits.accept(feed, record.key, line, "change", text, reason)
        elif d.called:
            taken = await self._edits.accept(feed, record.key, line, d.called[0], None, reason)
        else:
            return await self._by_hand(feed, record, line, d)
        again = bool(d.called or d.undone) and (bool(d.edited) or len(d.called) > 1)
        if not taken or again:
            self._wait(feed, record)
        seen = image_of(feed, line, record.document) if taken and d.called and not again else None
        return Noticed("edit" if taken else "wait", seen, again=again)

    async def _by_hand(self, feed: Feed, record: Record, line: Line, d: Difference) -> Noticed:
        """No verb takes over that somebody took back what was done with a document, or changed its lines: a person does."""
        here, there, now = feed.source.side.name, feed.target.side.name, record.document
        if d.undone:
            text = dumped({"patch": {name: now.get(name) for name in d.undone}, "before": {}})
            said = ", ".join(f"{name} is now {now.get(name)!r}" for name in d.undone)
            reason = f"{said} in {here}, which takes back what was done, and no verb says that to {there}: do it there by hand"
        else:
            text = dumped({"patch": await self._edits.shown(feed, d.lines), "before": {}})
            reason = f"somebody changed {', '.join(d.lines)} in {here}, and no call changes lines in {there}: do it there by hand"
        taken = await self._edits.accept(feed, record.key, line, "change", text, reason)
        if not taken:
            return self._wait(feed, record)
        return Noticed("edit", image_after(feed, line, now))

    # A document that somebody made

    async def _may_be_ours(self, feed: Feed, record: Record) -> tuple[bool, frozenset[str] | None]:
        """Whether a create of ours that is under way may have made it: whoever knows, the ERP or a person, tells. And which may."""
        under_way = await self.book.creating(feed.spec.name, feed.source.side.name)
        line = (await self._lines(feed, [record.key]))[record.key]
        if not _unheard_of(line):
            return True, None
        before = self.waiting.get(feed.id, {}).get(record.key)
        suspects = before.creating if before is not None else None
        if suspects is None:
            # What could take effect no more when the feed was last read to its end would have been there.
            looked_us = self.looked_us.get(feed.id, 0)
            suspects = frozenset(intent for intent, (_, quiet_us) in under_way.items() if quiet_us >= looked_us)
        return bool(suspects & under_way.keys()), suspects

    async def _made(self, feed: Feed, record: Record, suspects: frozenset[str] | None) -> Noticed:
        side, object_ = feed.source.side, feed.spec.name
        line = (await self._lines(feed, [record.key]))[record.key]
        if not _unheard_of(line):
            return self._wait(feed, record)
        before = self.waiting.get(feed.id, {}).get(record.key)
        named = parents(object_, record.document)
        reason = None
        above = {n: await self.crosswalk.holder(n[0], erp_space(side.name), n[1]) for n in sorted(named)}
        if None in above.values():
            if before is None or self.timing.steady_s() - before.since_s < PATIENCE_S:
                return self._wait(feed, record, suspects)
            reason = f"it refers to documents that {feed.target.side.name} does not have"
        try:
            found = await find(side, record.key, self.timing.deadline_s())
        except NoSuchDocument:
            return Noticed("gone")
        if feed.same_numbers and (await self._counterpart(feed, line, record.key))[0] is not None:
            return await self._edited(feed, record, line)
        return await self._copied(feed, Record(record.key, found.document), line, above, reason)

    async def _copied(
        self, feed: Feed, record: Record, line: Line, above: Mapping[Number, str | None], reason: str | None
    ) -> Noticed:
        copy = copied(feed, record.document)
        text = dumped(await self._edits.shown(feed, copy))
        lanes = tuple(sorted(id_ or canonical_id(n[0], feed.source.side.name, n[1]) for n, id_ in above.items()))
        reason = reason or refused_there(feed, copy) or done_there_only(feed, record.document)
        taken = await self._edits.accept(feed, record.key, line, "create", text, reason, lanes)
        if not taken:
            return self._wait(feed, record)
        # A copy is new: what was called of the original since then is carried over after it.
        states = {name for words in feed.evidence.values() for name in words}
        image = Image(
            line.canonical, 1, feeds.kept(record.document, feed.tracked - states, {}, feed.lines), feed.content
        )
        again = any(settling.shows(words, record.document) for words in feed.evidence.values())
        if again:
            self._wait(feed, record)
        return Noticed("new", image, again=again)


def _unheard_of(line: Line) -> bool:
    return not line.named and line.image is None and not line.last
