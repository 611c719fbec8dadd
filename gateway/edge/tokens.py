"""Who calls, from a bearer token. The one module that verifies signatures; every rule here is a row of an attack table.

Nothing of the token is ever part of an error or a log line.
"""

from __future__ import annotations

import json
import math
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, Never, cast

from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.util import urlsafe_b64decode

from gateway.edge.jwks import SAFE_KID, KeySource, KeysState, PublicKey
from gateway.errors import NotAuthenticated

MAX_TOKEN_BYTES = 8 * 1024
MAX_LEEWAY_S = 60
MAX_NAMES = 256
SUPPORTED = frozenset({"RS256", "ES256", "EdDSA"})
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
# Headers that would let a token choose its own key or its own rules.
FORBIDDEN_HEADERS = frozenset({"jku", "x5u", "jwk", "x5c", "crit", "b64", "zip", "enc"})
NAME = re.compile(r"[^\x00-\x20\x7f-\xa0\ud800-\udfff]{1,128}")

Auth = Literal["jwt", "api-key"]

DETAILS = {
    "too-large": "The token is larger than 8 KiB.",
    "malformed": "The token is not a well-formed signed JWT.",
    "bad-header": "The token's header holds something that is not accepted.",
    "bad-algorithm": "The token is not signed with an algorithm its issuer uses here.",
    "unknown-issuer": "The token's issuer is not one this gateway trusts.",
    "unknown-key": "The key that signed the token is not one of its issuer's.",
    "bad-signature": "The token's signature does not hold.",
    "bad-audience": "The token is meant for another audience.",
    "missing-claim": "The token lacks a required claim.",
    "bad-claim": "A claim of the token has the wrong shape.",
    "expired": "The token has expired.",
    "not-yet-valid": "The token is not valid yet.",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the gateway knows them. `expires_at` is in seconds since 1970; None means no end."""

    subject: str
    client_id: str
    issuer: str
    roles: tuple[str, ...]
    plants: tuple[str, ...]
    auth: Auth
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Issuer:
    """One trusted identity provider and how its tokens are read.

    The `*_claim` names are looked up as they stand first and as dotted paths second.
    """

    name: str
    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    keys: KeySource
    leeway_s: float = 30.0
    client_claim: str = "azp"
    roles_claim: str = "roles"
    plants_claim: str = "plants"

    def __post_init__(self) -> None:
        if not self.algorithms or not self.algorithms <= SUPPORTED:
            raise ValueError(f"issuer {self.name}: algorithms must be some of {sorted(SUPPORTED)}")
        if not self.audiences or not self.issuer:
            raise ValueError(f"issuer {self.name}: needs an issuer and at least one audience")
        if not 0 <= self.leeway_s <= MAX_LEEWAY_S:
            raise ValueError(f"issuer {self.name}: leeway_s must be between 0 and {MAX_LEEWAY_S}")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A verified token's facts, kept so that only the signature check is saved."""

    caller: Caller
    issuer: Issuer
    kid: str | None
    fingerprint: str
    expires_at: float
    not_before: float


@dataclass(frozen=True, slots=True)
class _Parsed:
    header: dict[str, Any]
    claims: dict[str, Any]
    algorithm: str
    kid: str | None = field(default=None)


class _Pinned(JWSRegistry):
    """A registry of exactly one algorithm; the library's own would warn about EdDSA's name at each call."""

    max_header_length = MAX_TOKEN_BYTES

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRIES = {name: _Pinned(algorithms=[name], strict_check_header=False) for name in SUPPORTED}


def refuse(reason: str) -> Never:
    """Raise NotAuthenticated with the sentence that belongs to the reason."""
    raise NotAuthenticated(DETAILS[reason], reason=reason)


class TokenVerifier:
    """Verifies tokens of the configured issuers; remembers verified ones, so that a busy client costs little."""

    def __init__(self, issuers: Iterable[Issuer], *, cache_size: int = 10_000) -> None:
        listed = tuple(issuers)
        self._issuers: Mapping[str, Issuer] = {issuer.issuer: issuer for issuer in listed}
        if len(self._issuers) != len(listed):
            raise ValueError("two issuers share one `iss` value")
        self._cache_size = cache_size
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self.hits = self.misses = 0

    def keys(self) -> Mapping[str, KeysState]:
        """How the keys of each issuer are, by its name here."""
        return {issuer.name: issuer.keys.state() for issuer in self._issuers.values()}

    async def verify(self, token: str, now: float) -> Caller:
        """Takes: the compact token and the time in epoch seconds. Raises: NotAuthenticated, KeysUnavailable."""
        if len(token) > MAX_TOKEN_BYTES:
            refuse("too-large")
        if not token.isascii():
            refuse("malformed")
        digest = sha256(token.encode()).digest()
        seen = self._seen.get(digest)
        if seen is not None and await self._still_signed(seen):
            self._seen.move_to_end(digest)
            self.hits += 1
            check_times(seen.expires_at, seen.not_before, seen.issuer.leeway_s, now)
            return seen.caller
        self.misses += 1
        self._seen.pop(digest, None)
        fresh = await self._verify(token, now)
        self._remember(digest, fresh)
        return fresh.caller

    async def _still_signed(self, seen: _Seen) -> bool:
        key = await seen.issuer.keys.find(seen.kid)
        return key is not None and key.fingerprint == seen.fingerprint

    async def _verify(self, token: str, now: float) -> _Seen:
        parsed = parse(token)
        issuer = self._issuer_of(parsed.claims)
        if parsed.algorithm not in issuer.algorithms:
            refuse("bad-algorithm")
        key = await issuer.keys.find(parsed.kid)
        if key is None:
            refuse("unknown-key")
        check_signature(token, parsed.algorithm, key)
        expires_at, not_before = read_times(parsed.claims, issuer.leeway_s, now)
        caller = read_caller(parsed.claims, issuer, expires_at)
        return _Seen(caller, issuer, parsed.kid, key.fingerprint, expires_at, not_before)

    def _issuer_of(self, claims: dict[str, Any]) -> Issuer:
        name = claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            refuse("missing-claim" if name is None else "unknown-issuer")
        return issuer

    def _remember(self, digest: bytes, seen: _Seen) -> None:
        self._seen[digest] = seen
        while len(self._seen) > self._cache_size:
            self._seen.popitem(last=False)


def parse(token: str) -> _Parsed:
    """Take a compact token apart and apply every rule that needs no key. Raises: NotAuthenticated."""
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - header, payload, signature
        refuse("malformed")
    header, claims = _strict_object(parts[0]), _strict_object(parts[1])
    if FORBIDDEN_HEADERS & header.keys():
        refuse("bad-header")
    kind = header.get("typ")
    if kind is not None and not (isinstance(kind, str) and kind.lower() in TYPES):
        refuse("bad-header")
    kid = header.get("kid")
    if "kid" in header and not (isinstance(kid, str) and SAFE_KID.fullmatch(kid)):
        refuse("bad-header")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in SUPPORTED:
        refuse("bad-algorithm")
    return _Parsed(header, claims, algorithm, kid)


def _strict_object(segment: str) -> dict[str, Any]:
    try:
        text = urlsafe_b64decode(segment.encode()).decode()
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, IndexError, RecursionError):
        refuse("malformed")
    if not isinstance(value, dict):
        refuse("malformed")
    return cast("dict[str, Any]", value)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(name: str) -> Never:
    raise ValueError(name)


def check_signature(token: str, algorithm: str, key: PublicKey) -> None:
    """Raises: NotAuthenticated unless this key, with the algorithm it is for, signed the token."""
    if key.algorithm != algorithm:
        refuse("bad-algorithm")
    try:
        deserialize_compact(token, key.material, registry=_REGISTRIES[algorithm])
    except (JoseError, ValueError):
        refuse("bad-signature")


def read_times(claims: dict[str, Any], leeway_s: float, now: float) -> tuple[float, float]:
    """The end and the start of validity. Raises: NotAuthenticated when `now` lies outside, or a date is no number."""
    expires_at = _date(claims, "exp")
    if expires_at is None:
        refuse("missing-claim")
    not_before = max(_date(claims, "nbf") or 0.0, _date(claims, "iat") or 0.0)
    check_times(expires_at, not_before, leeway_s, now)
    return expires_at, not_before


def check_times(expires_at: float, not_before: float, leeway_s: float, now: float) -> None:
    if now >= expires_at + leeway_s:
        refuse("expired")
    if now + leeway_s < not_before:
        refuse("not-yet-valid")


def _date(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("bad-claim")
    try:
        seconds = float(value)
    except OverflowError:
        refuse("bad-claim")
    if not math.isfinite(seconds):
        refuse("bad-claim")
    return seconds


def read_caller(claims: dict[str, Any], issuer: Issuer, expires_at: float) -> Caller:
    """Read who calls from verified claims. Raises: NotAuthenticated."""
    audience = claims.get("aud")
    if audience is None:
        refuse("missing-claim")
    if not issuer.audiences & set(_names(audience)):
        refuse("bad-audience")
    return Caller(
        subject=_one_name(claims.get("sub")),
        client_id=_one_name(_claim(claims, issuer.client_claim)),
        issuer=issuer.name,
        roles=_names(_claim(claims, issuer.roles_claim)),
        plants=_names(_claim(claims, issuer.plants_claim)),
        auth="jwt",
        expires_at=expires_at,
    )


def _claim(claims: dict[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    value: Any = claims
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _one_name(value: Any) -> str:
    if value is None:
        refuse("missing-claim")
    if not isinstance(value, str) or not NAME.fullmatch(value):
        refuse("bad-claim")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or len(listed) > MAX_NAMES:
        refuse("bad-claim")
    return tuple(sorted({_one_name(name) for name in listed}))
