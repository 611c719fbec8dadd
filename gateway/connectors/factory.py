"""From an ERP's declaration to the connector that guards it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.http import HttpTransport
from gateway.connectors.permits import Budgets
from gateway.connectors.port import Gauge, Limits, Session, Transport
from gateway.connectors.sessions import Basic, Bearer, ClientCredentials, Csrf, TrytonLogin
from gateway.core.deployment import Auth, Erp
from gateway.errors import SecretMissing
from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.odata_v4 import ODataV4
from gateway.protocols.port import HttpCall, HttpReply, ProtocolCodec
from gateway.protocols.tryton_rest import TrytonRest
from gateway.protocols.tryton_rpc import TrytonRpc

PROTOCOLS: Mapping[str, Callable[[], ProtocolCodec]] = MappingProxyType(
    {"odata-v2": ODataV2, "odata-v4": ODataV4, "tryton-rpc": TrytonRpc, "tryton-rest": TrytonRest}
)


def secret(reference: str) -> str:
    """Read what `env:NAME` or `file:/path` names. Raises: SecretMissing."""
    kind, _, place = reference.partition(":")
    try:
        return os.environ[place] if kind == "env" else Path(place).read_text("utf-8").strip()
    except (KeyError, OSError) as err:
        raise SecretMissing(f"{reference} is not set") from err


def address(url: str) -> str:
    """A URL, or the one that an environment variable holds. Raises: SecretMissing."""
    return secret(url) if url.startswith("env:") else url


def make_connector(
    erp: Erp, protocol: str, transport: Transport | None = None, budgets: Budgets | None = None
) -> GuardedConnector:
    """The connector of an ERP.

    Takes: `transport`, in place of a socket to its base URL; `budgets`, shared with other connectors to the same ERP.
    Raises: SecretMissing, KeyError: no such protocol.
    """
    limits = Limits(**erp.limits.model_dump())
    gauge = Gauge()
    transport = transport or HttpTransport(address(erp.base_url), limits, gauge)
    permits = budgets.of(erp.erp, limits) if budgets is not None else None
    return GuardedConnector(erp.erp, PROTOCOLS[protocol](), transport, _session(erp), limits, gauge, permits)


def _session(erp: Erp) -> Session:
    inner: Session = _WithHeaders(_login(erp.auth), erp.headers)
    return Csrf(inner, erp.csrf.fetch) if erp.csrf else inner


def _login(auth: Auth) -> Session:
    user, held = auth.user or "", auth.secret or ""

    def reveal() -> str:
        return secret(held)

    match auth.kind:
        case "basic":
            return Basic(user, reveal)
        case "bearer":
            return Bearer(reveal)
        case "tryton":
            return TrytonLogin(user, reveal)
        case "client-credentials":
            return ClientCredentials(auth.token_path or "", user, reveal)
    return _Nobody()


class _Nobody:
    """No credentials."""

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        return {}

    def expired(self, reply: HttpReply) -> bool:  # nothing to expire
        return False


class _WithHeaders:
    """A session that also sends fixed headers, such as `sap-client`."""

    def __init__(self, inner: Session, more: Mapping[str, str]) -> None:
        self._inner, self._more = inner, dict(more)

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        return self._more | await self._inner.headers(call, transport, timeout_s)

    def expired(self, reply: HttpReply) -> bool:
        return self._inner.expired(reply)
