"""Simulated worlds in which nothing goes wrong but what a test asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.sim.shape import CLOUD, LEGACY, Shape


def calm(phase: str, **more: Any) -> Shape:
    """A history without clients and without faults; ERPs settle as the reference deployment's do."""
    shape = Shape(
        seed=1, settle={LEGACY: "reference", CLOUD: "key"}, window_s={LEGACY: 3600, CLOUD: 3600}, phase=phase, keys=0, each=0,
        instances=1, skew_s=(0.0,), fault_rate=0.0, crashes=(), outages=(), store_outages=(), pauses=(), moves=(), movers=0,
        follows=False, edits=(),
    )  # fmt: skip
    return replace(shape, **more)
