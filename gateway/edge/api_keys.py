"""Who calls, from an `X-API-Key` header: `co_<id>_<secret>`, of which only the SHA-256 is ever configured or kept."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from gateway.edge.tokens import Caller
from gateway.errors import NotAuthenticated

SECRET_BYTES = 32
ISSUER = "api-keys"
KEY = re.compile(r"co_([a-z0-9-]{1,32})_([A-Za-z0-9_-]{43,128})", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")
NOBODY = bytes(32)


@dataclass(frozen=True, slots=True)
class ApiClient:
    """One configured key: `key_id` is the middle part of the key, `key_sha256` the hex digest of all of it.

    Two rows may share a `client_id`: that is how a key is changed without an outage.
    """

    key_id: str
    key_sha256: str
    subject: str
    client_id: str
    roles: tuple[str, ...] = ()
    plants: tuple[str, ...] = ()
    expires_at: float | None = None

    def __post_init__(self) -> None:
        if not DIGEST.fullmatch(self.key_sha256):
            raise ValueError(f"API key {self.key_id}: key_sha256 must be 64 hex digits")


def generate(key_id: str, random_bytes: Callable[[int], bytes]) -> tuple[str, str]:
    """Make a key. Takes: randomness such as `secrets.token_bytes`. Gives: the key, to show once, and its digest."""
    secret = urlsafe_b64encode(random_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    key = f"co_{key_id}_{secret}"
    match = KEY.fullmatch(key)
    if match is None or match[1] != key_id:
        raise ValueError("a key id is 1 to 32 of a-z, 0-9 and -")
    return key, sha256(key.encode()).hexdigest()


class ApiKeys:
    """Verifies API keys against the configured digests."""

    def __init__(self, clients: Iterable[ApiClient]) -> None:
        listed = tuple(clients)
        self._clients = {client.key_id: client for client in listed}
        if len(self._clients) != len(listed):
            raise ValueError("two API keys share one id")

    def verify(self, key: str, now: float) -> Caller:
        """Takes: the header's value and the time in epoch seconds. Raises: NotAuthenticated."""
        match = KEY.fullmatch(key)
        client = self._clients.get(match[1]) if match else None
        stored = bytes.fromhex(client.key_sha256) if client else NOBODY
        # Compared even when the id is unknown, so that the time taken does not tell which ids exist.
        good = hmac.compare_digest(sha256(key.encode("utf-8", "replace")).digest(), stored)
        if client is None or not good:
            raise NotAuthenticated("The API key is not known.", reason="unknown-key")
        if client.expires_at is not None and now >= client.expires_at:
            raise NotAuthenticated("The API key has expired.", reason="expired")
        names = tuple(sorted(set(client.roles))), tuple(sorted(set(client.plants)))
        return Caller(client.subject, client.client_id, ISSUER, *names, "api-key", client.expires_at)
