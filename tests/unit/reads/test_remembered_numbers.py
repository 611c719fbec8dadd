"""Reads go on for a while without the database: the numbers that were asked for before are still known, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from gateway.core.crosswalk import Number
from gateway.reads.numbers import RememberedNumbers
from gateway.store.sql import StoreDown


class Shelf:
    """A crosswalk in which order 7 is 70 in the cloud; `gone` is the database."""

    gone, asked = False, 0

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]:
        self.asked += 1
        if self.gone:
            raise StoreDown("the database cannot be reached", unsure=False)
        return {number: "70" for number in shown if number[1] == "7"}

    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]:
        if self.gone:
            raise StoreDown("the database cannot be reached", unsure=False)
        return {number: "7" for number in own if number[1] == "70"}


def orders(*keys: str) -> list[Number]:
    return [("production_order", key) for key in keys]


async def test_without_the_database_a_number_is_what_it_was_when_it_was_last_asked_for() -> None:
    shelf = Shelf()
    numbers = RememberedNumbers(shelf, lambda: 0.0)
    before = await numbers.to_erp("s4", orders("7", "8"))
    assert before == {("production_order", "7"): "70"}
    shelf.gone = True
    assert await numbers.to_erp("s4", orders("8", "7")) == before
    assert await numbers.to_erp("s4", orders("8")) == {}


@pytest.mark.parametrize(("erp", "keys"), [("s4", ("7", "9")), ("ecc", ("7",))])
async def test_without_the_database_nobody_guesses_a_number_that_was_never_asked_for(
    erp: str, keys: tuple[str, ...]
) -> None:
    shelf = Shelf()
    numbers = RememberedNumbers(shelf, lambda: 0.0)
    await numbers.to_erp("s4", orders("7", "8"))
    shelf.gone = True
    with pytest.raises(StoreDown):
        await numbers.to_erp(erp, orders(*keys))
    with pytest.raises(StoreDown):
        await numbers.to_shown("s4", orders("70"))


async def test_only_so_many_numbers_are_remembered_and_the_longest_unused_go_first() -> None:
    shelf = Shelf()
    numbers = RememberedNumbers(shelf, lambda: 0.0, most=2)
    for key in ("1", "2", "1", "3"):
        await numbers.to_erp("s4", orders(key))
    shelf.gone = True
    assert await numbers.to_erp("s4", orders("1", "3")) == {}
    with pytest.raises(StoreDown):
        await numbers.to_erp("s4", orders("2"))


async def test_a_database_that_says_nothing_is_not_asked_at_each_read_and_is_asked_again_after_a_while() -> None:
    shelf, now_s = Shelf(), [0.0]
    numbers = RememberedNumbers(shelf, lambda: now_s[0])
    await numbers.to_erp("s4", orders("7"))
    shelf.gone = True
    for _ in range(3):
        assert await numbers.to_erp("s4", orders("7")) == {("production_order", "7"): "70"}
    assert shelf.asked == 2
    shelf.gone, now_s[0] = False, 6.0
    await numbers.to_erp("s4", orders("7"))
    assert shelf.asked == 3
