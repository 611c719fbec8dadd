"""An accepted write and its delivery: states and events as tables, commands to the journal as values.

An intent is one accepted business write. A leg is its delivery to one side, an ordered list of steps, each one call. Legs of
one lane (one canonical id) go to a side one after the other. Source: the write protocol, sections 1.1 to 1.6.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from gateway.core.phases import Side

LegState = Literal["waiting", "ready", "sending", "settling", "in_doubt", "parked", "done", "refused", "voided"]
StepState = Literal["sending", "in_doubt", "done", "refused", "turned_away", "not_sent"]
Event = Literal[
    "release", "claim", "begin", "advance", "finish", "refuse", "put_back", "doubt", "settle", "park", "void", "reopen"
]

ENDED = frozenset({"done", "refused", "voided"})
"""Nothing is owed any more: the lane goes on."""
OWNED = frozenset({"sending", "settling"})
"""Some instance works on it; its lease guards it."""
OUTCOMES = frozenset({"advance", "finish", "refuse", "put_back", "doubt", "park", "void"})
"""Events that say what came of a call."""

LEG: MappingProxyType[tuple[LegState, Event], LegState] = MappingProxyType(
    {
        ("waiting", "release"): "ready",
        ("waiting", "void"): "voided",
        ("waiting", "park"): "parked",
        ("ready", "claim"): "sending",
        ("ready", "void"): "voided",
        ("ready", "park"): "parked",
        ("sending", "begin"): "sending",
        ("sending", "advance"): "sending",
        ("sending", "finish"): "done",
        ("sending", "refuse"): "refused",
        ("sending", "put_back"): "ready",
        ("sending", "doubt"): "in_doubt",
        ("sending", "park"): "parked",
        ("sending", "void"): "voided",
        ("in_doubt", "settle"): "settling",
        ("in_doubt", "park"): "parked",
        ("settling", "begin"): "sending",  # the same step, sent again
        ("settling", "advance"): "sending",
        ("settling", "finish"): "done",
        ("settling", "refuse"): "refused",
        ("settling", "doubt"): "in_doubt",
        ("settling", "park"): "parked",
        ("parked", "reopen"): "waiting",
        ("parked", "void"): "voided",
        ("parked", "finish"): "done",
    }
)


class NoSuchMove(Exception):
    """A state that does not know the event: a fault of ours, never of a caller."""


def moved(state: LegState, event: Event) -> LegState:
    """The state after an event. Raises: NoSuchMove."""
    try:
        return LEG[state, event]
    except KeyError:
        raise NoSuchMove(f"a leg that is {state} knows no {event}") from None


class LegRef(NamedTuple):
    """A leg as one owner holds it. `fence` rises with each owner: what an earlier one still says is not taken."""

    intent: str
    side: Side
    lane: str
    fence: int


class StepRecord(NamedTuple):
    """One call of a leg, as the journal keeps it.

    `token` is the same each time the step is sent. `request` is the native document, `etag` the ERP's lock it was sent with,
    `sent_us` when it was first sent, `quiet_us` the moment after which no sending of it can still take effect. One that was
    turned away reached the ERP, or what stands before it; one that was not sent reached nobody.
    """

    number: int
    state: StepState
    token: str
    sent_us: int
    quiet_us: int
    request: str | None = None
    etag: str | None = None
    note: str | None = None


class NewLeg(NamedTuple):
    """What one side is owed by a new intent. `parked` says why this side cannot take it at all."""

    side: Side
    erp: str
    parked: str | None = None
    starts: bool = False
    """Begin it in the same transaction when nothing is before it in its lane."""
    step: StepRecord | None = None
    there: bool = False
    """It was done in this ERP before we knew of it."""


class Names(NamedTuple):
    """What a crosswalk row says: in `space` (an ERP, or what clients are shown) the object's canonical id is called `key`."""

    object: str
    canonical: str
    space: str
    key: str


class Beside(NamedTuple):
    """What a write says in fields that the ERP lacks, of its document `key` there: the gateway keeps it.

    `fields` are names and values as text. What was said later stays: in one lane by its `lane_seq`, of a document that two lanes know by
    `said_us`, when somebody said so.
    """

    erp: str
    object: str
    plant: str
    key: str
    fields: tuple[tuple[str, str], ...]
    said_us: int
    lane: str
    lane_seq: int


@dataclass(frozen=True, slots=True)
class NewCase:
    """Something a person must decide."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a case, as the audit keeps it. `detail` is JSON text: what stood before and what after."""

    case: int
    action: str
    actor: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Replay:
    """The caller's Idempotency-Key, and what it stands for. `fingerprint` is of the canonical operation."""

    client: str
    key: str
    fingerprint: str
    until_us: int


class Intent(NamedTuple):
    """One accepted write. `document` is the canonical document or patch, as text; `key` what the URL named, as the lane's number.

    `side` is the authoritative one; `parents` are lanes whose open legs go first.
    """

    id: str
    lane: str
    plant: str
    domain: str
    object: str
    verb: str
    epoch: int
    term: int
    side: Side
    content: str
    created_us: int
    client: str
    subject: str
    origin: str = "client"
    key: str | None = None
    document: str | None = None
    if_match: str | None = None
    version: str | None = None
    parents: tuple[str, ...] = ()
    lane_seq: int = 0


class Accept(NamedTuple):
    """Command: journal an intent with its legs, if the cell is still at its epoch and the caller's key is new."""

    intent: Intent
    legs: tuple[NewLeg, ...]
    instance: str
    now_us: int
    replay: Replay | None = None
    names: tuple[Names, ...] = ()
    new_lane: bool = False
    expects: int | None = None
    """Only if this is the last place taken in the lane: what was read before may say nothing any more."""

    @property
    def lane(self) -> str:
        return self.intent.lane


class Accepted(NamedTuple):
    """The intent is in the journal; `started` is the leg that its caller may carry out now."""

    intent: Intent
    started: LegRef | None


@dataclass(frozen=True, slots=True)
class Known:
    """The Idempotency-Key was used before."""

    intent: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class EpochMoved:
    """The cell changed its phase since the exchange looked: nothing was journalled."""

    plant: str
    domain: str


@dataclass(frozen=True, slots=True)
class LaneMoved:
    """Another write entered the lane meanwhile: nothing was journalled."""

    lane: str


class Move(NamedTuple):
    """Command: something happened to a leg.

    `step` is the step as it is now, `next_step` the one begun in the same transaction. `key` is the native key learned, `answer`
    what the authoritative side said. `instance` is the one that takes released legs over at once.
    """

    ref: LegRef
    event: Event
    now_us: int
    step: StepRecord | None = None
    next_step: StepRecord | None = None
    key: str | None = None
    names: tuple[Names, ...] = ()
    answer: str | None = None
    document: str | None = None
    """The intent's patch, with what stood there before as it was read inside the lane."""
    error: str | None = None
    next_at_us: int | None = None
    case: NewCase | None = None
    void_intent: bool = False
    """With `void`: nothing was sent, the client is told so, and its key may be used again."""
    instance: str | None = None
    decision: Decision | None = None
    """A person's move: only a parked leg takes it."""
    repaired: str | None = None
    """The document, as text, that this leg alone is sent with from now on."""
    shown: str | None = None
    """What the ERP answered of a new document, in its own words: the change feed knows it again by that."""
    follow: StepRecord | None = None
    """The first step of the intent's other leg: begun in the same transaction where that leg is handed over for the first time."""
    beside: Beside | None = None

    @property
    def lane(self) -> str:
        return self.ref.lane


class Done(NamedTuple):
    """A move was journalled. `state` is the leg's; `released` are the legs that may go now, and `begun` the one whose step is begun."""

    state: LegState
    released: tuple[LegRef, ...] = ()
    begun: LegRef | None = None


@dataclass(frozen=True, slots=True)
class Fenced:
    """Another owner has the leg: what this one learned is not taken, and it does nothing more."""

    ref: LegRef


Command = Accept | Move
Verdict = Accepted | Known | EpochMoved | LaneMoved | Done | Fenced


def step_token(intent: str, side: Side, number: int) -> str:
    """The id under which an ERP gets a step, each time it gets it: 32 hexadecimal digits."""
    return hashlib.sha256(f"{intent}/{side}/{number}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class LegRow:
    """A leg as a transaction sees it."""

    intent: str
    side: Side
    lane: str
    lane_seq: int
    erp: str
    state: LegState
    fence: int
    authoritative: bool
    held: bool
    """Not released yet: the authoritative side has not taken the write."""
    attempts: int = 0
    reopened: int = 0
    """How often a person sent it on its way again."""
    waits_for: set[str] = field(default_factory=set)
    values: dict[str, Any] = field(default_factory=dict)
    """Other columns to be written."""
