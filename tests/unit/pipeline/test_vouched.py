"""For how long a request may read by the table that it came in with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway import app
from gateway.core.waves import Cell, WaveTable
from gateway.pipeline.exchange import InForce
from gateway.settings import Settings
from gateway.store.engine import Store

LEASE_S = 10.0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The clock that counts suspended time."""
    at = {"s": 100.0}
    monkeypatch.setattr(app, "boot_s", lambda: at["s"])
    return at


def in_force(revision: int) -> InForce:
    nothing: Any = SimpleNamespace(revision="c1")
    cell = Cell("1000", "production", "ecc", "s4")
    return InForce(nothing, WaveTable(revision, {cell.id: cell}), nothing, nothing, {}, nothing)


def test_a_request_that_slept_is_not_vouched_for_by_a_look_that_found_the_next_table(now: dict[str, float]) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    gateway = app.Gateway(Settings(database_url=url, lease_s=LEASE_S), Store(url))
    lease: Any = SimpleNamespace(until_boot_s=float("inf"))  # renewed, as soon as the process wakes
    gateway._writes = SimpleNamespace(delivery=SimpleNamespace(lease=lease), crosswalk=None)  # type: ignore[assignment]
    gateway._put(in_force(1), now["s"])
    pinned = gateway.in_force
    assert pinned.overdue_s() < 0
    now["s"] += 6 * LEASE_S  # it sleeps; a plant is moved meanwhile, and the first thing that goes on is the look
    gateway._put(in_force(2), now["s"])
    assert gateway.in_force.overdue_s() < 0
    assert pinned.overdue_s() > 0
