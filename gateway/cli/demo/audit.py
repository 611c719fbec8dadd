"""The judge of the demo: the ERPs' own logs against what the clients sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.cli.demo.processes import Demo
from gateway.cli.demo.records import NAMES, SIDES, Log, Record, recorded, says
from gateway.cli.demo.sameness import diverged
from gateway.cli.demo.traffic import Sent, Tally

Made = Mapping[str, list[Record]]
"""What the ERPs have of one order, by side."""


async def truth(demo: Demo, side: str) -> Log:
    """What an ERP says happened."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(
            f"{demo.erps[side]}/_truth", params={"since": 0}, headers={"Accept": "application/json"}
        )
        rows: Log = answer.json()
    return rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """The demo's figures, and what is wrong: documents that stand in an ERP otherwise than sent, or in the two not alike."""

    figures: dict[str, Any]
    mistranslated: list[str]
    diverged: dict[str, str]

    @property
    def good(self) -> bool:
        counts = ("client_errors", "lost", "duplicated", "diverged")
        return not self.mistranslated and not any(self.figures[name] for name in counts)


async def audited(demo: Demo, tally: Tally) -> Verdict:
    """What the ERPs' own logs say of what the clients sent."""
    return judged({side: await truth(demo, side) for side in SIDES}, tally)


def judged(logs: Mapping[str, Log], tally: Tally) -> Verdict:
    """Hold all that was acknowledged against the ERPs' logs."""
    kept = {side: recorded(log, side) for side, log in logs.items()}
    records = [(order, {side: by.get(order.reference, []) for side, by in kept.items()}) for order in tally.sent]
    documents = [document for order, made in records for document in _documents(order, made)]
    wrong = [name for name, as_sent in documents if not as_sent]
    apart = diverged(logs, [order.reference for order in tally.sent if order.phase.startswith("dual_")])
    figures = {
        "requests": tally.requests,
        "by_side": {side: sum(1 for row in log if row["origin"] == "api") for side, log in logs.items()},
        "client_errors": len(tally.errors),
        "lost": sum(_lost(order, made) for order, made in records),
        "duplicated": sum(_too_often(order, made) for order, made in records) + _confirmed_twice(logs),
        "documents": len(documents),
        "translated": len(documents) - len(wrong),
        "diverged": len(apart),
        "told_to_wait": tally.waited,
    }
    return Verdict(figures, wrong, apart)


def _lost(order: Sent, made: Made) -> int:
    """How much of an order the ERP that acknowledged it does not have: the order, its release, its confirmation."""
    return sum((
        bool(order.id) and not made[order.side],
        bool(order.released) and not any(one.released for one in made[order.released]),
        bool(order.confirmed) and not any(one.confirmations for one in made[order.confirmed]),
    ))  # fmt: skip


def _documents(order: Sent, made: Made) -> Iterator[tuple[str, bool]]:
    """The acknowledged order and its confirmation. Gives: which, and whether the ERPs' rows say, field by field, what was sent."""
    kept = [(one, side) for side, found in made.items() for one in found]
    if order.id:
        yield order.reference, bool(kept) and all(_order_says(one, side, order) for one, side in kept)
    if order.confirmed:
        sent = {"plant": order.plant, **order.confirmation}
        rows = [(row, side) for one, side in kept for row in one.confirmations]
        as_sent = bool(rows) and all(says(row, sent, NAMES[side].confirmation) for row, side in rows)
        yield f"the confirmation of {order.reference}", as_sent


def _order_says(one: Record, side: str, order: Sent) -> bool:
    """Whether each state says what was sent, as nothing changed it since, and the ERP in charge has the number shown."""
    sent = {"plant": order.plant, **order.body}
    numbered = side != order.side or one.number.lstrip("0") == order.id
    return numbered and all(says(row, sent, NAMES[side].order) for row in one.states)


def _too_often(order: Sent, made: Made) -> int:
    """How often an order was made beyond once in each ERP that its phase writes."""
    wanted = made.keys() if order.phase.startswith("dual_") else {order.side or order.phase}
    return sum(max(0, len(found) - (side in wanted)) for side, found in made.items())


def _confirmed_twice(logs: Mapping[str, Log]) -> int:
    """How many confirmations an ERP has of orders that were confirmed before: each is confirmed once."""
    found = 0
    for side, log in logs.items():
        names = NAMES[side]
        kind = (names.confirmations, "create", "api")
        orders = Counter(
            row["after"][names.confirmed] for row in log if (row["entity"], row["verb"], row["origin"]) == kind
        )
        found += sum(count - 1 for count in orders.values())
    return found
