"""Carries out one leg: each step is journalled before it is sent and after its answer, and doubt is settled, not guessed.

Source: the write protocol, sections 1.2 to 1.6.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.core import settling
from gateway.core.budget import priority_of_leg
from gateway.core.intents import (
    Intent,
    NewCase,
    StepRecord,
    step_token,
)
from gateway.core.manifests import Rule
from gateway.core.settling import US
from gateway.errors import (
    ErpBusy,
    ErpDown,
    ErpRefused,
    GatewayError,
    OutcomeUnknown,
    Unavailable,
)
from gateway.observe.logs import log
from gateway.protocols.port import Answer, ErpRefusal, StepCall
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Claimed, Journal
from gateway.store.points import reached
from gateway.writes.asked import (
    error_text,
    patch_now,
    sent_since,
    step_id,
)
from gateway.writes.carry import (
    Prepared,
    refused,
    step_call,
)
from gateway.writes.doubt import Doubt
from gateway.writes.moves import Gone, Moves
from gateway.writes.place import Lease, Place, Places, Timing
from gateway.writes.prepare import AlreadySo, Begun, Preparation


class Delivery:
    """Carries legs to their ERPs for one instance. `lost` is called with a leg that it carries no more and may still own."""

    def __init__(self, journal: Journal, crosswalk: Crosswalk, places: Places, timing: Timing, instance: str) -> None:
        self._places, self._timing = places, timing
        self._preparation = Preparation(crosswalk, timing)
        self.moves = Moves(journal, self._preparation, timing, instance)
        self._doubt = Doubt(self, self.moves, self._preparation, timing)
        self.lease = Lease()
        self.lost: Callable[[Claimed], None] = lambda leg: None

    def first_step(self, intent: Intent, place: Place, ready: Prepared | None, other: Place | None = None) -> Begun:
        """The first step of a leg that begins with a commit to come."""
        rule = place.manifest.rule(intent.object, intent.verb)
        until_boot_s = self._timing.boot_s() + self._timing.call_s
        token = step_token(intent.id, place.side.side, 0)
        etag = ready.etag if ready is not None else None
        return Begun(place, ready, self._step_record(0, token, rule, etag), until_boot_s, other)

    def _following(self, leg: Claimed, other: Place | None) -> Begun | None:
        """How the intent's other leg begins: with a create, which needs no look at the ERP.

        Only under a key: where a crash in between leaves the step in doubt it is sent again, and nobody has to search or decide.
        """
        if other is None or leg.intent.key is not None:
            return None
        if other.manifest.rule(leg.intent.object, leg.intent.verb).settle != "key":
            return None
        behind = priority_of_leg(authoritative=False, settling=False, reopened=False)
        return self.first_step(leg.intent, other._replace(side=other.side._replace(priority=behind)), None)

    async def carry(self, leg: Claimed, begun: Begun | None = None) -> None:
        """Send what is left of a leg, or settle it first where it is in doubt."""
        try:
            place = begun.place if begun is not None else await self._places.of(leg)
            # A step may be in doubt before anybody claimed the leg: a restored store knows not what was sent meanwhile.
            if leg.step is not None and leg.step.state == "done":
                # Its last call was carried out, and nobody has seen yet whether all of the document is there.
                key = await self._preparation.native_key(leg, place)
                await self.moves.finish(leg, place, Answer(), key, leg.step)
            elif leg.state == "settling" or (leg.step is not None and leg.step.state == "in_doubt"):
                await reached("settle.begun")
                await self._doubt.settle(leg, place)
            else:
                if not leg.authoritative:
                    await reached("other.claimed")
                await self._send_rest(leg, place, begun)
        except Gone:
            log.warning("leg.fenced", intent=leg.intent.id, side=leg.ref.side)
            self.lost(leg)

    # Sending

    async def _send_rest(self, leg: Claimed, place: Place, just: Begun | None) -> None:
        if just is not None and just.ready is not None:
            await self.send_from(leg, place, just.ready, 0, begun=True, just=just)
            return
        begun = leg.step is not None and leg.step.state == "sending"
        number = leg.step.number if leg.step is not None else 0
        try:
            ready = await self._preparation.prepared(leg, place)
        except AlreadySo as skip:
            now = patch_now(leg, place.side, skip.found)
            await self.moves.finish(leg, place, Answer(), skip.key, None, document=now)
            return
        except GatewayError as err:
            await self._not_prepared(leg, err, just)
            return
        await self.send_from(leg, place, ready, number, begun=begun, just=just)

    async def _not_prepared(self, leg: Claimed, err: GatewayError, just: Begun | None) -> None:
        """Nothing was sent. The authoritative side's caller hears of it; the other side tries again or asks a person."""
        if leg.authoritative and (leg.step is None or leg.step.number == 0):
            await self.moves.nothing_sent(leg, err)
        else:
            await self.moves.later_or_case(leg, err, just.record if just is not None else None, answered=False)

    async def send_from(
        self, leg: Claimed, place: Place, p: Prepared, number: int, *, begun: bool, just: Begun | None = None
    ) -> None:
        """Send a step and those after it.

        Takes: `begun`, that the leg's step stands in the journal as it is to be sent; `just`, how it began, if that was just now.
        """
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        key = await self._preparation.native_key(leg, place)
        record = leg.step if begun else None
        until_boot_s = just.until_boot_s if just is not None and begun else self._timing.boot_s() + self._timing.call_s
        answer = Answer()
        while number < len(p.steps):
            if record is None:
                record = self.record(leg, number, rule, p)
                known = leg.step is not None and leg.step.number == number
                record = sent_since(leg, record)
                await self._begin(leg, place, record, p, known=known)
            call = step_call(place.side, p, number, key, token=record.token, rule=rule)
            try:
                await reached("step.begun")
                self._may_send(until_boot_s)
                await reached("step.checked")
                answer = await self._sent(place, call, until_boot_s)
            except ErpRefusal as refusal:
                await self._said_no(leg, place, record, number, refused(place.side, call, refusal), refusal)
                return
            except OutcomeUnknown as err:
                await self.moves.doubted(leg, record, rule, err)
                return
            except Unavailable as err:
                await self.moves.not_sent(leg, record, number, err)
                return
            until_boot_s = self._timing.boot_s() + self._timing.call_s
            key = answer.key or key
            number += 1
            done = record._replace(state="done")
            if number < len(p.steps):
                record = self.record(leg, number, rule, p)
                await self.moves.advance(leg, place, done, record, key)
            else:
                other = self._following(leg, just.other if just is not None else None)
                await self.moves.finish(leg, place, answer, key, done, other)

    async def _sent(self, place: Place, call: StepCall, until_boot_s: float) -> Answer:
        side, may_send = place.side, partial(self._may_send, until_boot_s)
        try:
            return await side.connector.send(side.shape, call, self._timing.deadline_s(), side.priority, may_send)
        finally:
            await reached("step.sent")

    def _may_send(self, until_boot_s: float) -> None:
        """Looked at right before the socket: a process that slept must not send what others may have settled by now.

        Raises: Gone: the lease is over. ErpDown: the call's own time is.
        """
        now_s = self._timing.boot_s()
        if now_s >= self.lease.until_boot_s:
            raise Gone
        if now_s >= until_boot_s:
            raise ErpDown("The gateway was asleep when it should have sent this.", retry_after_s=1)

    # The step in the journal

    def record(self, leg: Claimed, number: int, rule: Rule, p: Prepared) -> StepRecord:
        """The step as it goes to the journal before it is sent."""
        return self._step_record(number, step_id(leg, number), rule, p.etag if number == 0 else None)

    def _step_record(self, number: int, token: str, rule: Rule, etag: str | None) -> StepRecord:
        now_us = self._timing.wall_us()
        ends_us = max(now_us + int(self._timing.call_s * US), self.lease.until_wall_us)
        return StepRecord(number, "sending", token, now_us, settling.quiet_us(rule, ends_us), etag=etag)

    async def _begin(self, leg: Claimed, place: Place, record: StepRecord, p: Prepared, *, known: bool) -> None:
        if known:
            await self.moves.move(leg, "begin", step=record)
        else:
            await self.moves.move(leg, "begin", next_step=record, document=patch_now(leg, place.side, p.found))

    async def _said_no(
        self,
        leg: Claimed,
        place: Place,
        record: StepRecord,
        number: int,
        err: GatewayError,
        refusal: ErpRefusal,
    ) -> None:
        """The ERP said no: `refusal` in its words, `err` in the caller's."""
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        if isinstance(err, OutcomeUnknown):
            await self.moves.doubted(leg, record, rule, err)
        elif isinstance(err, ErpBusy):
            await self.moves.not_sent(leg, record, number, err)
        elif await self._doubt.refused_again(leg, place, record, refusal, err):
            return
        elif number > 0:
            reason = f"{number} of its steps were carried out, the next was refused: {err.detail}"
            no = record._replace(state="refused", note=err.detail)
            words = f"The first {number} step(s) were carried out, the next was not: {err.detail}"
            half = ErpRefused(words, reason="half-done", operation=leg.intent.id)
            told = error_text(half) if leg.authoritative else None
            case = NewCase("half-done", reason)
            await self.moves.move(leg, "park", step=no, error=err.detail, case=case, answer=told)
            self.moves.tell_refused(leg, half)
        elif leg.authoritative:
            no = record._replace(state="refused", note=err.detail)
            await self.moves.move(leg, "refuse", step=no, error=err.detail, answer=error_text(err))
            self.moves.tell_refused(leg, err)
        elif refusal.kind == "conflict" and leg.intent.key is None:
            # Its number is taken there: that does not pass with time, as a lock does.
            no = record._replace(state="refused", note=err.detail)
            await self.moves.move(leg, "park", step=no, error=err.detail, case=NewCase("split", err.detail))
        else:
            await self.moves.later_or_case(leg, err, record)
