"""What the store said is still known while it is gone. For reads: a write needs the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from gateway.store.sql import StoreDown

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

GONE_S = 5.0
"""For so long a store that gave no answer is not asked for what is known: a hanging one costs seconds each time."""


class Remembered(Generic[K, V]):
    """Looks things up by key, each kind in a room of its own, and knows those of before while the store is gone.

    Takes: `steady_s`, a clock; `most`, how many to remember: those go first that were not looked up for the longest time. That
    there is nothing under a key is remembered too.
    """

    def __init__(self, steady_s: Callable[[], float], most: int) -> None:
        self._steady_s, self._most = steady_s, most
        self._gone_until_s = float("-inf")
        self._known: OrderedDict[tuple[Hashable, K], V | None] = OrderedDict()

    async def looked_up(
        self, room: Hashable, wanted: frozenset[K], look: Callable[[], Awaitable[Mapping[K, V]]]
    ) -> Mapping[K, V]:
        """What is under the keys, found by `look`. Raises: StoreDown: the store is gone, and some were not asked for before."""
        if self._steady_s() < self._gone_until_s and self._knows(room, wanted):
            return self._remembered(room, wanted)
        try:
            found = await look()
        except StoreDown:
            self._gone_until_s = self._steady_s() + GONE_S
            if not self._knows(room, wanted):
                raise
            return self._remembered(room, wanted)
        for key in wanted:
            place = (room, key)
            self._known[place] = found.get(key)
            self._known.move_to_end(place)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return found

    def _knows(self, room: Hashable, wanted: frozenset[K]) -> bool:
        return all((room, key) in self._known for key in wanted)

    def _remembered(self, room: Hashable, wanted: frozenset[K]) -> Mapping[K, V]:
        return {key: value for key in wanted if (value := self._known[room, key]) is not None}
