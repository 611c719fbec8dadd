"""The clients of the demo: an MES that makes and works off orders at each plant, and a planner that looks at items."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp

from gateway.cli.demo.processes import Demo

_ITEMS = ("PUMP-100", "PUMP-200")
_TYPES = ("PP01", "PP02")
"""One of them is no ERP's own choice: a type that does not arrive shows."""
_ACCEPTED, _CONFLICT, _BUSY, _UNAVAILABLE = 202, 409, 429, 503
_PATIENCE_S = 40.0
_WATCH_S = 0.25


@dataclass(slots=True)
class Sent:
    """One order as a client sent it, and what the answers showed: its number, and side and phase of its plant's cell."""

    plant: str
    body: Mapping[str, Any]
    side: str = ""
    phase: str = ""
    id: str = ""
    released: str = ""
    """The side that acknowledged its release."""
    confirmation: Mapping[str, Any] = field(default_factory=dict)
    confirmed: str = ""
    """The side that acknowledged the confirmation."""

    @property
    def reference(self) -> str:
        return str(self.body["reference"])


@dataclass(frozen=True, slots=True)
class Done:
    """A write that was done: what was answered, and side and phase of the cell that took it."""

    body: Any
    side: str
    phase: str


@dataclass(slots=True)
class Tally:
    """What the clients saw. `waited` counts answers that said: nothing was sent, come again."""

    requests: int = 0
    waited: int = 0
    accepted: int = 0
    """Answers 202: taken, and not done yet."""
    errors: list[str] = field(default_factory=list)
    by_plant: Counter[tuple[str, str]] = field(default_factory=Counter)
    sent: list[Sent] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def come_again_s(self) -> float | None:
        """Seconds after which the same request may be sent again; None where that is not what was said."""
        again = self.headers.get("Retry-After")
        return float(again) if again and self.status in (_BUSY, _UNAVAILABLE, _CONFLICT) else None

    @property
    def route(self) -> tuple[str, str]:
        """Side and phase, as `X-Route` has them."""
        side, _, rest = self.headers.get("X-Route", "none").partition(";")
        return side, rest.rpartition("phase=")[2]


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
                continue
            await self._one_order(http)
            await asyncio.sleep(self._random.uniform(0.5, 1.5) / self._per_s)
        self.quiet.set()

    async def _one_order(self, http: aiohttp.ClientSession) -> None:
        order = self._next()
        place = f"/api/v2/plants/{self.code}/production-orders"
        self._tally.sent.append(order)
        if (made := await self.write(http, place, order.body)) is None:
            return
        order.side, order.phase = made.side, made.phase
        order.id = made.body.get("id") or made.body["document"]
        if (released := await self.write(http, f"{place}/{order.id}:release")) is not None:
            order.released = released.side
        seen = await self.call(http, "GET", f"{place}/{order.id}")
        if seen is None:
            return
        last = seen.body["operations"][-1]["sequence"]
        order.confirmation = {"operation": last, "quantity": order.body["quantity"], "final": True}
        if (confirmed := await self.write(http, f"{place}/{order.id}:confirm", order.confirmation)) is not None:
            order.confirmed = confirmed.side
        await self.call(http, "GET", f"/api/v2/items/{order.body['item']}")

    def _next(self) -> Sent:
        self._number += 1
        start = datetime(2026, 12, 1, 6, tzinfo=UTC) + timedelta(hours=self._number)
        return Sent(self.code, {
            "reference": f"MES-{self.code}-{self._number:05d}",
            "type": self._random.choice(_TYPES),
            "item": self._random.choice(_ITEMS),
            "quantity": {"value": str(self._random.randint(1, 40)), "unit": "H87"},
            "planned": {"start": start.isoformat(), "end": (start + timedelta(hours=8)).isoformat()},
        })  # fmt: skip

    async def write(self, http: aiohttp.ClientSession, path: str, body: Any = None) -> Done | None:
        """A write under a key of its own, watched to its end where it is accepted and not done; None where it failed."""
        answer = await self.call(http, "POST", path, json=body, headers={"Idempotency-Key": str(uuid4())})
        if answer is None:
            return None
        if answer.status != _ACCEPTED:
            return Done(answer.body or {}, *answer.route)
        self._tally.accepted += 1
        ended = await self._ended(http, answer.headers["Location"])
        return None if ended is None else Done(ended, *answer.route)

    async def _ended(self, http: aiohttp.ClientSession, place: str) -> Any:
        """The operation, once the side in charge has done it; None where it did not."""
        while (answer := await self.call(http, "GET", place)) is not None:
            state = answer.body["state"]
            if state in ("done", "replicating"):
                return answer.body
            if state != "pending":
                self._tally.errors.append(f"{place}: {answer.body}")
                return None
            await asyncio.sleep(_WATCH_S)
        return None

    async def call(self, http: aiohttp.ClientSession, method: str, path: str, **more: Any) -> Answer | None:
        """One call of the client, sent again for as long as it is told that nothing was sent; None where it failed."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + _PATIENCE_S
        while True:
            try:
                answer = await self._answered(http, method, path, **more)
            except (aiohttp.ClientError, TimeoutError) as err:
                self._tally.errors.append(f"{method} {path}: {err!r}")
                return None
            if answer.come_again_s is None or loop.time() > give_up_s:
                break
            self._tally.waited += 1
            await asyncio.sleep(answer.come_again_s)
        if answer.status >= 400:  # HTTP's own classes
            self._tally.errors.append(f"{method} {path}: {answer.status} {answer.body}")
            return None
        return answer

    async def _answered(self, http: aiohttp.ClientSession, method: str, path: str, **more: Any) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._tally.requests += 1
        headers = {"X-API-Key": self._demo.keys["mes"], **more.pop("headers", {})}
        async with http.request(method, self._demo.gateway + path, headers=headers, **more) as answer:
            found = Answer(answer.status, await answer.json(content_type=None), answer.headers)
        self._tally.seconds.append(loop.time() - began)
        if found.status < 300:  # HTTP's own classes
            self._tally.by_plant[self.code, found.route[0]] += 1
        return found
