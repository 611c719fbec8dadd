"""Looks for every write that the journal calls done in the ERPs' own records: what, how often, and in which order.

Judged by what the ERPs committed. What the journal says of itself only tells what to look for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded

if TYPE_CHECKING:
    from gateway.sim.world import World

_WRITES = (
    "SELECT i.id, i.object, i.verb, i.lane, i.lane_seq, i.document, l.erp FROM intent i JOIN leg l ON l.intent = i.id "
    "WHERE i.origin = 'client' AND l.state = 'done' ORDER BY i.lane, i.lane_seq"
)


@dataclass(frozen=True, slots=True)
class Write:
    """A client's write that is done in an ERP, and the number of its order there."""

    id: str
    object: str
    verb: str
    lane: str
    lane_seq: int
    asked: Document
    order: str | None


def effects(world: World) -> Iterator[str]:
    """I1: what is done is there. I2: once. I3: in the order of its lane. X1: under the number that the crosswalk has."""
    writes = _writes(world)
    for name in world.erps:
        records = _Records(world, name)
        for write in writes[name]:
            yield from _wrong(records, write)
        yield from _out_of_order(records, writes[name])
        yield from (
            f"I2 {name} has {len(orders)} confirmations of one request {note}"
            for note, orders in records.confirmations.items()
            if note and len(orders) > 1
        )


class _Records:
    """What an ERP committed of orders and confirmations."""

    def __init__(self, world: World, name: str) -> None:
        self.name, self.beside, self.at_once = name, world.kept_beside(name) is not None, world.shape.at_once
        self.made: dict[str, str] = {}
        """The reference of a request -> the number of the order that was made of it."""
        self.confirmations: dict[str, list[str]] = defaultdict(list)
        self.states: dict[str, list[Any]] = defaultdict(list)
        """Number -> every state that an order was in, and whether a call of ours brought it there."""
        for entry in world.erps[name].truth:
            row = entry.row_after
            if row is None:
                continue
            if entry.type.role == "order":
                number = str(row["order"]).lstrip("0")
                self.states[number].append((row, entry.origin == "api"))
                if entry.verb == "create" and entry.origin == "api":
                    self.made[str((entry.after or {}).get("UnloadingPointName"))] = number
            elif entry.type.role == "confirmation" and entry.verb == "create" and entry.origin == "api":
                note = str((entry.after or {}).get("ConfirmationText"))
                self.confirmations[note].append(str(row["order"]).lstrip("0"))

    def stood(self, number: str, name: str, *, value: Any) -> bool:
        return any(row[name] == value for row, _ in self.states[number])


def _wrong(records: _Records, write: Write) -> Iterator[str]:
    said = f"{write.id}, the {write.verb} of a {write.object}, is done in {records.name}"
    if write.order is None:
        yield f"X1 {said}, where nobody knows its order's number"
    elif write.object == "confirmation":
        if records.confirmations.get(str(write.asked.get("note")), [None])[0] != write.order:
            yield f"I1 {said}, which has no such confirmation of {write.order}"
    elif write.verb == "create":
        if records.made.get(str(write.asked.get("unloading_point"))) != write.order:
            yield f"I1 {said} as {write.order}, which is not that order"
        if records.at_once and not records.stood(write.order, "is_released", value=True):
            yield f"I1 {said} as {write.order}, which was never released"
    else:
        wanted = {"is_released": True} if write.verb == "release" else _columns(write.asked, beside=records.beside)
        yield from (
            f"I1 {said}, where {name} of {write.order} was never {value}"
            for name, value in wanted.items()
            if not records.stood(write.order, name, value=value)
        )


def _columns(patch: Document, *, beside: bool) -> dict[str, Any]:
    """A patch in the ERP's columns. Takes: `beside`, that the ERP has none for the recipient."""
    names = {"quantity": "qty"} if beside else {"quantity": "qty", "recipient": "recipient"}
    return {column: patch[field] for field, column in names.items() if field in patch}


def _out_of_order(records: _Records, writes: list[Write]) -> Iterator[str]:
    """I3: the quantities that clients asked for came to be in the order of the lane."""
    places = {
        (w.order, w.asked["quantity"]): w.lane_seq for w in writes if w.verb == "change" and "quantity" in w.asked
    }
    for number, states in records.states.items():
        seen, before = [], None
        for row, ours in states:
            if ours and row["qty"] != before and (place := places.get((number, row["qty"]))) is not None:
                seen.append(place)
            before = row["qty"]
        if seen != sorted(seen):
            yield f"I3 {records.name} took the changes of {number} in the order {seen} of their lane"


def _writes(world: World) -> dict[str, list[Write]]:
    query = "SELECT space, canonical, key FROM crosswalk WHERE object = 'production_order'"
    numbers = {(space, canonical): key.lstrip("0") for space, canonical, key in world.connection.execute(query)}
    shown = {key: canonical for (space, canonical), key in numbers.items() if space == "shown"}
    found: dict[str, list[Write]] = defaultdict(list)
    for id_, object_, verb, lane, lane_seq, text, erp in world.connection.execute(_WRITES):
        document = loaded(text) if text is not None else {}
        asked = document.get("patch", document)
        order = lane if object_ == "production_order" else shown.get(str(asked.get("order")).lstrip("0"), "")
        found[erp].append(Write(id_, object_, verb, lane, lane_seq, asked, numbers.get((f"erp:{erp}", order))))
    return found
