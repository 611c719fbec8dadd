"""The rows that a transaction of the journal decides on, and what it decided: loaded in one order, saved in few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.intents import (
    ENDED,
    Accept,
    Command,
    Decision,
    Intent,
    Known,
    LegRow,
    Names,
    NewCase,
)
from gateway.core.lanes import CellNow, LegId, Working
from gateway.store.beside import save_beside
from gateway.store.sql import Db

INTENT = (
    "id, lane, lane_seq, plant, domain, object, verb, epoch, term, side, content, created_us, client, subject, origin, "
    "key, document, if_match, version"
)
_LEG = "intent, side, lane, lane_seq, erp, state, fence, authoritative, held, attempts, reopened, plant, domain"
STEP = "number, state, token, sent_us, quiet_us, request, etag, note"
OPEN = " AND ".join(f"state <> '{state}'" for state in sorted(ENDED))
"""A leg that has not ended, as its partial indexes say it, word for word, so that they are used.

Not as a list: SQLite builds a table of a list's items for each row that it writes.
"""
_CHANGEABLE = ("owner", "next_at_us", "step", "native_key", "error", "ended_us", "reopened", "repaired", "shown")


async def loaded(db: Db, commands: Sequence[Command]) -> Working:
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
        f"SELECT {_LEG} FROM leg WHERE lane IN (??) AND {OPEN} "  # noqa: S608  # our own words
        "ORDER BY lane, lane_seq, side FOR UPDATE", lanes,
    )  # fmt: skip
    for intent, side, lane, lane_seq, erp, state, fence, authoritative, held, attempts, reopened, plant, domain in rows:
        row = LegRow(
            intent, side, lane, lane_seq, erp, state, fence, bool(authoritative), bool(held), attempts, reopened
        )
        w.enter(row)
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


async def saved(db: Db, w: Working) -> None:
    await _save_names(db, w)
    if w.beside:
        await save_beside(db, w.beside)
    if w.intents:
        await db.many(
            f"INSERT INTO intent ({INTENT}) VALUES ({', '.join('?' * 19)})",  # noqa: S608  # our own words
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
            f"INSERT INTO step (intent, side, {STEP}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # our own words
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
    wanted = dict(w.names)
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
    for n, at_us in wanted.items():
        other_id, other_key = by_key.get((n.object, n.space, n.key)), by_id.get((n.object, n.canonical, n.space))
        if other_id == n.canonical and other_key == n.key:
            continue
        if other_id is not None or other_key is not None:
            w.cases += _contradictions(w, n, at_us, other_id, other_key)
            continue
        by_key[n.object, n.space, n.key], by_id[n.object, n.canonical, n.space] = n.canonical, n.key
        new.append((n.object, n.canonical, n.space, n.key))
    if new:
        await db.many("INSERT INTO crosswalk (object, canonical, space, key) VALUES (?, ?, ?, ?)", new)


def _contradictions(
    w: Working, n: Names, at_us: int, other_id: str | None, other_key: str | None
) -> list[tuple[LegId, NewCase, int]]:
    held = f"{n.key} already stands for {other_id}" if other_id else f"{n.canonical} is already called {other_key}"
    case = NewCase("crosswalk", f"{n.object} {n.key} of {n.space} cannot stand for {n.canonical}: {held}")
    legs = [leg for leg in (*w.changed.values(), *w.new_legs.values()) if leg.lane == n.canonical]
    return [((leg.intent, leg.side), case, at_us) for leg in legs[:1]]


async def _save_cases(db: Db, w: Working) -> None:
    await _save_decisions(db, w)
    for id_, case, at_us in w.cases:
        if not await _opened_anew(db, w, id_, case, at_us):
            await opened(db, id_, case, at_us)
    if w.settled_cases:
        # What the crosswalk contradicts, or a late call left behind, is still to be decided when the leg is not.
        await db.many(
            "UPDATE case_ SET state = 'closed', closed_us = ?, closed_by = 'gateway', note = COALESCE(note, ?) "
            "WHERE intent = ? AND side = ? AND state IN ('open', 'retrying') AND kind NOT IN ('crosswalk', 'late-call')",
            [(at_us, why, *id_) for id_, at_us, why in w.settled_cases],
        )


async def opened(db: Db, id_: LegId, case: NewCase, at_us: int) -> None:
    await db.rows(
        "INSERT INTO case_ (intent, side, kind, reason, state, opened_us) VALUES (?, ?, ?, ?, 'open', ?)",
        *id_, case.kind, case.reason, at_us,
    )  # fmt: skip


async def _opened_anew(db: Db, w: Working, id_: LegId, case: NewCase, at_us: int) -> bool:
    """A leg that a person sent again and that parks again has one case still, not two."""
    leg = w.changed.get(id_)
    if leg is None or not leg.reopened or case.kind in ("crosswalk", "late-call"):
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


async def audited(db: Db, at_us: int, actor: str, action: str, reason: str, detail: str) -> int:
    """Write one audit row in the caller's transaction. Gives: its number."""
    found = await db.rows(
        "INSERT INTO audit (at_us, actor, action, reason, detail) VALUES (?, ?, ?, ?, ?) RETURNING id",
        at_us, actor, action, reason, detail,
    )  # fmt: skip
    return int(found[0][0])
