"""Fields that an ERP lacks come with its documents, also for a while without the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from gateway.core.canonical import Document
from gateway.reads.beside import RememberedBeside, completed
from gateway.store.sql import StoreDown
from tests.contract.dialects.content import translation

ITEM = translation("tryton", "item").plan


class Shelf:
    """Item A of the old Tryton was called 47 once, and had a colour when its dialect still kept one; `gone` is the database."""

    gone = False

    async def of(self, erp: str, object_: str, plant: str, keys: Iterable[str]) -> Mapping[str, Document]:
        if self.gone:
            raise StoreDown("the database cannot be reached", unsure=False)
        known = {("old", "item", "*", "A"): {"old_number": "47", "colour": "red"}}
        return {key: known[erp, object_, plant, key] for key in keys if (erp, object_, plant, key) in known}


async def shown(beside: RememberedBeside, *keys: str, erp: str = "old") -> list[Document]:
    return await completed(beside, erp, "*", ITEM, [{"id": key, "name": key.lower()} for key in keys])


async def test_a_document_has_what_is_kept_of_it_and_what_nobody_said_is_not_told_to_be_empty() -> None:
    found = await shown(RememberedBeside(Shelf(), lambda: 0.0), "A", "B")
    assert found == [{"id": "A", "name": "a", "old_number": "47"}, {"id": "B", "name": "b"}]


async def test_what_is_kept_for_one_erp_is_not_shown_of_another() -> None:
    assert await shown(RememberedBeside(Shelf(), lambda: 0.0), "A", erp="new") == [{"id": "A", "name": "a"}]


async def test_without_the_database_a_document_is_shown_as_it_was_and_nobody_guesses() -> None:
    shelf = Shelf()
    beside = RememberedBeside(shelf, lambda: 0.0)
    before = await shown(beside, "A", "B")
    shelf.gone = True
    assert await shown(beside, "A", "B") == before
    with pytest.raises(StoreDown):
        await shown(beside, "C")
