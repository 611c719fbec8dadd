"""Writes of a cell with one side: carried out there, step by step, each step at most once.

Until the journal arrives a write that was not sent is `503`, and one whose outcome nobody knows is `504 outcome-unknown`: it is
never sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.core.canonical import Document
from gateway.core.etags import ETag
from gateway.dialects.compile import Translation
from gateway.dialects.grammar import Step
from gateway.dialects.running import Mismatch
from gateway.errors import ErpRefused, GatewayError, Invalid, OutcomeUnknown, StaleEtag, Unavailable
from gateway.protocols.port import Answer, ErpRefusal, NativeDocument, NativeKey, Shape, StepCall
from gateway.reads.authoritative import ErpSide, Found, decoded, find, key_of, meaning, shown_etag

Permitted = Callable[[Document], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write left behind; `document` is None where it could not be read back."""

    document: Document | None
    etag: ETag | None
    key: str | None


async def write(  # all of a write
    side: ErpSide,
    verb: str,
    key: str | None,
    document: Document | None,
    if_match: ETag | None,
    deadline_s: float,
    *,
    permitted: Permitted,
) -> Outcome:
    """Carry out a verb.

    Takes: `permitted`, which looks at the document as it stands in the ERP and raises where the caller may not touch it.
    Raises: Invalid, ErpRefused, Conflict, StaleEtag: the ERP has not changed. ErpDown: nothing was sent. OutcomeUnknown.
    """
    steps = _steps(side, verb)
    found = await _current(side, key, if_match, deadline_s) if key is not None else None
    if found is not None:
        await permitted(found.document)
    body = _encoded(side, verb, document, found)
    etag = found.native_etag if found is not None and side.translation.plan.native.get("lock") != "compare" else None
    native_key = key_of(side, key) if key is not None else {}
    answer = Answer()
    for number, step in enumerate(steps):
        call = _call(side, step, native_key, body, etag if number == 0 else None)
        call = replace(call, before=found.native) if found is not None else call
        answer = await _send(side, call, number, native_key, deadline_s)
        native_key = answer.key or native_key
    return await _left_behind(side, answer, _named(side, key, native_key, document), deadline_s)


def first_step(side: ErpSide, verb: str, key: str | None, document: Document | None) -> StepCall:
    """The first call that a write would make."""
    body = _encoded(side, verb, document, None)
    call = _call(side, _steps(side, verb)[0], key_of(side, key) if key is not None else {}, body, None)
    # What only a read would tell stands in braces.
    return replace(call, before={"id": "{id}"})


def _steps(side: ErpSide, verb: str) -> tuple[Step, ...]:
    plan = side.translation.plan
    steps = plan.verbs.get(verb)
    if not steps:
        raise ErpRefused(f"The ERP behind plant {side.plant} cannot {verb} a {plan.spec.name}.", reason="unsupported")
    return steps


def _encoded(side: ErpSide, verb: str, document: Document | None, found: Found | None) -> NativeDocument | None:
    if document is None:
        return None
    try:
        if verb != "change":
            return side.translation.encode_write(document)
        return _changed(side.translation, document, found.document if found is not None else {})
    except Mismatch as err:
        errors = [{"path": list(err.canonical), "reason": err.reason}]
        raise Invalid(f"{side.name} cannot take the document.", errors=errors) from err


def _changed(translation: Translation, patch: Document, now: Document) -> NativeDocument:
    """What a patch means natively.

    A field that the ERP keeps together with others is written as they stand; of what follows from them only the new is sent.
    """
    joined = [e.canonical for e in translation.plan.level.entries if len(e.canonical) > 1]
    names = {name for group in joined if not patch.keys().isdisjoint(group) for name in group}
    beside = {name: now[name] for name in names if name in now}
    old = translation.encode_change(beside) if beside else {}
    new = translation.encode_change({**beside, **patch})
    return {name: value for name, value in new.items() if name not in old or old[name] != value}


async def _current(side: ErpSide, key: str, if_match: ETag | None, deadline_s: float) -> Found:
    """The document as it is now.

    It is read before any write to it: an ERP's keys do not name the plant, and nobody may write through a plant that is not
    the document's. Raises: NoSuchDocument, StaleEtag.
    """
    found = await find(side, key, deadline_s)
    if if_match is not None and str(found.etag) != str(if_match):
        raise StaleEtag("The document changed since it was read.")
    return found


def _call(side: ErpSide, step: Step, key: NativeKey, body: NativeDocument | None, etag: str | None) -> StepCall:
    arguments = {name: _argument(side, field, key, body) for name, field in step.arguments.items()}
    document = body if step.do != "call" else None
    return StepCall(step.do, step.name, step.bound, key, document, arguments, etag, tuple(step.acknowledge))


def _argument(side: ErpSide, field: str, key: NativeKey, body: Mapping[str, Any] | None) -> Any:
    """The native value of a canonical field, from the key or else from the document."""
    entry = side.translation.plan.level.entry(field)
    name = entry.native[0][0] if entry else field
    return key[name] if name in key else (body or {}).get(name)


async def _send(side: ErpSide, call: StepCall, number: int, key: NativeKey, deadline_s: float) -> Answer:
    try:
        return await side.connector.send(side.shape, call, deadline_s)
    except ErpRefusal as refusal:
        raise _after(number, key, _refused(side, call, refusal)) from refusal
    except Unavailable as err:
        if number == 0:
            raise
        raise _after(number, key, err) from err


def _refused(side: ErpSide, call: StepCall, refusal: ErpRefusal) -> GatewayError:
    words = {"erp": side.name, "erp_message": refusal.message, "erp_code": refusal.code}
    if refusal.kind == "failed":
        # An ERP that broke down while it worked may have kept the work.
        return OutcomeUnknown(f"{side.name} failed while it carried out the write.", **words)
    if refusal.kind == "not-found" and call.kind != "change":
        # A new document cannot be missing, and one that an action is for was just read: the operation is not there.
        return ErpRefused(f"{side.name} does not offer this.", **words, reason="unsupported")
    return meaning(side, refusal)


def _after(number: int, key: NativeKey, error: GatewayError) -> GatewayError:
    """A refusal after the first step leaves something behind in the ERP: say so, and where."""
    if number == 0:
        return error
    place = ", ".join(f"{name} {value}" for name, value in key.items())
    return OutcomeUnknown(
        f"The first {number} step(s) were carried out ({place}), the next was not: {error.detail}", **error.extra
    )


def _named(side: ErpSide, key: str | None, native_key: NativeKey, document: Document | None) -> str | None:
    """The document's key: the one in the URL, else the one the ERP answered, else the one it was sent with."""
    name = side.translation.plan.spec.key
    told: str | None = key or side.translation.decode(dict(native_key)).get(name) or (document or {}).get(name)
    return told


async def _left_behind(side: ErpSide, answer: Answer, known: str | None, deadline_s: float) -> Outcome:
    """What the write made of the document with the key `known`."""
    spec = side.translation.plan.spec
    if answer.document is not None and _whole(side.shape, answer.document):
        document = decoded(side, answer.document)
        return Outcome(document, shown_etag(side, document, answer.etag), document.get(spec.key) or known)
    try:
        found = await find(side, str(known), deadline_s) if known is not None else None
    except (GatewayError, ErpRefusal):
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
