"""The phases of a cell, as data: which side answers, which sides are written, and what this release carries."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Side = Literal["legacy", "cloud"]
SIDES: tuple[Side, Side] = ("legacy", "cloud")


@dataclass(frozen=True, slots=True)
class Phase:
    """What a phase means. `authoritative` is the side whose answer counts; `writes` the sides that receive a write, in order.

    `carries_traffic` is false for phases that this release names and refuses.
    """

    name: str
    authoritative: Side | None
    writes: tuple[Side, ...]
    carries_traffic: bool = False


PHASES = MappingProxyType(
    {
        phase.name: phase
        for phase in (
            Phase("legacy", "legacy", ("legacy",), carries_traffic=True),
            Phase("shadow", "legacy", ("legacy",)),
            Phase("dual_legacy", "legacy", ("legacy", "cloud"), carries_traffic=True),
            Phase("dual_cloud", "cloud", ("cloud", "legacy"), carries_traffic=True),
            Phase("standby", "cloud", ("cloud", "legacy"), carries_traffic=True),
            Phase("cloud", "cloud", ("cloud",), carries_traffic=True),
            Phase("freezing", None, ()),
            Phase("committing", None, ()),
        )
    }
)
DECLARABLE = ("legacy", "shadow", "dual_legacy", "dual_cloud", "standby", "cloud")
