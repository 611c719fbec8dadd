"""Writes through bad weather: clients that behave, connections that break by chance, and what the journal says at the end."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import httpx

from gateway.core.canonical.stored import loaded
from tests.support.erp_contract import MERGE_PATCH, Json
from tests.support.fault_proxy import CutRequest, CutResponse, DelayResponse, LoseResponse, Pass, ResetConnect, Rule
from tests.support.gateway import Deployment, RunningGateway

AGAIN = frozenset({429, 502, 503, 504})
"""Nothing was written: the same call may come again under the same key."""
GOOD = frozenset({200, 201, 202, 204})


class Enough(Exception):
    """As many writes were sent as the test wants."""


@dataclass(slots=True)
class Weather:
    """A rule for each connection, by chance; the same seed gives the same choices in the same order."""

    seed: int
    share: float
    counted: Counter[str] = field(default_factory=Counter)
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def __call__(self) -> Rule:
        rule = self._bad() if self._dice.random() < self.share else Pass()
        self.counted[type(rule).__name__] += 1
        return rule

    def _bad(self) -> Rule:
        return self._dice.choice(
            (
                ResetConnect(),
                CutRequest(self._dice.randrange(1, 900)),
                LoseResponse(),
                CutResponse(self._dice.randrange(1, 300)),
                DelayResponse(self._dice.uniform(0.05, 0.4)),
            )
        )


@dataclass(slots=True)
class Caller:
    """A client that does what the API asks: one key for each write, again where nothing was sent, and a question after a 202.

    `expected` is what both ERPs must show in the end, by object and mark, as far as writes were accepted.
    """

    http: httpx.AsyncClient
    dice: random.Random
    most: int
    sent: int = 0
    told: Counter[int] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    expected: dict[tuple[str, str], Json] = field(default_factory=dict)

    async def create(self, object_: str, mark: str, url: str, document: Json, shows: Json) -> str | None:
        """A new document. Gives: the number that clients know it by; None while a person must decide."""
        answer = await self._write("create", "POST", url, document)
        if answer is None:
            return None
        self.expected[object_, mark] = dict(shows)
        if answer.status_code != httpx.codes.ACCEPTED:
            # The body may be missing, where the ERP took the document and could not be read afterwards.
            return unquote(answer.headers["location"].rpartition("/")[2])
        return await self._number(answer.headers["x-op-id"])

    async def change(self, object_: str, mark: str, url: str, patch: Json, shows: Json) -> None:
        """A change under the lock that was read last; who was too late reads again."""
        while True:
            etag = (await self._ask(url)).headers["etag"]
            headers = {"If-Match": etag, "Content-Type": MERGE_PATCH}
            answer = await self._write("change", "PATCH", url, patch, headers)
            if answer is not None:
                self.expected[object_, mark] |= shows
            if answer is not None or self.refused:
                return

    async def act(self, object_: str, mark: str, url: str, shows: Json) -> None:
        if await self._write("act", "POST", url, None) is not None:
            self.expected[object_, mark] |= shows

    async def _write(
        self, verb: str, method: str, url: str, body: Json | None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        """One write, until it is accepted; None where another change came first."""
        if self.sent >= self.most:
            raise Enough
        self.sent += 1
        key = {"Idempotency-Key": str(UUID(int=self.dice.getrandbits(128)))}
        while True:
            answer = await self.http.request(
                method, url, content=json.dumps(body) if body is not None else None,
                headers={"Content-Type": "application/json", **(headers or {}), **key},
            )  # fmt: skip
            self.told[answer.status_code] += 1
            code = answer.json().get("code") if answer.status_code >= 400 else ""
            if answer.status_code not in AGAIN and code != "idempotency-key-in-flight":
                break
            await asyncio.sleep(0.1)
        if answer.status_code in GOOD:
            self.accepted[verb] += 1
            return answer
        if answer.status_code != httpx.codes.PRECONDITION_FAILED:
            self.refused.append(f"{method} {url}: {answer.status_code} {answer.text}")
        self.sent -= 1
        return None

    async def _number(self, operation: str) -> str | None:
        """What a pending create came to."""
        while True:
            found = (await self._ask(f"/api/v2/operations/{operation}")).json()
            if found["state"] != "pending":
                return found["document"]
            await asyncio.sleep(0.1)

    async def _ask(self, url: str) -> httpx.Response:
        while (answer := await self.http.get(url)).status_code in AGAIN:  # noqa: ASYNC110  # the gateway tells nobody by itself
            await asyncio.sleep(0.1)
        if answer.status_code != httpx.codes.OK:
            self.refused.append(f"GET {url}: {answer.status_code} {answer.text}")
            raise Enough
        return answer


Story = Callable[[Caller, int], Awaitable[None]]


async def tell(caller: Caller, stories: Sequence[Story], *, first: int, at_once: int) -> None:
    """Tell stories, a new one whenever one ends, until enough writes were sent."""
    numbers = count(first)

    async def one() -> None:
        try:
            while True:
                n = next(numbers)
                await stories[n % len(stories)](caller, n)
        except Enough:
            return

    await asyncio.gather(*(one() for _ in range(at_once)))


@dataclass(frozen=True, slots=True)
class OpenCase:
    """What a person is asked, about the document with a mark."""

    kind: str
    side: str
    object: str
    verb: str
    reason: str
    lane: str


_OWED = """
    select count(*) from leg l where l.state not in ('done', 'refused', 'voided', 'parked')
    and not exists (select 1 from leg p where p.state = 'parked' and p.lane = l.lane)"""
_CASES = """
    select c.kind, c.side, i.object, i.verb, c.reason, i.lane from case_ c join intent i on i.id = c.intent
    where c.state = 'open' order by c.id"""


@dataclass(frozen=True, slots=True)
class Books:
    """The journal of a gateway, read from beside."""

    deployment: Deployment

    def _rows(self, query: str, *values: Any) -> list[Any]:
        path = self.deployment.database_url.removeprefix("sqlite:///")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            found = connection.execute(query, values).fetchall()
        connection.close()
        return found

    async def quiet(self) -> None:
        """Wait until nothing is owed but what waits for a person."""
        while self._rows(_OWED)[0][0]:  # noqa: ASYNC110  # another process writes this
            await asyncio.sleep(0.2)

    async def looked(self, gateway: RunningGateway) -> int:
        """Wait until each change feed was read to its end once more. Gives: how many feeds there are."""
        begun_s = time.monotonic()
        while True:
            feeds = gateway.admin("/readyz").json()["feeds"]
            now_s = time.monotonic()
            if all(feed["lag_s"] is not None and feed["lag_s"] < now_s - begun_s for feed in feeds.values()):
                return len(feeds)
            await asyncio.sleep(0.2)

    def edits(self) -> list[Any]:
        """What the gateway took for somebody's edit in an ERP."""
        return self._rows("select object, verb, side, document from intent where origin = 'erp'")

    def cases(self) -> list[OpenCase]:
        return [OpenCase(*row) for row in self._rows(_CASES)]

    def created(self, lane: str) -> Json:
        """The document that a lane began with."""
        (row,) = self._rows("select document from intent where lane = ? and verb = 'create'", lane)
        found: Json = loaded(row[0])
        return found


Held = dict[tuple[str, str], list[Json]]
"""What an ERP holds: by object and mark, every document with that mark."""


def judge(caller: Caller, books: Books, mark: Callable[[str, Json], str], legacy: Held, cloud: Held) -> list[OpenCase]:
    """Every accepted document stands once in both ERPs and says there what was accepted, or a case says why not. Gives: the cases."""
    cases = books.cases()
    asked = {(case.object, mark(case.object, books.created(case.lane))) for case in cases}
    assert not caller.refused, caller.refused
    for held in (legacy, cloud):
        assert not (unknown := held.keys() - caller.expected.keys()), f"documents that nobody was told of: {unknown}"
        assert not (twice := {place: rows for place, rows in held.items() if len(rows) > 1}), f"made twice: {twice}"
    for place, shows in caller.expected.items():
        if place not in asked:
            assert legacy.get(place) == cloud.get(place) == [shows], (place, shows, legacy.get(place), cloud.get(place))
    return cases


def figures(caller: Caller, cases: Sequence[OpenCase], weather: Sequence[Weather]) -> Json:
    """What happened, for people."""
    faults: Counter[str] = sum((w.counted for w in weather), Counter())
    passed = faults.pop("Pass", 0)
    return {
        "writes": caller.sent,
        "accepted": dict(caller.accepted),
        "answers": dict(sorted(caller.told.items())),
        "documents": len(caller.expected),
        "cases": dict(Counter(f"{c.object} {c.verb} {c.side}: {c.kind}" for c in cases)),
        "connections": passed + faults.total(),
        "faults": dict(sorted(faults.items())),
    }
