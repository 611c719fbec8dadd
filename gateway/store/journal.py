"""The journal in SQL: commands in groups, claims of what is due, takeover from the dead, and what people look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.intents import (
    OUTCOMES,
    Accept,
    Command,
    Decision,
    Intent,
    Known,
    LegRef,
    LegRow,
    LegState,
    Names,
    NewCase,
    StepRecord,
    Verdict,
)
from gateway.core.lanes import CellNow, LegId, Working, decided
from gateway.core.phases import Side
from gateway.store.group_commit import GroupCommit
from gateway.store.points import reached
from gateway.store.sql import Database, Db

_INTENT = (
    "id, lane, lane_seq, plant, domain, object, verb, epoch, term, side, content, created_us, client, subject, origin, "
    "key, document, if_match, version"
)
_LEG = "intent, side, lane, lane_seq, erp, state, fence, authoritative, held, attempts, reopened, plant, domain"
_STEP = "number, state, token, sent_us, quiet_us, request, etag, note"
_CHANGEABLE = ("owner", "next_at_us", "step", "native_key", "error", "ended_us", "reopened", "repaired", "shown")


@dataclass(frozen=True, slots=True)
class Claimed:
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


@dataclass(frozen=True, slots=True)
class OperationView:
    """An intent as people see it: what was asked, what each side did, and the answer, once there is one."""

    intent: Intent
    legs: tuple[LegView, ...]
    answer: str | None


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
            w = await _loaded(db, commands)
            verdicts = [decided(w, command) for command in commands]
            await _saved(db, w)
            for command in commands:
                await _before_commit(command)
            return verdicts

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
        await self.database.transaction(lambda db: _opened(db, (ref.intent, ref.side), case, now_us))

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
            found = await db.rows(f"SELECT {_INTENT}, answer FROM intent WHERE id = ?", id_)  # noqa: S608  # our own words
            if not found:
                return None
            steps = await db.rows(f"SELECT side, {_STEP} FROM step WHERE intent = ? ORDER BY number", id_)  # noqa: S608  # our own words
            legs = await db.rows(
                "SELECT side, erp, state, attempts, next_at_us, native_key, error, ended_us, authoritative, fence, step, "
                "repaired FROM leg WHERE intent = ? "
                "ORDER BY authoritative DESC",
                id_,
            )
            views = [_leg_view(leg, steps) for leg in legs]
            return OperationView(_intent(found[0][:19]), tuple(views), found[0][19])

        return await self.database.read(work)

    async def backlog(self) -> list[tuple[str, str, int, int]]:
        """What is open: (erp, state, how many, created at, oldest, in microseconds)."""

        async def work(db: Db) -> list[tuple[str, str, int, int]]:
            found = await db.rows(
                "SELECT erp, state, COUNT(*), MIN(created_us) FROM leg WHERE state NOT IN ('done', 'refused', 'voided') "
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
    side, erp, state, attempts, next_at_us, native_key, error, ended_us, authoritative, fence, step, repaired = leg
    mine = tuple(StepRecord(*row[1:]) for row in steps if row[0] == side)
    return LegView(
        side, erp, state, attempts, next_at_us, native_key, error, ended_us, mine, bool(authoritative), fence, step, repaired
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
    rows = await db.rows(f"SELECT {_INTENT} FROM intent WHERE id IN (??)", ids)  # noqa: S608  # our own words
    intents = {row[0]: _intent(row) for row in rows}
    found = await db.rows(f"SELECT intent, side, {_STEP} FROM step WHERE intent IN (??)", ids)  # noqa: S608  # our own words
    steps = {(row[0], row[1], row[2]): StepRecord(*row[2:]) for row in found}
    made = []
    for intent, side, lane, fence, erp, state, authoritative, attempts, native_key, number, *by_person in legs:
        ref = LegRef(intent, side, lane, fence)
        step = steps.get((intent, side, number))
        made.append(
            Claimed(ref, intents[intent], erp, state, bool(authoritative), attempts, native_key, step, *by_person)
        )
    return sorted(made, key=lambda c: (c.intent.created_us, c.intent.id))


async def _loaded(db: Db, commands: Sequence[Command]) -> Working:
    """Everything the commands' decisions need, locked in one order: lanes, legs, cells."""
    w = Working()
    accepts = [c for c in commands if isinstance(c, Accept)]
    lanes = {c.lane for c in commands if not (isinstance(c, Accept) and c.new_lane)}
    lanes |= {lane for c in accepts for lane in c.intent.parents}
    moved = [c.ref.intent for c in commands if not isinstance(c, Accept)]
    waiting: Sequence[Sequence[Any]] = ()
    if moved:
        waiting = await db.rows(
            "SELECT w.intent, w.side, w.on_intent, l.lane FROM wait w JOIN leg l ON l.intent = w.intent AND l.side = w.side "
            "WHERE w.on_intent IN (??)", moved,
        )  # fmt: skip
        lanes |= {row[3] for row in waiting}
    if lanes:
        await _load_lanes(db, w, sorted(lanes), [c.lane for c in accepts if not c.new_lane])
    await _load_replays(db, w, accepts)
    await _load_cells(db, w, accepts)
    return w


async def _load_lanes(db: Db, w: Working, lanes: list[str], entered: list[str]) -> None:
    if entered:
        await db.many(
            "INSERT INTO lane (id, last) VALUES (?, 0) ON CONFLICT DO NOTHING", [(x,) for x in sorted(entered)]
        )
    for id_, last in await db.rows("SELECT id, last FROM lane WHERE id IN (??) ORDER BY id FOR UPDATE", lanes):
        w.last[id_] = last
    rows = await db.rows(
        f"SELECT {_LEG} FROM leg WHERE lane IN (??) AND state NOT IN ('done', 'refused', 'voided') "  # noqa: S608  # our own words
        "ORDER BY lane, lane_seq, side FOR UPDATE", lanes,
    )  # fmt: skip
    for intent, side, lane, lane_seq, erp, state, fence, authoritative, held, attempts, reopened, plant, domain in rows:
        w.legs[intent, side] = LegRow(
            intent, side, lane, lane_seq, erp, state, fence, bool(authoritative), bool(held), attempts, reopened
        )
        w.cell_of[intent] = (plant, domain)
    # A parked leg may be reopened, and then waits for its parents like any other.
    waiting = [leg.intent for leg in w.legs.values() if leg.state in ("waiting", "parked")]
    if waiting:
        for intent, side, on in await db.rows("SELECT intent, side, on_intent FROM wait WHERE intent IN (??)", waiting):
            if (leg := w.legs.get((intent, side))) is not None:
                leg.waits_for.add(on)
                w.waiters.setdefault((on, side), []).append((intent, side))


async def _load_replays(db: Db, w: Working, accepts: Sequence[Accept]) -> None:
    given = [c.replay for c in accepts if c.replay is not None]
    if not given:
        return
    now_us = max(c.now_us for c in accepts)
    rows = await db.rows(
        "SELECT client, key, intent, fingerprint, until_us FROM replay WHERE client IN (??) AND key IN (??)",
        sorted({r.client for r in given}), [r.key for r in given],
    )  # fmt: skip
    old = [(client, key) for client, key, _, _, until_us in rows if until_us <= now_us]
    if old:
        await db.many("DELETE FROM replay WHERE client = ? AND key = ?", old)
    w.replays |= {(row[0], row[1]): Known(row[2], row[3]) for row in rows if row[4] > now_us}


async def _load_cells(db: Db, w: Working, accepts: Sequence[Accept]) -> None:
    plants = {c.intent.plant for c in accepts} | {plant for plant, _ in w.cell_of.values()}
    if plants:
        rows = await db.rows(
            "SELECT plant, domain, epoch, suspended FROM cell WHERE plant IN (??) ORDER BY plant, domain FOR SHARE",
            sorted(plants),
        )
        w.cells |= {(row[0], row[1]): CellNow(row[2], bool(row[3])) for row in rows}


async def _saved(db: Db, w: Working) -> None:
    await _save_names(db, w)
    if w.intents:
        await db.many(
            f"INSERT INTO intent ({_INTENT}) VALUES ({', '.join('?' * 19)})",  # noqa: S608  # our own words
            [_row(intent) for intent in w.intents],
        )
        # An upsert, because the lane of a new document has no row yet.
        await db.many(
            "INSERT INTO lane (id, last) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET last = excluded.last",
            sorted({i.lane: w.last[i.lane] for i in w.intents}.items()),
        )
    await _save_legs(db, w)
    if w.new_replays:
        await db.many(
            "INSERT INTO replay (client, key, intent, fingerprint, until_us) VALUES (?, ?, ?, ?, ?)",
            [(r.client, r.key, intent, r.fingerprint, r.until_us) for r, intent in w.new_replays],
        )
    if w.forgotten_replays:
        await db.many("DELETE FROM replay WHERE intent = ?", [(intent,) for intent in w.forgotten_replays])
    if w.documents:
        await db.many("UPDATE intent SET document = ? WHERE id = ?", [(text, intent) for intent, text in w.documents])
    if w.answers:
        await db.many("UPDATE intent SET answer = ? WHERE id = ?", [(answer, intent) for intent, answer in w.answers])
    await _save_cases(db, w)


def _row(i: Intent) -> tuple[Any, ...]:
    return (
        i.id, i.lane, i.lane_seq, i.plant, i.domain, i.object, i.verb, i.epoch, i.term, i.side, i.content, i.created_us,
        i.client, i.subject, i.origin, i.key, i.document, i.if_match, i.version,
    )  # fmt: skip


async def _save_legs(db: Db, w: Working) -> None:
    if w.new_legs:
        await db.many(
            "INSERT INTO leg (intent, side, lane, lane_seq, erp, plant, domain, authoritative, held, state, fence, owner, "
            "attempts, next_at_us, step, native_key, error, created_us, ended_us) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_new_leg(w, leg) for leg in w.new_legs.values()],
        )
    by_columns: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for id_, leg in w.changed.items():
        if id_ in w.new_legs:
            continue  # both in one batch: its row is written as it is now
        names = tuple(name for name in _CHANGEABLE if name in leg.values)
        values = tuple(leg.values[name] for name in names)
        by_columns.setdefault(names, []).append((leg.state, leg.fence, leg.held, leg.attempts, *values, *id_))
    for names, rows in by_columns.items():
        more = "".join(f", {name} = ?" for name in names)
        await db.many(
            f"UPDATE leg SET state = ?, fence = ?, held = ?, attempts = ?{more} WHERE intent = ? AND side = ?",  # noqa: S608  # our own words
            rows,
        )
    if w.new_steps:
        await db.many(
            f"INSERT INTO step (intent, side, {_STEP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # our own words
            [
                (*id_, s.number, s.state, s.token, s.sent_us, s.quiet_us, s.request, s.etag, s.note)
                for id_, s in w.new_steps
            ],
        )
    if w.steps:
        await db.many(
            "UPDATE step SET state = ?, token = ?, sent_us = ?, quiet_us = ?, etag = ?, note = ? "
            "WHERE intent = ? AND side = ? AND number = ?",
            [(s.state, s.token, s.sent_us, s.quiet_us, s.etag, s.note, *id_, s.number) for id_, s in w.steps],
        )
    if w.waits:
        await db.many("INSERT INTO wait (intent, side, on_intent) VALUES (?, ?, ?)", w.waits)
    if w.ended:
        await db.many("DELETE FROM wait WHERE on_intent = ? AND side = ?", w.ended)


def _new_leg(w: Working, leg: LegRow) -> tuple[Any, ...]:
    values: Mapping[str, Any] = leg.values
    plant, domain = w.cell_of[leg.intent]
    return (
        leg.intent, leg.side, leg.lane, leg.lane_seq, leg.erp, plant, domain, leg.authoritative, leg.held, leg.state,
        leg.fence, values.get("owner"), leg.attempts, values["next_at_us"], values.get("step", 0),
        values.get("native_key"), values.get("error"), values["next_at_us"], values.get("ended_us"),
    )  # fmt: skip


async def _save_names(db: Db, w: Working) -> None:
    """Crosswalk rows that contradict none; one that does opens a case instead of failing the outcome that brought it."""
    wanted = list(dict.fromkeys(w.names))
    if not wanted:
        return
    objects = sorted({n.object for n in wanted})
    rows = await db.rows(
        "SELECT object, canonical, space, key FROM crosswalk WHERE (object IN (??) AND space IN (??) AND key IN (??)) "
        "OR (object IN (??) AND canonical IN (??))",
        objects, sorted({n.space for n in wanted}), [n.key for n in wanted], objects, [n.canonical for n in wanted],
    )  # fmt: skip
    by_key = {(r[0], r[2], r[3]): r[1] for r in rows}
    by_id = {(r[0], r[1], r[2]): r[3] for r in rows}
    new = []
    for n in wanted:
        other_id, other_key = by_key.get((n.object, n.space, n.key)), by_id.get((n.object, n.canonical, n.space))
        if other_id == n.canonical and other_key == n.key:
            continue
        if other_id is not None or other_key is not None:
            w.cases += _contradictions(w, n, other_id, other_key)
            continue
        by_key[n.object, n.space, n.key], by_id[n.object, n.canonical, n.space] = n.canonical, n.key
        new.append((n.object, n.canonical, n.space, n.key))
    if new:
        await db.many("INSERT INTO crosswalk (object, canonical, space, key) VALUES (?, ?, ?, ?)", new)


def _contradictions(
    w: Working, n: Names, other_id: str | None, other_key: str | None
) -> list[tuple[LegId, NewCase, int]]:
    held = f"{n.key} already stands for {other_id}" if other_id else f"{n.canonical} is already called {other_key}"
    case = NewCase("crosswalk", f"{n.object} {n.key} of {n.space} cannot stand for {n.canonical}: {held}")
    legs = [leg for leg in (*w.changed.values(), *w.new_legs.values()) if leg.lane == n.canonical]
    now_us = max((leg.values.get("ended_us") or 0 for leg in legs), default=0)
    return [((leg.intent, leg.side), case, now_us) for leg in legs[:1]]


async def _save_cases(db: Db, w: Working) -> None:
    await _save_decisions(db, w)
    for id_, case, at_us in w.cases:
        if not await _opened_anew(db, w, id_, case, at_us):
            await _opened(db, id_, case, at_us)
    if w.settled_cases:
        # What the crosswalk contradicts is still to be decided when the leg is not.
        await db.many(
            "UPDATE case_ SET state = 'closed', closed_us = ?, closed_by = 'gateway', note = COALESCE(note, ?) "
            "WHERE intent = ? AND side = ? AND state IN ('open', 'retrying') AND kind <> 'crosswalk'",
            [(at_us, why, *id_) for id_, at_us, why in w.settled_cases],
        )


async def _opened(db: Db, id_: LegId, case: NewCase, at_us: int) -> None:
    await db.rows(
        "INSERT INTO case_ (intent, side, kind, reason, state, opened_us) VALUES (?, ?, ?, ?, 'open', ?)",
        *id_, case.kind, case.reason, at_us,
    )  # fmt: skip


async def _opened_anew(db: Db, w: Working, id_: LegId, case: NewCase, at_us: int) -> bool:
    """A leg that a person sent again and that parks again has one case still, not two."""
    leg = w.changed.get(id_)
    if leg is None or not leg.reopened or case.kind == "crosswalk":
        return False
    found = await db.rows(
        "UPDATE case_ SET state = 'open', kind = ?, reason = ?, opened_us = ? "
        "WHERE intent = ? AND side = ? AND state = 'retrying' RETURNING id",
        case.kind, case.reason, at_us, *id_,
    )  # fmt: skip
    return bool(found)


async def _save_decisions(db: Db, w: Working) -> None:
    for decision, at_us, ends in w.decisions:
        await decide(db, decision, at_us, ends=ends)


async def decide(db: Db, decision: Decision, at_us: int, *, ends: bool) -> None:
    """Write a person's decision to its case and to the audit, in the caller's transaction."""
    await db.rows(
        "UPDATE case_ SET state = ?, closed_us = ?, closed_by = ?, note = ? WHERE id = ?",
        "closed" if ends else "retrying", at_us if ends else None, decision.actor if ends else None,
        f"{decision.action} by {decision.actor}: {decision.reason}", decision.case,
    )  # fmt: skip
    await audited(db, at_us, decision.actor, f"case.{decision.action}", decision.reason, decision.detail)


async def audited(db: Db, at_us: int, actor: str, action: str, reason: str, detail: str) -> None:
    """Write one audit row in the caller's transaction."""
    await db.rows(
        "INSERT INTO audit (at_us, actor, action, reason, detail) VALUES (?, ?, ?, ?, ?)",
        at_us, actor, action, reason, detail,
    )  # fmt: skip
