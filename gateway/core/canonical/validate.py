"""Checks a canonical document, or a few of its fields, against the model. Gives what is wrong, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gateway.core.canonical import OBJECTS, Document
from gateway.core.findings import in_words


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong: the path in canonical fields, and why."""

    path: tuple[str | int, ...]
    reason: str


def document_flaws(object_: str, document: Document) -> list[Flaw]:
    """What is wrong with a whole document; empty is a yes."""
    try:
        OBJECTS[object_].model.model_validate(document)
    except ValidationError as err:
        return [_flaw(e) for e in err.errors(include_url=False)]
    return []


def field_flaws(object_: str, fields: Mapping[str, Any]) -> list[Flaw]:
    """What is wrong with some fields of a document, each by itself."""
    flaws: list[Flaw] = []
    for name, value in fields.items():
        try:
            _adapter(object_, name).validate_python(value)
        except ValidationError as err:
            flaws += [Flaw((name, *f.path), f.reason) for f in map(_flaw, err.errors(include_url=False))]
    return flaws


def typed_document(object_: str, document: Document) -> Document:
    """A document without flaws, with its values in the model's own types; only the fields that it has."""
    return OBJECTS[object_].model.model_validate(document).model_dump(exclude_unset=True)


def typed_fields(object_: str, fields: Mapping[str, Any]) -> Document:
    """Fields without flaws, with their values in the model's own types."""
    made = {}
    for name, value in fields.items():
        adapter = _adapter(object_, name)
        made[name] = adapter.dump_python(adapter.validate_python(value), exclude_unset=True)
    return made


@lru_cache(maxsize=512)
def _adapter(object_: str, name: str) -> TypeAdapter[Any]:
    info = OBJECTS[object_].model.model_fields[name]
    annotation: Any = info.annotation
    return TypeAdapter(Annotated[(annotation, *info.metadata)] if info.metadata else annotation)


def _flaw(error: ErrorDetails) -> Flaw:
    return Flaw(tuple(error["loc"]), "required" if error["type"] == "missing" else in_words(error))
