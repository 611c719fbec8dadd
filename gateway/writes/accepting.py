"""What the journal takes of a write: its intent, a leg for each ERP, and the first step of the leg that goes first."""

from __future__ import annotations

from typing import Protocol

from gateway.core.canonical.stored import dumped
from gateway.core.crosswalk import SHOWN, Number, canonical_id, erp_space, parents
from gateway.core.intents import Accept, Intent, Names, NewLeg, Replay
from gateway.core.settling import US
from gateway.errors import GatewayError
from gateway.reads.authoritative import ErpSide, Found
from gateway.reads.numbers import for_erp, key_for_erp
from gateway.store.crosswalk import Crosswalk
from gateway.writes.asked import in_words
from gateway.writes.carry import Prepared, current, encoded, prepared, steps_of, stood
from gateway.writes.delivery import Delivery
from gateway.writes.place import Place, Timing
from gateway.writes.prepare import Begun
from gateway.writes.write import Write, fingerprint

KEPT_S = 7 * 24 * 3600
"""How long an Idempotency-Key is remembered."""


class Ids(Protocol):
    """New ids, 32 hexadecimal digits, rising with time."""

    def __call__(self) -> str: ...


class Accepting:
    """Makes of a write what the journal takes. Nothing is journalled here, and nothing but reads is sent."""

    def __init__(self, crosswalk: Crosswalk, timing: Timing, delivery: Delivery, instance: str, new_id: Ids) -> None:
        self.crosswalk, self.timing, self.delivery, self.instance = crosswalk, timing, delivery, instance
        self._new_id = new_id

    async def accept(self, w: Write) -> tuple[Accept, Begun]:
        """The commit that accepts a write, and the step that goes out with it.

        Raises: Refused: what forbids it. Unavailable: what it needs to know could not be read.
        """
        first, *others = w.places
        ready = await self._ready(w, first)
        intent, names, new_lane = await self._intent(w, first.side, ready.found)
        sent = self.delivery.first_step(intent, first, ready, next(iter(others), None))
        if _looks_again(w, first.side, ready):
            sent = sent._replace(ready=None, record=None)
        legs = (
            NewLeg(first.side.side, first.side.name, starts=True, step=sent.record),
            *(_following(w, place, ready.found) for place in others),
            *w.unplaced,
        )
        now_us = self.timing.wall_us()
        return Accept(intent, legs, self.instance, now_us, _replay(w, intent), names, new_lane=new_lane), sent

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


def _looks_again(w: Write, side: ErpSide, ready: Prepared) -> bool:
    """Whether the document is read once more in the lane, with nobody else's write between look and call.

    Where the ERP's own lock does not see all that If-Match names, and where there seems to be nothing to send.
    """
    unlocked = ready.etag is None or bool(side.translation.plan.beside)
    return (w.if_match.tags is not None and unlocked) or ready.nothing


def _matched(w: Write, found: Found | None) -> str | None:
    """The version that the caller named, as it is written: of several the one that the document has."""
    return str(found.etag) if found is not None and w.if_match.tags is not None else None


def _kept(w: Write, side: ErpSide, found: Found | None) -> str | None:
    if w.document is None:
        return None
    if w.verb != "change":
        return dumped(w.document)
    now = found.document if found is not None else {}
    return dumped({"patch": w.document, "before": stood(side, w.document, now)})


def _following(w: Write, place: Place, found: Found | None) -> NewLeg:
    return NewLeg(place.side.side, place.side.name, parked=_untranslatable(w, place, found))


def _untranslatable(w: Write, place: Place, found: Found | None) -> str | None:
    """Why the other side can never take this; it is known at once, and not after a night in the queue."""
    try:
        steps_of(place.side, w.verb)
        encoded(place.side, w.verb, w.document, found)
    except GatewayError as err:
        return in_words(err)
    return None


def _replay(w: Write, intent: Intent) -> Replay | None:
    if w.idempotency_key is None:
        return None
    return Replay(w.client, w.idempotency_key, fingerprint(w), intent.created_us + KEPT_S * US)
