"""A write that meets a move is asked again of the new table; where that cannot be read, the caller is told to come again."""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.assembly import CLOCK
from gateway.edge.limits import EdgeLimits
from gateway.errors import RouteMoved
from gateway.observe.metrics import Metrics
from gateway.surfaces import data_plane
from gateway.surfaces.data_plane import DataPlane

OLD = SimpleNamespace(table=SimpleNamespace(revision=7), contract=lambda version: None, public_url="")
SCOPE = {"method": "POST", "raw_path": b"/api/v2/plants/1000/production-orders", "query_string": b"", "headers": []}


class Serving:
    """A gateway whose store cannot be read just now."""

    draining, in_force = False, OLD

    def __init__(self) -> None:
        self.asked: list[int | None] = []

    async def refreshed(self, than: int | None = None) -> Any:
        self.asked.append(than)
        raise OSError("database is locked")


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write finds that its cell has moved."""

    async def run(x: Any, times: Any, since: Callable[..., Any] | None = None) -> tuple[Any, Exception]:
        return x, RouteMoved("The cell moved.", retry_after_s=1)

    monkeypatch.setattr(data_plane, "run", run)


@pytest.mark.usefixtures("moved")
async def test_a_write_that_met_a_move_is_told_to_come_again_when_the_new_table_cannot_be_read() -> None:
    serving, sent = Serving(), list[MutableMapping[str, Any]]()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await DataPlane(serving, CLOCK, EdgeLimits(), Metrics())(dict(SCOPE), None, send)  # type: ignore[arg-type]  # stands for a gateway
    head, body = sent
    problem = json.loads(body["body"])
    assert (head["status"], problem["code"], problem["retryable"]) == (503, "route-moved", True)
    assert (b"retry-after", b"1") in head["headers"]
    assert serving.asked == [7], "it says which table was old, so that whoever waits takes what another found"
