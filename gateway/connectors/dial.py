"""Opening connections to an ERP: name, address, TLS, within a time that only the ERP can use up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, TypeVar

from gateway.connectors.message import Origin
from gateway.connectors.port import NotSent
from gateway.connectors.wire import Wire

T = TypeVar("T")
_TURNS = 30  # in which a time is counted, see _Patience


class Dialer:
    """Dials one ERP. `timeout_s` is for the whole of it: name, addresses in turn, TLS."""

    def __init__(self, origin: Origin, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._origin, self._timeout_s = origin, timeout_s
        self._tls = (tls or _trusting_the_system()) if origin.secure else None
        self._answered: Any = None

    async def dial(self, make: Callable[[], Wire]) -> Wire:
        """Gives: an open connection, made by `make`. Raises: NotSent."""
        patience = _Patience(self._timeout_s)
        try:
            return await self._first(await self._places(patience), patience, make)
        except TimeoutError as err:
            raise NotSent(f"no connection in {self._timeout_s:.1f} s") from err
        except (OSError, ValueError) as err:
            raise NotSent(str(err) or type(err).__name__) from err

    async def _places(self, patience: _Patience) -> list[Any]:
        loop = asyncio.get_running_loop()
        name = loop.getaddrinfo(self._origin.host, self._origin.port, type=socket.SOCK_STREAM)
        found = [sockaddr for *_, sockaddr in await patience.result(name)]
        if not found:
            raise OSError("the host has no address")
        return sorted(found, key=lambda place: place != self._answered)

    async def _first(self, places: list[Any], patience: _Patience, make: Callable[[], Wire]) -> Wire:
        """The first address that answers. A silent one may use half of what is left, or an unrouted IPv6 would be the end."""
        for place in places[:-1]:
            try:
                return await self._connect(place, patience, make, keep_s=patience.left_s / 2)
            except OSError:
                continue
        return await self._connect(places[-1], patience, make, keep_s=0.0)

    async def _connect(self, place: Any, patience: _Patience, make: Callable[[], Wire], keep_s: float) -> Wire:
        wire, name = make(), self._origin.host if self._tls else None
        connecting = asyncio.get_running_loop().create_connection(
            lambda: wire, place[0], place[1], ssl=self._tls, server_hostname=name
        )
        try:
            await patience.result(connecting, keep_s)
        except BaseException:
            wire.abort()
            raise
        self._answered = place
        return wire


class _Patience:
    """Seconds to wait, counted in turns: a loop that comes back late has used up one turn, however late it is."""

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds
        self._turn_s = seconds / _TURNS

    async def result(self, work: Coroutine[Any, Any, T], keep_s: float = 0.0) -> T:
        """What `work` gives. Raises: TimeoutError, when only `keep_s` is left; whatever `work` raises."""
        task = asyncio.ensure_future(work)
        try:
            while self.left_s > keep_s:
                await asyncio.wait((task,), timeout=self._turn_s)
                if task.done():
                    return task.result()
                self.left_s -= self._turn_s
            raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))


@lru_cache(maxsize=1)
def _trusting_the_system() -> ssl.SSLContext:
    return ssl.create_default_context()
