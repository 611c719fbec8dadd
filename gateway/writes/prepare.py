"""What a leg is going to send: its document as it stands now, in its ERP's own numbers and words."""

from __future__ import annotations

from typing import NamedTuple

from gateway.core import settling
from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded
from gateway.core.crosswalk import SHOWN, own_number, parents
from gateway.core.intents import Intent, LegRef, StepRecord
from gateway.errors import (
    Conflict,
    NoSuchDocument,
    StaleEtag,
)
from gateway.protocols.port import NativeKey
from gateway.reads import numbers
from gateway.reads.authoritative import ErpSide, Found, key_of
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Claimed
from gateway.writes.asked import (
    asked_of,
    moved_fields,
)
from gateway.writes.carry import (
    Prepared,
    current,
    number_of,
    prepared,
    through,
)
from gateway.writes.place import Place, Timing


class AlreadySo(Exception):
    """Nothing to be sent: the document, as it was found, is already as it shall be. `key` is its native key."""

    def __init__(self, key: NativeKey, found: Found) -> None:
        super().__init__("already so")
        self.key, self.found = key, found


class Begun(NamedTuple):
    """A leg that its caller carries at once, to be sent until a moment of the clock that counts suspended time.

    `place` is where it goes, `ready` what to send, if that is known already, `record` its first step, where that stands in the journal,
    and `other` where the intent's other leg goes.
    """

    place: Place
    ready: Prepared | None
    record: StepRecord | None
    until_boot_s: float
    other: Place | None = None

    def claimed(self, ref: LegRef, intent: Intent) -> Claimed:
        """The leg as its owner holds it, without asking the journal: nobody had it before."""
        side = self.place.side
        return Claimed(ref, intent, side.name, "sending", side.side == intent.side, 0, None, self.record)


class Preparation:
    """Reads and encodes inside the lane. Raises: GatewayError: what stands in the way; nothing was sent."""

    def __init__(self, crosswalk: Crosswalk, timing: Timing) -> None:
        self._crosswalk, self._timing = crosswalk, timing

    async def prepared(self, leg: Claimed, place: Place) -> Prepared:
        """Read the document inside the lane and encode what is to be sent. Raises: GatewayError, AlreadySo."""
        intent, side = leg.intent, place.side
        await self._all_known(leg, place)
        body, found = await self.body(leg, place), None
        if intent.key is not None:
            key = await self.own_key(leg, place)
            found = await current(side, key, self._timing.deadline_s())
            self._as_read(leg, found)
            self._not_moved(leg, place, body, found)
        ready = prepared(side, intent.verb, body, found)
        if found is not None and ready.nothing:
            raise AlreadySo(dict(key_of(side, key)), found)
        return ready

    async def body(self, leg: Claimed, place: Place) -> Document | None:
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

    async def _all_known(self, leg: Claimed, place: Place) -> None:
        """Whether the other ERP's numbers of all documents that this one names are known: another may be called so there.

        Raises: NoSuchDocument.
        """
        asked, _ = asked_of(leg)
        if asked is None or leg.authoritative or leg.repaired:
            return
        named = {n for n in parents(leg.intent.object, asked) if n[0] not in place.manifest.same_numbers}
        if unknown := sorted(named - (await self._crosswalk.to_erp(leg.erp, named)).keys()):
            words = ", ".join(f"{object_} {key}" for object_, key in unknown)
            raise NoSuchDocument(f"Nobody knows under which number {leg.erp} has {words}.", reason="unmapped")

    def _as_read(self, leg: Claimed, found: Found) -> None:
        """Whether the client's If-Match still holds: the writes before it in the lane changed the document after it was accepted.

        Only before the step has reached anybody: after that, the change may be our own. Raises: StaleEtag.
        """
        intent, step = leg.intent, leg.step
        fresh = step is None or (step.number == 0 and step.state == "not_sent")
        if leg.authoritative and fresh and not leg.reopened and intent.if_match not in (None, str(found.etag)):
            raise StaleEtag("The document changed since it was read.")

    def _not_moved(self, leg: Claimed, place: Place, patch: Document | None, found: Found) -> None:
        """Whether the fields of a patch stand in the other ERP as they stood in the authoritative one. Raises: AlreadySo, Conflict."""
        side = place.side
        if leg.intent.origin == "erp":
            rule = place.manifest.rule(leg.intent.object, leg.intent.verb)
            if settling.shows(rule.evidence, found.document):
                raise _already(side, found)
        if leg.authoritative or patch is None or leg.intent.verb != "change":
            return
        if settling.holds(through(side, patch, found.document), found.document):
            raise _already(side, found)
        if moved := moved_fields(leg, side, found.document):
            raise Conflict(
                "The fields have other values in this ERP than they had.", fields=moved, reason="moved-there"
            )

    async def own_key(self, leg: Claimed, place: Place) -> str:
        """The document's number in this leg's ERP. Raises: NoSuchDocument."""
        intent = leg.intent
        if intent.key is None:
            # Made by an earlier step of this very leg, or under a number of ours.
            made = loaded(leg.native_key) if leg.native_key is not None else {}
            number = number_of(place.side, made, await self.body(leg, place))
            if number is None:
                raise NoSuchDocument(f"Nobody knows under which number {leg.erp} has the new {intent.object}.")
            return number
        names = await self._crosswalk.of(numbers.keyed(intent.object), intent.lane)
        same = leg.authoritative or numbers.keyed(intent.object) in place.manifest.same_numbers
        own = own_number(names, leg.erp, str(intent.key), same=same)
        if own is not None:
            return own
        raise NoSuchDocument(
            f"Nobody knows under which number {leg.erp} has {intent.object} {intent.key}.", reason="unmapped"
        )

    async def native_key(self, leg: Claimed, place: Place) -> NativeKey:
        """The key under which the ERP has the document, as far as it is known: empty before a create."""
        if leg.native_key is not None:
            key: NativeKey = loaded(leg.native_key)
            return key
        if leg.intent.key is None:
            return {}
        return key_of(place.side, await self.own_key(leg, place))

    async def as_before(self, leg: Claimed, place: Place, step: StepRecord) -> Prepared:
        """The call to an existing document as it was sent: read again, but with the lock of the first time."""
        body = await self.body(leg, place)
        found = await current(place.side, await self.own_key(leg, place), self._timing.deadline_s())
        return prepared(place.side, leg.intent.verb, body, found)._replace(etag=step.etag)


def _already(side: ErpSide, found: Found) -> AlreadySo:
    return AlreadySo(dict(key_of(side, str(found.document.get(side.translation.plan.spec.key)))), found)
