"""Judges a history by the ERPs' own records, not by what the journal says of itself. Source: the write protocol, section 3."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.sim.world import World

_HEADER = "order"


def judged(world: World) -> list[str]:
    """Every invariant that the history breaks."""
    found = [f"L1 a leg never ended: {row}" for row in world.still_open()]
    for name in world.erps:
        found += _effects(world, name)
    found += _both_sides(world)
    found += _crosswalk(world)
    return found


def _creates(world: World, name: str) -> dict[str, dict[str, Any]]:
    """Orders that came through the API: key -> row."""
    made = {}
    for entry in world.erps[name].truth:
        if entry.verb == "create" and entry.origin == "api" and entry.type.role == _HEADER:
            made[str(entry.as_json()["key"])] = entry.after or {}
    return made


def _intents(world: World) -> dict[str, tuple[Any, ...]]:
    rows = world.connection.execute("SELECT id, verb, side, lane FROM intent").fetchall()
    return {row[0]: row for row in rows}


def _tokens(world: World) -> dict[str, tuple[str, str]]:
    """The id of each create step: which intent and side it is of."""
    rows = world.connection.execute("SELECT token, intent, side FROM step WHERE number = 0").fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def _effects(world: World, name: str) -> list[str]:
    """J0: nothing without an intent. I2: nothing twice."""
    tokens, seen, found = _tokens(world), Counter[str](), []
    for entry in world.erps[name].truth:
        if entry.verb != "create" or entry.origin != "api" or entry.type.role != _HEADER:
            continue
        row = entry.after or {}
        token = (
            entry.references.get("repeatability-request-id") or row.get("ZZGatewayId") or row.get("YY1_GatewayId_ORD")
        )
        if token not in tokens:
            found.append(f"J0 {name} has an order nobody meant: {entry.as_json()['key']}")
            continue
        seen[str(token)] += 1
    found += [
        f"I2 {name} has {count} orders of one intent {tokens[token]}" for token, count in seen.items() if count > 1
    ]
    return found


def _both_sides(world: World) -> list[str]:
    """I1: what was acknowledged is on every side it is owed to, or in an open case. I3: both sides end alike."""
    connection, found = world.connection, []
    cases = {(row[0], row[1]) for row in connection.execute("SELECT intent, side FROM case_ WHERE state = 'open'")}
    legs = defaultdict(dict)
    for intent, side, state, lane in connection.execute("SELECT intent, side, state, lane FROM leg"):
        legs[intent][side] = (state, lane)
    parked_lanes = {
        (lane, side) for sides in legs.values() for side, (state, lane) in sides.items() if state == "parked"
    }
    for sent in world.sent:
        if sent.told != "acknowledged" or sent.operation is None:
            continue
        for side, (state, lane) in legs[sent.operation].items():
            if state != "done" and (sent.operation, side) not in cases and (lane, side) not in parked_lanes:
                found.append(f"I1 acknowledged {sent.operation} is {state} in {side} and in no case")
    found += _equal(world, parked_lanes)
    return found


def _equal(world: World, parked: set[tuple[str, str]]) -> list[str]:
    found = []
    rows = world.connection.execute(
        "SELECT canonical, space, key FROM crosswalk WHERE object = 'production_order' AND space LIKE 'erp:%'"
    ).fetchall()
    named: dict[str, dict[str, str]] = defaultdict(dict)
    for canonical, space, key in rows:
        named[canonical][space.removeprefix("erp:")] = key
    quantities = {name: _quantities(world, name) for name in world.erps}
    for canonical, keys in named.items():
        if len(keys) < len(world.erps) or any((canonical, side) in parked for side in ("legacy", "cloud")):
            continue
        values = {name: quantities[name].get(key) for name, key in keys.items()}
        if None in values.values():
            found.append(f"I1 {canonical} is named {keys} and is not there: {values}")
        elif len(set(values.values())) > 1:
            found.append(f"I3 {canonical} ends differently: {values}")
    return found


def _quantities(world: World, name: str) -> dict[str, Any]:
    stored = world.erps[name].ledger.stored[_HEADER].rows
    return {str(key[0]).lstrip("0"): row["qty"] for key, row in stored.items()} | {
        str(key[0]): row["qty"] for key, row in stored.items()
    }


def _crosswalk(world: World) -> list[str]:
    """X1: one number for one id in each space, and every done create has its number."""
    found = []
    rows = world.connection.execute(
        "SELECT l.intent, l.side, l.erp FROM leg l JOIN intent i ON i.id = l.intent WHERE i.verb = 'create' "
        "AND l.state = 'done' AND NOT EXISTS (SELECT 1 FROM crosswalk c WHERE c.canonical = i.lane "
        "AND c.space = 'erp:' || l.erp)"
    ).fetchall()
    found += [f"X1 {intent} is done in {erp} and has no number there" for intent, _, erp in rows]
    return found
