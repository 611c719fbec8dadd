"""Judges what became of people's work in the ERPs: each thing is carried over once, or a person is told; nothing is taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.core.settling import US

if TYPE_CHECKING:
    from gateway.sim.world import World

_ORDER, PART = "order", "component"
_TOLD = """
SELECT SUBSTR(i.client, 5), (SELECT c.key FROM crosswalk c WHERE c.canonical = i.lane AND c.space = i.client),
       i.verb = 'change' AND i.document LIKE '%components%'
FROM intent i WHERE i.origin = 'erp'"""
"""In which ERP, the order's number there, and whether it is a matter of its lines, of everything that people in ERPs did."""


def edited_lanes(world: World, *roles: str) -> frozenset[str]:
    """Orders that somebody changed in an ERP itself, or of which somebody changed only this."""
    done = [(name, entry) for name, entry in _on_screen(world) if not roles or entry.type.role in roles]
    numbers = {(name, number) for name, entry in done for number in _numbers(entry)}
    rows = world.connection.execute("SELECT canonical, space, key FROM crosswalk WHERE object = 'production_order'")
    return frozenset(row[0] for row in rows if (row[1].removeprefix("erp:"), row[2]) in numbers)


def _on_screen(world: World) -> Iterator[tuple[str, Any]]:
    for name, erp in world.erps.items():
        for entry in erp.truth:
            if entry.origin == "screen" and entry.type.role in (_ORDER, PART):
                yield name, entry


def _numbers(entry: Any) -> tuple[str, str]:
    """The number of an order, or of the one that a part belongs to, as its ERP and as documents write it."""
    number = str(entry.row_after["order"])
    return number, number.lstrip("0")


def followed(world: World) -> Iterator[str]:
    """E1: what people do in an ERP reaches the other one, or a case; and it is carried over once, never back and forth."""
    done = list(_on_screen(world))
    told = list(world.connection.execute(_TOLD))
    to_orders, carried = sum(entry.type.role == _ORDER for _, entry in done), sum(not of_parts for *_, of_parts in told)
    if carried > to_orders:
        yield f"E1 people did {to_orders} things to orders in the ERPs, and {carried} were carried over"
    known = {
        (space, key)
        for space, key in world.connection.execute(
            "SELECT space, key FROM crosswalk WHERE object = 'production_order' AND space LIKE 'erp:%'"
        )
    }
    known |= _doubted(world)
    begun = dict(world.connection.execute("SELECT erp, since_us FROM feed WHERE object = 'production_order'"))
    for name, entry in done:
        # What was made before any gateway lived to read the feed is nobody's edit.
        seen = name in begun and datetime.fromisoformat(entry.at).timestamp() * US > begun[name]
        created = entry.verb == "create" and entry.type.role == _ORDER
        if created and seen and not {(f"erp:{name}", number) for number in _numbers(entry)} & known:
            yield f"E1 {name} has the order {_numbers(entry)[1]} that somebody made, and nobody noticed"
    for instance in world.instances:
        if instance.feeds.gauge.failures:
            yield f"E1 the reader of {instance.life.name} failed {instance.feeds.gauge.failures} times"
        for id_, error in instance.feeds.gauge.errors.items():
            if "Error: " in error:
                yield f"E1 {id_} cannot be told: {error}"
    yield from _undone(world)
    yield from _edited_parts(done, told)


def _edited_parts(done: list[tuple[str, Any]], told: list[tuple[Any, ...]]) -> Iterator[str]:
    """E1: nobody is told that lines were changed by hand, or told more often, than somebody did: an ERP moves them by itself, too."""
    by_hand = Counter((name, number) for name, entry in done if entry.type.role == PART for number in _numbers(entry))
    of_parts = Counter((name, number) for name, number, parts in told if parts)
    for (name, number), count in of_parts.items():
        if count > by_hand[name, number]:
            yield f"E1 somebody changed parts of {number} in {name} {by_hand[name, number]} times, and {count} are told"


def _doubted(world: World) -> set[tuple[str, str]]:
    """Orders that may be what a create in doubt made: its case says so, and until it is closed nobody copies them."""
    cases = {
        row[0] for row in world.connection.execute("SELECT intent FROM case_ WHERE state = 'open' AND kind = 'doubt'")
    }
    return {
        (f"erp:{erp}", key)
        for instance in world.instances
        for (erp, _, _), records in instance.waiting().items()
        for key, waiting in records.items()
        if (waiting.creating or frozenset()) & cases
    }


def _undone(world: World) -> Iterator[str]:
    """E1: the gateway never takes back what somebody did: it writes only what a client or somebody in the other ERP asked for."""
    asked = {_quantity(entry) for _, entry in _on_screen(world) if entry.type.role == _ORDER}
    for name, erp in world.erps.items():
        hand: dict[Any, Any] = {}
        for entry in erp.truth:
            if entry.type.role != _ORDER or entry.row_after is None:
                continue
            key, now = entry.row_after["order"], _quantity(entry)
            if entry.origin == "screen":
                hand[key] = now
            elif key in hand and entry.row_before is not None and entry.row_before["qty"] != now:
                by_client = 100 <= now < 200  # noqa: PLR2004  # what clients ask for in a world
                if not by_client and now not in asked:
                    yield f"E1 {name} {key}: somebody set {hand[key]}, and the gateway {now}"


def _quantity(entry: Any) -> Any:
    return entry.row_after["qty"] if entry.row_after is not None else None
