"""Change feeds in SQL: who reads which, how far it is, and what the journal says a document should be by now.

What a write of ours left behind is not kept twice: it follows from the journal, which had it in the transaction of the outcome. Only
what the journal does not know is kept beside it: what a document said when somebody last looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.crosswalk import canonical_id
from gateway.core.intents import ENDED
from gateway.store.derived import DerivedRow, noted
from gateway.store.sql import Database, Db, Row
from gateway.store.working_set import OPEN

FeedId = tuple[str, str, str]
"""(erp, object, plant)."""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed as people see it. `read_us` is when it was last read to its end."""

    erp: str
    object: str
    plant: str
    cursor: str | None
    owner: str | None
    read_us: int
    edits: int
    derived: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """A write that the ERP has, in the journal's own form.

    `text` is the document or patch that this leg was sent with, in the words of `content`; `shown` what the ERP answered to a create.
    `edit`: it came from a feed; `here`: from this ERP's.
    """

    seq: int
    verb: str
    text: str | None
    shown: str | None
    edit: bool
    here: bool
    content: str


@dataclass(frozen=True, slots=True)
class Line:
    """What the store knows of one document in one ERP. `busy`: a write of ours is on its way there.

    `named`: the crosswalk knows it. `image` was read in the words of `content`. `last` is the last place taken in its lane, `settled`
    the last one with nothing open before it.
    """

    key: str
    canonical: str
    named: bool
    image: Document | None
    content: str | None
    seq: int
    last: int = 0
    settled: int = 0
    busy: bool = False
    done: tuple[Done, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """What a document said when somebody looked, in the words of `content`; writes up to `seq` of its lane are in it."""

    canonical: str
    seq: int
    fields: Document
    content: str


@dataclass(slots=True)
class Looked:
    """What one look at a feed came to. `complete`: it was read to its end, and nothing is left untold."""

    cursor: str | None
    complete: bool
    images: list[Image] = field(default_factory=list)
    edits: int = 0
    derived: int = 0
    error: str | None = None
    records: list[DerivedRow] = field(default_factory=list)
    """What the ERP derived, to be compared with what the other one did."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a feed is: read up to `cursor`, wanted since, and read to its end with nothing left untold, in microseconds."""

    cursor: str | None
    since_us: int
    read_us: int


class FeedBook:
    """The feeds of one store. Raises: StoreDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, instance: str, wanted: Iterable[FeedId]) -> Mapping[FeedId, Place]:
        """Take over the feeds that nobody alive reads.

        Gives: those that this instance reads, and where they are.
        """
        ids = set(wanted)

        async def work(db: Db) -> Mapping[FeedId, Place]:
            rows = await db.rows("SELECT erp, object, plant, owner, cursor, since_us, read_us FROM feed")
            owners = {(r[0], r[1], r[2]): r[3] for r in rows}
            foreign = [id_ for id_ in sorted(ids) if owners.get(id_) != instance]
            if foreign:
                now_us = await db.now_us()
                await db.many(
                    "INSERT INTO feed (erp, object, plant, owner, since_us) VALUES (?, ?, ?, ?, ?) ON CONFLICT (erp, object, plant) "
                    "DO UPDATE SET owner = excluded.owner WHERE feed.owner IS NULL OR NOT EXISTS "
                    "(SELECT 1 FROM instance i WHERE i.id = feed.owner AND i.until_us > ?)",
                    [(*id_, instance, now_us, now_us) for id_ in foreign],
                )
                rows = await db.rows("SELECT erp, object, plant, owner, cursor, since_us, read_us FROM feed")
            return {(r[0], r[1], r[2]): Place(*r[4:]) for r in rows if r[3] == instance and (r[0], r[1], r[2]) in ids}

        return await self._database.transaction(work)

    async def save(self, instance: str, feed: FeedId, looked: Looked, now_us: int) -> bool:
        """Keep what a look came to. Gives: False where another instance reads the feed by now."""

        async def work(db: Db) -> bool:
            mine = await db.rows(
                "UPDATE feed SET cursor = COALESCE(?, cursor), read_us = CASE WHEN ? = 1 THEN ? ELSE read_us END, "
                "edits = edits + ?, derived = derived + ?, error = ? "
                "WHERE erp = ? AND object = ? AND plant = ? AND owner = ? RETURNING erp",
                looked.cursor, int(looked.complete), now_us, looked.edits, looked.derived, looked.error,
                *feed, instance,
            )  # fmt: skip
            if mine and looked.images:
                await db.many(
                    "INSERT INTO feed_image (object, canonical, erp, seq, image, content) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (object, canonical, erp) DO UPDATE SET seq = excluded.seq, image = excluded.image, "
                    "content = excluded.content",
                    [(feed[1], i.canonical, feed[0], i.seq, dumped(i.fields), i.content) for i in looked.images],
                )
            if mine and looked.records:
                await noted(db, looked.records)
            return bool(mine)

        return await self._database.transaction(work)

    async def lines(
        self, feed: FeedId, keys: Iterable[str], spaces: Sequence[str], otherwise: str
    ) -> Mapping[str, Line]:
        """What the store knows of documents.

        Takes: `spaces` of the crosswalk that their numbers may stand in, the surest first; `otherwise`, the ERP that names a document
        which no space knows.
        """
        erp, object_, _ = feed
        wanted = sorted(set(keys))

        async def work(db: Db) -> Mapping[str, Line]:
            rows = await db.rows(
                "SELECT key, canonical, space FROM crosswalk WHERE object = ? AND space IN (??) AND key IN (??)",
                object_, list(spaces), wanted,
            )  # fmt: skip
            names = {row[0]: row[1] for row in sorted(rows, key=lambda row: -list(spaces).index(row[2]))}
            ids = {key: names.get(key) or canonical_id(object_, otherwise, key) for key in wanted}
            found = await _known(db, erp, object_, sorted(set(ids.values())))
            return {key: _line(key, id_, key in names, found) for key, id_ in ids.items()}

        return await self._database.read(work)

    async def creating(self, object_: str, erp: str) -> Mapping[str, tuple[str, int]]:
        """The creates of an object that may be under way in an ERP, and whose document nobody knows: each leg's state, and until
        when it may take effect.
        """

        async def work(db: Db) -> Mapping[str, tuple[str, int]]:
            rows = await db.rows(
                "SELECT l.intent, l.state, s.quiet_us FROM leg l JOIN intent i ON i.id = l.intent "  # noqa: S608  # our own words
                "JOIN step s ON s.intent = l.intent AND s.side = l.side WHERE l.erp = ? "
                f"AND {OPEN.replace('state', 'l.state')} AND i.object = ? AND i.verb = 'create' "
                "AND COALESCE(l.native_key, '{}') = '{}' "
                "AND s.state IN ('sending', 'in_doubt', 'done')",
                erp, object_,
            )  # fmt: skip
            return {row[0]: (row[1], row[2]) for row in rows}

        return await self._database.read(work)

    async def open_in(self, lane: str) -> bool:
        """Whether anything is owed to either ERP in a lane."""

        async def work(db: Db) -> bool:
            return bool(
                await db.rows(
                    f"SELECT 1 FROM leg WHERE lane = ? AND {OPEN} LIMIT 1",  # noqa: S608  # our own words
                    lane,
                )
            )

        return await self._database.read(work)

    async def rows(self) -> Sequence[FeedRow]:
        """All feeds there are."""

        async def work(db: Db) -> Sequence[FeedRow]:
            found = await db.rows(
                "SELECT erp, object, plant, cursor, owner, read_us, edits, derived, error FROM feed ORDER BY erp, object, plant"
            )
            return [FeedRow(*row) for row in found]

        return await self._database.transaction(work)


@dataclass(frozen=True, slots=True)
class _Known:
    images: Mapping[str, Row]
    lasts: Mapping[str, int]
    legs: Mapping[str, list[Row]]


async def _known(db: Db, erp: str, object_: str, ids: list[str]) -> _Known:
    images = await db.rows(
        "SELECT canonical, seq, image, content FROM feed_image WHERE object = ? AND erp = ? AND canonical IN (??)",
        object_, erp, ids,
    )  # fmt: skip
    # Before the legs: a write that comes in between shows as a leg behind the last place, and the lane has moved.
    lasts = await db.rows("SELECT id, last FROM lane WHERE id IN (??)", ids)
    legs = await db.rows(
        "SELECT i.lane, i.lane_seq, l.state, i.verb, COALESCE(l.repaired, i.document), l.shown, i.origin, i.side = l.side, "
        "i.content, l.native_key IS NOT NULL "
        "FROM intent i JOIN leg l ON l.intent = i.id AND l.erp = ? WHERE i.lane IN (??) ORDER BY i.lane, i.lane_seq",
        erp, ids,
    )  # fmt: skip
    of: dict[str, list[Row]] = {}
    for leg in legs:
        of.setdefault(leg[0], []).append(leg)
    return _Known({row[0]: row for row in images}, {row[0]: row[1] for row in lasts}, of)


def _line(key: str, id_: str, named: bool, found: _Known) -> Line:  # noqa: FBT001  # a row's own column
    _, seq, image, content = found.images.get(id_, (id_, 0, None, None))
    legs, last = found.legs.get(id_, []), found.lasts.get(id_, 0)
    first_open = next((leg[1] for leg in legs if leg[2] not in ENDED), last + 1)
    return Line(
        key, id_, named, loaded(image) if image is not None else None, content, seq, last, first_open - 1, _busy(legs),
        tuple(_done(leg) for leg in legs if _there(leg) and leg[1] > seq),
    )  # fmt: skip


def _done(leg: Row) -> Done:
    _, seq, _, verb, text, shown, origin, same_side, content, _ = leg
    return Done(seq, verb, text, shown, origin == "erp", origin == "erp" and bool(same_side), content)


def _there(leg: Row) -> bool:
    """Whether the ERP has what was written: also a document that is there, and waits for a person with the rest of its steps."""
    return leg[2] == "done" or (leg[2] == "parked" and leg[3] == "create" and bool(leg[9]))


def _busy(legs: Sequence[Row]) -> bool:
    """Whether something is or may soon be on its way to the ERP. Behind a parked leg nothing goes."""
    for leg in legs:
        if leg[2] == "parked":
            return False
        if leg[2] not in ENDED:
            return True
    return False
