"""The clients of the demo: an MES that makes and works off orders at each plant, and a planner that looks at items."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp

from gateway.cli.demo.processes import Demo

_ITEMS = ("PUMP-100", "PUMP-200")


@dataclass(slots=True)
class Sent:
    """One order as a client sent it, and the number the answer showed."""

    plant: str
    reference: str
    item: str
    quantity: Decimal
    start: datetime
    end: datetime
    side: str = ""
    id: str = ""


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    requests: int = 0
    errors: list[str] = field(default_factory=list)
    by_plant: Counter[tuple[str, str]] = field(default_factory=Counter)
    sent: list[Sent] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Plant:
    """The MES of one plant: one order after the other, from creation to confirmation."""

    def __init__(self, demo: Demo, code: str, per_s: float, tally: Tally, seed: int) -> None:
        self.code = code
        self._demo, self._per_s, self._tally = demo, per_s, tally
        self._random = random.Random(seed)  # noqa: S311  # traffic, not a secret
        self._number = 0
        self.quiet = asyncio.Event()
        self._go = asyncio.Event()
        self._go.set()

    async def pause(self) -> None:
        """Finish the order at hand and start no other: a Saturday night."""
        self._go.clear()
        await self.quiet.wait()

    def resume(self) -> None:
        self.quiet.clear()
        self._go.set()

    async def work(self, http: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not self._go.is_set():
                self.quiet.set()
                await self._go.wait()
            await self._one_order(http)
            await asyncio.sleep(self._random.uniform(0.5, 1.5) / self._per_s)
        self.quiet.set()

    async def _one_order(self, http: aiohttp.ClientSession) -> None:
        order = self._next()
        place = f"/api/v2/plants/{self.code}/production-orders"
        quantity = {"value": str(order.quantity), "unit": "H87"}
        planned = {"start": order.start.isoformat(), "end": order.end.isoformat()}
        body = {
            "reference": order.reference,
            "type": "PP01",
            "item": order.item,
            "quantity": quantity,
            "planned": planned,
        }
        self._tally.sent.append(order)
        made = await self.call(http, "POST", place, json=body)
        if made is None:
            return
        order.id = made["id"]
        await self.call(http, "POST", f"{place}/{order.id}:release")
        await self.call(http, "GET", f"{place}/{order.id}")
        done = {"operation": made["operations"][-1]["sequence"], "quantity": quantity, "final": True}
        await self.call(http, "POST", f"{place}/{order.id}:confirm", json=done)
        await self.call(http, "GET", f"/api/v2/items/{order.item}")

    def _next(self) -> Sent:
        self._number += 1
        start = datetime(2026, 12, 1, 6, tzinfo=UTC) + timedelta(hours=self._number)
        made = Decimal(self._random.randint(1, 40))
        reference = f"MES-{self.code}-{self._number:05d}"
        return Sent(self.code, reference, self._random.choice(_ITEMS), made, start, start + timedelta(hours=8))

    async def call(self, http: aiohttp.ClientSession, method: str, path: str, **more: Any) -> Any:
        """One call of the client; what it answers, or None where it failed."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._tally.requests += 1
        headers = {"X-API-Key": self._demo.keys["mes"]}
        try:
            async with http.request(method, self._demo.gateway + path, headers=headers, **more) as answer:
                body = await answer.json(content_type=None)
                side = answer.headers.get("X-Route", "none").partition(";")[0]
        except (aiohttp.ClientError, TimeoutError) as err:
            self._tally.errors.append(f"{method} {path}: {err!r}")
            return None
        self._tally.seconds.append(loop.time() - began)
        self._tally.by_plant[self.code, side] += 1
        if answer.status >= 400:  # HTTP's own classes
            self._tally.errors.append(f"{method} {path}: {answer.status} {body}")
            return None
        return body
