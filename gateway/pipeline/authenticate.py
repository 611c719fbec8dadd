"""Stage: who calls."""

from __future__ import annotations

from contextlib import suppress

from gateway.errors import GatewayError, Malformed, MethodNotAllowed, UnknownResource
from gateway.pipeline.exchange import Exchange, filled, required
from gateway.pipeline.negotiate import allowed


async def authenticate(x: Exchange) -> Exchange:
    """Recognise the caller by a bearer token or an API key. Raises: NotAuthenticated, KeysUnavailable, MethodNotAllowed."""
    try:
        caller = await x.in_force.authenticator.caller(x.headers, x.clock.wall())
    except GatewayError:
        _known_method(x)
        raise
    return filled(x, caller=caller)


def _known_method(x: Exchange) -> None:
    """Which methods a path of the version has is told to everybody, as `OPTIONS` tells it. Raises: MethodNotAllowed."""
    with suppress(UnknownResource, Malformed):  # what is not there is told to those who may call
        methods = allowed(required(x.contract, "contract"), required(x.target, "target"))
        if x.method not in methods:
            raise MethodNotAllowed(f"{x.method} is not among the methods of this resource.", allow=methods)
