"""Every row of the token attack table over a real socket: none gets past the door, and no ERP hears of any."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.calls import Plant, good, refused
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import Pair
from tests.unit.identity import mint

Made = Callable[[], str]


@pytest.fixture(autouse=True)
def no_erp_hears_of_it(erps: Pair) -> Iterator[None]:
    with erps.untouched():
        yield


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    fresh = mint.CLAIMS | {"iat": now - 5, "exp": now + 300, "client_id": "mes-7"}
    return {k: v for k, v in (fresh | changes).items() if v is not None}


def _token(header: dict[str, Any] | None = None, **claims: Any) -> Made:
    now = int(time.time())
    return lambda: mint.token(
        "ES256", "k1", header, **({"iat": now - 5, "exp": now + 300, "client_id": "mes-7"} | claims)
    )


def _raw(claims: Callable[[bytes], bytes], header: bytes = b'{"alg":"ES256","kid":"k1","typ":"JWT"}') -> Made:
    return lambda: mint.raw_token(header, claims(json.dumps(_claims()).encode()))


def _shared_secret(algorithm: str) -> Made:
    """A token whose signature is an HMAC with our public key as the secret."""

    def make() -> str:
        header = json.dumps({"alg": algorithm, "kid": "k1", "typ": "JWT"}).encode()
        signed = f"{mint.b64(header)}.{mint.b64(json.dumps(_claims()).encode())}"
        secret = json.dumps(mint.jwk("ES256", "k1")).encode()
        return f"{signed}.{mint.b64(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return make


def _unsigned(algorithm: str) -> Made:
    def make() -> str:
        header = json.dumps({"alg": algorithm, "typ": "JWT"}).encode()
        return f"{mint.b64(header)}.{mint.b64(json.dumps(_claims()).encode())}."

    return make


def _plus(more: bytes) -> Callable[[bytes], bytes]:
    return lambda claims: claims[:-1] + more + b"}"


ATTACKS: dict[str, Made] = {
    "alg none": _unsigned("none"),
    "alg nOnE": _unsigned("nOnE"),
    "HS256 with our public key as secret": _shared_secret("HS256"),
    "HS256 under the name ES256": _shared_secret("ES256"),
    "expired": _token(exp=int(time.time()) - 3600),
    "no exp": _token(exp=None),
    "exp as text": _token(exp=str(int(time.time()) + 300)),
    "exp NaN": _raw(_plus(b',"exp":NaN')),
    "exp Infinity": _raw(_plus(b',"exp":Infinity')),
    "exp 1e400": _raw(lambda c: json.dumps(_claims(exp=None)).encode()[:-1] + b',"exp":1e400}'),
    "nbf in the future": _token(nbf=int(time.time()) + 3600),
    "iat in the future": _token(iat=int(time.time()) + 3600),
    "no sub": _token(sub=None),
    "no aud": _token(aud=None),
    "no iss": _token(iss=None),
    "unknown crit": _token({"crit": ["x"], "x": 1}),
    "kid is an object": _token({"kid": {"a": 1}}),
    "kid is a path": _token({"kid": "../../dev/null"}),
    "kid nobody knows": _token({"kid": "k99"}),
    "kid over 128 characters": _token({"kid": "k" * 129}),
    "payload is a list": _raw(lambda _: b"[]"),
    "sub twice": _raw(_plus(b',"sub":"admin"')),
    "alg twice": _raw(lambda c: c, b'{"alg":"ES256","alg":"none","kid":"k1"}'),
    "jku": _token({"jku": "https://evil.example/jwks"}),
    "x5u": _token({"x5u": "https://evil.example/cert"}),
    "embedded jwk": _token({"jwk": mint.jwk("ES256", "k1")}),
    "x5c": _token({"x5c": ["MIIB"]}),
    "typ dpop+jwt": _token({"typ": "dpop+jwt"}),
    "over 8 KiB": _token(pad="x" * 9000),
    "as deep as 8 KiB hold": _raw(lambda _: b'{"a":' + b"[" * 5800),
    "garbage": lambda: "a.b.c",
}
HUNDRED_THOUSAND_DEEP = _raw(lambda _: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize("name", ATTACKS)
def test_the_door_stays_shut(gateway: RunningGateway, name: str) -> None:
    token = ATTACKS[name]()
    caller = Plant(gateway.client(None, Authorization=f"Bearer {token}"), "1000")
    answer = caller.ordered()
    refused(answer, 401, "not-authenticated")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="changeover"')
    assert token not in answer.text


def test_a_token_nested_a_hundred_thousand_deep_does_not_even_reach_the_verifier(gateway: RunningGateway) -> None:
    answer = Plant(gateway.client(None, Authorization=f"Bearer {HUNDRED_THOUSAND_DEEP()}"), "1000").ordered()
    assert (answer.status_code, answer.json()["code"]) == (431, "headers-too-large")


def test_where_longer_headers_are_let_in_a_token_is_still_refused_by_its_size(
    erps: Pair, tmp_path: Path, starter: Callable[[Deployment], RunningGateway]
) -> None:
    made = deployment(tmp_path, erps)
    made.environment["CHANGEOVER_MAX_HEADER_BYTES"] = "1000000"
    door = starter(made)
    for token in (HUNDRED_THOUSAND_DEEP(), _token(pad="x" * 500_000)()):
        answer = Plant(door.client(None, Authorization=f"Bearer {token}"), "1000").ordered()
        assert refused(answer, 401, "not-authenticated")["reason"] == "too-large"


def test_a_token_without_a_key_id_is_believed_only_where_its_issuer_has_one_key(gateway: RunningGateway) -> None:
    nameless = gateway.client(None, Authorization=f"Bearer {_token({'kid': None}, roles=['mes'], plants=['1000'])()}")
    plant = Plant(nameless, "1000")
    good(plant.listed("production-orders", limit=1))
    gateway.deployment.publish_keys("k1", "k2")
    try:
        give_up_at_s = time.monotonic() + 30  # a key file is looked at once a second
        while (answer := plant.listed("production-orders", limit=1)).status_code == 200:
            assert time.monotonic() < give_up_at_s
            time.sleep(0.1)
        assert refused(answer, 401, "not-authenticated")["reason"] == "unknown-key"
    finally:
        gateway.deployment.publish_keys("k1")


def test_a_token_of_a_megabyte_does_not_even_reach_the_verifier(gateway: RunningGateway) -> None:
    answer = Plant(gateway.client(None, Authorization="Bearer " + "x" * 1_000_000), "1000").ordered()
    assert answer.status_code == 431
