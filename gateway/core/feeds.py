"""What a record of an ERP's change feed is: our own echo, a person's edit, or something the ERP derived. Pure.

Decided by content: a record that says what our writes left behind is ours, whoever the ERP says changed it; any other difference
is an edit made in the ERP itself. Source: the write protocol, section 1.10.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from gateway.core.canonical import Document
from gateway.core.crosswalk import parents
from gateway.core.settling import same, shows

Verdict = Literal["echo", "edit", "new", "derived", "wait", "before", "gone"]
"""Our own write; a person's edit; a document somebody made; the ERP's own consequence; not to be told now; known since before;
listed, and not there when it was asked for: judged anew as long as it is listed."""
Evidence = Mapping[str, Collection[str]]
Lines = Mapping[str, Collection[str]]
"""The lists that are watched, and the fields of their rows that are."""
NO_LINES: Lines = {}
Moment = datetime | date
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Effect:
    """A write that ended in an ERP, as that ERP's dialect says it.

    `shown` is what the ERP answered to a create. `here` says that it was made in the ERP itself and noticed in its feed. `along` are the
    verbs that its calls carried out beside its own: an order may be released as it is made. `lost` are fields that it wrote in words
    that nobody understands any more.
    """

    seq: int
    verb: str
    document: Document | None = None
    shown: Document | None = None
    here: bool = False
    along: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    @property
    def verbs(self) -> tuple[str, ...]:
        return (self.verb, *sorted(self.along))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a document should say in an ERP. `whole`: a field that does not stand here had the ERP's own value from the start."""

    fields: Document
    whole: bool
    ours: bool = False
    """Whether a write of ours explains that the document changed."""
    called: frozenset[str] = frozenset()
    """The verbs among these writes."""
    last: str | None = None
    """The last of them that shows in the document."""


NOTHING_KNOWN = Expected({}, whole=False, ours=True)
"""Where what was seen and written before cannot be understood any more: it is learned anew, and is nobody's edit."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a record differs from what was expected: new values, the old ones, values that nobody knew, and verbs it shows.

    `undone` are the fields in which a verb was seen that is not seen any more, `lines` the lists whose rows changed while nothing else
    did, as they are now: no verb takes these to the other ERP. `unseen` are lists of which nobody knows how they were.
    """

    edited: Document
    before: Document
    unknown: Document
    called: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    lines: Document = field(default_factory=dict)
    unseen: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether nobody did anything there, as far as the values tell that were known."""
        return not (self.edited or self.called or self.undone or self.lines)


def expected(
    image: Document | None, effects: Iterable[Effect], evidence: Mapping[str, Evidence], lines: Lines = NO_LINES
) -> Expected:
    """The post-image of a document: what it was when somebody last looked, and what was written to it since.

    An ERP makes lines of its own out of what is written (a bill of materials, amounts by the order's quantity): after a write they are
    known again when somebody has looked.
    """
    fields, whole, ours = dict(image or {}), image is not None, False
    called: set[str] = set()
    last = None
    for effect in effects:
        if effect.verb == "create":
            fields, whole = {**(effect.shown or {}), **(effect.document or {})}, True
        elif effect.verb == "change":
            fields |= effect.document or {}
        for name in (*effect.lost, *lines):
            fields.pop(name, None)
        if not effect.here:
            for name in (name for verb in effect.verbs for name in evidence.get(verb, ())):
                fields.pop(name, None)  # it moved on, to where only the ERP knows
        ours = ours or not effect.here
        called.update(effect.verbs)
        last = next((verb for verb in effect.verbs if verb in evidence), last)
    return Expected(fields, whole, ours, frozenset(called), last)


def difference(
    now: Document,
    known: Expected,
    tracked: Collection[str],
    evidence: Mapping[str, Evidence],
    lines: Lines = NO_LINES,
) -> Difference:
    """Compare a record with what was expected, in the fields that a person can change there."""
    names = [name for name in sorted(tracked) if name in now]
    edited = {n: now[n] for n in names if n in known.fields and not same(now[n], known.fields[n])}
    unknown = {n: now[n] for n in names if n not in known.fields}
    called = [verb for verb, words in evidence.items() if verb not in known.called and _shows_newly(words, known, now)]
    undone = () if called else _undone(known, now, evidence)
    rows = rows_of(now, lines)
    unseen = tuple(name for name in rows if name not in known.fields)
    others = [] if edited or called or undone else [n for n in rows if n not in unseen]
    moved = {name: rows[name] for name in others if not alike(rows[name], known.fields[name])}
    return Difference(edited, {n: known.fields[n] for n in edited}, unknown, tuple(called), undone, moved, unseen)


def rows_of(now: Document, lines: Lines) -> Document:
    """The lists that are watched, each row with the fields that are."""
    lists = {name: now[name] for name in sorted(lines) if isinstance(now.get(name), list)}
    return {name: [_row(row, lines[name]) for row in rows] for name, rows in lists.items()}


def _row(row: Document, fields: Collection[str]) -> Document:
    return {name: row[name] for name in sorted(fields) if row.get(name) is not None}


def alike(rows: Sequence[Document], others: Sequence[Document]) -> bool:
    """Whether two lists have the same rows, in whatever order."""
    left = list(others)
    for row in rows:
        if row not in left:
            return False
        left.remove(row)
    return not left


def _undone(before: Expected, now: Document, evidence: Mapping[str, Evidence]) -> tuple[str, ...]:
    gone = [words for words in evidence.values() if shows(words, before.fields) and not shows(words, now)]
    return tuple(sorted({name for words in gone for name in words if before.fields.get(name) != now.get(name)}))


def _shows_newly(words: Evidence, before: Expected, now: Document) -> bool:
    """A document that we made and called nothing of shows nothing yet, also where nobody has seen it since."""
    told = before.whole or all(before.fields.get(name) is not None for name in words)
    return told and shows(words, now) and not shows(words, before.fields)


def up_to_date(now: Document, known: Expected, evidence: Mapping[str, Evidence]) -> bool:
    """Whether a record was read after the last verb of ours: an older one remembered would make that verb a person's."""
    return known.last is None or shows(evidence[known.last], now)


def moved_on(now: Document, known: Expected, evidence: Mapping[str, Evidence]) -> bool:
    """Whether a record tells where a document went that a verb took on."""
    names = {name for words in evidence.values() for name in words}
    return any(name in now and name not in known.fields for name in names)


def against(other: Document, d: Difference) -> Difference:
    """The difference with the counterpart's values in place of what nobody knew."""
    differ = {n: v for n, v in d.unknown.items() if n in other and not same(v, other[n])}
    return replace(d, edited=d.edited | differ, before=d.before | {n: other[n] for n in differ}, unknown={})


def settled_there(d: Difference, other: Document) -> bool:
    """Whether the counterpart says the same already: both ERPs derived it, or both were edited alike."""
    same_there = all(name in other and same(value, other[name]) for name, value in d.edited.items())
    lines_too = all(name in other and alike(rows, other[name]) for name, rows in d.lines.items())
    return same_there and lines_too and not (d.called or d.undone)


def derived(object_: str, document: Document, derives: Collection[str]) -> bool:
    """Whether a record is an ERP's own consequence of another document: compared, never mirrored."""
    return object_ in derives and bool(parents(object_, document))


def kept(
    now: Document, tracked: Collection[str], evidence: Mapping[str, Evidence], lines: Lines = NO_LINES
) -> Document:
    """What is remembered of a record."""
    names = {*tracked, *(name for words in evidence.values() for name in words)}
    return {name: now[name] for name in sorted(names) if name in now} | rows_of(now, lines)


# The sweep


@dataclass(frozen=True, slots=True)
class Sweep:
    """Where a reader is: all records from `since` on, in the order of their moment; `place` leads on within one moment."""

    since: Moment
    place: str | None = None


def started(cursor: Moment, overlap_s: float, grain: timedelta) -> Sweep:
    """A new sweep begins before the cursor: a transaction that committed late carries the time of its start."""
    return Sweep(_floor(cursor, grain) - _whole(timedelta(seconds=overlap_s), grain))


def onward(sweep: Sweep, last: Moment | None, place: str | None, grain: timedelta) -> Sweep | None:
    """Where to read on after a page whose last record changed at `last`; None at the end.

    The ERP's own place counts rows, and rows move to the end when they change: it is followed only among records of one moment.
    """
    if place is None or last is None:
        return None
    next_ = _floor(last, grain)
    return Sweep(next_) if next_ > _floor(sweep.since, grain) else Sweep(sweep.since, place)


def grain_of(kind: str, native_fields: int) -> timedelta:
    """How finely an ERP's feed tells times apart."""
    return DAY if kind == "date" or native_fields > 1 else SECOND


def _floor(moment: Moment, grain: timedelta) -> Moment:
    if not isinstance(moment, datetime):
        return moment
    if grain >= DAY:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.replace(microsecond=0)


def _whole(span: timedelta, grain: timedelta) -> timedelta:
    """A span in whole grains, rounded up."""
    return grain * -(-span // grain)


def text_of(moment: Moment) -> str:
    """A cursor as the store keeps it."""
    return moment.isoformat()


def moment_of(text: str) -> Moment:
    """The cursor that `text_of` wrote."""
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def reached(moments: Iterable[Any], so_far: Moment | None) -> Moment | None:
    """The latest moment seen."""
    return max((m for m in (*moments, so_far) if m is not None), default=None)
