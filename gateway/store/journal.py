"""The journal in SQL: commands in groups, claims of what is due, takeover from the dead, and what people look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.core.intents import (
    ENDED,
    OUTCOMES,
    Accept,
    Command,
    Intent,
    Known,
    LegRef,
    LegState,
    NewCase,
    StepRecord,
    Verdict,
)
from gateway.core.lanes import decided
from gateway.core.phases import Side
from gateway.store.crosswalk_bulk import UNIQUE_VIOLATED
from gateway.store.group_commit import GroupCommit
from gateway.store.points import reached
from gateway.store.sql import Database, Db
from gateway.store.working_set import INTENT, OPEN, STEP, loaded, opened, saved


class Claimed(NamedTuple):
    """A leg that this instance owns now, with all it needs to carry it out or to settle it."""

    ref: LegRef
    intent: Intent
    erp: str
    state: LegState
    authoritative: bool
    attempts: int
    native_key: str | None
    step: StepRecord | None
    """The step that was begun last; None when none was."""
    repaired: str | None = None
    """What a person made of the intent's document for this leg alone."""
    reopened: int = 0
    """How often a person sent it again out of a case."""


@dataclass(frozen=True, slots=True)
class LegView:
    """A leg as people see it."""

    side: Side
    erp: str
    state: LegState
    attempts: int
    next_at_us: int
    native_key: str | None
    error: str | None
    ended_us: int | None
    steps: tuple[StepRecord, ...]
    authoritative: bool = False
    fence: int = 0
    step: int = 0
    repaired: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class OperationView:
    """An intent as people see it: what was asked, what each side did, and the answer, once there is one."""

    intent: Intent
    legs: tuple[LegView, ...]
    answer: str | None

    @property
    def answered(self) -> bool:
        """Whether the client's answer is there: the authoritative leg has ended, or stands half done before a person."""
        state = self.legs[0].state
        return state in ENDED or (state == "parked" and self.answer is not None)


class Journal:
    """The journal of one gateway. Raises: StoreDown, everywhere."""

    def __init__(self, database: Database, writers: int = 1) -> None:
        self.database = database
        self._group: GroupCommit[Command, Verdict] = GroupCommit(self._batch, writers)

    async def do(self, command: Command) -> Verdict:
        """Journal one command; the answer comes after the commit."""
        return await self._group.do(command)

    async def _batch(self, commands: Sequence[Command]) -> Sequence[Verdict]:
        async def work(db: Db) -> list[Verdict]:
            w = await loaded(db, commands)
            verdicts = [decided(w, command) for command in commands]
            await saved(db, w)
            for command in commands:
                await _before_commit(command)
            return verdicts

        try:
            return await self.database.short(work)
        except UNIQUE_VIOLATED:
            # On PostgreSQL a number that somebody else brings in the same moment is not seen before it is written. It is now.
            return await self.database.short(work)

    async def due(self, erp: str, now_us: int) -> bool:
        """Whether an ERP has legs that may be claimed."""

        async def work(db: Db) -> bool:
            return bool(
                await db.rows(
                    "SELECT 1 FROM leg WHERE erp = ? AND state IN ('ready', 'in_doubt') AND next_at_us <= ? LIMIT 1",
                    erp, now_us,
                )
            )  # fmt: skip

        return await self.database.read(work)

    async def claim(self, instance: str, erp: str, now_us: int, most: int) -> list[Claimed]:
        """Take over legs of an ERP that are due: to be sent, or in doubt and to be settled."""

        async def work(db: Db) -> list[Claimed]:
            found = await db.rows(
                "UPDATE leg SET state = CASE state WHEN 'ready' THEN 'sending' ELSE 'settling' END, owner = ?, "
                "fence = fence + 1 WHERE (intent, side) IN (SELECT l.intent, l.side FROM leg l WHERE l.erp = ? "
                "AND l.state IN ('ready', 'in_doubt') AND l.next_at_us <= ? AND (l.authoritative OR NOT EXISTS "
                "(SELECT 1 FROM cell c WHERE c.plant = l.plant AND c.domain = l.domain AND c.suspended)) "
                "ORDER BY l.next_at_us LIMIT ? FOR UPDATE OF l SKIP LOCKED) "
                "RETURNING intent, side, lane, fence, erp, state, authoritative, attempts, native_key, step, "
                "repaired, reopened",
                instance, erp, now_us, most,
            )  # fmt: skip
            return await _with_intents(db, found)

        return await self.database.transaction(work)

    async def owned(self, refs: Iterable[LegRef]) -> list[Claimed]:
        """Legs that a move handed over, with all that is needed to carry them out."""
        fences = {(ref.intent, ref.side): ref.fence for ref in refs}

        async def work(db: Db) -> list[Claimed]:
            found = await db.rows(
                "SELECT intent, side, lane, fence, erp, state, authoritative, attempts, native_key, step, "
                "repaired, reopened FROM leg "
                "WHERE intent IN (??)",
                [intent for intent, _ in fences],
            )
            return await _with_intents(db, [row for row in found if fences.get((row[0], row[1])) == row[3]])

        return await self.database.read(work)

    async def beat(self, instance: str, lease_us: int) -> int:
        """Renew an instance's lease. Gives: the database's time; the lease ends `lease_us` after it."""

        async def work(db: Db) -> int:
            now_us = await db.now_us()
            await db.many(
                "INSERT INTO instance (id, until_us, started_us) VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET until_us = excluded.until_us",
                [(instance, now_us + lease_us, now_us)],
            )
            return now_us

        return await self.database.transaction(work)

    async def living(self) -> list[str]:
        """The instances that have a lease."""

        async def work(db: Db) -> list[str]:
            return [row[0] for row in await db.rows("SELECT id FROM instance WHERE until_us > ?", await db.now_us())]

        return await self.database.transaction(work)

    async def alone(self, instance: str) -> None:
        """No other instance lives: whoever owns this SQLite file is the only one."""

        async def work(db: Db) -> None:
            await db.rows("DELETE FROM instance WHERE id <> ?", instance)

        await self.database.transaction(work)

    async def leave(self, instance: str) -> None:
        """The instance ends; what it still owns is anybody's at once."""

        async def work(db: Db) -> None:
            await db.rows("DELETE FROM instance WHERE id = ?", instance)

        await self.database.transaction(work)

    async def held(self, instance: str) -> set[tuple[str, str, int]]:
        """The legs that an instance owns: (intent, side, fence)."""

        async def work(db: Db) -> set[tuple[str, str, int]]:
            found = await db.rows(
                "SELECT intent, side, fence FROM leg WHERE owner = ? AND state IN ('sending', 'settling')", instance
            )
            return {(row[0], row[1], row[2]) for row in found}

        return await self.database.transaction(work)

    async def take_over(self, strays: Iterable[tuple[str, str, int]] = ()) -> int:
        """Free what instances without a lease own. A step that was begun is in doubt; one that was not is due again.

        Takes: `strays`, (intent, side, fence) of legs that a living owner has lost. Gives: how many legs were freed.
        """

        async def work(db: Db) -> int:
            now_us = await db.now_us()
            found = await db.rows(
                "SELECT intent, side FROM leg WHERE state IN ('sending', 'settling') AND NOT EXISTS "
                "(SELECT 1 FROM instance i WHERE i.id = leg.owner AND i.until_us > ?) FOR UPDATE SKIP LOCKED", now_us,
            )  # fmt: skip
            lost = {(row[0], row[1]) for row in found}
            for intent, side, fence in strays:
                held = await db.rows(
                    "SELECT intent, side FROM leg WHERE intent = ? AND side = ? AND fence = ? "
                    "AND state IN ('sending', 'settling') FOR UPDATE", intent, side, fence,
                )  # fmt: skip
                lost |= {(row[0], row[1]) for row in held}
            if not lost:
                return 0
            begun = await db.rows(
                "SELECT s.intent, s.side FROM step s JOIN leg l ON l.intent = s.intent AND l.side = s.side "
                "AND l.step = s.number WHERE s.intent IN (??) AND s.state IN ('sending', 'in_doubt')",
                sorted({intent for intent, _ in lost}),
            )
            doubted = {(row[0], row[1]) for row in begun} & lost
            await db.many(
                "UPDATE leg SET state = ?, owner = NULL, fence = fence + 1, next_at_us = ? WHERE intent = ? AND side = ?",
                [("in_doubt" if id_ in doubted else "ready", now_us, *id_) for id_ in sorted(lost)],
            )
            if doubted:
                await db.many(
                    "UPDATE step SET state = 'in_doubt' WHERE intent = ? AND side = ? AND state = 'sending'",
                    sorted(doubted),
                )
            return len(lost)

        return await self.database.transaction(work)

    async def case(self, ref: LegRef, case: NewCase, now_us: int) -> None:
        """Open a case about a leg whatever state it is in."""
        await self.database.transaction(lambda db: opened(db, (ref.intent, ref.side), case, now_us))

    async def picture(self, intent: str, answer: str) -> None:
        """Keep what the write left behind, read after it."""

        async def work(db: Db) -> None:
            await db.many("UPDATE intent SET answer = ? WHERE id = ?", [(answer, intent)])

        await self.database.short(work)

    async def known(self, client: str, key: str, now_us: int) -> Known | None:
        """What an Idempotency-Key stands for."""

        async def work(db: Db) -> Known | None:
            found = await db.rows(
                "SELECT intent, fingerprint FROM replay WHERE client = ? AND key = ? AND until_us > ?",
                client, key, now_us,
            )  # fmt: skip
            return Known(*found[0]) if found else None

        return await self.database.read(work)

    async def operation(self, id_: str) -> OperationView | None:
        """One intent with its legs and steps."""

        async def work(db: Db) -> OperationView | None:
            steps = await db.rows(f"SELECT side, {STEP} FROM step WHERE intent = ? ORDER BY number", id_)  # noqa: S608  # our own words
            legs = await db.rows(
                "SELECT side, erp, state, attempts, next_at_us, native_key, error, ended_us, authoritative, fence, step, "
                "repaired, owner FROM leg WHERE intent = ? "
                "ORDER BY authoritative DESC",
                id_,
            )
            # The answer last: a leg that has ended by then has it, and one that ends in between has not ended in this view.
            found = await db.rows(f"SELECT {INTENT}, answer FROM intent WHERE id = ?", id_)  # noqa: S608  # our own words
            if not found:
                return None
            views = [_leg_view(leg, steps) for leg in legs]
            return OperationView(_intent(found[0][:19]), tuple(views), found[0][19])

        return await self.database.read(work)

    async def backlog(self) -> list[tuple[str, str, int, int]]:
        """What is open: (erp, state, how many, created at, oldest, in microseconds)."""

        async def work(db: Db) -> list[tuple[str, str, int, int]]:
            found = await db.rows(
                f"SELECT erp, state, COUNT(*), MIN(created_us) FROM leg WHERE {OPEN} "  # noqa: S608  # our own words
                "GROUP BY erp, state ORDER BY erp, state"
            )
            return [(row[0], row[1], int(row[2]), int(row[3])) for row in found]

        return await self.database.transaction(work)


async def _before_commit(command: Command) -> None:
    if isinstance(command, Accept):
        await reached("accept.before_commit")
    elif command.event in OUTCOMES:
        await reached("outcome.before_commit")


def _leg_view(leg: Sequence[Any], steps: Sequence[Sequence[Any]]) -> LegView:
    side, erp, state, attempts, next_at_us, native_key, error, ended_us, authoritative, fence, step, *more = leg
    mine = tuple(StepRecord(*row[1:]) for row in steps if row[0] == side)
    return LegView(
        side, erp, state, attempts, next_at_us, native_key, error, ended_us, mine, bool(authoritative), fence, step, *more
    )  # fmt: skip


def _intent(row: Sequence[Any]) -> Intent:
    (id_, lane, lane_seq, plant, domain, object_, verb, epoch, term, side, content, created_us, client, subject, origin,
     key, document, if_match, version) = row  # fmt: skip
    return Intent(
        id=id_, lane=lane, lane_seq=lane_seq, plant=plant, domain=domain, object=object_, verb=verb, epoch=epoch,
        term=term, side=side, content=content, created_us=created_us, client=client, subject=subject, origin=origin,
        key=key, document=document, if_match=if_match, version=version,
    )  # fmt: skip


async def _with_intents(db: Db, legs: Sequence[Sequence[Any]]) -> list[Claimed]:
    if not legs:
        return []
    ids = sorted({leg[0] for leg in legs})
    rows = await db.rows(f"SELECT {INTENT} FROM intent WHERE id IN (??)", ids)  # noqa: S608  # our own words
    intents = {row[0]: _intent(row) for row in rows}
    found = await db.rows(f"SELECT intent, side, {STEP} FROM step WHERE intent IN (??)", ids)  # noqa: S608  # our own words
    steps = {(row[0], row[1], row[2]): StepRecord(*row[2:]) for row in found}
    made = []
    for intent, side, lane, fence, erp, state, authoritative, attempts, native_key, number, *by_person in legs:
        ref = LegRef(intent, side, lane, fence)
        step = steps.get((intent, side, number))
        made.append(
            Claimed(ref, intents[intent], erp, state, bool(authoritative), attempts, native_key, step, *by_person)
        )
    return sorted(made, key=lambda c: (c.intent.created_us, c.intent.id))
