"""One number per document for clients, each ERP's own towards the ERPs. Source: the write protocol, section 1.9."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gateway.core.canonical import OBJECTS, Document
from gateway.core.crosswalk import Number, numbers, renamed
from gateway.reads.remembered import Remembered


class CrosswalkLookup(Protocol):
    """Where the numbers are kept."""

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]: ...
    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]: ...


class RememberedNumbers:
    """Looks numbers up, and knows those of before while the store is gone. For reads under one wave table: a write needs the store.

    Raises: StoreDown: the store is gone, and some of the numbers were not asked for before.
    """

    def __init__(self, crosswalk: CrosswalkLookup, steady_s: Callable[[], float], most: int = 20_000) -> None:
        self._crosswalk = crosswalk
        self._known: Remembered[Number, str] = Remembered(steady_s, most)

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]:
        """As `CrosswalkLookup` has it."""
        wanted, look = frozenset(shown), self._crosswalk.to_erp
        return await self._known.looked_up(("erp", erp), wanted, lambda: look(erp, wanted))

    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]:
        """As `CrosswalkLookup` has it."""
        wanted, look = frozenset(own), self._crosswalk.to_shown
        return await self._known.looked_up(("shown", erp), wanted, lambda: look(erp, wanted))


async def for_erp(crosswalk: CrosswalkLookup, erp: str, object_: str, document: Document) -> Document:
    """A document in the ERP's own numbers."""
    return renamed(object_, document, await crosswalk.to_erp(erp, numbers(object_, document)))


async def key_for_erp(crosswalk: CrosswalkLookup, erp: str, object_: str, key: str) -> str:
    """A document's key in the ERP's own numbers."""
    number = (_keyed(object_), key)
    return (await crosswalk.to_erp(erp, [number])).get(number, key)


async def for_client(crosswalk: CrosswalkLookup, erp: str, object_: str, documents: list[Document]) -> list[Document]:
    """Documents in the numbers that clients know."""
    own = frozenset[Number]().union(*(numbers(object_, document) for document in documents))
    names = await crosswalk.to_shown(erp, own)
    return [renamed(object_, document, names) for document in documents]


def _keyed(object_: str) -> str:
    """The object whose number is this object's key: a plant's segment of an item is called after the item."""
    return "item" if OBJECTS[object_].key == "item" else object_
