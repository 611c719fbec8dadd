"""The simulated ERPs' declared properties: the dialects map or ignore each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.dialects.resolve import Level
from gateway.sim.erps.declare import EntityType, Face
from gateway.sim.erps.tables import model_of
from tests.contract.dialects.content import bases, translation

FACES: dict[str, Face] = {"sap-ecc": "legacy", "sap-s4": "cloud", "d365": "d365"}
OBJECTS = [(dialect, name) for dialect, name in bases() if dialect in FACES]


def _entity(dialect: str, name: str) -> EntityType:
    wanted = translation(dialect, name).plan.native["set"]
    return next(e for e in model_of(FACES[dialect]).types.values() if e.set_name == wanted)


def _levels(entity: EntityType, level: Level) -> Iterator[tuple[EntityType, Level]]:
    yield entity, level
    for entry in level.entries:
        if entry.rows is not None:
            yield from _levels(entity.children[entry.native[0][0]], entry.rows)


@pytest.mark.parametrize(("dialect", "name"), OBJECTS)
def test_every_declared_property_is_mapped_or_ignored(dialect: str, name: str) -> None:
    plan = translation(dialect, name).plan
    for entity, level in _levels(_entity(dialect, name), plan.level):
        known = {path[0] for e in level.entries for path in e.native} | {path[0] for path, _ in level.constants}
        unknown = {p.name for p in entity.properties} - known - set(level.ignored)
        assert unknown == set(), entity.set_name


@pytest.mark.parametrize(("dialect", "name"), OBJECTS)
@pytest.mark.parametrize("plant", ["*", "1000", "2000", "3000"])
def test_every_mapped_property_exists_there(dialect: str, name: str, plant: str) -> None:
    plan = translation(dialect, name, plant).plan
    for entity, level in _levels(_entity(dialect, name), plan.level):
        served = {p.name for p in entity.properties} | set(entity.children)
        assert {path[0] for e in level.entries for path in e.native} <= served


@pytest.mark.parametrize(("dialect", "name"), OBJECTS)
def test_no_text_is_written_longer_than_it_may_be(dialect: str, name: str) -> None:
    plan = translation(dialect, name, "1000").plan
    for entity, level in _levels(_entity(dialect, name), plan.level):
        for entry in level.entries:
            if entry.codec is None or not entry.codec.max_length or entry.access != "both" or len(entry.native) > 1:
                continue
            prop = entity.by_name.get(entry.native[0][0])
            if prop is not None and prop.kind.base == "text":
                assert entry.codec.max_length <= prop.kind.size, entry.native


@pytest.mark.parametrize(("dialect", "name"), OBJECTS)
def test_the_key_of_the_dialect_is_the_key_of_the_entity(dialect: str, name: str) -> None:
    plan = translation(dialect, name).plan
    assert set(plan.native["key"]) == {p.name for p in _entity(dialect, name).keys}
