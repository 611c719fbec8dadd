"""What an ERP's metadata says against everything the gateway says to it: the dialect's files, and what plants lay over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.control.content import Content
from gateway.core.canonical import OBJECTS
from gateway.core.deployment import Erp
from gateway.dialects.compile import Translation
from gateway.dialects.drift import Change
from gateway.dialects.library import ENTERPRISE, Dialect


@dataclass(frozen=True, slots=True)
class Difference:
    """A change that some plants meet. `file` is the place that relies on what changed; plant `*` is the dialect itself."""

    object: str
    plants: tuple[str, ...]
    change: Change
    file: str


def in_use(content: Content, erp: Erp) -> Iterator[tuple[str, str, Translation]]:
    """(object, plant, translation) of all that an ERP is asked for."""
    dialect = content.dialects[erp.dialect]
    for name in dialect.objects:
        for plant in _plants(content, erp, name):
            translation = dialect.of(name, plant)
            if translation is not None:
                yield name, plant, translation


def _plants(content: Content, erp: Erp, object_: str) -> list[str]:
    """The plants whose cells name the ERP for an object. Where none does yet, the dialect alone can be compared."""
    spec = OBJECTS[object_]
    cells = [c for c in content.cells if c.domain == spec.domain and erp.erp in (c.legacy, c.cloud)]
    return sorted({c.plant for c in cells if (c.plant == ENTERPRISE) == (spec.scope == "enterprise")}) or [ENTERPRISE]


def merged(dialect: Dialect, met: Iterable[tuple[str, str, Change]]) -> list[Difference]:
    """What the plants met, each change once per place that relies on it. Takes: `met`, (object, plant, change)."""
    plants: dict[tuple[str, Change, str], list[str]] = {}
    for name, plant, change in met:
        file = dialect.mistake(name, plant, change.rule, change.detail).place
        plants.setdefault((name, change, f"translators/{file}"), []).append(plant)
    return [Difference(name, tuple(where), change, file) for (name, change, file), where in plants.items()]
