"""Stage: who calls."""

from __future__ import annotations

from dataclasses import replace

from gateway.pipeline.exchange import Exchange


async def authenticate(x: Exchange) -> Exchange:
    """Recognise the caller by a bearer token or an API key. Raises: NotAuthenticated, KeysUnavailable."""
    caller = await x.in_force.authenticator.caller(x.headers, x.clock.wall())
    return replace(x, caller=caller)
