"""How a leg moves on in the journal, and who hears of it: ended, put back, in doubt, or a person's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from gateway.core import settling
from gateway.core.backoff import wait_s
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.intents import (
    OUTCOMES,
    Beside,
    Done,
    Event,
    Fenced,
    LegRef,
    Move,
    Names,
    NewCase,
    StepRecord,
)
from gateway.core.manifests import Rule
from gateway.core.settling import US
from gateway.errors import (
    Broken,
    Conflict,
    DialectBroken,
    ErpBusy,
    ErpRefused,
    GatewayError,
    NoSuchDocument,
    Refused,
    StaleEtag,
    Unavailable,
)
from gateway.observe.logs import log
from gateway.protocols.port import Answer, NativeKey
from gateway.reads.authoritative import ErpSide, find
from gateway.store.journal import Claimed, Journal
from gateway.store.points import reached
from gateway.writes.asked import (
    answer_text,
    asked_of,
    error_text,
    in_doubt_before,
    in_words,
    kept_for_feed,
    learned,
    unsent,
)
from gateway.writes.beside import kept_beside
from gateway.writes.carry import (
    Outcome,
    left_behind,
    number_of,
    shown_at_once,
)
from gateway.writes.place import Place, Timing
from gateway.writes.prepare import Begun, Preparation

Ended = Outcome | GatewayError | None
"""What the authoritative leg came to, for the caller who waits; None while that is open."""
Tell = Callable[[str, Ended], None]
Go = Callable[[tuple[LegRef, ...]], Awaitable[None]]
Carry = Callable[[Claimed, Begun], None]


TRIES = 12
"""So often an ERP that answers and tells nothing is asked again: some minutes."""


class Gone(Exception):
    """Another owner has the leg."""


class Moves:
    """The moves of the legs that one instance carries.

    Takes: `tell`, called once an intent's authoritative leg has ended; `go`, called with legs that a move handed over, which
    happens while `has_room` says so, and `carry` with the one among them that it began; `waits`, which says whether an intent's
    caller is here for its answer, and then keeps it here until there is one. Raises: Gone, StoreDown.
    """

    def __init__(self, journal: Journal, preparation: Preparation, timing: Timing, instance: str) -> None:
        self._journal, self._preparation, self._timing, self._instance = journal, preparation, timing, instance
        self.tell: Tell = lambda intent, ended: None
        self.go: Go = _nobody
        self.carry: Carry = lambda leg, begun: None
        self.has_room: Callable[[], bool] = lambda: False
        self.waits: Callable[[str], bool] = lambda intent: False

    async def move(self, leg: Claimed, event: Event, *, other: Begun | None = None, **more: Any) -> None:
        """Journal one move, and let the legs go that it released.

        Takes: `other`, how the intent's other leg begins if it is among them. Raises: Gone: another owner has the leg.
        """
        hand_over = self._instance if self.has_room() else None
        follow = other.record if other is not None else None
        move = Move(leg.ref, event, self._timing.wall_us(), instance=hand_over, follow=follow, **more)
        verdict = await self._journal.do(move)
        if event in OUTCOMES:
            await reached("outcome.after_commit")
        if isinstance(verdict, Fenced):
            raise Gone
        if not isinstance(verdict, Done):
            return
        if verdict.begun is not None and other is not None:
            self.carry(other.claimed(verdict.begun, leg.intent), other)
        if verdict.released:
            await self.go(verdict.released)

    async def advance(
        self, leg: Claimed, place: Place, done: StepRecord, following: StepRecord, key: NativeKey
    ) -> None:
        """A step was carried out, and the next one is about to be sent. What the document is called now, everybody may know."""
        names = learned(leg, self._number(leg, place, key)) if leg.intent.key is None else ()
        await self.move(leg, "advance", step=done, next_step=following, key=dumped(dict(key)), names=names)
        await reached("step.between")

    def _number(self, leg: Claimed, place: Place, key: NativeKey) -> str | None:
        """The new document's number, as far as it is known."""
        return number_of(place.side, key, None) or number_of(place.side, key, asked_of(leg)[0])

    # Ended

    async def finish(
        self,
        leg: Claimed,
        place: Place,
        answer: Answer,
        key: NativeKey,
        step: StepRecord | None,
        other: Begun | None = None,
        document: str | None = None,
    ) -> None:
        """The leg's last step was carried out, or none was needed.

        Takes: the native `key` it has now, the `step` that ended it, how the intent's `other` leg begins after it, and the intent's
        `document` where what stood before has changed.
        """
        intent, side = leg.intent, place.side
        number = self._number(leg, place, key) if intent.key is None else None
        names = learned(leg, number)
        own = number if intent.key is None else await self._preparation.own_key(leg, place)
        shown = kept_for_feed(leg, place, answer)
        if step is not None and not await self._taken_whole(leg, place, own, step, names=names, shown=shown, key=key):
            return
        beside = await self._kept_beside(leg, place, own)
        end = partial(
            self._end, leg, key, step=step, names=names, shown=shown, beside=beside, other=other, document=document
        )
        if not leg.authoritative:
            await end()
            return
        outcome = self._shown_at_once(leg, side, answer, own)
        text = answer_text(outcome or Outcome(None, None, own))
        await end(answer=text)
        if outcome is None:
            outcome = await left_behind(side, own, self._timing.deadline_s())
            if outcome.document is not None:
                await self._journal.picture(intent.id, answer_text(outcome))
        self.tell(intent.id, outcome)

    async def _taken_whole(  # all that the journal keeps of a step that was carried out
        self,
        leg: Claimed,
        place: Place,
        own: str | None,
        step: StepRecord,
        *,
        names: tuple[Names, ...],
        shown: str | None,
        key: NativeKey,
    ) -> bool:
        """Whether a new document has all its lines: where it lacks some a person decides, and what cannot be read is looked at later."""
        intent = leg.intent
        if intent.key is not None or place.manifest.rule(intent.object, intent.verb).atomic_document:
            return True
        more: dict[str, Any] = {"step": step, "names": names, "shown": shown, "key": dumped(dict(key))}
        try:
            lacking = await self._lacking(leg, place, own)
        except GatewayError as err:
            if isinstance(err, Unavailable) and leg.attempts < TRIES:
                event: Event = "doubt" if leg.state == "settling" else "put_back"
                await self.move(leg, event, error=err.detail, next_at_us=self._later_us(leg, err), **more)
                return False
            words = f"{leg.erp} made it as {own}, and nobody can see whether with all its lines: {err.detail}"
        else:
            if not lacking:
                return True
            lines = ", ".join(f"{there} of {sent} {name}" for name, (there, sent) in sorted(lacking.items()))
            words = f"{leg.erp} made it as {own} with {lines}."
        half = ErpRefused(words, reason="partial", operation=intent.id)
        told = error_text(half) if leg.authoritative else None
        await self.move(leg, "park", error=words, case=NewCase("partial", words), answer=told, **more)
        self.tell_refused(leg, half)
        return False

    async def _lacking(self, leg: Claimed, place: Place, own: str | None) -> Mapping[str, tuple[int, int]]:
        """The lists of a new document that are shorter than they were sent. Raises: GatewayError: nobody can see them."""
        body, level = await self._preparation.body(leg, place) or {}, place.side.translation.plan.level
        sent = {e.canonical[0] for e in level.entries if e.rows is not None and e.access != "read_only"}
        asked = {name: body[name] for name in sent if body.get(name)}
        if not asked:
            return {}
        if own is None:
            raise NoSuchDocument(f"{leg.erp} told no number for it.")
        found = await find(place.side, own, self._timing.deadline_s())
        return settling.lacking(asked, found.document)

    def _shown_at_once(self, leg: Claimed, side: ErpSide, answer: Answer, own: str | None) -> Outcome | None:
        try:
            return shown_at_once(side, answer, own)
        except DialectBroken as err:
            # The ERP said that it is done: what nobody understands is how it tells of the document.
            log.warning("write.not_shown", intent=leg.intent.id, reason=err.detail)
            return None

    async def _kept_beside(self, leg: Claimed, place: Place, own: str | None) -> Beside | None:
        """What the gateway keeps of the write for an ERP without a field for it."""
        if not place.side.translation.plan.beside:
            return None
        body = await self._preparation.body(leg, place) or {}
        if own is not None:
            return kept_beside(leg.erp, place.side.translation.plan, leg.intent, own, body)
        if lost := sorted(place.side.translation.plan.beside & body.keys()):
            reason = f"{leg.erp} told no number for the new document: nobody can find {', '.join(lost)} again"
            await self._journal.case(leg.ref, NewCase("not-kept", reason), self._timing.wall_us())
        return None

    async def _end(self, leg: Claimed, key: NativeKey, **more: Any) -> None:
        """Raises: Gone: another owner has the leg, and what this call made beside what that one finds is a case."""
        try:
            await self.move(leg, "finish", key=dumped(dict(key)), **more)
        except Gone:
            view = await self._journal.operation(leg.intent.id)
            there = next((each for each in view.legs if each.side == leg.ref.side), None) if view else None
            if there is not None and not (there.state == "done" and loaded(there.native_key or "{}") == dict(key)):
                beside = loaded(there.native_key) if there.native_key else f"a leg that is {there.state}"
                reason = f"{leg.erp} has {dict(key)} beside {beside}: a call left after others had settled it"
                await self._journal.case(leg.ref, NewCase("late-call", reason), self._timing.wall_us())
            raise

    async def nothing_sent(
        self, leg: Claimed, err: GatewayError, step: StepRecord | None = None, *, answered: bool = False
    ) -> None:
        """The caller is told that nothing happened, and may come again under the same key."""
        if isinstance(err, Refused):
            await self.move(leg, "refuse", step=step, error=err.detail, answer=error_text(err))
        elif self.waits(leg.intent.id):
            await self.move(leg, "void", step=step, error=err.detail, void_intent=True)
        else:
            # Whoever was told 202 comes for no answer: the promise is kept, and what time does not heal is a person's.
            await self.later_or_case(leg, err, step, answered=answered)
            return
        self.tell_refused(leg, err)

    def tell_refused(self, leg: Claimed, err: GatewayError) -> None:
        """The caller hears of what the side in charge said, and of no other."""
        if leg.authoritative:
            self.tell(leg.intent.id, err)

    # Not ended yet

    async def later_or_case(
        self, leg: Claimed, err: GatewayError, record: StepRecord | None = None, *, answered: bool = True
    ) -> None:
        """Of a write that nobody waits for: what time heals is tried again, the rest is a person's.

        Takes: `answered`, that the ERP said so.
        """
        step = unsent(leg, record, err.detail, answered=answered) if record is not None else None
        if isinstance(err, Unavailable | StaleEtag) or (
            isinstance(err, Conflict) and err.extra.get("reason") != "moved-there"
        ):
            at_us = self._later_us(leg, err)
            await self.move(leg, "put_back", step=step, error=err.detail, next_at_us=at_us)
            return
        kind = str(err.extra.get("reason") or "") if isinstance(err, Conflict | NoSuchDocument) else ""
        no = step._replace(state="refused") if step is not None and answered else step
        kind = "direct-edit" if leg.intent.origin == "erp" else kind or "split"
        await self.move(leg, "park", step=no, error=in_words(err), case=NewCase(kind, in_words(err)))

    async def not_sent(self, leg: Claimed, record: StepRecord, number: int, err: Unavailable) -> None:
        """The step did not leave: it may go later, or its caller is told that nothing happened."""
        if leg.step is not None and in_doubt_before(leg, record):
            # That it was not taken now says nothing of the time before.
            await self.try_later(leg, leg.step, err)
            return
        answered = isinstance(err, ErpBusy)
        step = unsent(leg, record, err.detail, answered=answered)
        if leg.authoritative and number == 0 and (leg.step is None or leg.step.state == "sending"):
            await self.nothing_sent(leg, err, step, answered=answered)
        else:
            await self.later_or_case(leg, err, record, answered=answered)

    async def doubted(self, leg: Claimed, record: StepRecord, rule: Rule, err: GatewayError) -> None:
        """The step left and no answer came: nobody knows what became of it."""
        now_us = self._timing.wall_us()
        doubt = record._replace(state="in_doubt", note=err.detail)
        # Its connection is closed by now: from here it can take effect for as long as the manifest says.
        doubt = doubt._replace(quiet_us=settling.quiet_us(rule, now_us))
        next_us = doubt.quiet_us if rule.settle == "reference" else self._later_us(leg, err)
        await self.move(leg, "doubt", step=doubt, error=err.detail, next_at_us=next_us)

    async def still_in_doubt(self, leg: Claimed, step: StepRecord, at_us: int, note: str | None) -> None:
        """Nothing is known yet; look again at `at_us`."""
        await self.move(leg, "doubt", step=step._replace(state="in_doubt"), error=note, next_at_us=at_us)

    async def try_later(self, leg: Claimed, step: StepRecord, err: GatewayError) -> None:
        """The ERP could not be asked: the doubt stays, and the next look is later each time; what time does not heal is a person's."""
        if isinstance(err, Refused | Broken) and leg.attempts >= TRIES:
            await self.move(leg, "park", step=step, case=NewCase("doubt", in_words(err)), error=in_words(err))
            return
        await self.still_in_doubt(leg, step, self._later_us(leg, err), err.detail)

    def _later_us(self, leg: Claimed, err: GatewayError) -> int:
        """When to try again: later each time, and not before the ERP said."""
        wait = wait_s(leg.attempts, self._timing.chance(), err.extra.get("retry_after_s"))
        return self._timing.wall_us() + int(wait * US)


async def _nobody(_: tuple[LegRef, ...]) -> None:
    return None
