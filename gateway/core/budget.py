"""Who may call an ERP now: one budget over all instances, shared out among them, spent first on what somebody waits for.

Source: the write protocol, section 1.12.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from gateway.core.rates import RateClass, admitted

T = TypeVar("T")
EVERY = 16
"""Under pressure one permit in so many goes to whoever has waited longest, of whatever priority. An overloaded ERP keeps
fifteen sixteenths of its calls for people, and what is owed to it never quite stops: a backlog that stands still is never seen to end."""
KEPT_FREE = 4
"""One permit in so many, and at least one where there are two, is never taken by calls that nobody waits for: a call that somebody
waits for need not sit out a slow one of a catch-up first."""
LOOKS_FRESH = 2


class Priority(IntEnum):
    """What a call is for; the first matters most."""

    INTERACTIVE = 0
    REPLICATION = 1
    SETTLE = 2
    REPLAY = 3
    RECONCILE = 4
    SHADOW = 5
    BACKFILL = 6


def priority_of_leg(*, authoritative: bool, settling: bool, reopened: bool) -> Priority:
    """What the calls of a leg are for. Takes: `reopened`, whether a person sends it again out of a case."""
    if settling:
        return Priority.SETTLE
    if authoritative:
        return Priority.INTERACTIVE
    return Priority.REPLAY if reopened else Priority.REPLICATION


@dataclass(frozen=True, slots=True)
class Budget:
    """What an ERP may be asked: so many calls at once, and `per_s` calls a second (None: any number), `burst` of them together."""

    concurrency: int
    per_s: float | None = None
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of an instance among the living ones. While it is `fresh` the others may not have made room for it yet."""

    number: int = 0
    of: int = 1
    fresh: int = 0


def seated(before: Seat | None, me: str, living: Sequence[str]) -> Seat:
    """An instance's place, looked up anew. Takes: `before`, the place of the last look; `living`, all with a lease."""
    everyone = sorted({me, *living})
    number, of = everyone.index(me), len(everyone)
    if of > 1 and (before is None or me not in living):
        return Seat(number, of, LOOKS_FRESH)
    return Seat(number, of, max(0, before.fresh - 1) if before is not None and of > 1 else 0)


def share(budget: Budget, seat: Seat) -> Budget:
    """The part of a budget that an instance may spend.

    All parts together are the budget, except that nobody's is less than one call at once: more instances than calls exceed it by the
    difference, and a fresh one by one call until the others have seen it.
    """
    per_s = budget.per_s / seat.of if budget.per_s is not None else None
    if seat.fresh:
        return Budget(1, per_s, 1)
    return Budget(_part(budget.concurrency, seat), per_s, _part(budget.burst, seat))


def _part(whole: int, seat: Seat) -> int:
    return max(1, whole // seat.of + (seat.number < whole % seat.of))


class Admission(Generic[T]):
    """The permits of one ERP, and the lines of those who wait for one. Times are seconds of any steady clock.

    Takes: `waiting_most`, how long each line may get. It changes in place: every call to an ERP passes here twice.
    """

    __slots__ = (
        "_arrivals", "_background", "_background_most", "_due_s", "_lines", "_most", "_passed", "_rate", "_total", "budget",
        "in_use", "paused_until_s", "waiting", "waiting_most",
    )  # fmt: skip

    def __init__(self, budget: Budget, waiting_most: int) -> None:
        self.in_use = [0] * len(Priority)
        self.waiting = 0
        self.paused_until_s = self._due_s = 0.0
        self._lines: list[deque[tuple[int, T]]] = [deque() for _ in Priority]
        self._total = self._background = self._passed = self._arrivals = 0
        self.waiting_most = waiting_most
        self.resize(budget)

    def resize(self, budget: Budget) -> None:
        """Another budget from now on; permits already given stay given."""
        self.budget = budget
        self._most, kept_free = budget.concurrency, max(1, budget.concurrency // KEPT_FREE)
        self._background_most = max(1, budget.concurrency - kept_free)
        self._rate = RateClass(budget.per_s, budget.burst) if budget.per_s is not None else None

    def enter(self, priority: int, now_s: float) -> bool:
        """Take a permit at once. Gives: False where there is none, or where others wait."""
        if self.waiting or now_s < self.paused_until_s or not self._has_room(priority):
            return False
        if self._rate is not None and self._owes_s(now_s) > 0:
            return False
        self._take(priority)
        return True

    def leave(self, priority: int) -> None:
        """Give a permit back."""
        self.in_use[priority] -= 1
        self._total -= 1
        if priority:
            self._background -= 1

    def queue(self, priority: int, ticket: T) -> bool:
        """Stand in line. Gives: False where the line is full."""
        line = self._lines[priority]
        if len(line) >= self.waiting_most:
            return False
        self._arrivals += 1
        line.append((self._arrivals, ticket))
        self.waiting += 1
        return True

    def withdraw(self, priority: int, ticket: T) -> None:
        """Leave the line, wherever one stands in it."""
        line = self._lines[priority]
        kept = [entry for entry in line if entry[1] is not ticket]
        self.waiting -= len(line) - len(kept)
        line.clear()
        line.extend(kept)

    def called(self, now_s: float) -> tuple[int, T] | None:
        """Whose turn it is, with a permit; None where nobody may go now."""
        if not self.waiting or now_s < self.paused_until_s:
            return None
        chosen = self._chosen()
        if chosen is None or self._owes_s(now_s) > 0:
            return None
        priority, passed = chosen
        self._passed = passed
        _, ticket = self._lines[priority].popleft()
        self.waiting -= 1
        self._take(priority)
        return priority, ticket

    def wait_s(self, now_s: float) -> float | None:
        """After how long to look again; None where only a permit that comes back can help."""
        if not self.waiting or self._chosen() is None:
            return None
        return max(self.paused_until_s - now_s, self._rate_wait_s(now_s)[1], 0.0)

    def pause(self, until_s: float) -> list[T]:
        """Nobody calls until then. Gives: all who waited; they stand in no line any more."""
        self.paused_until_s = max(self.paused_until_s, until_s)
        sent_away = [ticket for line in self._lines for _, ticket in line]
        for line in self._lines:
            line.clear()
        self.waiting = 0
        return sent_away

    def in_line(self, priority: int) -> int:
        """How many wait with a priority."""
        return len(self._lines[priority])

    def room_behind(self, now_s: float) -> int:
        """How many more calls that nobody waits for could go now, or within a second where there is a rate."""
        if now_s < self.paused_until_s:
            return 0
        waiting = self.waiting - len(self._lines[Priority.INTERACTIVE])
        room = self._background_most - self._background - waiting
        if self._rate is not None:
            room = min(room, max(1, int(self._rate.per_s)) - waiting)
        return max(0, room)

    def _has_room(self, priority: int) -> bool:
        return self._total < self._most and (not priority or self._background < self._background_most)

    def _chosen(self) -> tuple[int, int] | None:
        """The line whose head goes next, and how often an older head was passed over then."""
        lines = [p for p, line in enumerate(self._lines) if line and self._has_room(p)]
        if not lines:
            return None
        oldest = min(lines, key=lambda p: self._lines[p][0][0])
        if oldest == lines[0]:
            return oldest, self._passed
        return (oldest, 0) if self._passed >= EVERY - 1 else (lines[0], self._passed + 1)

    def _take(self, priority: int) -> None:
        self.in_use[priority] += 1
        self._total += 1
        if priority:
            self._background += 1

    def _owes_s(self, now_s: float) -> float:
        """Seconds until the rate allows the next call; at 0 it is counted as made."""
        if self._rate is None:
            return 0.0
        self._due_s, wait_s = self._rate_wait_s(now_s)
        return wait_s

    def _rate_wait_s(self, now_s: float) -> tuple[float, float]:
        return admitted(self._rate, self._due_s, now_s) if self._rate is not None else (0.0, 0.0)
