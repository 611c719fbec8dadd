"""What a document should say in an ERP: as it was when somebody last looked, with what was written to it since.

What was seen or said under an older content is read in the words of today's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from gateway.core import feeds
from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded
from gateway.core.feeds import Difference, Effect, Expected
from gateway.dialects.compile import Translation
from gateway.errors import DialectBroken
from gateway.reads import numbers
from gateway.reads.authoritative import ErpSide, decoded
from gateway.store.crosswalk import Crosswalk
from gateway.store.feeds import Done, FeedId, Image, Line
from gateway.writes.carry import reworded, through
from gateway.writes.feed_plan import Feed, along_with


class Words(Protocol):
    """Knows how dialects spoke before."""

    async def spoken(self, feed: FeedId, content: str) -> Translation | None:
        """How a feed's ERP was spoken to under a content; None where nobody knows that any more."""
        ...


class _Forgotten(Exception):
    """What was seen or written is in words that nobody understands now."""


@dataclass(frozen=True, slots=True)
class PostImages:
    """What documents should say. Raises, everywhere: StoreDown."""

    crosswalk: Crosswalk
    words: Words

    async def expected(self, feed: Feed, line: Line, now: Document) -> Expected:
        """The post-image of a document, to be compared with how it is `now`."""
        try:
            effects = [await self._effect(feed, done, now) for done in line.done]
            image = await self._in_words(feed, line.content, line.image, now) if line.image is not None else None
        except _Forgotten:
            return feeds.NOTHING_KNOWN
        return feeds.expected(image, effects, feed.evidence, feed.lines)

    async def compared(self, feed: Feed, line: Line, now: Document) -> tuple[Expected, Difference]:
        """What a document should say, and how it differs from that."""
        known = await self.expected(feed, line, now)
        return known, feeds.difference(now, known, feed.tracked, feed.evidence, feed.lines)

    async def _effect(self, feed: Feed, done: Done, now: Document) -> Effect:
        side, document, lost = feed.source.side, None, frozenset[str]()
        if done.text is not None:
            asked = loaded(done.text)["patch"] if done.verb == "change" else loaded(done.text)
            own = await numbers.for_erp(self.crosswalk, side.name, feed.spec.name, asked)
            if done.content == feed.content:
                document = through(side, own, now if done.verb == "change" else {})
            else:
                document = await self._in_words(feed, done.content, own, now)
                lost = frozenset(own.keys() - document.keys())
        shown = _as_shown(side, done.shown) if done.shown is not None else None
        along = frozenset[str]() if done.here else along_with(side.translation.plan.verbs, done.verb)
        return Effect(done.seq, done.verb, document, shown, done.here, along, lost)

    async def _in_words(self, feed: Feed, content: str | None, document: Document, now: Document) -> Document:
        """What was said in the words of a content, in those of today. Raises: _Forgotten."""
        if content in (None, feed.content):
            return document
        spoken = await self.words.spoken(feed.id, str(content))
        if spoken is None:
            raise _Forgotten
        return reworded(spoken, feed.source.side.translation, document, now)


def image_of(feed: Feed, line: Line, now: Document) -> Image:
    """What is remembered of a document as it is now."""
    return Image(line.canonical, line.settled, feeds.kept(now, feed.tracked, feed.evidence, feed.lines), feed.content)


def image_after(feed: Feed, line: Line, now: Document) -> Image:
    """An image that holds the edit which was just taken, too; behind a write that is still open it cannot."""
    seq = line.last + 1 if line.settled == line.last else line.settled
    return replace(image_of(feed, line, now), seq=seq)


def _as_shown(side: ErpSide, text: str) -> Document | None:
    """What an ERP answered, in today's words; None where they do not know it any more."""
    try:
        return decoded(side, loaded(text))
    except DialectBroken:
        return None
