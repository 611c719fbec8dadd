"""Keys and tokens for the tests: good ones, and any bad one a test asks for byte by byte."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.edge.jwks import KeySet, KeysState, PublicKey, read_jwks
from gateway.edge.tokens import Issuer

NOW = 1_800_000_000
ISS = "https://idp.example"
CLAIMS: dict[str, Any] = {
    "iss": ISS,
    "sub": "alice",
    "aud": "changeover",
    "azp": "mes-7",
    "exp": NOW + 300,
    "iat": NOW - 10,
    "roles": ["mes", "auditor"],
    "plants": ["1000"],
}


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@cache
def private_key(algorithm: str, name: str) -> Any:
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def jwk(algorithm: str, name: str = "k1", **changes: Any) -> dict[str, Any]:
    """The public key as a JWK row; a change of None leaves the member out."""
    public = private_key(algorithm, name).public_key()
    row: dict[str, Any] = {"kid": name, "use": "sig", "alg": algorithm}
    if algorithm == "RS256":
        numbers = public.public_numbers()
        row |= {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif algorithm == "ES256":
        numbers = public.public_numbers()
        row |= {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        row |= {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    return {member: value for member, value in (row | changes).items() if value is not None}


def jwks(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"keys": rows}).encode()


def sign(algorithm: str, name: str, signed: bytes) -> bytes:
    key = private_key(algorithm, name)
    if algorithm == "RS256":
        return bytes(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
    if algorithm == "ES256":
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return bytes(key.sign(signed))


def raw_token(header: bytes, payload: bytes, algorithm: str = "ES256", name: str = "k1") -> str:
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(sign(algorithm, name, signed.encode()))}"


def token(algorithm: str = "ES256", name: str = "k1", /, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token that holds but for the changes; a claim or header of None is left out."""
    head = {"alg": algorithm, "kid": name, "typ": "JWT"} | (header or {})
    body = CLAIMS | claims
    without = [{key: value for key, value in part.items() if value is not None} for part in (head, body)]
    return raw_token(*(json.dumps(part).encode() for part in without), algorithm, name)


class FixedKeys:
    """A key source that holds what it is given."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.hold(*rows)

    def hold(self, *rows: dict[str, Any]) -> None:
        self.keys: KeySet = read_jwks(jwks(*rows))

    async def find(self, kid: str | None) -> PublicKey | None:
        return self.keys.find(kid)

    def state(self) -> KeysState:
        return KeysState(len(self.keys.keys), 0.0, 0, None)


def issuer(keys: Any, **changes: Any) -> Issuer:
    facts: dict[str, Any] = {
        "name": "idp",
        "issuer": ISS,
        "audiences": frozenset({"changeover"}),
        "algorithms": frozenset({"ES256"}),
        "keys": keys,
        "leeway_s": 30,
    }
    return Issuer(**(facts | changes))
