"""Header hygiene (pure): what the pipeline may see of a request.

What is removed or refused here is gone before authentication. What is left is read here and goes no further: every header of a call to
an ERP, and of an answer to a client, is the gateway's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from gateway.edge.head import SINGLETONS, RawHeaders, is_plant_header
from gateway.errors import Malformed

INTERNAL_PREFIX = b"x-changeover-"

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade http2-settings expect".split()
)
_FORWARDING = frozenset(
    b"forwarded x-forwarded x-forwarded-for x-forwarded-by x-forwarded-host x-forwarded-port x-forwarded-prefix "
    b"x-forwarded-proto x-forwarded-server x-forwarded-ssl x-real-ip x-client-ip x-cluster-client-ip true-client-ip "
    b"x-original-url x-rewrite-url via".split()
)
# Methods are what the request line says. Nobody may tunnel another one through.
_OVERRIDES = frozenset(b"x-http-method x-http-method-override x-method-override".split())
_DROPPED = _HOP_BY_HOP | _OVERRIDES
_LOOKED_AT = _DROPPED | _FORWARDING
_PROTECTED = (
    SINGLETONS - frozenset((b"upgrade", b"expect", b"transfer-encoding", b"proxy-authorization"))
) | _FORWARDING


class Headers:
    """The clean headers of one request; names in lower case, repeated list headers joined by a comma."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """Takes: the name in lower case."""
        return self._values.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and dict(self._values) == dict(other._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"Headers({sorted(self._values)})"  # names only: values may be secrets

    def items(self) -> Iterable[tuple[str, str]]:
        return self._values.items()


def clean(headers: RawHeaders, *, from_trusted_proxy: bool = False) -> Headers:
    """Strip hop-by-hop, internal and untrusted forwarding headers, and all that `Connection` names.

    Takes: names in lower case, as ASGI promises.
    Raises: Malformed, when `Connection` names a header that decides something, or one of those is given twice.
    """
    values: dict[str, str] = {}
    connection = b""
    for name, value in headers:
        if name in _LOOKED_AT:
            if name == b"connection":
                connection += value + b","
            if not from_trusted_proxy or name in _DROPPED:
                continue
        if name.startswith(INTERNAL_PREFIX):
            continue
        key = name.decode("latin-1")
        if key in values:
            values[key] = _joined(name, key, values[key], value)
        else:
            values[key] = value.decode("latin-1")
    if connection:
        _drop_named(connection, values)
    return Headers(MappingProxyType(values))


def _joined(name: bytes, key: str, first: str, second: bytes) -> str:
    if name in SINGLETONS or is_plant_header(name):
        raise Malformed(f"{key} is given twice.", field=key)
    return f"{first}, {second.decode('latin-1').strip()}"


def _drop_named(connection: bytes, values: dict[str, str]) -> None:
    for token in connection.lower().split(b","):
        name = token.strip()
        if name in _PROTECTED or is_plant_header(name):
            key = name.decode("latin-1")
            raise Malformed(f"Connection may not name {key}.", field="connection")
        values.pop(name.decode("latin-1"), None)
