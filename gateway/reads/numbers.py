"""One number per document for clients, each ERP's own towards the ERPs. Source: the write protocol, section 1.9."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from gateway.core.canonical import OBJECTS, Document
from gateway.core.crosswalk import Number, numbers, renamed
from gateway.store.sql import StoreDown


class CrosswalkLookup(Protocol):
    """Where the numbers are kept."""

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]: ...
    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]: ...


GONE_S = 5.0
"""For so long a store that gave no answer is not asked for what is known: a hanging one costs seconds each time."""


class RememberedNumbers:
    """Looks numbers up, and knows those of before while the store is gone. For reads under one wave table: a write needs the store.

    Takes: `steady_s`, a clock; `most`, how many numbers to remember: those go first that were not looked up for the longest time. That
    a number has no other is remembered too.
    Raises: StoreDown: the store is gone, and some of the numbers were not asked for before.
    """

    def __init__(self, crosswalk: CrosswalkLookup, steady_s: Callable[[], float], most: int = 20_000) -> None:
        self._crosswalk, self._steady_s, self._most = crosswalk, steady_s, most
        self._gone_until_s = float("-inf")
        self._known: OrderedDict[tuple[str, str, Number], str | None] = OrderedDict()

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]:
        """As `CrosswalkLookup` has it."""
        return await self._looked_up("erp", erp, frozenset(shown), self._crosswalk.to_erp)

    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]:
        """As `CrosswalkLookup` has it."""
        return await self._looked_up("shown", erp, frozenset(own), self._crosswalk.to_shown)

    async def _looked_up(
        self, to: str, erp: str, wanted: frozenset[Number], look: Callable[..., Awaitable[Mapping[Number, str]]]
    ) -> Mapping[Number, str]:
        places = {number: (to, erp, number) for number in wanted}
        known = all(place in self._known for place in places.values())
        if known and self._steady_s() < self._gone_until_s:
            return self._remembered(places)
        try:
            found = await look(erp, wanted)
        except StoreDown:
            self._gone_until_s = self._steady_s() + GONE_S
            if not known:
                raise
            return self._remembered(places)
        for number, place in places.items():
            self._known[place] = found.get(number)
            self._known.move_to_end(place)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return found

    def _remembered(self, places: Mapping[Number, tuple[str, str, Number]]) -> Mapping[Number, str]:
        return {number: other for number, place in places.items() if (other := self._known[place]) is not None}


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
