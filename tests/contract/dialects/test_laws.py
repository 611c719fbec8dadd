"""The laws: what is written on the declared domain comes back, and what is read settles after one round."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from gateway.core.canonical import Document, ObjectSpec
from gateway.dialects.check import law_breaks
from gateway.dialects.resolve import Level
from gateway.dialects.specimens import specimens
from tests.contract.dialects.content import bases, cases, dialects, translation
from tests.contract.dialects.strategies import documents

QUICK = settings(
    max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def _same(before: Any, after: Any) -> bool:
    """Equal, but for what a constant adds to a row that did not say."""
    if isinstance(before, dict):
        return isinstance(after, dict) and all(k in after and _same(v, after[k]) for k, v in before.items())
    if isinstance(before, list):
        return isinstance(after, list) and len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after and type(before) is type(after))


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_a_document_on_the_domain_survives_the_way_there_and_back(dialect: str, name: str) -> None:
    found = translation(dialect, name)

    @QUICK
    @given(documents(found.plan))
    def law(document: Document) -> None:
        there = found.encode(document)
        back = found.decode(there)
        assert _same(document, back)
        again = found.encode(back)
        assert found.encode(found.decode(again)) == again

    law()


@pytest.mark.parametrize(("dialect", "name", "plant"), cases())
def test_every_word_and_boundary_survives_at_every_plant(dialect: str, name: str, plant: str) -> None:
    assert list(law_breaks(translation(dialect, name, plant))) == []


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_specimens_hold_every_word_that_a_dialect_knows(dialect: str, name: str) -> None:
    plan = translation(dialect, name).plan
    shown = list(specimens(plan))
    for field, words in _words(plan.level):
        assert set(words) <= {document[field] for document in shown if field in document}, field


def _words(level: Level) -> list[tuple[str, tuple[str, ...]]]:
    lists = [(e.canonical[0], e.codec.known) for e in level.entries if e.codec is not None and e.codec.known]
    return [(field, tuple(word for word, _ in known)) for field, known in lists]


@pytest.mark.parametrize(("dialect", "name", "plant"), cases())
def test_what_is_written_is_what_is_shown_without_the_fields_that_the_system_sets(
    dialect: str, name: str, plant: str
) -> None:
    found = translation(dialect, name, plant)
    for document in specimens(found.plan):
        written, shown = found.encode_write(document), found.encode(document)
        assert set(written) <= set(shown)
        assert all(shown[k] == v for k, v in written.items() if not isinstance(v, list | dict))


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_a_change_carries_no_constants_of_the_header(dialect: str, name: str) -> None:
    assert translation(dialect, name).encode_change({}) == {}


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_what_is_decoded_is_valid_in_the_canonical_model(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    for document in specimens(found.plan):
        back = found.decode(found.encode(document))
        faults = _faults(found.plan.spec, back)
        assert faults == [], document


def _faults(spec: ObjectSpec, document: Document) -> list[str]:
    """What the model says against a document, but that a specimen leaves out a required field."""
    try:
        spec.model.model_validate(document)
    except ValidationError as err:
        return [str(e) for e in err.errors() if e["type"] != "missing" and e["input"] is not None]
    return []


def test_every_canonical_field_is_mapped_or_listed_and_every_drop_has_its_reason() -> None:
    for dialect in dialects().values():
        for found in dialect.translations.values():
            plan = found.plan
            mapped = {name for entry in plan.level.entries for name in entry.canonical}
            assert {spec.name for spec in plan.spec.fields} == mapped | set(plan.level.unsupported)
            assert all(u.reason for u in plan.level.unsupported.values() if u.policy == "drop")
