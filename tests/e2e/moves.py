"""A plant in one phase or another, what became of its writes, and what its ERPs are still owed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import httpx

from tests.e2e.calls import Json, Plant, good
from tests.support.gateway import Deployment
from tests.support.simulated import Entry, SimErp

T = TypeVar("T")
_CELL = "    target: cloud\n    wave: wave-1"
ORDER_SETS = ("A_ProductionOrder_2", "ProductionOrder")


def declare(own: Deployment, before: str, after: str) -> None:
    """Another phase for plant 1000 in the content folder."""
    old, new = (_CELL if phase == "legacy" else f"    phase: {phase}\n{_CELL}" for phase in (before, after))
    own.edit("routes/waves.yaml", old, new)


def awaited(what: Callable[[], T | None], within_s: float = 60) -> T:
    """Ask until there is an answer."""
    give_up_at_s = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < give_up_at_s, "it never came"
        time.sleep(0.02)
    return found


def operation(plant: Plant, answer: httpx.Response) -> Json:
    """What became of a write."""
    return good(plant.http.get(f"/api/v2/operations/{answer.headers['x-op-id']}"))


def settled(plant: Plant, answer: httpx.Response, *states: str) -> Json:
    """The operation once it is in one of the states."""
    wanted = states or ("done",)
    return awaited(lambda: found if (found := operation(plant, answer))["state"] in wanted else None)


def open_legs(own: Deployment) -> int:
    """What all ERPs are owed and nobody has to decide about, read behind the gateway's back."""
    ended = "('done', 'refused', 'voided', 'parked')"
    with closing(sqlite3.connect(own.folder / "gateway.db")) as db:
        return int(db.execute(f"SELECT COUNT(*) FROM leg WHERE state NOT IN {ended}").fetchone()[0])


def orders(erp: SimErp, mark: int, verb: str = "create") -> list[Entry]:
    """What was done to order headers through the API."""
    return [e for e in erp.since(mark, origin="api") if e["verb"] == verb and e["entity"] in ORDER_SETS]
