"""Which rule serves which verb of which document."""

from __future__ import annotations

from collections.abc import Callable

from gateway.sim.erps.declare import Action, Key, Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.refusal import not_allowed
from gateway.sim.erps.rules import confirmations, lines, movements, orders, purchasing, receipts
from gateway.sim.erps.rules.business import Business, Draft

Create = Callable[[Business, Unit, Draft], Key]
Change = Callable[[Business, Unit, str, Key, Row], None]
Act = Callable[[Business, Unit, Key, Row], Key]

CREATE: dict[str, Create] = {
    "order": orders.create,
    "confirmation": confirmations.post,
    "movement": movements.post,
    "purchase": purchasing.create,
    "purchase_item": purchasing.create_item,
    "receipt": receipts.post,
}
CHANGE: dict[str, Change] = {"order": orders.change}
ACT: dict[str, Act] = {
    "release_order": orders.release,
    "complete_order": orders.complete,
    "report_finished": confirmations.report_finished,
    "cancel_confirmation": confirmations.cancel,
    "release_purchase": purchasing.release,
    "cancel_movement": movements.cancel,
}


def create(b: Business, unit: Unit, draft: Draft) -> Key:
    _check_can(b, draft.role, "create")
    return CREATE.get(draft.role, lines.create)(b, unit, draft)


def change(b: Business, unit: Unit, role: str, key: Key, values: Row) -> None:
    _check_can(b, role, "update")
    CHANGE.get(role, lines.change)(b, unit, role, key, values)


def delete(b: Business, unit: Unit, role: str, key: Key) -> None:
    _check_can(b, role, "delete")
    lines.delete(b, unit, role, key)


def act(b: Business, unit: Unit, action: Action, key: Key, arguments: Row) -> Key:
    """Carry an action out. Gives the key of the document it answers with."""
    return ACT[action.verb](b, unit, key, arguments)


def _check_can(b: Business, role: str, verb: str) -> None:
    entity = b.type_of(role)
    on_screen = b.cause.origin == "screen" and f"{verb} on screen" in entity.can
    if verb not in entity.can and not on_screen:
        raise not_allowed(f"Method not allowed: {verb} is not supported for '{entity.set_name}'")
