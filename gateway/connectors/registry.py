"""The connectors of this process: one for each ERP, made anew when its declaration changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from gateway.connectors.factory import address, make_connector
from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.permits import Budgets
from gateway.core.budget import Seat
from gateway.core.deployment import Erp

_LINGER_S = 60
"""For so long calls that began on a connector may end on it."""


class Connectors:
    """Pool and session of an ERP live on while its declaration stays the same, its budget for ever."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Erp, str, GuardedConnector]] = {}
        self._budgets = Budgets()

    def to(self, erp: Erp, protocol: str) -> GuardedConnector:
        """The connector to an ERP as it is declared now. Raises: SecretMissing."""
        place = address(erp.base_url)
        known = self._made.get(erp.erp)
        if known is not None and known[:2] == (erp, place):
            return known[2]
        self._made[erp.erp] = (erp, place, make_connector(erp, protocol, budgets=self._budgets))
        if known is not None:
            asyncio.get_running_loop().call_later(_LINGER_S, lambda: asyncio.ensure_future(known[2].close()))
        return self._made[erp.erp][2]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._made))

    def by_name(self) -> Mapping[str, GuardedConnector]:
        """All connectors by the names of their ERPs."""
        return {name: connector for name, (_, _, connector) in self._made.items()}

    def room_behind(self, erp: str) -> int:
        """How many legs that nobody waits for an ERP may get now."""
        known = self._made.get(erp)
        return known[2].guard.room_behind() if known is not None else 0

    def seat(self, seat: Seat) -> None:
        """Share all budgets out anew."""
        self._budgets.seat(seat)

    async def close(self) -> None:
        """Close all pools."""
        for connector in self.by_name().values():
            await connector.close()
