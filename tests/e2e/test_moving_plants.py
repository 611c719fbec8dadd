"""A plant moves while everybody works: no request is lost, none sees half of the move, and every order is made once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import httpx

from tests.e2e.calls import order
from tests.e2e.changes import BACK, MOVE, SWITCH
from tests.support.gateway import Deployment, RunningGateway

WORKERS = 200
ACCEPTED = 202
ORDERING = 10
"""Every so many-th client makes orders, every second turn; all the others look. A plant moves in a moment when none of its
writes is on its way, and with two hundred clients that write without a pause there is no such moment."""
CALLERS = ("admin", "boss-1", "boss-2", "boss-3")  # a rate class counts per caller
MOVES = (MOVE, BACK)
# One cell each of the plant that moves; all move in the same apply.
READS = ("production-orders", "inventory-positions", "purchase-orders", "item-plants")
NUMBERS = {"legacy": ("10", "45"), "cloud": ("50", "47")}
"""How orders are numbered on each side: what proves where an answer really came from."""


@dataclass
class Seen:
    """What the workers were answered."""

    routes: Counter[str] = field(default_factory=Counter)
    made: dict[str, str] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)


def _epoch(route: str) -> int:
    side, epoch, phase = (part.partition("=")[2] or part for part in route.split("; "))
    assert side == phase, route
    return int(epoch)


async def _work(http: httpx.AsyncClient, key: str, name: str, seen: Seen, done: asyncio.Event, *, orders: bool) -> None:
    """Ask for one cell after the other, and order now and then; what was once seen as moved may never be seen as before."""
    newest, turn, own = 1, 0, {"X-API-Key": key}
    while not done.is_set():
        resource = READS[turn % len(READS)]
        answer = await http.get(f"/api/v2/plants/1000/{resource}", params={"limit": 1}, headers=own)
        newest = _checked(answer, resource, newest, seen)
        if orders and turn % 2:
            reference = f"{name}-{turn}"
            document = order(reference=reference)
            answer = await http.post("/api/v2/plants/1000/production-orders", json=document, headers=own)
            newest = _checked(answer, "production-orders", newest, seen)
            if answer.status_code == ACCEPTED:
                await _ended(http, answer.headers["location"], own, seen)
            seen.made[reference] = answer.headers.get("x-route", "").partition(";")[0]
        turn += 1


async def _ended(http: httpx.AsyncClient, place: str, own: dict[str, str], seen: Seen) -> None:
    """Watch a write that was accepted and not done in time: it is in the journal, and nobody sends it again."""
    state = "pending"
    while state == "pending":
        await asyncio.sleep(0.1)
        state = (await http.get(place, headers=own)).json()["state"]
    if state != "done":
        seen.flaws.append(f"{place} is {state}")


def _checked(answer: httpx.Response, resource: str, newest: int, seen: Seen) -> int:
    route = answer.headers.get("x-route", "none")
    seen.routes[route] += 1
    if not answer.is_success:
        seen.flaws.append(f"{answer.status_code} {answer.text}")
        return newest
    epoch = _epoch(route)
    if epoch < newest:
        seen.flaws.append(f"{resource} at epoch {epoch} after another cell of the same move at {newest}")
    rows = answer.json().get("items", [answer.json()]) if answer.status_code != ACCEPTED else []
    side = route.partition(";")[0]
    if "orders" in resource and not all(row["id"].startswith(NUMBERS[side]) for row in rows):
        seen.flaws.append(f"{resource} say {side} and show {[row['id'] for row in rows]}")
    return max(epoch, newest)


async def test_a_plant_moves_and_moves_back_while_two_hundred_clients_work(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    for erp in ("ecc", "s4"):
        own.set(f"routes/erps/{erp}.yaml", limits={"waiting": 1000})
    running = starter(own)
    mark, seen, done = own.erps.mark(), Seen(), asyncio.Event()
    limits = httpx.Limits(max_connections=WORKERS)
    async with httpx.AsyncClient(base_url=running.base_url, timeout=60, limits=limits) as http:
        keys = [own.keys[name] for name in CALLERS]
        work = [_work(http, keys[n % len(keys)], f"W{n}", seen, done, orders=n % ORDERING == 0) for n in range(WORKERS)]
        workers = [asyncio.create_task(one) for one in work]
        for number, (old, new) in enumerate(MOVES):
            own.edit("routes/waves.yaml", old, new)
            apply = (*SWITCH, "--wait", "120", "--content", str(own.content))
            moved = await asyncio.to_thread(partial(own.run, *apply, within_s=180))
            assert moved.returncode == 0, moved.stderr
            await asyncio.to_thread(running.await_revision, number + 2)
            await asyncio.sleep(0.5)
        done.set()
        await asyncio.gather(*workers)
    assert seen.flaws == []
    assert set(seen.routes) == {
        f"{side}; epoch={n}; phase={side}" for n, side in ((1, "legacy"), (2, "cloud"), (3, "legacy"))
    }
    assert sum(seen.routes.values()) > WORKERS
    _each_order_was_made_once(own, mark, seen.made)


def _each_order_was_made_once(own: Deployment, mark: tuple[int, int], made: dict[str, str]) -> None:
    since = own.erps.since(mark, origin="api")
    told = {
        "legacy": Counter(e["after"]["ZZExternalReference"] for e in since.legacy),
        "cloud": Counter(e["after"][_reference(e["after"])] for e in since.cloud),
    }
    for side, references in told.items():
        assert references == Counter(reference for reference, where in made.items() if where == side)


def _reference(row: dict[str, object]) -> str:
    return next(name for name in row if "ExternalReference" in name)
