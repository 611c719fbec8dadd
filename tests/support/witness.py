"""Simulated ERPs that also keep a log of their calls: what came, in which order, and how many were under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from gateway.sim.erps import ErpApp, ErpConfig, running
from gateway.sim.erps.apps import Receive, Scope, Send
from tests.support.simulated import SECRET, Pair, SimErp


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the ERP met it. `under_way` are all calls at that moment, this one among them."""

    method: str
    path: str
    under_way: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def word(self) -> str:
        return f"{self.method} {self.path}"


class Witness(ErpApp):
    """An ERP that works `work_s` on each call."""

    def __init__(self, config: ErpConfig) -> None:
        super().__init__(config)
        self.calls: list[Call] = []
        self.work_s = 0.0
        self._under_way: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            return await super().__call__(scope, receive, send)
        word = f"{scope['method']} {scope['path']}"
        self._under_way.append(word)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        self.calls.append(Call(scope["method"], scope["path"], tuple(self._under_way), headers))
        try:
            await asyncio.sleep(self.work_s)
            return await super().__call__(scope, receive, send)
        finally:
            self._under_way.remove(word)

    @property
    def most(self) -> int:
        """How many calls it ever had at once."""
        return max((len(call.under_way) for call in self.calls), default=0)


def witness(erp: SimErp) -> Witness:
    assert isinstance(erp.app, Witness)
    return erp.app


@contextmanager
def witnessed_pair(**settings: Any) -> Iterator[Pair]:
    """Start both ERPs as the reference deployment expects them, each with its log."""
    old = Witness(replace(ErpConfig(users={"GATEWAY": SECRET}, **settings), face="legacy"))
    new = Witness(replace(ErpConfig(clients={"gateway": SECRET}, **settings), face="cloud"))
    with (
        running(old) as old_url,
        running(new) as new_url,
        httpx.Client(base_url=old_url) as old_door,
        httpx.Client(base_url=new_url) as new_door,
    ):
        yield Pair(SimErp(old, old_url, old_door), SimErp(new, new_url, new_door))
