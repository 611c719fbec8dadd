"""One number per document for clients, each ERP's own towards the ERPs. Source: the write protocol, section 1.9."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from gateway.core.canonical import OBJECTS, Document
from gateway.core.crosswalk import Named, Number, numbers, renamed
from gateway.errors import NoSuchDocument
from gateway.reads.remembered import Remembered


class CrosswalkLookup(Protocol):
    """Where the numbers are kept."""

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]: ...
    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]: ...
    async def named(self, erp: str, numbers: Iterable[Number]) -> Mapping[Number, Named]: ...


class RememberedNumbers:
    """Looks numbers up, and knows those of before while the store is gone. For reads under one wave table: a write needs the store.

    Raises: StoreDown: the store is gone, and some of the numbers were not asked for before.
    """

    def __init__(self, crosswalk: CrosswalkLookup, steady_s: Callable[[], float], most: int = 20_000) -> None:
        self._crosswalk = crosswalk
        self._known: Remembered[Number, str] = Remembered(steady_s, most)
        self._named: Remembered[Number, Named] = Remembered(steady_s, most)

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]:
        """As `CrosswalkLookup` has it."""
        wanted, look = frozenset(shown), self._crosswalk.to_erp
        return await self._known.looked_up(("erp", erp), wanted, lambda: look(erp, wanted))

    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]:
        """As `CrosswalkLookup` has it."""
        wanted, look = frozenset(own), self._crosswalk.to_shown
        return await self._known.looked_up(("shown", erp), wanted, lambda: look(erp, wanted))

    async def named(self, erp: str, numbers: Iterable[Number]) -> Mapping[Number, Named]:
        """As `CrosswalkLookup` has it."""
        wanted, look = frozenset(numbers), self._crosswalk.named
        return await self._named.looked_up(erp, wanted, lambda: look(erp, wanted))


async def for_erp(crosswalk: CrosswalkLookup, erp: str, object_: str, document: Document) -> Document:
    """A document in the ERP's own numbers."""
    return renamed(object_, document, await crosswalk.to_erp(erp, numbers(object_, document)))


async def key_for_erp(
    crosswalk: CrosswalkLookup, erp: str, object_: str, key: str, same_numbers: Collection[str] = ()
) -> str:
    """A document's key in the ERP's own numbers: one that nobody has heard of is the ERP's own.

    Takes: `same_numbers`, objects that are called alike in every ERP. Raises: NoSuchDocument: clients know another document by this
    number than the ERP, or the same by another.
    """
    of = keyed(object_)
    number = (of, key)
    known = (await crosswalk.named(erp, [number])).get(number, Named())
    if known.own is not None:
        return known.own
    if known.shown and of not in same_numbers:
        raise NoSuchDocument(f"Nobody knows under which number {erp} has {object_} {key!r}.", reason="unmapped")
    if known.other not in (None, key):
        raise NoSuchDocument(f"There is no {object_} {key!r}: its number is {known.other!r}.", reason="another-number")
    return key


async def for_client(crosswalk: CrosswalkLookup, erp: str, object_: str, documents: list[Document]) -> list[Document]:
    """Documents in the numbers that clients know."""
    own = frozenset[Number]().union(*(numbers(object_, document) for document in documents))
    names = await crosswalk.to_shown(erp, own)
    return [renamed(object_, document, names) for document in documents]


def keyed(object_: str) -> str:
    """The object whose number is this object's key: a plant's segment of an item is called after the item."""
    return "item" if OBJECTS[object_].key == "item" else object_
