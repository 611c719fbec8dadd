"""The dialects of the reference content, loaded once for all tests of this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gateway.connectors.factory import PROTOCOLS
from gateway.control.recordings import recorded_documents
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect, load_dialects
from gateway.protocols.port import NativeDocument

ROOT = Path(__file__).parents[3] / "translators"
RECORDED = ROOT / "recorded"
REGIONS = {"1000": "eu", "2000": "us", "3000": "apac", "P100": None, "P200": None}


@cache
def dialects() -> dict[str, Dialect]:
    names = (path for path in ROOT.rglob("*.yaml") if "recorded" not in path.parts)
    return dict(load_dialects({str(path.relative_to(ROOT)): path.read_text("utf-8") for path in names}, REGIONS))


@cache
def recordings() -> dict[tuple[str, str], tuple[NativeDocument, ...]]:
    """(dialect, object) -> the documents that real systems answered with."""
    return recorded_documents(RECORDED, dialects(), {name: make() for name, make in PROTOCOLS.items()})


def cases() -> list[tuple[str, str, str]]:
    """Every (dialect, object, plant) that is compiled; plant `*` is the base."""
    return [(d.name, name, plant) for d in dialects().values() for name, plant in d.translations]


def bases() -> list[tuple[str, str]]:
    """Every (dialect, object)."""
    return [(dialect, name) for dialect, name, plant in cases() if plant == "*"]


def translation(dialect: str, name: str, plant: str = "*") -> Translation:
    found = dialects()[dialect].of(name, plant)
    assert found is not None
    return found
