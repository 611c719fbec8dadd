"""What real systems said: every recorded answer is read, accounted for field by field, and settles."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.core.canonical import Document, ObjectSpec
from gateway.dialects.check import checked, settled, unmapped
from gateway.dialects.resolve import Entry, Level
from gateway.protocols.shape import shape_of
from tests.contract.dialects.content import dialects, recordings, translation

FILES = sorted(recordings())


@pytest.mark.parametrize(("dialect", "name"), FILES)
def test_recorded_answers_are_read_and_settle(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    documents = recordings()[dialect, name]
    assert documents
    for document in documents:
        assert settled(found, document)


@pytest.mark.parametrize(("dialect", "name"), FILES)
def test_every_recorded_field_is_mapped_or_ignored_with_a_reason(dialect: str, name: str) -> None:
    for document in recordings()[dialect, name]:
        assert unmapped(translation(dialect, name), document) == ()


@pytest.mark.parametrize(("dialect", "name"), FILES)
def test_fields_whose_codec_changes_nothing_are_written_as_they_were_read(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    for document in recordings()[dialect, name]:
        there = found.encode(found.decode(document))
        for path, was, now in _pairs(found.plan.level, document, there):
            assert now == was, path


def _pairs(level: Level, before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    plain = [e for e in level.entries if e.codec is not None and e.codec.normalising is None and e.access == "both"]
    return [
        (".".join(path), _at(before, path), _at(after, path))
        for entry in plain
        for path in entry.native
        if _at(before, path) not in {None, ""} and _present(entry, before)
    ]


def _present(entry: Entry, document: dict[str, Any]) -> bool:
    return all(_at(document, path) is not None for path in entry.native)


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    return document


@pytest.mark.parametrize(("dialect", "name"), FILES)
def test_recorded_answers_are_valid_canonical_documents(dialect: str, name: str) -> None:
    spec = translation(dialect, name).plan.spec
    for document in recordings()[dialect, name]:
        assert _faults(spec, translation(dialect, name).decode(document)) == []


def _faults(spec: ObjectSpec, document: Document) -> list[str]:
    """What the model says against a document, but that a list shows only a part of it."""
    try:
        spec.model.model_validate(document)
    except ValidationError as err:
        return [str(e) for e in err.errors() if e["type"] != "missing" and e["input"] is not None]
    return []


def test_the_check_of_the_whole_content_finds_nothing() -> None:
    assert checked(dialects(), recordings()) == ()


def test_a_text_in_the_plants_language_is_read_from_its_row() -> None:
    shown = [translation("sap-ecc", "item").decode(d) for d in recordings()["sap-ecc", "item"] if "to_Description" in d]
    assert "Cable Assembly C100" in {document["name"] for document in shown}


def test_a_shape_expands_the_lists_that_codecs_read() -> None:
    shape = shape_of(translation("sap-ecc", "item").plan)
    assert ("to_Description",) in shape.lists
    assert ("to_Description",) not in shape.paths
