"""Reads the change feeds of ERPs, page by page, one reader per feed over all instances.

A look re-reads a window before the cursor, because a transaction that commits late carries the time of its start; what was judged
already is known again by its content. A cursor never passes a record that could not be told yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from gateway.core import feeds
from gateway.core.canonical import Document
from gateway.core.feeds import Moment, Sweep
from gateway.core.filters import Compare
from gateway.dialects.filters import Unfilterable
from gateway.dialects.running import Mismatch
from gateway.errors import Broken, DialectBroken, GatewayError, NoSuchDocument, Refused
from gateway.observe.logs import log
from gateway.protocols.port import ErpRefusal, NativeDocument, Page, Query
from gateway.reads.authoritative import belongs, decoded, find, meaning, query_of
from gateway.store.feeds import FeedId, Looked, Place
from gateway.store.sql import StoreDown
from gateway.writes.feed_plan import Feed
from gateway.writes.feed_state import FeedGauge, FeedLimits, FeedPage, Reading, grain_of, kind_of, moment_at
from gateway.writes.noticed import Reader, Record, Waiting

_WAITING_MOST = 500
_SAVED_EVERY_S = 30.0
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Feeds:
    """The feed reader of one instance.

    Takes: `wanted`, the feeds there are now.
    """

    def __init__(self, reader: Reader, wanted: Callable[[], Iterable[Feed]], limits: FeedLimits) -> None:
        self._reader, self._wanted, self._limits = reader, wanted, limits
        self.gauge = FeedGauge()
        self._reading: dict[FeedId, Reading] = {}
        self._loop: asyncio.Task[None] | None = None

    def lag_s(self) -> dict[FeedId, float]:
        """Seconds since each feed was last read to its end."""
        now_s = self._reader.timing.steady_s()
        return {id_: max(0.0, now_s - read_s) for id_, read_s in self.gauge.read_s.items()}

    @property
    def waiting(self) -> Mapping[FeedId, Mapping[str, Waiting]]:
        """The records that cannot be told yet, by their number."""
        return self._reader.waiting

    @property
    def derived(self) -> Mapping[tuple[str, str], int]:
        """What came of comparing derived documents: (object, verdict) -> how many since the start."""
        comparison = self._reader.comparison
        return comparison.counted if comparison is not None else {}

    @property
    def state(self) -> dict[str, dict[str, object]]:
        """How the feeds are that this instance reads, by ERP, object and plant."""
        lag_s, errors = self.lag_s(), self.gauge.errors
        return {
            "/".join(id_): {
                "lag_s": round(lag_s[id_], 1) if id_ in lag_s else None,
                "waiting": len(self._reader.waiting.get(id_, ())),
                "error": errors.get(id_),
            }
            for id_ in sorted(self._reading.keys() | errors.keys())
        }

    def start(self) -> None:
        """Begin to look, and go on doing so."""
        if self._limits.poll_s > 0:
            self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except StoreDown as err:
                log.warning("feeds.store_down", reason=str(err))
            except Exception as err:  # whatever one look meets, the next one begins anew
                self.gauge.failures += 1
                log.error("feeds.failed", exc_info=err)
            await asyncio.sleep(self._limits.poll_s)

    async def look(self) -> None:
        """Look at every feed that is this instance's to read. Raises: StoreDown."""
        wanted = {feed.id: feed for feed in self._wanted()}
        if not wanted:
            self._forget(set())
            return
        mine = await self._reader.book.claim(self._reader.instance, wanted)
        self._forget(set(mine))
        for id_, at in mine.items():
            self._take_up(id_, at)
        by_erp: dict[str, list[Feed]] = {}
        for feed in wanted.values():
            if feed.id in self._reading:
                by_erp.setdefault(feed.id[0], []).append(feed)
        # All of them to their end, also where one fails: the next look must not meet one that is still reading.
        for failed in await asyncio.gather(*map(self._erp, by_erp.values()), return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed

    def _take_up(self, id_: FeedId, at: Place) -> None:
        """Go on where the feed was left. A cursor that says nothing stops this feed, and no other."""
        if id_ in self._reading:
            return
        try:
            cursor = feeds.moment_of(at.cursor) if at.cursor else None
        except ValueError:
            words = f"the cursor {at.cursor!r} is no moment"
            if self.gauge.errors.get(id_) != words:  # logged once, and not at each look
                log.error("feed.cursor", feed="/".join(id_), cursor=at.cursor)
            self.gauge.errors[id_] = words
            return
        self._reading[id_] = Reading(cursor, at.since_us)
        self._reader.looked_us[id_] = at.read_us

    def _forget(self, kept: set[FeedId]) -> None:
        """Somebody else reads them now, or nobody has to."""
        for id_ in (self._reading.keys() | self.gauge.errors.keys()) - kept:
            self._reading.pop(id_, None)
            self._reader.waiting.pop(id_, None)
            self.gauge.read_s.pop(id_, None)
            self.gauge.errors.pop(id_, None)

    async def _erp(self, each: Sequence[Feed]) -> None:
        """One call at a time; where one feed's call fails or its breaker is open, the ERP is left alone until the next look."""
        for feed in each:
            try:
                if not await self._feed(feed):
                    return
            except StoreDown:
                self._reading.pop(feed.id, None)  # what was seen and not saved is seen again
                raise
            except Exception as err:  # one feed's trouble is not the others'
                self._reading.pop(feed.id, None)
                self.gauge.failures += 1
                self.gauge.errors[feed.id] = f"{type(err).__name__}: {err}"
                log.error("feeds.failed", feed="/".join(feed.id), exc_info=err)

    async def _feed(self, feed: Feed) -> bool:
        """One look at one feed. Gives: whether the ERP answered."""
        reading, looked, answered = self._reading[feed.id], Looked(None, complete=False), True
        try:
            ended = await self._read(feed, reading, looked)
            looked.complete = ended and not self._reader.waiting.get(feed.id)
        except (GatewayError, Unfilterable) as err:
            answered, reading.sweep, looked.error = False, None, str(err)
        await self._keep(feed, reading, looked)
        if reading.first and not answered:
            self._reading.pop(feed.id, None)  # begun anew: it counts only once it has seen all that was there before
        if looked.complete and feed.leads and feed.compared and self._reader.comparison is not None:
            await self._reader.comparison.look(feed)
        return answered

    async def _read(self, feed: Feed, reading: Reading, looked: Looked) -> bool:
        """What could not be told before, then pages up to the end or to what one look may read. Gives: whether that was the end."""
        grain = grain_of(feed)
        if reading.cursor is None:
            reading.first = True
            reading.cursor = min(await self._newest(feed), moment_at(feed, reading.since_us))
        if reading.sweep is None:
            reading.sweep = feeds.started(reading.cursor, self._limits.overlap_s, grain)
            reading.began_us, reading.began_s = self._reader.timing.wall_us(), self._reader.timing.steady_s()
        sweep: Sweep | None = reading.sweep
        await self._again(feed, reading, looked)
        for _ in range(self._limits.pages):
            if sweep is None or len(self._reader.waiting.get(feed.id, ())) > _WAITING_MOST:
                break
            page = await self._page(feed, sweep, looked)
            await self._judge(feed, reading, page.records, looked)
            reading.cursor = feeds.reached([page.last], reading.cursor)
            reading.sweep = sweep = feeds.onward(sweep, page.last, page.place, grain)
        if sweep is not None:
            return False
        self._reader.looked_us[feed.id] = reading.began_us
        self.gauge.read_s[feed.id] = reading.began_s
        reading.first = False
        return True

    async def _keep(self, feed: Feed, reading: Reading, looked: Looked) -> None:
        """Save where the feed is, and what was learned."""
        now_s = self._reader.timing.steady_s()
        if not reading.first:
            looked.cursor = self._cursor(feed, reading)
        if looked.error is None:
            self.gauge.errors.pop(feed.id, None)
        else:
            self.gauge.errors[feed.id] = looked.error
        told = (looked.cursor, looked.error)
        if not (looked.images or looked.edits or looked.derived or told != reading.saved
                or now_s - reading.saved_s > self._saved_every_s(feed)):  # fmt: skip
            return
        if not await self._reader.book.save(self._reader.instance, feed.id, looked, reading.began_us):
            self._forget(self._reading.keys() - {feed.id})
            return
        reading.saved, reading.saved_s = told, now_s

    def _saved_every_s(self, feed: Feed) -> float:
        """Whoever compares derived records, here or elsewhere, waits for how far both feeds were read."""
        comparison = self._reader.comparison
        return _SAVED_EVERY_S if comparison is None or not feed.compared else min(_SAVED_EVERY_S, comparison.settle_s)

    def _cursor(self, feed: Feed, reading: Reading) -> str | None:
        waiting = (each.moment for each in self._reader.waiting.get(feed.id, {}).values())
        known = [m for m in (reading.cursor, *waiting) if m is not None]
        return feeds.text_of(min(known)) if known else None

    async def _newest(self, feed: Feed) -> Moment:
        """The last change that there is."""
        since = date(1970, 1, 1) if kind_of(feed) == "date" else _NEVER
        query = query_of(
            feed.source.side, Compare(feed.changed_at, "ge", since), (f"{feed.changed_at} desc",), self._limits.page
        )
        documents, _ = _decoded(feed, await self._asked(feed, query))
        return feeds.reached([d.get(feed.changed_at) for d in documents], None) or since

    async def _again(self, feed: Feed, reading: Reading, looked: Looked) -> None:
        """What could not be told before, read once more."""
        waiting = self._reader.waiting.get(feed.id, {})
        for key in list(waiting):
            try:
                found = await find(feed.source.side, key, self._reader.timing.deadline_s())
            except NoSuchDocument:
                if self._reader.forgets(feed, key, away=True):
                    del waiting[key]
                continue
            except (Refused, Broken) as err:
                # This document's own trouble: it waits on, and the others go on.
                looked.error = f"{key}: {err.detail}"
                continue
            self._reader.forgets(feed, key, away=False)
            reading.judged.pop(key, None)
            await self._judge(feed, reading, [Record(key, found.document)], looked)

    async def _page(self, feed: Feed, sweep: Sweep, looked: Looked) -> FeedPage:
        """The records of a page that are the cell's own, the moment of its last one, and where the next page is."""
        where = Compare(feed.changed_at, "ge", sweep.since)
        query = query_of(feed.source.side, where, (feed.changed_at,), self._limits.page, sweep.place)
        page = await self._asked(feed, query)
        documents, broken = _decoded(feed, page)
        for key, words in broken:
            looked.error = words
            if key is not None:
                self._reader.hold(feed, key, sweep.since)
        last = feeds.reached([d.get(feed.changed_at) for d in documents], None)
        own = [d for d in documents if belongs(feed.source.side, d) and d.get(feed.spec.key)]
        return FeedPage([Record(str(d[feed.spec.key]), d) for d in own], last, page.cursor)

    async def _asked(self, feed: Feed, query: Query) -> Page:
        side = feed.source.side
        try:
            return await side.connector.search(side.shape, query, self._reader.timing.deadline_s(), side.priority)
        except ErpRefusal as refusal:
            raise meaning(side, refusal) from refusal

    async def _judge(self, feed: Feed, reading: Reading, records: Sequence[Record], looked: Looked) -> None:
        fresh = {record.key: record for record in records if not reading.known(record)}
        if not fresh:
            return
        verdicts: dict[str, feeds.Verdict] = {}
        begun = moment_at(feed, reading.since_us)
        if reading.first:
            old = [r for r in fresh.values() if (r.document.get(feed.changed_at) or begun) <= begun]
            await self._reader.known_before(feed, old, looked)
            verdicts |= {record.key: "before" for record in old}
        # A cursor that went back to a record that waits lists older ones, which the first look did not reach.
        before = feeds.started(begun, self._limits.overlap_s, grain_of(feed)).since
        rest = [r for key, r in fresh.items() if key not in verdicts]
        verdicts |= await self._reader.judged(feed, rest, looked, before)
        waiting = self._reader.waiting.get(feed.id, {})
        for key, verdict in verdicts.items():
            self.gauge.seen[feed.id][verdict] += 1
            if key not in waiting and verdict != "gone":
                reading.remember(fresh[key])


def _decoded(feed: Feed, page: Page) -> tuple[list[Document], list[tuple[str | None, str]]]:
    """The documents of a page; and of those that their dialect does not know, which hold up no other, the number and why."""
    documents, broken = [], []
    for native in page.documents:
        try:
            documents.append(decoded(feed.source.side, native))
        except DialectBroken as err:
            broken.append((_number(feed, native), err.detail))
    return documents, broken


def _number(feed: Feed, native: NativeDocument) -> str | None:
    """The number of a document that cannot be read; None where that, or whether it is this plant's, cannot be told."""
    side, spec = feed.source.side, feed.spec
    if spec.scope == "plant" and side.translation.plan.level.entry("plant") is None:
        return None
    try:
        told = side.translation.decode_key(native).get(spec.key)
    except Mismatch:
        return None
    return str(told) if told else None
