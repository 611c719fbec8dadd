"""SAP's movement types, where one code and one storage location stand for what, from where and to where; and whose stock it is.

Source: MIGO's standard movement types (table T156), special stock indicators (table T148).
"""

from __future__ import annotations

from typing import Any

from gateway.dialects.codecs.codec import TEXT, Codec, as_text
from gateway.dialects.codecs.text import leading_zeros, text

_OUT = {"issue": "201", "production_issue": "261", "scrap": "551"}
_IN = {"receipt", "production_receipt"}
_READ = {
    **dict.fromkeys(("101", "501", "561"), "receipt"),
    **dict.fromkeys(("201", "601"), "issue"),
    **dict.fromkeys(("301", "311"), "transfer"),
    "261": "production_issue",
    "551": "scrap",
    "531": "production_receipt",
}
_TAKEN_BACK = frozenset({"102", "122", "502", "532", "562"})
_PUT_BACK = frozenset({"202", "262", "302", "312", "552", "602"})


def sap_movement(*, order_width: int = 0, purchase_width: int = 0) -> Codec:
    """Type, from, to, order, purchase order as movement type, storage location, other location, order, purchase order.

    Only a transfer has two locations; a reversal is read with the location that its stock left or came back to.
    """
    order, purchase = (leading_zeros(width=w) if w else text(blank=True) for w in (order_width, purchase_width))

    def encode(values: tuple[Any, ...]) -> tuple[Any, ...]:
        kind, here, there, for_order, for_purchase = values
        code, place, other = _code(kind, here, there, for_order, for_purchase)
        orders = (_written(order, for_order), _written(purchase, for_purchase))
        return code, place or "", other or "", *orders

    def decode(values: tuple[Any, ...]) -> tuple[Any, ...]:
        code, place, other = (v or None for v in values[:3])
        for_order, for_purchase = _read(order, values[3]), _read(purchase, values[4])
        kind, here, there = _meaning(as_text(code), place, other)
        if code == "101" and for_order:
            kind = "production_receipt"
        return kind, here, there, for_order, for_purchase

    def domain(values: tuple[Any, ...]) -> bool:
        try:
            return decode(encode(values)) == values
        except ValueError:
            return False

    return Codec(
        encode,
        decode,
        canonical=5,
        native=5,
        partial=True,
        comparable=False,
        schema=(TEXT,) * 5,
        normalising="one storage location stands for where goods come from or go to, and blank is null",
        domain=domain,
    )


_SUPPLIERS = frozenset({"K", "M"})  # consignment, returnable packaging
_CUSTOMERS = frozenset({"B"})


def sap_stock_owner(*, width: int = 0) -> Codec:
    """Whose stock it is, from special stock indicator, supplier and customer; null where it is the company's own."""
    party = leading_zeros(width=width) if width else text(blank=True)

    def decode(values: tuple[Any, ...]) -> str | None:
        special, supplier, customer = values
        if special in _SUPPLIERS:
            return _read(party, supplier)  # type: ignore[no-any-return]
        return _read(party, customer) if special in _CUSTOMERS else None

    return Codec(
        lambda owner: ("K", party.encode(owner), ""),
        decode,
        native=3,
        nothing=("", "", ""),
        comparable=False,
        schema=(TEXT,) * 3,
        normalising="stock of others is written as a supplier's consignment",
        domain=party.domain,
    )


def _written(codec: Codec, value: Any) -> Any:
    return "" if value is None else codec.encode(value)


def _read(codec: Codec, value: Any) -> Any:
    return None if value in {None, ""} else codec.decode(value)


def _code(kind: Any, here: Any, there: Any, order: Any, purchase: Any) -> tuple[str, Any, Any]:
    if kind in _IN:
        if (kind == "production_receipt") != (order is not None):
            raise ValueError("a receipt that names an order is a production_receipt, and that one names its order")
        return ("101" if order or purchase else "501"), there, None
    if kind in _OUT:
        return _OUT[kind], here, None
    if kind == "transfer":
        return "311", here, there
    if kind == "reversal":
        return ("102", here, None) if here else ("262", there, None)
    raise ValueError(f"no movement type for {kind!r}")


def _meaning(code: str, place: Any, other: Any) -> tuple[str, Any, Any]:
    if code in _TAKEN_BACK:
        return "reversal", place, None
    if code in _PUT_BACK:
        return "reversal", None, place
    kind = _READ.get(code)
    if kind is None:
        raise ValueError(f"the movement type {code!r} is not known")
    if kind in _IN:
        return kind, None, place
    return kind, place, other if kind == "transfer" else None
