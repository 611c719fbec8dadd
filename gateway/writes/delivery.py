"""Carries out one leg: each step is journalled before it is sent and after its answer, and doubt is settled, not guessed.

Source: the write protocol, sections 1.2 to 1.6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gateway.core import settling
from gateway.core.backoff import wait_s
from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.crosswalk import SHOWN, erp_space
from gateway.core.filters import Compare
from gateway.core.intents import (
    OUTCOMES,
    Done,
    Event,
    Fenced,
    Intent,
    LegRef,
    Move,
    NewCase,
    StepRecord,
    step_token,
)
from gateway.core.manifests import Rule
from gateway.core.settling import US, Target
from gateway.errors import (
    Broken,
    Conflict,
    ErpBusy,
    ErpDown,
    ErpRefused,
    GatewayError,
    NoSuchDocument,
    OutcomeUnknown,
    Refused,
    StaleEtag,
    Unavailable,
)
from gateway.observe.logs import log
from gateway.protocols.port import Answer, ErpRefusal, NativeKey, Query, StepCall
from gateway.reads import numbers
from gateway.reads.authoritative import Found, key_of
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Claimed, Journal
from gateway.store.points import reached
from gateway.writes.asked import (
    answer_text,
    asked_of,
    error_text,
    in_doubt_before,
    kept_for_feed,
    learned,
    moved_fields,
    object_of_key,
    patch_now,
    step_id,
)
from gateway.writes.carry import (
    Outcome,
    Prepared,
    current,
    encoded,
    left_behind,
    number_of,
    prepared,
    refused,
    shown,
    shown_at_once,
    step_call,
    steps_of,
    through,
)
from gateway.writes.place import Lease, Place, Places, Timing


@dataclass(frozen=True, slots=True)
class Begun:
    """A leg whose first step stands in the journal, ready to be sent until a moment of the clock that counts suspended time."""

    ready: Prepared
    record: StepRecord
    until_boot_s: float


Ended = Outcome | GatewayError | None
"""What the authoritative leg came to, for the caller who waits; None while that is open."""
Tell = Callable[[str, Ended], None]
Go = Callable[[tuple[LegRef, ...]], Awaitable[None]]


class _Gone(Exception):
    """Another owner has the leg."""


class Delivery:
    """Carries legs to their ERPs for one instance.

    Takes: `tell`, called once an intent's authoritative leg has ended; `go`, called with legs that a move handed over, which
    happens while `has_room` says so; `lost`, called with a leg that this instance carries no more and may still own; `waits`, which
    says whether an intent's caller is here for its answer, and then keeps it here until there is one.
    """

    def __init__(self, journal: Journal, crosswalk: Crosswalk, places: Places, timing: Timing, instance: str) -> None:
        self._journal, self._crosswalk, self._places = journal, crosswalk, places
        self._timing, self._instance = timing, instance
        self.lease = Lease()
        self.tell: Tell = lambda intent, ended: None
        self.go: Go = _nobody
        self.has_room: Callable[[], bool] = lambda: False
        self.lost: Callable[[Claimed], None] = lambda leg: None
        self.waits: Callable[[str], bool] = lambda intent: False

    def first_step(self, intent: Intent, place: Place, ready: Prepared) -> Begun:
        """The first step of a leg that begins when its intent is journalled."""
        rule = place.manifest.rule(intent.object, intent.verb)
        until_boot_s = self._timing.boot_s() + self._timing.call_s
        token = step_token(intent.id, place.side.side, 0)
        return Begun(ready, self._step_record(0, token, rule, ready), until_boot_s)

    async def carry(self, leg: Claimed, begun: Begun | None = None) -> None:
        """Send what is left of a leg, or settle it first where it is in doubt."""
        try:
            place = await self._places.of(leg)
            # A step may be in doubt before anybody claimed the leg: a restored store knows not what was sent meanwhile.
            if leg.state == "settling" or (leg.step is not None and leg.step.state == "in_doubt"):
                await reached("settle.begun")
                await self._settle(leg, place)
            else:
                if not leg.authoritative:
                    await reached("other.claimed")
                await self._send_rest(leg, place, begun)
        except _Gone:
            log.warning("leg.fenced", intent=leg.intent.id, side=leg.ref.side)
            self.lost(leg)

    # Sending

    async def _send_rest(self, leg: Claimed, place: Place, just: Begun | None) -> None:
        if just is not None:
            await self._send_from(leg, place, just.ready, 0, begun=True, until_boot_s=just.until_boot_s)
            return
        begun = leg.step is not None and leg.step.state == "sending"
        number = leg.step.number if leg.step is not None else 0
        try:
            ready = await self._prepared(leg, place)
        except _Skip as skip:
            await self._finish(leg, place, Answer(), skip.key, None, None)
            return
        except GatewayError as err:
            await self._not_prepared(leg, err)
            return
        await self._send_from(leg, place, ready, number, begun=begun)

    async def _prepared(self, leg: Claimed, place: Place) -> Prepared:
        """Read the document inside the lane and encode what is to be sent. Raises: GatewayError, _Skip."""
        intent, side = leg.intent, place.side
        body, found = await self._body(leg, place), None
        if intent.key is not None:
            key = await self._own_key(leg, place)
            found = await current(side, key, None, self._deadline_s())
            self._not_moved(leg, place, body, found)
        return prepared(side, intent.verb, body, found)

    async def _body(self, leg: Claimed, place: Place) -> Document | None:
        """What the leg is to write, in its ERP's own numbers."""
        intent = leg.intent
        asked, _ = asked_of(leg)
        if asked is None:
            return None
        body = await numbers.for_erp(self._crosswalk, leg.erp, intent.object, asked)
        rule = place.manifest.rule(intent.object, intent.verb)
        if rule.external_number and not leg.authoritative and intent.verb == "create":
            number = (await self._crosswalk.of(intent.object, intent.lane)).get(SHOWN)
            body = {**body, rule.external_number: number} if number else body
        return body

    def _not_moved(self, leg: Claimed, place: Place, patch: Document | None, found: Found) -> None:
        """Whether the fields of a patch stand in the other ERP as they stood in the authoritative one. Raises: _Skip, Conflict."""
        side = place.side
        if leg.intent.origin == "erp":
            rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
            if settling.shows(rule.evidence, found.document):
                raise _Skip(dict(key_of(side, str(found.document.get(side.translation.plan.spec.key)))))
        if leg.authoritative or patch is None or leg.intent.verb != "change":
            return
        if settling.holds(through(side, patch, found.document), found.document):
            raise _Skip(dict(key_of(side, str(found.document.get(side.translation.plan.spec.key)))))
        if moved := moved_fields(leg, side, found.document):
            raise Conflict(
                "The fields have other values in this ERP than they had.", fields=moved, reason="moved-there"
            )

    async def _own_key(self, leg: Claimed, place: Place) -> str:
        """The document's number in this leg's ERP. Raises: NoSuchDocument."""
        intent = leg.intent
        if intent.key is None:
            # Made by an earlier step of this very leg, or under a number of ours.
            made = loaded(leg.native_key) if leg.native_key is not None else {}
            number = number_of(place.side, made, await self._body(leg, place))
            if number is None:
                raise NoSuchDocument(f"Nobody knows under which number {leg.erp} has the new {intent.object}.")
            return number
        names = await self._crosswalk.of(object_of_key(intent.object), intent.lane)
        own = names.get(erp_space(leg.erp))
        if own is not None:
            return own
        if leg.authoritative or object_of_key(intent.object) in place.manifest.same_numbers:
            return names.get(SHOWN) or str(intent.key)
        raise NoSuchDocument(
            f"Nobody knows under which number {leg.erp} has {intent.object} {intent.key}.", reason="unmapped"
        )

    async def _not_prepared(self, leg: Claimed, err: GatewayError) -> None:
        """Nothing was sent. The authoritative side's caller hears of it; the other side tries again or asks a person."""
        if leg.step is not None and leg.step.number > 0:
            await self._later_or_case(leg, err)
        elif leg.authoritative:
            await self._nothing_sent(leg, err)
        else:
            await self._later_or_case(leg, err)

    async def _send_from(
        self, leg: Claimed, place: Place, p: Prepared, number: int, *, begun: bool, until_boot_s: float | None = None
    ) -> None:
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        key = await self._native_key(leg, place)
        record = leg.step if begun else None
        until_boot_s = until_boot_s or self._timing.boot_s() + self._timing.call_s
        answer = Answer()
        while number < len(p.steps):
            if record is None:
                record = self._record(leg, number, rule, p)
                known = leg.step is not None and leg.step.number == number
                if known and leg.step is not None and leg.step.state != "refused":
                    # Sent before: its age counts from the first time, because that is what the ERP remembers.
                    record = replace(record, sent_us=leg.step.sent_us)
                await self._begin(leg, record, p, known=known)
            call = step_call(place.side, p, number, key, token=record.token, rule=rule)
            try:
                await reached("step.begun")
                self._may_send(until_boot_s)
                await reached("step.checked")
                answer = await self._sent(place, call, until_boot_s)
            except ErpRefusal as refusal:
                await self._said_no(leg, place, record, number, refused(place.side, call, refusal), refusal, p)
                return
            except OutcomeUnknown as err:
                await self._doubted(leg, record, rule, err)
                return
            except Unavailable as err:
                await self._not_sent(leg, record, number, err)
                return
            until_boot_s = self._timing.boot_s() + self._timing.call_s
            key = answer.key or key
            number += 1
            done = replace(record, state="done")
            if number < len(p.steps):
                record = self._record(leg, number, rule, p)
                await self._journal_move(leg, "advance", step=done, next_step=record, key=dumped(dict(key)))
                await reached("step.between")
            else:
                await self._finish(leg, place, answer, key, done, p)

    async def _sent(self, place: Place, call: StepCall, until_boot_s: float) -> Answer:
        side, may_send = place.side, partial(self._may_send, until_boot_s)
        try:
            return await side.connector.send(side.shape, call, self._deadline_s(), side.priority, may_send)
        finally:
            await reached("step.sent")

    def _may_send(self, until_boot_s: float) -> None:
        """Looked at right before the socket: a process that slept must not send what others may have settled by now.

        Raises: _Gone: the lease is over. ErpDown: the call's own time is.
        """
        now_s = self._timing.boot_s()
        if now_s >= self.lease.until_boot_s:
            raise _Gone
        if now_s >= until_boot_s:
            raise ErpDown("The gateway was asleep when it should have sent this.", retry_after_s=1)

    def _record(self, leg: Claimed, number: int, rule: Rule, p: Prepared) -> StepRecord:
        return self._step_record(number, step_id(leg, number), rule, p)

    def _step_record(self, number: int, token: str, rule: Rule, p: Prepared) -> StepRecord:
        now_us = self._timing.wall_us()
        ends_us = max(now_us + int(self._timing.call_s * US), self.lease.until_wall_us)
        etag = p.etag if number == 0 else None
        return StepRecord(number, "sending", token, now_us, settling.quiet_us(rule, ends_us), etag=etag)

    async def _begin(self, leg: Claimed, record: StepRecord, p: Prepared, *, known: bool) -> None:
        if known:
            await self._journal_move(leg, "begin", step=record)
        else:
            await self._journal_move(leg, "begin", next_step=record, document=patch_now(leg, p))

    async def _native_key(self, leg: Claimed, place: Place) -> NativeKey:
        if leg.native_key is not None:
            key: NativeKey = loaded(leg.native_key)
            return key
        if leg.intent.key is None:
            return {}
        return key_of(place.side, await self._own_key(leg, place))

    # What came of it

    async def _finish(
        self, leg: Claimed, place: Place, answer: Answer, key: NativeKey, step: StepRecord | None, p: Prepared | None
    ) -> None:
        intent, side = leg.intent, place.side
        number = None
        if intent.key is None:
            number = number_of(side, key, None) or number_of(side, key, asked_of(leg)[0])
        names = learned(leg, number)
        own = number if intent.key is None else await self._own_key(leg, place)
        shown = kept_for_feed(leg, place, answer)
        end = partial(self._end, leg, key, step=step, names=names, shown=shown)
        if not leg.authoritative:
            await end()
            return
        outcome = shown_at_once(side, answer, own)
        text = answer_text(outcome or Outcome(None, None, own))
        await end(answer=text)
        if outcome is None:
            outcome = await left_behind(side, own, self._deadline_s())
            if outcome.document is not None:
                await self._journal.picture(intent.id, answer_text(outcome))
        self.tell(intent.id, outcome)

    async def _end(self, leg: Claimed, key: NativeKey, **more: Any) -> None:
        """Raises: _Gone: another owner ended the leg, and what this call made beside that is a case."""
        try:
            await self._journal_move(leg, "finish", key=dumped(dict(key)), **more)
        except _Gone:
            view = await self._journal.operation(leg.intent.id)
            there = next((each for each in view.legs if each.side == leg.ref.side), None) if view else None
            if there is not None and there.state == "done" and loaded(there.native_key or "{}") != dict(key):
                reason = f"{leg.erp} has {dict(key)} beside {loaded(there.native_key or '{}')}: a call left after others had settled it"
                await self._journal.case(leg.ref, NewCase("duplicate", reason), self._timing.wall_us())
            raise

    async def _said_no(
        self,
        leg: Claimed,
        place: Place,
        record: StepRecord,
        number: int,
        err: GatewayError,
        refusal: ErpRefusal,
        p: Prepared,
    ) -> None:
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        if isinstance(err, OutcomeUnknown):
            await self._doubted(leg, record, rule, err)
        elif isinstance(err, ErpBusy):
            await self._not_sent(leg, record, number, err)
        elif await self._refused_again(leg, place, record, refusal, err):
            return
        elif number > 0:
            reason = f"{number} of its steps were carried out, the next was refused: {err.detail}"
            await self._journal_move(
                leg,
                "park",
                step=replace(record, state="refused", note=err.detail),
                error=err.detail,
                case=NewCase("half-done", reason),
            )
            self._tell_refused(
                leg,
                ErpRefused(
                    f"The first {number} step(s) were carried out, the next was not: {err.detail}", reason="half-done"
                ),
            )
        elif leg.authoritative:
            no = replace(record, state="refused", note=err.detail)
            await self._journal_move(leg, "refuse", step=no, error=err.detail, answer=error_text(err))
            self._tell_refused(leg, err)
        elif refusal.kind == "conflict" and leg.intent.key is None:
            # Its number is taken there: that does not pass with time, as a lock does.
            no = replace(record, state="refused", note=err.detail)
            await self._journal_move(leg, "park", step=no, error=err.detail, case=NewCase("split", err.detail))
        else:
            await self._later_or_case(leg, err, record)

    async def _later_or_case(self, leg: Claimed, err: GatewayError, record: StepRecord | None = None) -> None:
        """The other side: what time heals is tried again, the rest is a person's."""
        step = replace(record, state="not_sent", note=err.detail) if record is not None else None
        if isinstance(err, Unavailable | StaleEtag) or (
            isinstance(err, Conflict) and err.extra.get("reason") != "moved-there"
        ):
            wait = wait_s(leg.attempts, self._timing.chance(), err.extra.get("retry_after_s"))
            at_us = self._timing.wall_us() + int(wait * US)
            await self._journal_move(leg, "put_back", step=step, error=err.detail, next_at_us=at_us)
            return
        kind = str(err.extra.get("reason") or "") if isinstance(err, Conflict | NoSuchDocument) else ""
        no = replace(record, state="refused", note=err.detail) if record is not None else None
        kind = "direct-edit" if leg.intent.origin == "erp" else kind or "split"
        await self._journal_move(leg, "park", step=no, error=err.detail, case=NewCase(kind, err.detail))

    async def _not_sent(self, leg: Claimed, record: StepRecord, number: int, err: Unavailable) -> None:
        if leg.step is not None and in_doubt_before(leg, record):
            # That it was not taken now says nothing of the time before.
            await self._try_later(leg, leg.step, err)
            return
        step = replace(record, state="not_sent", note=err.detail)
        if leg.authoritative and number == 0 and (leg.step is None or leg.step.state == "sending"):
            await self._nothing_sent(leg, err, step)
            return
        wait = wait_s(leg.attempts, self._timing.chance(), err.extra.get("retry_after_s"))
        at_us = self._timing.wall_us() + int(wait * US)
        await self._journal_move(leg, "put_back", step=step, error=err.detail, next_at_us=at_us)

    async def _nothing_sent(self, leg: Claimed, err: GatewayError, step: StepRecord | None = None) -> None:
        """The caller is told that nothing happened, and may come again under the same key."""
        if isinstance(err, Refused):
            await self._journal_move(leg, "refuse", step=step, error=err.detail, answer=error_text(err))
        elif self.waits(leg.intent.id):
            await self._journal_move(leg, "void", step=step, error=err.detail, void_intent=True)
        else:
            # Whoever was told 202 comes for no answer: the promise is kept, and what time does not heal is a person's.
            await self._later_or_case(leg, err, step)
            return
        self._tell_refused(leg, err)

    async def _doubted(self, leg: Claimed, record: StepRecord, rule: Rule, err: GatewayError) -> None:
        now_us = self._timing.wall_us()
        doubt = replace(record, state="in_doubt", note=err.detail)
        # Its connection is closed by now: from here it can take effect for as long as the manifest says.
        doubt = replace(doubt, quiet_us=settling.quiet_us(rule, now_us))
        next_us = (
            doubt.quiet_us
            if rule.settle == "reference"
            else now_us + int(wait_s(leg.attempts, self._timing.chance()) * US)
        )
        await self._journal_move(leg, "doubt", step=doubt, error=err.detail, next_at_us=next_us)

    # Settling

    async def _settle(self, leg: Claimed, place: Place) -> None:
        step = leg.step
        if step is None:
            raise Broken("a leg in doubt has no step")
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        target = await self._target(leg, place, step, rule)
        way = settling.settlement(rule, step, self._timing.wall_us(), self._timing.call_s, target)
        match way.do:
            case "wait":
                await self._still_in_doubt(leg, step, way.at_us, step.note)
            case "ask":
                await self._journal_move(leg, "park", case=NewCase("doubt", way.reason), error=way.reason)
            case "resend":
                await self._resend(leg, place, step)
            case "lookup":
                await self._look_up(leg, place, step, rule)
            case "compare":
                await self._compare(leg, place, step)

    async def _target(self, leg: Claimed, place: Place, step: StepRecord, rule: Rule) -> Target:
        """What the step in doubt was for, and what can tell of it."""
        verb, spec = leg.intent.verb, place.side.translation.plan.spec
        if leg.intent.key is not None or step.number > 0:
            call = steps_of(place.side, verb)[step.number]
            tells = call.do == "change" or call.name in rule.steps or bool(rule.evidence)
            return Target(new=False, tells=tells)
        body = await self._body(leg, place) or {}
        named = rule.settle == "conditional" and body.get(spec.key) is not None
        # A client's own value in the field to look it up by was left alone.
        own = rule.lookup_by is not None and (encoded(place.side, verb, body, None) or {}).get(rule.lookup_by)
        return Target(new=True, named=named, marked=not own)

    async def _still_in_doubt(self, leg: Claimed, step: StepRecord, at_us: int, note: str | None) -> None:
        await self._journal_move(leg, "doubt", step=replace(step, state="in_doubt"), error=note, next_at_us=at_us)

    async def _try_later(self, leg: Claimed, step: StepRecord, err: GatewayError) -> None:
        wait = wait_s(leg.attempts, self._timing.chance(), err.extra.get("retry_after_s"))
        await self._still_in_doubt(leg, step, self._timing.wall_us() + int(wait * US), err.detail)

    async def _resend(self, leg: Claimed, place: Place, step: StepRecord) -> None:
        """The same call under the same key, or with the same If-Match."""
        try:
            ready = (
                await self._prepared(leg, place) if leg.intent.key is None else await self._as_before(leg, place, step)
            )
        except (_Skip, Conflict):
            await self._compare(leg, place, step)
            return
        except GatewayError as err:
            await self._try_later(leg, step, err)
            return
        await self._send_from(leg, place, ready, step.number, begun=False)

    async def _as_before(self, leg: Claimed, place: Place, step: StepRecord) -> Prepared:
        """The call to an existing document as it was sent: read again, but with the lock of the first time."""
        body = await self._body(leg, place)
        found = await current(place.side, await self._own_key(leg, place), None, self._deadline_s())
        return replace(prepared(place.side, leg.intent.verb, body, found), etag=step.etag)

    async def _look_up(self, leg: Claimed, place: Place, step: StepRecord, rule: Rule) -> None:
        query = Query(Compare(str(rule.lookup_by), "eq", step.token), (), 2, None)
        try:
            side = place.side
            page = await side.connector.search(side.shape, query, self._deadline_s(), side.priority)
        except (GatewayError, ErpRefusal) as err:
            await self._try_later(leg, step, err if isinstance(err, GatewayError) else Conflict(err.message))
            return
        if not page.documents:
            await self._resend(leg, place, step)
            return
        if len(page.documents) > 1:
            reason = f"{len(page.documents)} documents carry the id {step.token}"
            await self._journal_move(leg, "park", case=NewCase("duplicate", reason), error=reason)
            return
        names = place.side.translation.plan.native.get("key", ())
        key = {str(name): page.documents[0].get(name) for name in names}
        await self._go_on(leg, place, step, key)

    async def _compare(self, leg: Claimed, place: Place, step: StepRecord) -> None:
        """Go on where the document, read now, shows that the step was carried out; send it again where it shows that it was not."""
        side, verb = place.side, leg.intent.verb
        rule = place.manifest.rule(leg.intent.object, verb)
        try:
            body, own = await self._body(leg, place), await self._own_key(leg, place)
            found = await current(side, own, None, self._deadline_s())
            again = replace(prepared(side, verb, body, found), etag=step.etag)
        except NoSuchDocument as err:
            await self._journal_move(leg, "park", case=NewCase("doubt", err.detail), error=err.detail)
            return
        except GatewayError as err:
            await self._try_later(leg, step, err)
            return
        quiet = step.etag is None and self._timing.wall_us() >= step.quiet_us
        if shown(side, verb, step.number, rule, body, found):
            await self._go_on(leg, place, step, key_of(side, own))
        elif quiet and not (verb == "change" and moved_fields(leg, side, found.document)):
            await self._send_from(leg, place, again, step.number, begun=False)
        else:
            reason = "the document changed meanwhile, and not to what was sent"
            await self._journal_move(leg, "park", case=NewCase("doubt", reason), error=reason)

    async def _refused_again(
        self, leg: Claimed, place: Place, record: StepRecord, refusal: ErpRefusal, err: GatewayError
    ) -> bool:
        """What was sent before and is refused now may be refused because it was carried out then. Gives: whether the no settles nothing."""
        if leg.step is None or not in_doubt_before(leg, record):
            return False
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        target = await self._target(leg, place, record, rule)
        if (target.named or not target.new) and await self._carried_out(leg, place, record, refusal, target):
            return True
        if self._timing.wall_us() < (quiet_us := leg.step.quiet_us):
            # The copy sent before may still be taken, whatever is said of this one: only silence makes a refusal final.
            await self._still_in_doubt(leg, replace(record, quiet_us=quiet_us), quiet_us, err.detail)
            return True
        if not settling.refusal_settles(rule, target):
            reason = f"refused when it was sent again, and nothing tells whether the first call was carried out: {err.detail}"
            again = replace(record, state="in_doubt", note=err.detail)
            await self._journal_move(leg, "park", step=again, case=NewCase("doubt", reason), error=reason)
            return True
        return False

    async def _carried_out(
        self, leg: Claimed, place: Place, record: StepRecord, refusal: ErpRefusal, target: Target
    ) -> bool:
        """Look at the document of a step that is refused now. Gives: whether what it shows settled the step, or nothing could be seen."""
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        try:
            body, own = await self._body(leg, place), await self._own_key(leg, place)
            found = await current(place.side, own, None, self._deadline_s())
        except NoSuchDocument:
            return False
        except GatewayError as err:
            await self._try_later(leg, record, err)
            return True
        if shown(place.side, leg.intent.verb, record.number, rule, body, found):
            await self._go_on(leg, place, record, key_of(place.side, own))
        elif target.named or refusal.kind == "stale":
            reason = "the document changed meanwhile, and not to what was sent"
            await self._journal_move(leg, "park", case=NewCase("doubt", reason), error=reason)
        else:
            return False
        return True

    async def _go_on(self, leg: Claimed, place: Place, step: StepRecord, key: NativeKey) -> None:
        """The step in doubt was carried out: the next one, or the end."""
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        try:
            ready = prepared(place.side, leg.intent.verb, None, None)
        except GatewayError as err:
            await self._try_later(leg, step, err)
            return
        done, number = replace(step, state="done"), step.number + 1
        if number >= len(ready.steps):
            await self._finish(leg, place, Answer(), key, done, None)
            return
        try:
            ready = await self._prepared(leg, place)
        except (_Skip, GatewayError) as err:
            await self._try_later(leg, step, err if isinstance(err, GatewayError) else Conflict(str(err)))
            return
        record = self._record(leg, number, rule, ready)
        await self._journal_move(leg, "advance", step=done, next_step=record, key=dumped(dict(key)))
        now = replace(leg, state="sending", step=record, native_key=dumped(dict(key)))
        await self._send_from(now, place, ready, number, begun=True)

    # The journal

    async def _journal_move(self, leg: Claimed, event: Event, **more: Any) -> None:
        """Raises: _Gone: another owner has the leg."""
        hand_over = self._instance if self.has_room() else None
        move = Move(leg.ref, event, self._timing.wall_us(), instance=hand_over, **more)
        verdict = await self._journal.do(move)
        if event in OUTCOMES:
            await reached("outcome.after_commit")
        if isinstance(verdict, Fenced):
            raise _Gone
        if isinstance(verdict, Done) and verdict.released:
            await self.go(verdict.released)

    def _tell_refused(self, leg: Claimed, err: GatewayError) -> None:
        if leg.authoritative:
            self.tell(leg.intent.id, err)

    def _deadline_s(self) -> float:
        return self._timing.steady_s() + self._timing.call_s


class _Skip(Exception):
    """Nothing to be sent: the document is already as it shall be. `key` is its native key."""

    def __init__(self, key: NativeKey) -> None:
        super().__init__("already so")
        self.key = key


async def _nobody(_: tuple[LegRef, ...]) -> None:
    return None
