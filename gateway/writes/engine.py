"""Writes of all phases: accepted into the journal, and answered when the side in charge has ended. One instance of it serves.

Source: the write protocol, section 1.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.core.canonical import OBJECTS, Document, ObjectSpec
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.crosswalk import SHOWN, Number, canonical_id, erp_space, parents
from gateway.core.etags import Condition, content_hash, parse
from gateway.core.intents import (
    Accept,
    Accepted,
    EpochMoved,
    Intent,
    Known,
    Names,
    NewLeg,
    Replay,
)
from gateway.core.settling import US
from gateway.core.waves import Cell
from gateway.errors import (
    BY_CODE,
    GatewayError,
    IdempotencyInFlight,
    IdempotencyMismatch,
    JournalUnavailable,
    OutcomeUnknown,
    RouteMoved,
)
from gateway.observe.logs import log
from gateway.reads.authoritative import ErpSide, Found
from gateway.reads.numbers import for_client, for_erp, key_for_erp
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Journal, LegView, OperationView
from gateway.store.points import reached
from gateway.store.sql import StoreDown
from gateway.writes.asked import in_words
from gateway.writes.carry import Outcome, Prepared, current, encoded, prepared, steps_of, stood
from gateway.writes.delivery import Delivery
from gateway.writes.moves import Ended
from gateway.writes.place import Place, Places, Timing
from gateway.writes.prepare import Begun
from gateway.writes.relay import Relay, RelayLimits

Permitted = Callable[[Document], Awaitable[None]]
COMMIT_S = 0.5
"""A commit gets so long also where its caller's time is nearly up: most take a few milliseconds, and then 202 can be told."""
KEPT_S = 7 * 24 * 3600
"""How long an Idempotency-Key is remembered."""


class Write(NamedTuple):
    """What a client asks: a verb on an object of a cell. Numbers are those that clients know.

    `places` has the authoritative side first, then the other one where the phase writes both.
    """

    cell: Cell
    spec: ObjectSpec
    verb: str
    key: str | None
    document: Document | None
    if_match: Condition
    places: tuple[Place, ...]
    client: str
    subject: str
    content: str
    version: str
    deadline_s: float
    permitted: Permitted
    idempotency_key: str | None = None
    one_number: bool = False
    """Every ERP's numbers are those that clients know."""
    unplaced: tuple[NewLeg, ...] = ()
    """Legs to ERPs without such an object: parked from the start."""


class Written(NamedTuple):
    """A write that ended in time: its operation, and what it left behind in the ERP's numbers."""

    operation: str
    outcome: Outcome
    replayed: Intent | None = None
    """What an earlier request with the same key began, where this is its answer."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A write that is in the journal and not done yet: nobody may send it again."""

    operation: str
    replayed: Intent | None = None


Heard = Ended | Known | EpochMoved | Exception
"""What a caller is told: how its write ended, or what the journal said instead of taking it."""


@dataclass(slots=True)
class Caller:
    """Somebody who waits for the end of a write. `taken`: it is in the journal."""

    answer: asyncio.Future[Heard]
    taken: bool = False

    def hears(self, heard: Heard) -> None:
        if not self.answer.done():
            self.answer.set_result(heard)


class Ids(Protocol):
    """New ids, 32 hexadecimal digits, rising with time."""

    def __call__(self) -> str: ...


class Writes:
    """The write engine of one instance. Takes: `watch_s`, how often a caller looks whether another instance ended its write."""

    def __init__(  # the composition root's list
        self,
        journal: Journal,
        crosswalk: Crosswalk,
        places: Places,
        timing: Timing,
        instance: str,
        new_id: Ids,
        erps: Callable[[], Iterable[str]],
        limits: RelayLimits | None = None,
        *,
        alone: bool = True,
        watch_s: float = 0.25,
    ) -> None:
        self.journal, self.crosswalk, self.instance, self.timing = journal, crosswalk, instance, timing
        self._new_id, self._alone, self._watch_s = new_id, alone, watch_s
        self.delivery = Delivery(journal, crosswalk, places, timing, instance)
        self.delivery.moves.tell, self.delivery.moves.waits = self._told, self._keep_waiting
        self.relay = Relay(journal, self.delivery, timing, instance, erps, limits or RelayLimits(), alone=alone)
        self._callers: dict[str, Caller] = {}
        self._answering: set[str] = set()
        """Intents whose caller is about to be told that nothing was sent: no 202 may overtake that."""
        self.relay.carried = self._answering.discard

    # Accepting

    async def submit(self, w: Write) -> Written | Pending:
        """Journal a write and carry it out.

        Gives:  what it left behind, or that it is still under way when the caller's time is up.
        Raises: Refused: nothing happened. Unavailable: nothing was sent. RouteMoved: look at the table again.
        """
        first, *others = w.places
        ready = await self._ready(w, first)
        intent, names, new_lane = await self._intent(w, first.side, ready.found)
        sent = self.delivery.first_step(intent, first, ready, next(iter(others), None))
        if _looks_again(w, first.side, ready):
            sent = sent._replace(ready=None, record=None)
        legs = (
            NewLeg(first.side.side, first.side.name, starts=True, step=sent.record),
            *(self._following(w, place, ready.found) for place in others),
            *w.unplaced,
        )
        accept = Accept(
            intent, legs, self.instance, self.timing.wall_us(), self._replay(w, intent), names, new_lane=new_lane
        )
        caller = self._callers[intent.id] = Caller(asyncio.get_running_loop().create_future())
        try:
            # In a task of its own: a caller who goes away meanwhile leaves no accepted write that nobody carries.
            self.relay.keep(asyncio.create_task(self._taken(accept, sent, caller)))
            told = await self._answered(intent.id, caller, w.deadline_s)
        finally:
            del self._callers[intent.id]
        if isinstance(told, EpochMoved):
            raise RouteMoved(
                f"The cell ({w.cell.plant}, {w.cell.domain}) moved while the write came in.", retry_after_s=1
            )
        return await self.replayed(told, fingerprint(w)) if isinstance(told, Known) else told

    async def _taken(self, accept: Accept, sent: Begun, caller: Caller) -> None:
        """Journal an intent, and carry its authoritative leg where nothing is before it: its first step is in the same commit."""
        try:
            verdict = await self._journalled(accept)
        except asyncio.CancelledError:
            text = "The gateway stopped before the journal had said whether it took the write."
            caller.hears(OutcomeUnknown(text, operation=accept.intent.id))
            raise
        except Exception as err:  # whatever it is, it is the caller's answer
            if not isinstance(err, GatewayError):  # and a fault of ours, also where the caller has left
                log.error("write.failed", intent=accept.intent.id, exc_info=err)
            caller.hears(err)
            return
        if not isinstance(verdict, Accepted):
            caller.hears(verdict)
            return
        caller.taken = True
        await reached("accept.after_commit")
        if verdict.started is None:
            return
        try:
            await self.relay.carry_now(sent.claimed(verdict.started, verdict.intent), sent)
        except asyncio.CancelledError:
            caller.hears(None)  # the gateway stops; it is in the journal, and another start carries it
            raise

    async def _journalled(self, accept: Accept) -> Accepted | Known | EpochMoved:
        try:
            return await self.journal.do(accept)  # type: ignore[return-value]  # what an Accept is answered with
        except StoreDown as err:
            if err.unsure:
                # It may stand there with its first leg in our name.
                self.relay.stray((accept.intent.id, accept.intent.side, 1))
                raise OutcomeUnknown(
                    "The journal broke while it took the write: nobody knows whether it did.",
                    operation=accept.intent.id,
                ) from err
            raise JournalUnavailable("The journal cannot take a write now: nothing was sent.", retry_after_s=2) from err

    async def _ready(self, w: Write, place: Place) -> Prepared:
        """The authoritative leg as it goes out if nothing is before it. Raises: whatever refuses it, before anything is journalled."""
        side = place.side
        steps_of(side, w.verb)
        found = None
        if w.key is not None:
            own = w.key
            if not w.one_number:
                same = place.manifest.same_numbers
                own = await key_for_erp(self.crosswalk, side.name, w.spec.name, w.key, same)
            found = await current(side, own, w.deadline_s, w.if_match)
            await w.permitted(found.document)
        body = w.document
        if body is not None and not w.one_number:
            body = await for_erp(self.crosswalk, side.name, w.spec.name, body)
        return prepared(side, w.verb, body, found)

    async def _intent(self, w: Write, side: ErpSide, found: Found | None) -> tuple[Intent, tuple[Names, ...], bool]:
        id_ = self._new_id()
        named = parents(w.spec.name, w.document or {}) if w.verb == "create" else frozenset[Number]()
        wanted = {*named, (w.spec.name, w.key)} if w.key is not None else set(named)
        known = await self.crosswalk.canonical(wanted) if wanted else {}
        lane: str = id_
        names: tuple[Names, ...] = ()
        if w.key is not None:
            lane = known.get((w.spec.name, w.key)) or canonical_id(w.spec.name, side.name, w.key)
            if (w.spec.name, w.key) not in known:
                own = Names(w.spec.name, lane, erp_space(side.name), w.key)
                names = (own, Names(w.spec.name, lane, SHOWN, w.key))
        above = tuple(sorted(known.get(n) or canonical_id(n[0], side.name, n[1]) for n in named))
        intent = Intent(
            id=id_, lane=lane, plant=w.cell.plant, domain=w.cell.domain, object=w.spec.name, verb=w.verb,
            epoch=w.cell.epoch, term=w.cell.term, side=side.side, content=w.content,
            created_us=self.timing.wall_us(), client=w.client, subject=w.subject, key=w.key,
            document=_kept(w, side, found), if_match=_matched(w, found), version=w.version, parents=above,
        )  # fmt: skip
        return intent, names, w.key is None

    def _following(self, w: Write, place: Place, found: Found | None) -> NewLeg:
        return NewLeg(place.side.side, place.side.name, parked=self._untranslatable(w, place, found))

    def _untranslatable(self, w: Write, place: Place, found: Found | None) -> str | None:
        """Why the other side can never take this; it is known at once, and not after a night in the queue."""
        try:
            steps_of(place.side, w.verb)
            encoded(place.side, w.verb, w.document, found)
        except GatewayError as err:
            return in_words(err)
        return None

    def _replay(self, w: Write, intent: Intent) -> Replay | None:
        if w.idempotency_key is None:
            return None
        return Replay(w.client, w.idempotency_key, fingerprint(w), intent.created_us + KEPT_S * US)

    async def _answered(self, id_: str, caller: Caller, deadline_s: float) -> Written | Pending | Known | EpochMoved:
        """Wait for the authoritative side, whoever carries the leg, as long as the caller does.

        Raises: OutcomeUnknown: the journal has not said in time whether it took the write.
        """
        commit_s, ended_before = max(deadline_s, self.timing.steady_s() + COMMIT_S), False
        while True:
            now_s = self.timing.steady_s()
            over = now_s >= (deadline_s if caller.taken else commit_s)
            if over and id_ not in self._answering and not caller.answer.done():
                break
            left_s = max(deadline_s - now_s, 0.01)
            await asyncio.wait({caller.answer}, timeout=left_s if self._alone else min(left_s, self._watch_s))
            if caller.answer.done():
                return self._told_to(id_, caller.answer.result())
            if caller.taken and not self._alone:
                # It is in the journal: while that cannot be read, the caller waits on, and is told 202 in the end.
                with suppress(StoreDown):
                    view = await self.journal.operation(id_)
                    # Whoever carries it here tells more than the journal does: that nothing was sent, and why.
                    here = caller.answer.done() or id_ in self._answering
                    if not here and view is not None and view.legs and view.answered:
                        ended = _stored(view)
                        # Done, and not read back yet: whoever carried it is about to show the document.
                        if ended_before or not isinstance(ended, Outcome) or ended.document is not None:
                            return self._told_to(id_, ended)
                        ended_before = True
        if not caller.taken:
            raise OutcomeUnknown("The journal has not said in time whether it took the write.", operation=id_)
        return Pending(id_)

    def _told_to(self, id_: str, heard: Heard) -> Written | Pending | Known | EpochMoved:
        if isinstance(heard, Exception):
            raise heard
        if isinstance(heard, Known | EpochMoved):
            return heard
        return Written(id_, heard) if heard is not None else Pending(id_)

    async def replayed(self, known: Known, fingerprint_: str) -> Written | Pending:
        """What a used Idempotency-Key stands for. Raises: IdempotencyMismatch, IdempotencyInFlight, or what the first call did."""
        if known.fingerprint != fingerprint_:
            raise IdempotencyMismatch("This Idempotency-Key was used for another request.")
        view = await self.journal.operation(known.intent)
        if view is None:
            raise IdempotencyMismatch("The operation of this Idempotency-Key is gone.")
        if not view.answered:
            if known.intent in self._callers or self._answered_elsewhere(view.legs[0]):
                raise IdempotencyInFlight("The first request with this key is still being answered.", retry_after_s=1)
            return Pending(known.intent, view.intent)
        ended = _stored(view)
        if isinstance(ended, GatewayError):
            ended.extra["replayed"], ended.repeats = True, view.intent
            raise ended
        if ended is None:
            return Pending(known.intent, view.intent)
        if ended.document is not None:
            leg, object_ = view.legs[0], view.intent.object
            (document,) = await for_client(self.crosswalk, leg.erp, object_, [ended.document])
            ended = ended._replace(document=document, key=view.intent.key or document.get(OBJECTS[object_].key))
        return Written(known.intent, ended, view.intent)

    def _answered_elsewhere(self, leg: LegView) -> bool:
        """Whether another instance is at its first try of the write: whoever asked for it there still waits."""
        return leg.state == "sending" and leg.attempts == 0 and leg.owner not in (None, self.instance)

    # Hearing of the end

    def _keep_waiting(self, intent: str) -> bool:
        caller = self._callers.get(intent)
        if caller is None or caller.answer.done():
            return False
        self._answering.add(intent)
        return True

    def _told(self, intent: str, ended: Ended) -> None:
        if (caller := self._callers.get(intent)) is not None:
            caller.hears(ended.of_operation(intent) if isinstance(ended, GatewayError) else ended)


def _looks_again(w: Write, side: ErpSide, ready: Prepared) -> bool:
    """Whether the document is read once more in the lane, with nobody else's write between look and call.

    Where the ERP's own lock does not see all that If-Match names, and where there seems to be nothing to send.
    """
    unlocked = ready.etag is None or bool(side.translation.plan.beside)
    return (w.if_match.tags is not None and unlocked) or ready.nothing


def _matched(w: Write, found: Found | None) -> str | None:
    """The version that the caller named, as it is written: of several the one that the document has."""
    return str(found.etag) if found is not None and w.if_match.tags is not None else None


def fingerprint_of(plant: str, object_: str, verb: str, key: str | None, document: Document | None) -> str:
    """What an Idempotency-Key is bound to: the canonical operation, whatever the version."""
    text = content_hash(document) if document is not None else ""
    return hashlib.sha256("\n".join((plant, object_, verb, key or "", text)).encode()).hexdigest()


def fingerprint(w: Write) -> str:
    """The fingerprint of a write."""
    return fingerprint_of(w.cell.plant, w.spec.name, w.verb, w.key, w.document)


def _kept(w: Write, side: ErpSide, found: Found | None) -> str | None:
    if w.document is None:
        return None
    if w.verb != "change":
        return dumped(w.document)
    now = found.document if found is not None else {}
    return dumped({"patch": w.document, "before": stood(side, w.document, now)})


def _stored(view: OperationView) -> Ended:
    """The answer in the journal."""
    if view.answer is None:
        return None
    found = loaded(view.answer)
    if "error" in found:
        error = found["error"]
        kind = BY_CODE.get(error["code"], GatewayError)
        return kind(error["detail"], **error["extra"]).of_operation(view.intent.id)
    etag = parse(found["etag"]) if found.get("etag") else None
    return Outcome(found.get("document"), etag, found.get("key"))
