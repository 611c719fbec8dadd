"""Fields that an ERP lacks and the gateway keeps for it: shown with its documents as if it had them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gateway.core.canonical import Document
from gateway.dialects.resolve import Plan
from gateway.reads.remembered import Remembered


class BesideLookup(Protocol):
    """Where they are kept: by ERP, object, plant and the ERP's own number."""

    async def of(self, erp: str, object_: str, plant: str, keys: Iterable[str]) -> Mapping[str, Document]: ...


class RememberedBeside:
    """Looks kept fields up, and knows those of before while the store is gone. For reads: a write asks the `store` itself.

    Raises: StoreDown: the store is gone, and some of the documents were not asked for before.
    """

    def __init__(self, beside: BesideLookup, steady_s: Callable[[], float], most: int = 20_000) -> None:
        self.store = beside
        self._known: Remembered[str, Document] = Remembered(steady_s, most)

    async def of(self, erp: str, object_: str, plant: str, keys: Iterable[str]) -> Mapping[str, Document]:
        """As `BesideLookup` has it."""
        wanted = frozenset(keys)
        look = self.store.of
        return await self._known.looked_up((erp, object_, plant), wanted, lambda: look(erp, object_, plant, wanted))


async def completed(
    beside: BesideLookup, erp: str, plant: str, plan: Plan, documents: list[Document]
) -> list[Document]:
    """The documents with what is kept beside the ERP. What nobody has said through the gateway is left out: it is not known to be empty."""
    key = plan.spec.key
    kept = await beside.of(erp, plan.spec.name, plant, {str(document.get(key)) for document in documents})
    return [{**document, **_shown(plan, kept.get(str(document.get(key)), {}))} for document in documents]


def _shown(plan: Plan, kept: Document) -> Document:
    """Only what the dialect keeps beside now: a field that it maps since is the ERP's."""
    return {name: value for name, value in kept.items() if name in plan.beside}
