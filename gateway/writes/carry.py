"""What one leg asks of its ERP: read inside the lane, encoded with the content of its intent, sent step by step.

Nothing here writes to the journal; the calls in between are told what to send next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.core import settling
from gateway.core.canonical import Document
from gateway.core.etags import ANY_VERSION, Condition, ETag
from gateway.core.manifests import Rule
from gateway.dialects.compile import Translation
from gateway.dialects.grammar import Step
from gateway.dialects.running import Mismatch
from gateway.errors import ErpRefused, EtagRequired, GatewayError, Invalid, Malformed, OutcomeUnknown, StaleEtag
from gateway.protocols.port import Answer, ErpRefusal, NativeDocument, NativeKey, Shape, StepCall
from gateway.reads.authoritative import ErpSide, Found, belongs, decoded, find, key_of, meaning, shown_etag
from gateway.store.sql import StoreDown


class Outcome(NamedTuple):
    """What a write left behind; `document` is None where it could not be read back. Numbers are the ERP's own."""

    document: Document | None
    etag: ETag | None
    key: str | None


class Prepared(NamedTuple):
    """A leg ready to be sent: its steps, the native body, and the document as it stood when it was read inside the lane."""

    steps: tuple[Step, ...]
    body: NativeDocument | None
    found: Found | None
    etag: str | None

    @property
    def nothing(self) -> bool:
        """A change of fields that the ERP lacks: no call says it."""
        return self.body == {} and all(step.do == "change" for step in self.steps)


def steps_of(side: ErpSide, verb: str) -> tuple[Step, ...]:
    """The calls that a verb takes at an ERP. Raises: ErpRefused: it cannot do this."""
    plan = side.translation.plan
    steps = plan.verbs.get(verb)
    if not steps:
        raise ErpRefused(f"The ERP behind plant {side.plant} cannot {verb} a {plan.spec.name}.", reason="unsupported")
    return steps


def prepared(side: ErpSide, verb: str, document: Document | None, found: Found | None) -> Prepared:
    """What to send. Raises: Invalid: the ERP's dialect cannot say it. ErpRefused: the ERP cannot do it."""
    locks = side.translation.plan.native.get("lock") != "compare"
    etag = found.native_etag if found is not None and locks else None
    return Prepared(steps_of(side, verb), encoded(side, verb, document, found), found, etag)


def encoded(side: ErpSide, verb: str, document: Document | None, found: Found | None) -> NativeDocument | None:
    """The native body. Raises: Invalid."""
    if document is None:
        return None
    if errors := [{"path": path, "reason": reason} for path, reason in _elsewhere(side, document)]:
        raise Invalid(f"{side.name} cannot take the document.", errors=errors)
    try:
        if verb != "change":
            return side.translation.encode_write(document)
        return _changed(side.translation, document, found.document if found is not None else {})
    except Mismatch as err:
        errors = [{"path": list(err.canonical), "reason": err.reason}]
        raise Invalid(f"{side.name} cannot take the document.", errors=errors) from err


def _elsewhere(side: ErpSide, document: Document) -> Iterator[tuple[list[str | int], str]]:
    """Rows of another plant where the ERP places all of them where the document is: they would end up in the wrong one."""
    plan = side.translation.plan
    for name, *inner in plan.spec.plants:
        entry = plan.level.entry(name)
        if not inner or entry is None or entry.rows is None:
            continue
        told = entry.rows.entry("plant")
        if told is None or told.access == "read_only":
            for number, row in enumerate(document.get(name) or ()):
                if row.get("plant") not in (None, side.plant):
                    yield [name, number, "plant"], f"{side.name} has it in plant {side.plant} only"


def _changed(translation: Translation, patch: Document, now: Document) -> NativeDocument:
    """What a patch means natively.

    A field that the ERP keeps together with others is written as they stand; of what follows from them only the new is sent.
    """
    beside = _beside(translation, patch, now)
    old = translation.encode_change(beside) if beside else {}
    new = translation.encode_change({**beside, **patch})
    return {name: value for name, value in new.items() if name not in old or old[name] != value}


def _beside(translation: Translation, patch: Document, now: Document) -> Document:
    """What stands in the document together with fields of a patch."""
    joined = [e.canonical for e in translation.plan.level.entries if len(e.canonical) > 1]
    names = {name for group in joined if not patch.keys().isdisjoint(group) for name in group}
    return {name: now[name] for name in names if name in now}


def through(side: ErpSide, document: Document, now: Document) -> Document:
    """The fields of a document or patch as this ERP could say them: what two sides are compared by. What it cannot say is left out.

    Takes: `now`, the document there: a field that the ERP keeps together with others can only be said with these.
    """
    try:
        said = side.translation.decode(
            side.translation.encode({**_beside(side.translation, document, now), **document})
        )
    except Mismatch:
        return {}
    return {name: value for name, value in said.items() if name in document}


def reworded(before: Translation, after: Translation, document: Document, now: Document) -> Document:
    """What was said to an ERP in the words of an older dialect, as the present one reads it. What it cannot read is left out.

    Takes: `now`, the whole document there, in the present words.
    """
    older = _in_older_words(before, after, now)
    made: Document = {}
    for entry in before.plan.level.entries:
        part = {name: document[name] for name in entry.canonical if name in document}
        if not part:
            continue
        try:
            said = after.decode(before.encode({**_beside(before, part, older), **part}))
        except Mismatch:
            continue
        alike = (e for e in after.plan.level.entries if set(e.native) <= set(entry.native))
        made |= {name: said[name] for e in alike for name in e.canonical if name in said}
    return made


def _in_older_words(before: Translation, after: Translation, now: Document) -> Document:
    """The document in the older words; nothing of it where they are too narrow for what stands there now."""
    try:
        return before.decode(after.encode(now))
    except Mismatch:
        return {}


def stood(side: ErpSide, patch: Document, now: Document) -> Document:
    """What of a patch's fields stands in the document; of one that the ERP lacks nothing is known where nothing was kept."""
    lacking = side.translation.plan.level.unsupported
    return {name: now.get(name) for name in patch if name in now or name not in lacking}


async def current(side: ErpSide, key: str, deadline_s: float, if_match: Condition = ANY_VERSION) -> Found:
    """The document as it is now.

    It is read before any write to it: an ERP's keys do not name the plant, and nobody may write through a plant that is not
    the document's. What is not there is told before the condition is looked at (RFC 9110 section 13.2.1).
    Raises: NoSuchDocument, EtagRequired, Malformed, StaleEtag.
    """
    found = await find(side, key, deadline_s)
    named_by(if_match)
    if not if_match.holds(found.etag):
        raise StaleEtag(_why_stale(if_match, found))
    return found


def named_by(if_match: Condition) -> None:
    """Whether the version is named, where one has to be. Raises: EtagRequired, Malformed."""
    if if_match.broken:
        raise Malformed("If-Match holds ETags with commas between them, or *.", field="If-Match")
    if if_match.missing:
        raise EtagRequired("A change needs If-Match with the ETag of the document that was read; * names none.")


def _why_stale(if_match: Condition, found: Found) -> str:
    if not if_match.tags:
        return "If-Match names no ETag that this API gave out: read the document, and send its ETag as it is."
    if all((tag.side, tag.term) != (found.etag.side, found.etag.term) for tag in if_match.tags):
        return "The document has moved to the other ERP since it was read: read it again."
    return "The document changed since it was read."


def step_call(side: ErpSide, p: Prepared, number: int, key: NativeKey, *, token: str, rule: Rule) -> StepCall:
    """One call, with what lets the ERP know it again."""
    step = p.steps[number]
    body = _marked(p.body, rule, token) if step.do == "create" else p.body
    call = _call(side, step, key, body, p.etag if number == 0 else None)
    if rule.settle == "key" and rule.key_header is not None:
        call = call._replace(headers={rule.key_header: token})
    return call._replace(before=p.found.native) if p.found is not None else call


def _marked(body: NativeDocument | None, rule: Rule, token: str) -> NativeDocument | None:
    """The body with the step's id in the field by which it can be found again; a value of the client's own stays."""
    if body is None or rule.settle != "reference" or rule.lookup_by is None or body.get(rule.lookup_by):
        return body
    return {**body, rule.lookup_by: token}


def first_step(side: ErpSide, verb: str, key: str | None, document: Document | None) -> StepCall:
    """The first call that a write would make."""
    body = encoded(side, verb, document, None)
    call = _call(side, steps_of(side, verb)[0], key_of(side, key) if key is not None else {}, body, None)
    # What only a read would tell stands in braces.
    return call._replace(before={"id": "{id}"})


def _call(side: ErpSide, step: Step, key: NativeKey, body: NativeDocument | None, etag: str | None) -> StepCall:
    arguments = {name: _argument(side, field, key, body) for name, field in step.arguments.items()}
    document = body if step.do != "call" else None
    return StepCall(step.do, step.name, step.bound, key, document, arguments, etag, tuple(step.acknowledge))


def _argument(side: ErpSide, field: str, key: NativeKey, body: Mapping[str, Any] | None) -> Any:
    """The native value of a canonical field, from the key or else from the document."""
    entry = side.translation.plan.level.entry(field)
    name = entry.native[0][0] if entry else field
    return key[name] if name in key else (body or {}).get(name)


def shown(side: ErpSide, verb: str, number: int, rule: Rule, body: Document | None, found: Found) -> bool:
    """Whether a document, as it was found, shows that a step of a write was carried out.

    A call by what the manifest says of it, or else of the verb; anything else by the fields that were sent.
    """
    step = steps_of(side, verb)[number]
    if step.do != "call":
        return settling.holds(through(side, body or {}, found.document), found.document)
    if step.name in rule.steps:
        return settling.shows(rule.steps[step.name], found.native)
    return settling.shows(rule.evidence, found.document)


def refused(side: ErpSide, call: StepCall, refusal: ErpRefusal) -> GatewayError:
    """What an ERP's no to a step means to the caller."""
    words = {"erp": side.name, "erp_message": refusal.message, "erp_code": refusal.code}
    if refusal.kind == "failed":
        # An ERP that broke down while it worked may have kept the work.
        return OutcomeUnknown(f"{side.name} failed while it carried out the write.", **words)
    if refusal.kind == "not-found" and call.kind != "change":
        # A new document cannot be missing, and one that an action is for was just read: the operation is not there.
        return ErpRefused(f"{side.name} does not offer this.", **words, reason="unsupported")
    if refusal.kind in ("stale", "etag-required") and not call.key:
        # A new document has no version that could be an old one, and reading it again helps nobody.
        return ErpRefused(refusal.message, **words, field=refusal.field)
    return meaning(side, refusal)


def number_of(side: ErpSide, native_key: NativeKey, document: Document | None) -> str | None:
    """A new document's number: what the ERP answered, else what it was sent with."""
    name = side.translation.plan.spec.key
    told: str | None = side.translation.decode_key(dict(native_key)).get(name) or (document or {}).get(name)
    return told


def shown_at_once(side: ErpSide, answer: Answer, known: str | None) -> Outcome | None:
    """What the answer itself shows of the document with the number `known`; None where it must be read. Raises: DialectBroken."""
    if answer.document is None or side.translation.plan.beside or not _whole(side.shape, answer.document):
        return None
    document = decoded(side, answer.document)
    if not belongs(side, document):
        return None  # nobody would find it where it is said to be
    number = document.get(side.translation.plan.spec.key)
    return Outcome(document, shown_etag(side, document, answer.etag), number or known)


async def left_behind(side: ErpSide, known: str | None, deadline_s: float) -> Outcome:
    """The document with the number `known`, read after a write."""
    try:
        found = await find(side, str(known), deadline_s) if known is not None else None
    except (GatewayError, ErpRefusal, StoreDown):
        found = None  # The write stands; only its picture is missing, and the caller can read it later.
    return Outcome(found.document, found.etag, known) if found else Outcome(None, None, known)


def _whole(shape: Shape, native: NativeDocument) -> bool:
    """Whether an answer shows the document with all its rows, so that nobody needs to read it again."""
    if len(native) <= len(shape.native.get("key", ())):
        return False
    return all(
        isinstance(native.get(path[0]), list) and all(_whole(rows, row) for row in native[path[0]])
        for path, rows in shape.lists.items()
    )
