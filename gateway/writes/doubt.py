"""Settles doubt about a step: nobody guesses what an ERP did. Source: the write protocol, section 1.6."""

from __future__ import annotations

from typing import Protocol

from gateway.core import settling
from gateway.core.canonical.stored import dumped
from gateway.core.filters import Compare
from gateway.core.intents import (
    NewCase,
    StepRecord,
)
from gateway.core.manifests import Rule
from gateway.core.settling import Target
from gateway.errors import (
    Broken,
    Conflict,
    ErpRefused,
    GatewayError,
    Invalid,
    NoSuchDocument,
)
from gateway.protocols.port import Answer, ErpRefusal, NativeKey, Query
from gateway.reads.authoritative import key_of
from gateway.store.journal import Claimed
from gateway.writes.asked import (
    in_doubt_before,
    in_words,
    moved_fields,
)
from gateway.writes.carry import (
    Prepared,
    current,
    encoded,
    prepared,
    shown,
    steps_of,
)
from gateway.writes.moves import Moves
from gateway.writes.place import Place, Timing
from gateway.writes.prepare import AlreadySo, Preparation

_OTHERWISE = "the document changed meanwhile, and not to what was sent"


class Sender(Protocol):
    """Sends steps."""

    def record(self, leg: Claimed, number: int, rule: Rule, p: Prepared) -> StepRecord:
        """The step as it goes to the journal."""
        ...

    async def send_from(self, leg: Claimed, place: Place, p: Prepared, number: int, *, begun: bool) -> None:
        """Send a step and those after it."""
        ...


class Doubt:
    """Finds out what became of a step, and goes on with it or sends it again."""

    def __init__(self, sender: Sender, moves: Moves, preparation: Preparation, timing: Timing) -> None:
        self._sender, self._moves, self._preparation, self._timing = sender, moves, preparation, timing

    async def settle(self, leg: Claimed, place: Place) -> None:
        """Do now what the manifest says of the step in doubt."""
        step = leg.step
        if step is None:
            raise Broken("a leg in doubt has no step")
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        target = await self._target(leg, place, step, rule)
        way = settling.settlement(rule, step, self._timing.wall_us(), self._timing.call_s, target)
        match way.do:
            case "wait":
                await self._moves.still_in_doubt(leg, step, way.at_us, step.note)
            case "ask":
                await self._ask(leg, way.reason)
            case "resend":
                await self._resend(leg, place, step)
            case "lookup":
                await self._look_up(leg, place, step, rule)
            case "compare":
                await self._compare(leg, place, step)

    async def _ask(self, leg: Claimed, reason: str, step: StepRecord | None = None) -> None:
        """A person must decide."""
        await self._moves.move(leg, "park", step=step, case=NewCase("doubt", reason), error=reason)

    async def _target(self, leg: Claimed, place: Place, step: StepRecord, rule: Rule) -> Target:
        """What the step in doubt was for, and what can tell of it."""
        verb, spec = leg.intent.verb, place.side.translation.plan.spec
        if leg.intent.key is not None or step.number > 0:
            call = steps_of(place.side, verb)[step.number]
            tells = call.do == "change" or call.name in rule.steps or bool(rule.evidence)
            return Target(new=False, tells=tells)
        body = await self._preparation.body(leg, place) or {}
        named = rule.settle == "conditional" and body.get(spec.key) is not None
        # A client's own value in the field to look it up by was left alone.
        own = rule.lookup_by is not None and (encoded(place.side, verb, body, None) or {}).get(rule.lookup_by)
        return Target(new=True, named=named, marked=not own)

    async def _resend(self, leg: Claimed, place: Place, step: StepRecord) -> None:
        """The same call under the same key, or with the same If-Match."""
        try:
            ready = (
                await self._preparation.prepared(leg, place)
                if leg.intent.key is None
                else await self._preparation.as_before(leg, place, step)
            )
        except (NoSuchDocument, Invalid, ErpRefused) as err:
            await self._ask(leg, in_words(err))
            return
        except GatewayError as err:
            await self._moves.try_later(leg, step, err)
            return
        if ready.nothing:
            await self._go_on(leg, place, step, await self._preparation.native_key(leg, place))
            return
        await self._sender.send_from(leg, place, ready, step.number, begun=False)

    async def _look_up(self, leg: Claimed, place: Place, step: StepRecord, rule: Rule) -> None:
        query = Query(Compare(str(rule.lookup_by), "eq", step.token), (), 2, None)
        try:
            side = place.side
            page = await side.connector.search(side.shape, query, self._timing.deadline_s(), side.priority)
        except (GatewayError, ErpRefusal) as err:
            await self._moves.try_later(leg, step, err if isinstance(err, GatewayError) else Conflict(err.message))
            return
        if not page.documents:
            await self._resend(leg, place, step)
            return
        if len(page.documents) > 1:
            reason = f"{len(page.documents)} documents carry the id {step.token}"
            await self._moves.move(leg, "park", case=NewCase("duplicate", reason), error=reason)
            return
        names = place.side.translation.plan.native.get("key", ())
        key = {str(name): page.documents[0].get(name) for name in names}
        await self._go_on(leg, place, step, key)

    async def _compare(self, leg: Claimed, place: Place, step: StepRecord) -> None:
        """Go on where the document, read now, shows that the step was carried out; send it again where it shows that it was not."""
        side, verb = place.side, leg.intent.verb
        rule = place.manifest.rule(leg.intent.object, verb)
        try:
            body, own = await self._preparation.body(leg, place), await self._preparation.own_key(leg, place)
            found = await current(side, own, self._timing.deadline_s())
            again = prepared(side, verb, body, found)._replace(etag=step.etag)
        except NoSuchDocument as err:
            await self._ask(leg, err.detail)
            return
        except GatewayError as err:
            await self._moves.try_later(leg, step, err)
            return
        quiet = step.etag is None and self._timing.wall_us() >= step.quiet_us
        if again.nothing or shown(side, verb, step.number, rule, body, found):
            await self._go_on(leg, place, step, key_of(side, own))
        elif quiet and not (verb == "change" and moved_fields(leg, side, found.document)):
            await self._sender.send_from(leg, place, again, step.number, begun=False)
        else:
            await self._ask(leg, _OTHERWISE)

    async def refused_again(
        self, leg: Claimed, place: Place, record: StepRecord, refusal: ErpRefusal, err: GatewayError
    ) -> bool:
        """What was sent before and is refused now may be refused because it was carried out then. Gives: whether the no settles nothing."""
        if leg.step is None or not in_doubt_before(leg, record):
            return False
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        target, quiet_us = await self._target(leg, place, record, rule), leg.step.quiet_us
        quiet = self._timing.wall_us() >= quiet_us  # before the look: a look that began earlier shows too little
        if (target.named or not target.new) and await self._carried_out(leg, place, record, refusal, target):
            return True
        if not quiet:
            # The copy sent before may still be taken, whatever is said of this one: only silence makes a refusal final.
            await self._moves.still_in_doubt(leg, record._replace(quiet_us=quiet_us), quiet_us, err.detail)
            return True
        if not settling.refusal_settles(rule, target):
            reason = f"refused when it was sent again, and nothing tells whether the first call was carried out: {err.detail}"
            await self._ask(leg, reason, step=record._replace(state="in_doubt", note=err.detail))
            return True
        return False

    async def _carried_out(
        self, leg: Claimed, place: Place, record: StepRecord, refusal: ErpRefusal, target: Target
    ) -> bool:
        """Look at the document of a step that is refused now. Gives: whether what it shows settled the step, or nothing could be seen."""
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        try:
            body, own = await self._preparation.body(leg, place), await self._preparation.own_key(leg, place)
            found = await current(place.side, own, self._timing.deadline_s())
        except NoSuchDocument as err:
            if err.extra.get("reason") != "another-number":
                return False
            await self._ask(leg, err.detail)
            return True
        except GatewayError as err:
            await self._moves.try_later(leg, record, err)
            return True
        if shown(place.side, leg.intent.verb, record.number, rule, body, found):
            await self._go_on(leg, place, record, key_of(place.side, own))
        elif target.named or refusal.kind == "stale":
            await self._ask(leg, _OTHERWISE)
        else:
            return False
        return True

    async def _go_on(self, leg: Claimed, place: Place, step: StepRecord, key: NativeKey) -> None:
        """The step in doubt was carried out: the next one, or the end."""
        rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
        done, number = step._replace(state="done"), step.number + 1
        if number >= len(steps_of(place.side, leg.intent.verb)):
            await self._moves.finish(leg, place, Answer(), key, done)
            return
        try:
            ready = await self._preparation.prepared(leg, place)
        except (AlreadySo, GatewayError) as err:
            await self._moves.try_later(leg, step, err if isinstance(err, GatewayError) else Conflict(str(err)))
            return
        record = self._sender.record(leg, number, rule, ready)
        await self._moves.advance(leg, place, done, record, key)
        now = leg._replace(state="sending", step=record, native_key=dumped(dict(key)))
        await self._sender.send_from(now, place, ready, number, begun=True)
