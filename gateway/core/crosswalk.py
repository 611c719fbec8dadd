"""Which fields of a document are numbers of which object, and how they change from one system's numbers to another's. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from gateway.core.canonical import OBJECTS, Document, values_at

SHOWN = "shown"
"""The space of the numbers that clients see: the first one an object was shown with, for ever."""
Number = tuple[str, str]
"""(object, number)."""


class Named(NamedTuple):
    """What is known of a number that a client wrote.

    `shown`: clients know a document by it. `own`: what that document is called in an ERP. `other`: what clients call the document that
    is called so in the ERP.
    """

    shown: bool = False
    own: str | None = None
    other: str | None = None


REFERENCES: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = MappingProxyType(
    {
        "production_order": ((("id",), "production_order"), (("item",), "item"), (("components", "item"), "item")),
        "confirmation": (
            (("id",), "confirmation"),
            (("order",), "production_order"),
            (("movements", "item"), "item"),
            (("movements", "movement"), "movement"),
        ),
        "item": ((("id",), "item"),),
        "item_plant": ((("item",), "item"),),
        "inventory_position": ((("item",), "item"),),
        "movement": (
            (("id",), "movement"),
            (("lines", "item"), "item"),
            (("lines", "order"), "production_order"),
            (("lines", "purchase_order"), "purchase_order"),
            (("lines", "reversal_of"), "movement"),
        ),
        "purchase_order": ((("id",), "purchase_order"), (("lines", "item"), "item")),
        "receipt": (
            (("id",), "receipt"),
            (("lines", "item"), "item"),
            (("lines", "purchase_order"), "purchase_order"),
        ),
    }
)
NUMBERED = frozenset(of for references in REFERENCES.values() for _, of in references)
"""The objects that have numbers of their own."""


_DERIVED = ("movements", "movement")


def erp_space(erp: str) -> str:
    """The space of an ERP's own numbers."""
    return f"erp:{erp}"


def numbers(object_: str, document: Document) -> frozenset[Number]:
    """Every number that a document names."""
    found = set()
    for path, of in REFERENCES[object_]:
        found |= {(of, value) for value in values_at(document, path) if value}
    return frozenset(found)


def parents(object_: str, document: Document) -> frozenset[Number]:
    """The documents that must be there before this one: all it names but itself, master data and what is derived from it."""
    key = OBJECTS[object_].key
    named = {
        (of, value)
        for path, of in REFERENCES[object_]
        if path not in ((key,), _DERIVED) and of not in ("item", object_)
        for value in values_at(document, path)
        if value
    }
    return frozenset(named)


def renamed(object_: str, document: Document, names: Mapping[Number, str]) -> Document:
    """The document with other numbers; one that has no other name stays."""
    if not names:
        return document
    made = dict(document)
    for path, of in REFERENCES[object_]:
        if len(path) == 1:
            if made.get(path[0]):
                made[path[0]] = names.get((of, made[path[0]]), made[path[0]])
        elif made.get(path[0]):
            made[path[0]] = [_row(row, path[1], of, names) for row in made[path[0]]]
    return made


def _row(row: Document, name: str, of: str, names: Mapping[Number, str]) -> Document:
    value = row.get(name)
    return {**row, name: names[of, value]} if value and (of, value) in names else row


def own_number(names: Mapping[str, str], erp: str, shown: str, *, same: bool) -> str | None:
    """A document's number in an ERP; None where nobody knows it.

    Takes: `names`, what the crosswalk calls it; `shown`, what a client called it; `same`, that it is called so there unless somebody
    says otherwise.
    """
    return names.get(erp_space(erp)) or ((names.get(SHOWN) or shown) if same else None)


def canonical_id(object_: str, erp: str, key: str) -> str:
    """The canonical id of a document that an ERP had before we knew it: the same, whoever meets it first."""
    return hashlib.sha256(f"{object_}/{erp}/{key}".encode()).hexdigest()[:32]
