"""The journal's tables as dictionaries, for the pure rules of lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from gateway.core.intents import (
    ENDED,
    Accept,
    Command,
    Intent,
    Known,
    LegRef,
    LegRow,
    Move,
    NewLeg,
    StepRecord,
    Verdict,
    moved,
)
from gateway.core.lanes import CellNow, LegId, Working, decided
from gateway.core.phases import Side

CELL = ("1000", "production")
SIDES: tuple[Side, Side] = ("legacy", "cloud")


def intent(id_: str, lane: str, side: Side = "legacy", parents: tuple[str, ...] = (), epoch: int = 1) -> Intent:
    return Intent(
        id=id_, lane=lane, plant=CELL[0], domain=CELL[1], object="production_order", verb="change", epoch=epoch, term=1,
        side=side, content="c", created_us=0, client="mes", subject="mes", parents=parents,
    )  # fmt: skip


def accept(id_: str, lane: str = "a", sides: Sequence[Side] = SIDES, **more: Any) -> Accept:
    """The first side is the authoritative one."""
    legs = tuple(NewLeg(side, f"erp-{side}", starts=side == sides[0]) for side in sides)
    return Accept(intent(id_, lane, sides[0], **more), legs, "me", 0)


class Tables:
    """The journal's tables as dictionaries; each batch loads and locks the lanes that its commands need, and no others."""

    def __init__(self) -> None:
        self.cell = CellNow(1)
        self.legs: dict[LegId, LegRow] = {}
        self.waits: set[tuple[str, Side, str]] = set()
        self.last: dict[str, int] = {}
        self.replays: dict[tuple[str, str], Known] = {}
        self.begun: list[tuple[LegId, StepRecord]] = []

    def open(self) -> Iterator[LegRow]:
        return (leg for leg in self.legs.values() if leg.state not in ENDED)

    def do(self, *commands: Command) -> list[Verdict]:
        w = self._loaded(commands)
        verdicts = [decided(w, command) for command in commands]
        self._save(w)
        return verdicts

    def _loaded(self, commands: Sequence[Command]) -> Working:
        w = Working(cells={CELL: self.cell}, replays=dict(self.replays))
        lanes = {c.lane for c in commands}
        lanes |= {lane for c in commands if isinstance(c, Accept) for lane in c.intent.parents}
        ended = {c.ref.intent for c in commands if isinstance(c, Move)}
        lanes |= {self.legs[waiting, side].lane for waiting, side, on in self.waits if on in ended}
        w.last = {lane: self.last[lane] for lane in lanes if lane in self.last}
        for leg in self.open():
            if leg.lane in lanes:
                row = deepcopy(leg)
                row.waits_for, row.values = set(), {}
                w.enter(row)
                w.cell_of[row.intent] = CELL
        for waiting, side, on in self.waits:
            row_or_none = w.legs.get((waiting, side))
            if row_or_none is not None and row_or_none.state in ("waiting", "parked"):
                row_or_none.waits_for.add(on)
                w.waiters.setdefault((on, side), []).append((waiting, side))
        return w

    def _save(self, w: Working) -> None:
        self.legs |= w.new_legs | w.changed
        self.waits |= set(w.waits)
        self.waits = {row for row in self.waits if (row[2], row[1]) not in w.ended}
        self.last |= w.last
        self.begun += w.new_steps
        self.replays |= {(r.client, r.key): Known(id_, r.fingerprint) for r, id_ in w.new_replays}
        self.replays = {k: v for k, v in self.replays.items() if v.intent not in w.forgotten_replays}

    def take(self, leg: LegRow) -> LegRef:
        """What a claim does: an instance owns the leg under a new fence."""
        leg.state = moved(leg.state, "claim" if leg.state == "ready" else "settle")
        leg.fence += 1
        return LegRef(leg.intent, leg.side, leg.lane, leg.fence)

    def of(self, id_: str, side: Side) -> LegRow:
        return self.legs[id_, side]


def ref(leg: LegRow, fence: int | None = None) -> LegRef:
    return LegRef(leg.intent, leg.side, leg.lane, leg.fence if fence is None else fence)
