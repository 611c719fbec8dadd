"""Stage: who calls."""

from __future__ import annotations

from gateway.pipeline.exchange import Exchange, filled


async def authenticate(x: Exchange) -> Exchange:
    """Recognise the caller by a bearer token or an API key. Raises: NotAuthenticated, KeysUnavailable."""
    caller = await x.in_force.authenticator.caller(x.headers, x.clock.wall())
    return filled(x, caller=caller)
