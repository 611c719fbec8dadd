"""What a transaction of the journal decides: commands against the open legs of their lanes. Pure: rows in, rows out.

A leg may go when nothing open stands before it in its lane on its side, the parents it waits for have ended there, and the
authoritative side has taken the write. Source: the write protocol, sections 1.2 to 1.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from gateway.core.intents import (
    ENDED,
    Accept,
    Accepted,
    Beside,
    Command,
    Decision,
    Done,
    EpochMoved,
    Fenced,
    Intent,
    Known,
    LaneMoved,
    LegRef,
    LegRow,
    Move,
    Names,
    NewCase,
    NewLeg,
    NoSuchMove,
    Replay,
    StepRecord,
    Verdict,
    moved,
)
from gateway.core.phases import Side

ANY_FENCE = -1
"""The fence of a person's move: whoever owns the leg, this holds."""
LegId = tuple[str, Side]


@dataclass(frozen=True, slots=True)
class CellNow:
    """What the transaction sees of a cell, locked to its commit."""

    epoch: int
    suspended: bool = False


@dataclass(slots=True)
class Working:
    """What a transaction loaded, and what it is going to write."""

    cells: dict[tuple[str, str], CellNow] = field(default_factory=dict)
    replays: dict[tuple[str, str], Known] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    legs: dict[LegId, LegRow] = field(default_factory=dict)
    waiters: dict[LegId, list[LegId]] = field(default_factory=dict)
    """Who waits for a leg to end."""
    cell_of: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The cell of an intent."""
    # to be written
    intents: list[Intent] = field(default_factory=list)
    new_replays: list[tuple[Replay, str]] = field(default_factory=list)
    new_legs: dict[LegId, LegRow] = field(default_factory=dict)
    changed: dict[LegId, LegRow] = field(default_factory=dict)
    waits: list[tuple[str, Side, str]] = field(default_factory=list)
    new_steps: list[tuple[LegId, StepRecord]] = field(default_factory=list)
    steps: list[tuple[LegId, StepRecord]] = field(default_factory=list)
    names: list[tuple[Names, int]] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)
    documents: list[tuple[str, str]] = field(default_factory=list)
    forgotten_replays: list[str] = field(default_factory=list)
    cases: list[tuple[LegId, NewCase, int]] = field(default_factory=list)
    ended: list[LegId] = field(default_factory=list)
    decisions: list[tuple[Decision, int, bool]] = field(default_factory=list)
    """What people decided, when, and whether it ends the case."""
    settled_cases: list[tuple[LegId, int, str]] = field(default_factory=list)
    """Legs whose cases have nothing left to decide: since when, and why."""
    _lanes: dict[tuple[str, Side], list[LegRow]] = field(default_factory=dict)

    def enter(self, leg: LegRow) -> None:
        """An open leg takes its place in its lane."""
        self.legs[leg.intent, leg.side] = leg
        self._lanes.setdefault((leg.lane, leg.side), []).append(leg)

    def leave(self, leg: LegRow) -> None:
        """A leg has ended."""
        del self.legs[leg.intent, leg.side]
        self._lanes[leg.lane, leg.side].remove(leg)

    def open_in(self, lane: str, side: Side) -> Sequence[LegRow]:
        """The open legs of one side of a lane."""
        return self._lanes.get((lane, side), ())


def decided(w: Working, command: Command) -> Verdict:
    """Carry out one command in the working set."""
    return _accept(w, command) if isinstance(command, Accept) else _move(w, command)


def _accept(w: Working, c: Accept) -> Verdict:
    intent, cell_id = c.intent, (c.intent.plant, c.intent.domain)
    cell = w.cells.get(cell_id)
    if c.replay is not None and (known := w.replays.get((c.replay.client, c.replay.key))) is not None:
        return known
    if cell is None or cell.epoch != intent.epoch:
        return EpochMoved(*cell_id)
    if c.expects is not None and c.expects != w.last.get(intent.lane, 0):
        return LaneMoved(intent.lane)
    seq = w.last.get(intent.lane, 0) + 1
    w.last[intent.lane] = seq
    intent = intent._replace(lane_seq=seq)
    w.intents.append(intent)
    w.cell_of[intent.id] = cell_id
    if c.replay is not None:
        w.replays[c.replay.client, c.replay.key] = Known(intent.id, c.replay.fingerprint)
        w.new_replays.append((c.replay, intent.id))
    w.names.extend((names, c.now_us) for names in c.names)
    started = [_new_leg(w, c, intent, leg) for leg in c.legs]
    return Accepted(intent, next((ref for ref in started if ref is not None), None))


def _new_leg(w: Working, c: Accept, intent: Intent, leg: NewLeg) -> LegRef | None:
    id_: LegId = (intent.id, leg.side)
    authoritative = leg.side == intent.side
    held = not authoritative and intent.origin != "erp"
    row = LegRow(intent.id, leg.side, intent.lane, intent.lane_seq, leg.erp, "waiting", 0, authoritative, held)
    if leg.there:
        row.state, row.values = "done", {"next_at_us": c.now_us, "ended_us": c.now_us}
        w.new_legs[id_] = row
        return None
    row.waits_for = {last for lane in intent.parents if (last := _last_open(w, lane, leg.side)) is not None}
    first = _first_of_lane(w, intent.lane, leg.side)
    w.enter(row)
    w.new_legs[id_] = row
    w.waits += [(intent.id, leg.side, parent) for parent in sorted(row.waits_for)]
    for parent in row.waits_for:
        w.waiters.setdefault((parent, leg.side), []).append(id_)
    row.values["next_at_us"] = c.now_us
    if leg.parked is not None:
        row.state = moved(row.state, "park")
        row.values["error"] = leg.parked
        kind = "direct-edit" if intent.origin == "erp" else "untranslatable"
        w.cases.append((id_, NewCase(kind, leg.parked), c.now_us))
        return None
    if not first or not _free(row):
        return None
    row.state = moved(row.state, "release")
    if not leg.starts:
        return None
    if leg.step is not None:
        w.new_steps.append((id_, leg.step))
        row.values["step"] = leg.step.number
    return _claimed(row, c.instance)


def _first_of_lane(w: Working, lane: str, side: Side) -> bool:
    return _head(w, lane, side) is None


def _free(row: LegRow) -> bool:
    return not row.held and not row.waits_for


def _claimed(row: LegRow, instance: str) -> LegRef:
    row.state = moved(row.state, "claim")
    row.fence += 1
    row.values["owner"] = instance
    return LegRef(row.intent, row.side, row.lane, row.fence)


def _move(w: Working, c: Move) -> Verdict:
    id_: LegId = (c.ref.intent, c.ref.side)
    row = w.legs.get(id_)
    if row is None or c.ref.fence not in (row.fence, ANY_FENCE):
        return Fenced(c.ref)
    if c.decision is not None and row.state != "parked":
        # Somebody else decided meanwhile: a leg on its way is never voided or finished by what was seen before.
        raise NoSuchMove(f"a leg that is {row.state} waits for nobody's decision")
    if row.held and c.event == "finish":
        raise NoSuchMove("the side in charge has not taken the write yet")
    row.state = moved(row.state, c.event)
    w.changed[id_] = row
    _counted(row, c)
    _noted(w, row, c)
    if row.state not in ENDED:
        return Done(row.state, _released(w, [(row.lane, row.side)], c) if c.event == "reopen" else ())
    row.values |= {"ended_us": c.now_us, "owner": None}
    taken = _after(w, row, c)
    begun = _begun(w, taken, c)
    return Done(row.state, tuple(ref for ref in taken if ref is not begun), begun)


def _begun(w: Working, taken: Sequence[LegRef], c: Move) -> LegRef | None:
    """The intent's other leg, with its first step begun, where it was handed over and no person had sent it again."""
    other = next((ref for ref in taken if ref.intent == c.ref.intent), None)
    if c.follow is None or other is None:
        return None
    id_: LegId = (other.intent, other.side)
    row = w.legs[id_]
    if row.reopened:
        return None
    w.new_steps.append((id_, c.follow))
    row.values["step"] = c.follow.number
    return other


def _counted(row: LegRow, c: Move) -> None:
    row.values |= _columns(c)
    if c.event in ("put_back", "doubt", "park", "reopen"):
        row.values["owner"] = None
    if c.event in ("put_back", "doubt"):
        row.attempts += 1
    if c.event in ("advance", "reopen"):
        row.attempts = 0
    if c.event == "reopen":
        row.reopened += 1
        row.values["reopened"] = row.reopened


def _noted(w: Working, row: LegRow, c: Move) -> None:
    """What a move brings beside the leg's new state."""
    id_: LegId = (row.intent, row.side)
    if c.decision is not None:
        w.decisions.append((c.decision, c.now_us, row.state in ENDED))
    if c.step is not None:
        w.steps.append((id_, c.step))
    if c.next_step is not None:
        w.new_steps.append((id_, c.next_step))
        row.values["step"] = c.next_step.number
    w.names.extend((names, c.now_us) for names in c.names)
    if c.beside is not None:
        w.beside.append(c.beside)
    if c.answer is not None:
        w.answers.append((row.intent, c.answer))
    if c.document is not None:
        w.documents.append((row.intent, c.document))
    if c.case is not None:
        w.cases.append((id_, c.case, c.now_us))


def _columns(c: Move) -> dict[str, Any]:
    given = {
        "native_key": c.key, "error": c.error, "next_at_us": c.next_at_us, "repaired": c.repaired, "shown": c.shown,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _after(w: Working, row: LegRow, c: Move) -> tuple[LegRef, ...]:
    """What an ended leg lets go: the intent's other leg, the next of the lane, and those who waited for it."""
    places = _let_go(w, row)
    if row.reopened:
        w.settled_cases.append(((row.intent, row.side), c.now_us, f"sent again, and now {row.state}"))
    if row.authoritative:
        other = w.legs.get((row.intent, "cloud" if row.side == "legacy" else "legacy"))
        if other is not None:
            places |= _decided_for(w, other, row, c)
        if c.void_intent:
            w.forgotten_replays.append(row.intent)
    return _released(w, sorted(places), c)


def _decided_for(w: Working, other: LegRow, row: LegRow, c: Move) -> set[tuple[str, Side]]:
    """The other leg of an intent whose authoritative leg has ended. Gives: lanes that may go on."""
    w.changed[other.intent, other.side] = other
    if row.state == "done":
        other.held = False
        return {(other.lane, other.side)}
    if other.state == "parked" or other.reopened:
        why = "the write was refused, so nothing is owed"
        w.settled_cases.append(((other.intent, other.side), c.now_us, why))
    other.state = moved(other.state, "void")
    other.values |= {"ended_us": c.now_us, "owner": None}
    return _let_go(w, other)


def _let_go(w: Working, row: LegRow) -> set[tuple[str, Side]]:
    """An ended leg holds nobody back any more. Gives: the lanes that may go on."""
    id_: LegId = (row.intent, row.side)
    w.leave(row)
    w.ended.append(id_)
    places = {(row.lane, row.side)}
    for waiting in w.waiters.pop(id_, ()):
        if (waiter := w.legs.get(waiting)) is not None:
            waiter.waits_for.discard(row.intent)
            places.add((waiter.lane, waiter.side))
    return places


def _released(w: Working, places: Iterable[tuple[str, Side]], c: Move) -> tuple[LegRef, ...]:
    """Let the heads of lanes go; those that the mover takes over at once are given back."""
    taken = []
    for lane, side in places:
        head = _head(w, lane, side)
        if head is None or head.state != "waiting" or not _free(head):
            continue
        head.state = moved(head.state, "release")
        head.values["next_at_us"] = c.now_us
        w.changed[head.intent, head.side] = head
        if c.instance is not None and not _paused(w, head):
            taken.append(_claimed(head, c.instance))
    return tuple(taken)


def _paused(w: Working, row: LegRow) -> bool:
    cell = w.cells.get(w.cell_of.get(row.intent, ("", "")))
    return not row.authoritative and (cell is None or cell.suspended)


def _head(w: Working, lane: str, side: Side) -> LegRow | None:
    return min(w.open_in(lane, side), key=_place, default=None)


def _last_open(w: Working, lane: str, side: Side) -> str | None:
    last = max(w.open_in(lane, side), key=_place, default=None)
    return last.intent if last is not None else None


_place = attrgetter("lane_seq")
