"""Cases in SQL: what a person must decide, with the write it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.intents import Decision, LegState
from gateway.core.phases import Side
from gateway.store.sql import Database, Db
from gateway.store.working_set import decide

_COLUMNS = (
    "c.id, c.kind, c.reason, c.state, c.opened_us, c.closed_us, c.closed_by, c.note, c.intent, c.side, i.plant, i.domain, "
    "i.object, i.verb, i.lane, l.erp, l.state"
)
_JOINED = "case_ c JOIN intent i ON i.id = c.intent JOIN leg l ON l.intent = c.intent AND l.side = c.side"
UNDECIDED = ("open", "retrying")
_LAST = 2**31 - 1
"""The highest number that a case can have."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases: None is any. `state` is open, retrying, closed, or `undecided` for the first two."""

    state: str | None = None
    kind: str | None = None
    plant: str | None = None
    object: str | None = None
    erp: str | None = None
    after: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case, and which leg of which write it is about."""

    id: int
    kind: str
    reason: str
    state: str
    opened_us: int
    closed_us: int | None
    closed_by: str | None
    note: str | None
    intent: str
    side: Side
    plant: str
    domain: str
    object: str
    verb: str
    lane: str
    erp: str
    leg_state: LegState


class CaseBook:
    """Reads cases, and writes a decision that moves no leg. Raises: StoreDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, wanted: Wanted) -> Sequence[CaseRow]:
        """Cases by their number."""
        where, values = _where(wanted)

        async def work(db: Db) -> Sequence[CaseRow]:
            found = await db.rows(
                f"SELECT {_COLUMNS} FROM {_JOINED} WHERE {where} ORDER BY c.id LIMIT ?", *values, wanted.limit  # noqa: S608  # our own words
            )  # fmt: skip
            return [CaseRow(*row) for row in found]

        return await self._database.transaction(work)

    async def one(self, id_: int) -> CaseRow | None:
        """A case by its number."""
        if id_ > _LAST:
            return None

        async def work(db: Db) -> CaseRow | None:
            found = await db.rows(f"SELECT {_COLUMNS} FROM {_JOINED} WHERE c.id = ?", id_)  # noqa: S608  # our own words
            return CaseRow(*found[0]) if found else None

        return await self._database.transaction(work)

    async def noted(self, decision: Decision, now_us: int) -> bool:
        """Close a case whose leg owes nothing any more. Gives: whether it was still undecided."""

        async def work(db: Db) -> bool:
            found = await db.rows("SELECT state FROM case_ WHERE id = ? FOR UPDATE", decision.case)
            if not found or found[0][0] not in UNDECIDED:
                return False
            await decide(db, decision, now_us, ends=True)
            return True

        return await self._database.transaction(work)


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    """The condition, and the values of its parameters."""
    parts: list[str] = ["c.id > ?"]
    given: list[Any] = [wanted.after]
    if wanted.state == "undecided":
        parts.append("c.state IN ('open', 'retrying')")
    elif wanted.state is not None:
        parts.append("c.state = ?")
        given.append(wanted.state)
    for column, value in (
        ("c.kind", wanted.kind),
        ("i.plant", wanted.plant),
        ("i.object", wanted.object),
        ("l.erp", wanted.erp),
    ):
        if value is not None:
            parts.append(f"{column} = ?")
            given.append(value)
    return " AND ".join(parts), given
