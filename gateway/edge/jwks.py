"""The keys that verify tokens: read from a file or a URL, cached, and only ever public and asymmetric.

`UrlKeys` keeps answering from its last good keys while the identity provider is away, for a day at most; wrong content,
an oversized answer or a redirect counts as away.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from gateway.errors import KeysUnavailable

SAFE_KID = re.compile(r"[A-Za-z0-9._~:@+/=-]{1,128}")
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
MODULUS_BYTES = range(256, 1025)
MAX_KEYS = 64
MAX_JWKS_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key and the one algorithm it may verify. `fingerprint` is its RFC 7638 thumbprint."""

    kid: str | None
    algorithm: str
    fingerprint: str
    material: RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class KeysState:
    """How a key source is doing, for metrics and the alarm. `age_s` is None before the first good read."""

    keys: int
    age_s: float | None
    failures: int
    last_error: str | None


class KeySource(Protocol):
    """One issuer's keys."""

    async def find(self, kid: str | None) -> PublicKey | None:
        """The key with this id; without an id, the only key there is. Raises KeysUnavailable."""
        ...

    def state(self) -> KeysState: ...


@dataclass(frozen=True, slots=True)
class KeySet:
    """All usable keys of one JWKS document."""

    keys: tuple[PublicKey, ...]
    by_kid: Mapping[str, PublicKey]

    def find(self, kid: str | None) -> PublicKey | None:
        if kid is not None:
            return self.by_kid.get(kid)
        return self.keys[0] if len(self.keys) == 1 else None


def read_jwks(body: bytes) -> KeySet:
    """Read a JWKS document; rows that cannot verify our tokens (encryption, symmetric, private, weak) are passed over.

    Raises: ValueError with a stable word when nothing usable is left or two keys share an id.
    """
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError("not-json") from error
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list) or len(rows) > MAX_KEYS:
        raise ValueError("not-a-jwks")
    keys = tuple(key for key in map(_public_key, rows) if key is not None)
    by_kid = {key.kid: key for key in keys if key.kid is not None}
    if not keys:
        raise ValueError("no-usable-key")
    if len(by_kid) != sum(key.kid is not None for key in keys):
        raise ValueError("duplicate-kid")
    return KeySet(keys, by_kid)


def _public_key(row: Any) -> PublicKey | None:
    if not isinstance(row, dict) or PRIVATE_MEMBERS & row.keys():
        return None
    kty, kid = row.get("kty"), row.get("kid")
    if not isinstance(kty, str) or not isinstance(row.get("crv"), str | None):
        return None
    algorithm = ALGORITHMS.get((kty, row.get("crv")))
    if algorithm is None or not _meant_for(row, algorithm):
        return None
    if kid is not None and not (isinstance(kid, str) and SAFE_KID.fullmatch(kid)):
        return None
    try:
        material = import_key({name: row[name] for name in ("kty", *MEMBERS[kty])})
        return PublicKey(kid, algorithm, material.thumbprint(), _asymmetric(material))
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def _meant_for(row: dict[str, Any], algorithm: str) -> bool:
    ops, named = row.get("key_ops"), row.get("alg")
    fits = named in (None, algorithm) or (algorithm == "EdDSA" and named == "Ed25519")
    return fits and row.get("use") in (None, "sig") and (ops is None or (isinstance(ops, list) and "verify" in ops))


def _asymmetric(material: Any) -> RSAKey | ECKey | OKPKey:
    if isinstance(material, RSAKey):
        bits = int(material.public_key.key_size)
        if (bits + 7) // 8 not in MODULUS_BYTES:
            raise ValueError("modulus")
        return material
    if isinstance(material, ECKey | OKPKey):
        return material
    raise TypeError("not asymmetric")


def _small_file(path: Path, size_bytes: int) -> bytes:
    if size_bytes > MAX_JWKS_BYTES:
        raise ValueError("too-large")
    return path.read_bytes()


class FileKeys:
    """Keys from a file, read again when it changes; a file that turns bad leaves the last good keys in force.

    Takes: `look_s`, how long a look at the file holds; a key that is not among the known ones is always looked for.
    """

    def __init__(self, path: Path, clock: Callable[[], float], look_s: float = 1.0) -> None:
        self._path, self._clock, self._look_s = path, clock, look_s
        self._looked_s = -math.inf
        self._seen: tuple[int, int, int] | None = None
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._failures = 0
        self._error: str | None = None

    async def find(self, kid: str | None) -> PublicKey | None:
        now_s = self._clock()
        found = self._keys.find(kid) if self._keys and now_s - self._looked_s < self._look_s else None
        if found is not None:
            return found
        self._looked_s = now_s
        self._reload_if_changed()
        if self._keys is None:
            raise KeysUnavailable("The keys that verify tokens cannot be read.")
        return self._keys.find(kid)

    def state(self) -> KeysState:
        age = None if self._keys is None else self._clock() - self._read_at
        return KeysState(len(self._keys.keys) if self._keys else 0, age, self._failures, self._error)

    def _reload_if_changed(self) -> None:
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return
            self._keys = read_jwks(_small_file(self._path, stat.st_size))
            self._seen, self._read_at, self._error = seen, self._clock(), None
        except OSError:
            self._failed("unreadable")
        except ValueError as error:
            # Remembered, or a bad file would be parsed again for every request.
            self._seen = seen
            self._failed(str(error))

    def _failed(self, reason: str) -> None:
        self._failures, self._error = self._failures + 1, reason


@dataclass(frozen=True, slots=True)
class UrlKeysTimes:
    """When keys are fetched.

    They are fetched in the background from half of `ttl_s`, and waited for after `ttl_s`. `cooldown_s` lies between two
    fetches that unknown key ids or an outage cause; `first_retry_s` between two while there are no keys at all.
    """

    ttl_s: float = 300.0
    cooldown_s: float = 30.0
    first_retry_s: float = 5.0
    stale_limit_s: float = 86_400.0
    timeout_s: float = 5.0


class UrlKeys:
    """Keys from a JWKS URL: one fetch at a time, shared by all who wait for it."""

    def __init__(
        self, url: str, http: httpx.AsyncClient, clock: Callable[[], float], times: UrlKeysTimes = UrlKeysTimes()
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("a JWKS URL must be https")
        self._url, self._http, self._clock, self._times = url, http, clock, times
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = self._unknown_at = float("-inf")
        self._failures = 0
        self._error: str | None = None
        self._flight: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> PublicKey | None:
        await self._freshen()
        key = self._current().find(kid)
        if key is None and kid is not None and self._may_ask_again():
            await self._fetch_shared()
            key = self._current().find(kid)
        return key

    def state(self) -> KeysState:
        age = None if self._keys is None else self._clock() - self._fetched_at
        return KeysState(len(self._keys.keys) if self._keys else 0, age, self._failures, self._error)

    async def close(self) -> None:
        """Stop a fetch in flight; the HTTP client belongs to the caller."""
        if self._flight is not None and not self._flight.done():
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def _current(self) -> KeySet:
        if self._keys is None or self._clock() - self._fetched_at > self._times.stale_limit_s:
            raise KeysUnavailable("The keys that verify tokens cannot be had.", retry_after_s=self._times.first_retry_s)
        return self._keys

    async def _freshen(self) -> None:
        now = self._clock()
        age, since = now - self._fetched_at, now - self._tried_at
        if self._keys is None:
            if self._in_flight() or since >= self._times.first_retry_s:
                await self._fetch_shared()
        elif self._error is not None:
            # An outage: nobody waits for a provider that is not there, the cached keys answer.
            if since >= self._times.cooldown_s:
                self._start()
        elif age >= self._times.ttl_s:
            await self._fetch_shared()
        elif age >= self._times.ttl_s / 2:
            self._start()

    def _may_ask_again(self) -> bool:
        if self._in_flight():
            return True
        now = self._clock()
        if now - self._unknown_at < self._times.cooldown_s:
            return False
        self._unknown_at = now
        return True

    def _in_flight(self) -> bool:
        return self._flight is not None and not self._flight.done()

    def _start(self) -> asyncio.Task[None]:
        if self._flight is None or self._flight.done():
            self._tried_at = self._clock()
            self._flight = asyncio.get_running_loop().create_task(self._fetch(), name="jwks")
        return self._flight

    async def _fetch_shared(self) -> None:
        # Shielded: one caller that goes away must not cancel the fetch of the others.
        await asyncio.shield(self._start())

    async def _fetch(self) -> None:
        started = self._clock()
        try:
            async with asyncio.timeout(self._times.timeout_s):
                self._keys = read_jwks(await self._download())
            self._fetched_at, self._failures, self._error = started, 0, None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
            self._failures, self._error = self._failures + 1, "unreachable"
        except ValueError as error:
            self._failures, self._error = self._failures + 1, str(error)

    async def _download(self) -> bytes:
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        async with self._http.stream("GET", self._url, headers=headers, follow_redirects=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError("redirect" if answer.is_redirect else "bad-status")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("compressed")
            body = b""
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError("too-large")
            return body
