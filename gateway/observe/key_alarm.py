"""Says that an identity provider's keys cannot be read: for a day its last ones let people in, and then nobody."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from gateway.edge.jwks import KeysState
from gateway.observe.logs import log


def tell_keys(trouble: MutableMapping[str, str], issuers: Mapping[str, KeysState]) -> None:
    """Bring what is told of key sources up to date, and log what changed. An issuer that is trusted no more is in no trouble."""
    failing = {_name(issuer): keys.last_error for issuer, keys in issuers.items() if keys.last_error is not None}
    for name in [each for each in trouble if each.startswith(_KEYS) and each not in failing]:
        del trouble[name]
        log.info("token_keys.read", source=name)
    for name, reason in failing.items():
        if trouble.get(name) != reason:
            trouble[name] = reason
            log.warning("token_keys.failing", source=name, reason=reason)


_KEYS = "keys of "


def _name(issuer: str) -> str:
    return f"{_KEYS}{issuer}"
