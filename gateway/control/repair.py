"""A person's copy of a write for one side: edited in canonical fields, checked, and encodable there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.canonical import OBJECTS, Document
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.canonical.validate import Flaw, document_flaws, field_flaws, typed_document, typed_fields
from gateway.dialects.compile import Translation
from gateway.dialects.running import Mismatch
from gateway.errors import Invalid

FIXED = ("plant",)
"""Fields that no repair may touch: they say which lane the write is in."""


def repaired(object_: str, verb: str, kept: str, patch: Mapping[str, Any], translation: Translation) -> str:
    """The document a leg is to be sent with, as text for the journal.

    Takes: `kept`, what the leg would send now; `patch`, a JSON merge patch in canonical fields (null takes a field out).
    Raises: Invalid: every field that the model or the side's dialect does not take.
    """
    touched = sorted(set(patch) & {*FIXED, *((OBJECTS[object_].key,) if verb != "create" else ())})
    if touched:
        raise Invalid(
            "A repair stays in its lane.", errors=[{"field": name, "reason": "cannot be repaired"} for name in touched]
        )
    now = loaded(kept)
    if verb == "change":
        document = _changed(object_, merged(now["patch"], patch))
        _encodable(translation, document, change=True)
        # What stood there before no longer counts: a person has looked at the fields and wants these values.
        return dumped({"patch": document, "before": {}})
    document = _whole(object_, merged(now, patch))
    _encodable(translation, document, change=False)
    return dumped(document)


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396: lists are replaced whole, null removes."""
    if not isinstance(patch, Mapping):
        return patch
    made = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


def _whole(object_: str, document: Document) -> Document:
    _refuse(document_flaws(object_, document))
    return typed_document(object_, document)


def _changed(object_: str, fields: Document) -> Document:
    known = {field.name for field in OBJECTS[object_].fields}
    _refuse([Flaw((name,), "no such field") for name in fields if name not in known])
    _refuse(field_flaws(object_, fields))
    return typed_fields(object_, fields)


def _refuse(flaws: list[Flaw]) -> None:
    if flaws:
        errors = [{"field": ".".join(map(str, flaw.path)), "reason": flaw.reason} for flaw in flaws]
        raise Invalid("The repaired document is not one of the canonical model.", errors=errors)


def _encodable(translation: Translation, document: Document, *, change: bool) -> None:
    encode = translation.encode_change if change else translation.encode_write
    try:
        encode(_complete(translation, document) if change else document)
    except Mismatch as err:
        errors = [{"field": ".".join(map(str, err.canonical)), "reason": err.reason}]
        raise Invalid(f"{translation.plan.dialect} cannot say the repaired document.", errors=errors) from err


def _complete(translation: Translation, fields: Document) -> Document:
    """Without the fields that the ERP keeps together with others which only a read of the document would tell."""
    groups = [e.canonical for e in translation.plan.level.entries if len(e.canonical) > 1]
    partly = {name for group in groups if not fields.keys() >= set(group) for name in group}
    return {name: value for name, value in fields.items() if name not in partly}
