"""Writes of all phases: accepted into the journal, and answered when the side in charge has ended. One instance of it serves.

Source: the write protocol, section 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from gateway.core.canonical import OBJECTS
from gateway.core.canonical.stored import loaded
from gateway.core.etags import parse
from gateway.core.intents import Accept, Accepted, EpochMoved, Known
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
from gateway.reads.numbers import for_client
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Journal, LegView, OperationView
from gateway.store.points import reached
from gateway.store.sql import StoreDown
from gateway.writes.accepting import Accepting, Ids
from gateway.writes.carry import Outcome
from gateway.writes.delivery import Delivery
from gateway.writes.moves import Ended
from gateway.writes.place import Places, Timing
from gateway.writes.prepare import Begun
from gateway.writes.relay import Relay, RelayLimits
from gateway.writes.write import Pending, Write, Written, fingerprint

COMMIT_S = 0.5
"""A commit gets so long also where its caller's time is nearly up: most take a few milliseconds, and then 202 can be told."""

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
        self._alone, self._watch_s = alone, watch_s
        self.delivery = Delivery(journal, crosswalk, places, timing, instance)
        self._accepting = Accepting(crosswalk, timing, self.delivery, instance, new_id)
        self.delivery.moves.tell, self.delivery.moves.waits = self._told, self._keep_waiting
        self.relay = Relay(journal, self.delivery, timing, instance, erps, limits or RelayLimits(), alone=alone)
        self._callers: dict[str, Caller] = {}
        self._answering: set[str] = set()
        """Intents whose caller is about to be told that nothing was sent: no 202 may overtake that."""
        self.relay.carried = self._answering.discard

    async def submit(self, w: Write) -> Written | Pending:
        """Journal a write and carry it out.

        Gives:  what it left behind, or that it is still under way when the caller's time is up.
        Raises: Refused: nothing happened. Unavailable: nothing was sent. RouteMoved: look at the table again.
        """
        accept, sent = await self._accepting.accept(w)
        intent = accept.intent
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
