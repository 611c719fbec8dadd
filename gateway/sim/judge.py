"""Judges a history by the ERPs' own records, not by what the journal says of itself. Source: the write protocol, section 3."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.core.canonical.stored import loaded
from gateway.core.phases import PHASES
from gateway.sim.edited import PART, edited_lanes, followed
from gateway.sim.effects import effects
from gateway.sim.shape import BEFORE, CLOUD, CORRECTED

if TYPE_CHECKING:
    from gateway.sim.world import World

_ORDER, _CONFIRMATION = "order", "confirmation"
_NOTHING = ("refused", "voided")
Row = tuple[Any, ...]


def judged(world: World) -> list[str]:
    """Every invariant that the history breaks."""
    found = [f"L1 a leg never ended: {row}" for row in world.still_open()]
    for name in world.erps:
        found += _effects(world, name)
        found += _derived(world, name)
    found += effects(world)
    found += _said(world)
    found += _in_parts(world)
    found += _acknowledged(world)
    found += _overtaken(world)
    found += sides_agree(world)
    found += _crosswalk(world)
    found += _splits(world)
    found += _needless(world)
    found += followed(world)
    found += _epochs(world)
    found += _alike(world)
    return found


def _created(world: World, name: str, role: str) -> Iterator[Any]:
    """What was created through the API."""
    for entry in world.erps[name].truth:
        if entry.verb == "create" and entry.origin == "api" and entry.type.role == role:
            yield entry


def _effects(world: World, name: str) -> Iterator[str]:
    """J0: nothing without an intent, and nothing of one that was refused. I2: nothing twice. C1: nothing twice for one request."""
    tokens = dict(world.connection.execute("SELECT s.token, l.state FROM step s JOIN leg l USING (intent, side)"))
    times: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    for role in (_ORDER, _CONFIRMATION):
        for entry in _created(world, name, role):
            row = entry.after or {}
            token = (
                entry.references.get("repeatability-request-id")
                or row.get("ZZGatewayId")
                or row.get("YY1_GatewayId_ORD")
            )
            if token:
                times[token] += 1
                if token not in tokens:
                    yield f"J0 {name} has a {role} that nobody meant: {token}"
                elif tokens[token] in _NOTHING:
                    yield f"J0 {name} has a {role} whose write is {tokens[token]}: {token}"
            if role == _ORDER:
                requests[row.get("UnloadingPointName", "")] += 1
    yield from (f"I2 {name} did one step {count} times: {token}" for token, count in times.items() if count > 1)
    yield from (
        f"C1 {name} has {count} orders of one request {reference}"
        for reference, count in requests.items()
        if reference and count > 1
    )
    intents = dict(
        world.connection.execute("SELECT object, COUNT(*) FROM intent WHERE verb = 'create' GROUP BY object")
    )
    for role, object_ in ((_ORDER, "production_order"), (_CONFIRMATION, "confirmation")):
        made = sum(1 for _ in _created(world, name, role))
        if made > intents.get(object_, 0):
            yield f"J0 {name} has {made} of {object_}, and there were {intents.get(object_, 0)} intents"


def _derived(world: World, name: str) -> Iterator[str]:
    """What an ERP derives from a confirmation is there once, and nobody mirrors it."""
    confirmed = sum(1 for _ in _created(world, name, _CONFIRMATION))
    mirrored = [e for e in world.erps[name].truth if e.type.role == "movement" and e.origin == "api"]
    if mirrored:
        yield f"I2 {name} got {len(mirrored)} movements by the gateway; it derives its own from {confirmed} confirmations"


def _said(world: World) -> Iterator[str]:
    """M1: whenever an order is sent, it is said in the words that its write was accepted with."""
    rows = world.connection.execute(
        "SELECT document, content FROM intent WHERE object = 'production_order' AND verb = 'create' AND origin <> 'erp'"
    )
    accepted = {asked["unloading_point"]: (asked, content) for asked, content in ((loaded(d), c) for d, c in rows)}
    for name in world.erps:
        for entry in _created(world, name, _ORDER):
            row = entry.after or {}
            asked, content = accepted.get(row.get("UnloadingPointName", ""), (None, BEFORE))
            if asked is None:
                continue
            wanted = asked.get("planner") or "", asked.get("supervisor") or ""
            said = row.get("MRPController"), row.get("ProductionSupervisor")
            if said != (wanted[::-1] if name == CLOUD and content == CORRECTED else wanted):
                yield f"M1 {name} was told {said} of an order that was accepted with the content {content!r}"


def _in_parts(world: World) -> Iterator[str]:
    """I1: an order of which an ERP took a part only is done nowhere: a person knows."""
    rows = world.connection.execute(
        "SELECT l.intent, l.erp, c.key, i.document FROM leg l JOIN intent i ON i.id = l.intent JOIN crosswalk c ON c.canonical = i.lane "
        "AND c.space = 'erp:' || l.erp WHERE i.object = 'production_order' AND i.verb = 'create' AND i.origin <> 'erp' AND l.state = 'done'"
    )
    lines = {name: _lines(world, name) for name in world.erps}
    for intent, erp, key, document in rows:
        asked, there = len(loaded(document).get("components") or ()), lines[erp][key.lstrip("0")]
        if there < asked:
            yield f"I1 {intent} is done in {erp} with {there} of {asked} lines"


def _lines(world: World, name: str) -> Counter[str]:
    """How many components each order has."""
    rows = world.erps[name].ledger.stored["component"].rows
    return Counter(str(row["order"]).lstrip("0") for row in rows.values())


def _acknowledged(world: World) -> Iterator[str]:
    """I1: what was acknowledged is done on every side it is owed to, or a person knows."""
    legs: dict[str, dict[str, Row]] = defaultdict(dict)
    for intent, side, state, lane in world.connection.execute("SELECT intent, side, state, lane FROM leg"):
        legs[intent][side] = (state, lane)
    cases = set(world.connection.execute("SELECT intent, side FROM case_ WHERE state = 'open'"))
    blocked = _blocked(world)
    for intent in sorted(world.taken - legs.keys()):
        yield f"I1 the journal said that it has {intent}, and has not"
    for sent in world.sent:
        if sent.told != "acknowledged":
            continue
        owed = legs.get(str(sent.operation))
        if owed is None:
            yield f"I1 {sent.reference} was acknowledged and no journal knows it"
            continue
        for side, (state, _) in owed.items():
            if state != "done" and (sent.operation, side) not in cases and (sent.operation, side) not in blocked:
                yield f"I1 {sent.reference} was acknowledged, and is {state} on the {side} side without a case"


def _overtaken(world: World) -> Iterator[str]:
    """U1: of those who change what all of them have read one is told yes."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sent in world.sent:
        if sent.if_match is not None and sent.told == "acknowledged":
            told[str(sent.key), str(sent.if_match)].append(sent.reference)
    for (key, etag), references in told.items():
        if len(references) > 1:
            yield f"U1 {' and '.join(references)} both changed {key} as it was at {etag}"


def _blocked(world: World) -> set[tuple[str, str]]:
    """Legs that wait behind a parked one."""
    rows = world.connection.execute(
        "SELECT intent, side FROM leg WHERE state NOT IN ('done', 'refused', 'voided', 'parked')"
    )
    return set(rows.fetchall()) - {(row[0], row[1]) for row in world.still_open()}


def sides_agree(world: World, but: frozenset[str] = frozenset()) -> list[str]:
    """I3 and I1 in the ERPs' own rows: an order that both have is the same in both, unless a case says why not."""
    found, rows = (
        [],
        world.connection.execute(
            "SELECT canonical, space, key FROM crosswalk WHERE object = 'production_order' AND space LIKE 'erp:%'"
        ).fetchall(),
    )
    named: dict[str, dict[str, str]] = defaultdict(dict)
    for canonical, space, key in rows:
        named[canonical][space.removeprefix("erp:")] = key
    troubled = {row[0] for row in world.connection.execute("SELECT lane FROM leg WHERE state IN ('parked')")}
    closed = {
        row[0] for row in world.connection.execute("SELECT lane FROM intent WHERE id IN (SELECT intent FROM case_)")
    }
    ended = _single_sided(world)
    values = {name: _orders(world, name, with_yield=not _confirmations_open(world)) for name in world.erps}
    for canonical, keys in named.items():
        if canonical in troubled | closed | ended | but or len(keys) < len(world.erps):
            continue
        states = {name: values[name].get(key) for name, key in keys.items()}
        if None in states.values():
            found.append(f"I1 {canonical} is called {keys} and is not there: {states}")
        elif len(set(states.values())) > 1:
            found.append(f"I3 {canonical} ended differently: {states}")
    return found


def _single_sided(world: World) -> set[str]:
    """Lanes with a write that was owed to one side only: they may differ, and a flip back would find them by reconciliation."""
    rows = world.connection.execute(
        "SELECT lane FROM intent WHERE (SELECT COUNT(*) FROM leg WHERE leg.intent = intent.id) < 2"
    )
    return {row[0] for row in rows}


def _confirmations_open(world: World) -> bool:
    """Whether a confirmation waits for a person, or was owed to one side only: then the yields of orders may differ."""
    return bool(
        world.connection.execute(
            "SELECT 1 FROM leg l JOIN intent i ON i.id = l.intent WHERE i.object = 'confirmation' "
            "AND (l.state NOT IN ('done', 'refused', 'voided') OR (SELECT COUNT(*) FROM leg o WHERE o.intent = i.id) < 2) LIMIT 1"
        ).fetchone()
    )


def _orders(world: World, name: str, *, with_yield: bool) -> dict[str, Row]:
    found: dict[str, Row] = {}
    beside = world.kept_beside(name)
    for key, row in world.erps[name].ledger.stored[_ORDER].rows.items():
        number = str(key[0])
        found[number] = found[number.lstrip("0")] = (
            row["qty"],
            row["is_released"],
            row["yield_qty"] if with_yield else None,
            (row["recipient"] if beside is None else beside.get(number.lstrip("0"))) or None,
        )
    return found


def _crosswalk(world: World) -> Iterator[str]:
    """X1: every document that was made has its number."""
    rows = world.connection.execute(
        "SELECT l.intent, l.erp FROM leg l JOIN intent i ON i.id = l.intent WHERE i.verb = 'create' AND l.state = 'done' "
        "AND NOT EXISTS (SELECT 1 FROM crosswalk c WHERE c.canonical = i.lane AND c.space = 'erp:' || l.erp)"
    )
    yield from (f"X1 {intent} is done in {erp} and has no number there" for intent, erp in rows)


def _splits(world: World) -> Iterator[str]:
    """D1: each parked leg has one open case, whatever else a late call left behind."""
    rows = world.connection.execute(
        "SELECT intent, side, (SELECT COUNT(*) FROM case_ c WHERE c.intent = leg.intent AND c.side = leg.side "
        "AND c.state = 'open' AND c.kind <> 'late-call') FROM leg WHERE state = 'parked'"
    )
    yield from (
        f"D1 the parked leg {intent} {side} has {count} open cases" for intent, side, count in rows if count != 1
    )


def _needless(world: World) -> Iterator[str]:
    """I3: where nobody edits in the ERPs, a field that «moved» or a document «without a number» was overtaken in its lane."""
    single = _single_sided(world) | edited_lanes(world)
    rows = world.connection.execute(
        "SELECT c.kind, c.reason, i.lane FROM case_ c JOIN intent i ON i.id = c.intent WHERE c.kind IN ('moved-there', 'unmapped') "
        "AND i.object = 'production_order'"
    )
    yield from (f"I3 {kind} in {lane}: {reason}" for kind, reason, lane in rows if lane not in single)


def _alike(world: World) -> Iterator[str]:
    """D2: nobody is asked about what both ERPs derived of an order alike. These ERPs derive of every confirmation, part by part."""
    rows = world.connection.execute(
        "SELECT c.reason, i.document FROM case_ c JOIN intent i ON i.id = c.intent "
        "WHERE c.kind = 'derived' AND i.object = 'confirmation'"
    )
    apart = edited_lanes(world, PART)
    for reason, document in rows:
        number = loaded(document)["order"]
        holder = world.connection.execute(
            "SELECT canonical FROM crosswalk WHERE object = 'production_order' AND space = 'shown' AND key = ?",
            (number,),
        ).fetchone()
        known = holder is not None and holder[0] not in apart
        counts = {name: _confirmed(world, name, holder[0]) for name in world.erps} if known else {}
        if len(set(counts.values())) == 1:
            yield f"D2 {number} was confirmed {counts} times, and a case says: {reason}"


def _confirmed(world: World, name: str, canonical: str) -> int:
    key = world.connection.execute(
        "SELECT key FROM crosswalk WHERE object = 'production_order' AND canonical = ? AND space = ?",
        (canonical, f"erp:{name}"),
    ).fetchone()
    rows = world.erps[name].ledger.stored[_CONFIRMATION].rows.values()
    return sum(str(row["order"]).lstrip("0") == key[0].lstrip("0") for row in rows) if key else 0


def _epochs(world: World) -> Iterator[str]:
    """I4: epochs never fall along a lane, and each intent was decided by the side in charge in its epoch."""
    phases = {1: world.shape.phase, **dict(world.flips)}
    last: dict[str, int] = {}
    rows = world.connection.execute("SELECT lane, epoch, side, origin FROM intent ORDER BY rowid")
    for lane, epoch, side, origin in rows:
        if epoch < last.get("*", 0):
            yield f"I4 a write of epoch {epoch} was taken after one of epoch {last['*']} in {lane}"
        last["*"] = max(last.get("*", 0), epoch)
        if origin != "erp" and PHASES[phases[epoch]].authoritative != side:
            yield f"I4 a write of epoch {epoch} was decided by the {side} side"
