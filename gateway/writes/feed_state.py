"""What a feed reader holds between two looks, and how it counts."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.core import feeds
from gateway.core.etags import content_hash
from gateway.core.feeds import Moment, Sweep
from gateway.store.feeds import FeedId
from gateway.writes.feed_plan import Feed
from gateway.writes.noticed import Record

_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """`poll_s` between two looks, 0 never; `overlap_s` is read again each time; `pages` of `page` records at most in one look."""

    poll_s: float = 5.0
    overlap_s: float = 60.0
    pages: int = 10
    page: int = 100


@dataclass(slots=True)
class FeedGauge:
    """What was seen, for metrics and health. `read_s` is when the last look began that read a feed
    to its end, by the event loop's clock."""

    seen: dict[FeedId, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    read_s: dict[FeedId, float] = field(default_factory=dict)
    errors: dict[FeedId, str] = field(default_factory=dict)
    failures: int = 0
    """Looks that ended in a fault of ours."""


@dataclass(slots=True)
class Reading:
    """Where this instance is in a feed."""

    cursor: Moment | None
    since_us: int
    """What changed before that is nobody's edit."""
    sweep: Sweep | None = None
    began_us: int = 0
    began_s: float = 0.0
    """When this look began, by the database's time and by the event loop's clock: what changed later may not be in it."""
    first: bool = False
    saved: tuple[str | None, str | None] = (None, None)
    saved_s: float = float("-inf")
    judged: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """Number -> content of what is judged for good."""

    def known(self, record: Record) -> bool:
        return self.judged.get(record.key) == content_hash(record.document)

    def remember(self, record: Record) -> None:
        self.judged[record.key] = content_hash(record.document)
        self.judged.move_to_end(record.key)
        if len(self.judged) > _KEPT:
            self.judged.popitem(last=False)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Records of the cell's own, the moment of the page's last one, and the ERP's place of the next page."""

    records: list[Record]
    last: Moment | None
    place: str | None


def kind_of(feed: Feed) -> str:
    """Whether the feed tells days or moments."""
    kind = feed.spec.field(feed.changed_at).kind
    return kind.name if kind is not None else ""


def moment_at(feed: Feed, at_us: int) -> Moment:
    """A time of the store as the feed tells times."""
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return at.date() if kind_of(feed) == "date" else at


def grain_of(feed: Feed) -> timedelta:
    """How finely the feed tells times apart."""
    entry = feed.source.side.translation.plan.level.entry(feed.changed_at)
    return feeds.grain_of(kind_of(feed), len(entry.native) if entry is not None else 1)
