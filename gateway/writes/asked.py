"""What a leg was asked to do and what it learned, as the journal keeps it. Pure."""

from __future__ import annotations

from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.crosswalk import SHOWN, erp_space
from gateway.core.intents import Names, StepRecord, step_token
from gateway.errors import GatewayError
from gateway.protocols.port import Answer
from gateway.reads.authoritative import ErpSide, Found
from gateway.store.journal import Claimed
from gateway.writes.carry import Outcome, stood, through
from gateway.writes.place import Place


def asked_of(leg: Claimed) -> tuple[Document | None, Document | None]:
    """What this leg is to write, the intent's document or patch or what a person made of it; for a patch, what stood there."""
    if leg.intent.document is None:
        return None, None
    document = loaded(leg.repaired or leg.intent.document)
    return (document["patch"], document["before"]) if leg.intent.verb == "change" else (document, None)


def patch_now(leg: Claimed, side: ErpSide, found: Found | None) -> str | None:
    """The patch of a change with what stood there when its turn came; None where accept saw the same.

    An earlier write of the lane may have been under way when this one was accepted.
    """
    patch, before = asked_of(leg)
    if not leg.authoritative or leg.intent.verb != "change" or patch is None or found is None or leg.repaired:
        return None
    now = stood(side, patch, found.document)
    return dumped({"patch": patch, "before": now}) if now != before else None


def step_id(leg: Claimed, number: int) -> str:
    """The id a step is sent under: always the same one, but for a step that was refused and that a person sent again.

    An ERP that remembers ids remembers its no as well, and nothing took effect under the old one.
    """
    step = leg.step
    if step is None or step.number != number:
        return step_token(leg.intent.id, leg.ref.side, number)
    return step_token(step.token, leg.ref.side, number) if step.state == "refused" else step.token


def sent_since(leg: Claimed, record: StepRecord) -> StepRecord:
    """A step that is begun again, as old as its first sending that reached anybody: that is what the ERP remembers.

    While it waited for an ERP that was away, nothing of it was there to be forgotten.
    """
    step = leg.step
    if step is None or step.number != record.number or step.state in ("refused", "not_sent"):
        return record
    return record._replace(sent_us=step.sent_us)


def unsent(leg: Claimed, record: StepRecord, note: str, *, answered: bool) -> StepRecord:
    """A step that was not taken, until it is sent again. Takes: `answered`, that somebody on the ERP's side said so.

    What stands before an ERP may turn away what the ERP has taken: such a step keeps its age.
    """
    step = leg.step
    reached = answered or (step is not None and step.number == record.number and step.state == "turned_away")
    return record._replace(state="turned_away" if reached else "not_sent", note=note)


def moved_fields(leg: Claimed, side: ErpSide, now: Document) -> list[str]:
    """The fields of a patch that do not stand in this ERP as they stood in the authoritative one when it was accepted."""
    _, before = asked_of(leg)
    old = through(side, before or {}, now)
    return sorted(name for name in old if name in now and now[name] != old[name])


def in_doubt_before(leg: Claimed, record: StepRecord) -> bool:
    """Whether this very step was sent before, and nobody knows what became of that."""
    return leg.step is not None and leg.step.state == "in_doubt" and leg.step.number == record.number


def kept_for_feed(leg: Claimed, place: Place, answer: Answer) -> str | None:
    """What the ERP showed of a new document, where its change feed will show it again.

    In the ERP's own words: the feed reads them as it reads the record, with the dialect of that day.
    """
    followed = leg.intent.verb == "create" and leg.intent.object in place.manifest.delta_feed
    return dumped(answer.document) if followed and answer.document is not None else None


def learned(leg: Claimed, number: str | None) -> tuple[Names, ...]:
    """What a created document's number tells the crosswalk."""
    if number is None:
        return ()
    intent = leg.intent
    own = Names(intent.object, intent.lane, erp_space(leg.erp), number)
    return (own, Names(intent.object, intent.lane, SHOWN, number)) if leg.authoritative else (own,)


def answer_text(outcome: Outcome) -> str:
    """What a write left behind, as the journal keeps it."""
    etag = str(outcome.etag) if outcome.etag is not None else None
    return dumped({"key": outcome.key, "document": outcome.document, "etag": etag})


def in_words(err: GatewayError) -> str:
    """What went wrong, with every field that is to blame: what a person reads in a case."""
    errors = err.extra.get("errors") or ()
    return "; ".join([err.detail, *(f"{'.'.join(map(str, e['path']))}: {e['reason']}" for e in errors if "path" in e)])


def error_text(err: GatewayError) -> str:
    return dumped({"error": {"code": err.code, "detail": err.detail, "extra": err.extra}})
