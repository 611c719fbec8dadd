"""Keys come from where they are kept, are public and asymmetric, and outlive a provider that is away for a while."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from gateway.edge.jwks import FileKeys, UrlKeys, read_jwks
from gateway.edge.tokens import TokenVerifier
from gateway.errors import KeysUnavailable, NotAuthenticated
from tests.unit.identity.mint import NOW, issuer, jwk, jwks, token

URL = "https://idp.example/jwks"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    "row",
    [
        {"kty": "oct", "kid": "s", "k": "c2VjcmV0"},
        jwk("ES256", d="AAAA"),
        jwk("ES256", use="enc"),
        jwk("ES256", alg="ES512"),
        jwk("ES256", alg="HS256"),
        jwk("ES256", key_ops=["sign"]),
        jwk("ES256", crv="P-384"),
        jwk("ES256", x="AAAA"),
        jwk("ES256", x=None),
        jwk("ES256", kid=7),
        jwk("ES256", kid="a b"),
        jwk("ES256", kty=["EC"]),
        jwk("ES256", crv={}),
        jwk("RS256", n="AQAB"),
        jwk("EdDSA", crv="X25519"),
        "text",
        None,
    ],
)
def test_a_row_that_could_not_safely_verify_is_passed_over(row: Any) -> None:
    kept = read_jwks(jwks(row, jwk("RS256", "good")))
    assert [key.kid for key in kept.keys] == ["good"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b"\xff", "not-json"),
        (b"[" * 100_000, "not-json"),
        (b"<html>", "not-json"),
        (b"[]", "not-a-jwks"),
        (b'{"keys": {}}', "not-a-jwks"),
        (json.dumps({"keys": [1] * 65}).encode(), "not-a-jwks"),
        (b'{"keys": []}', "no-usable-key"),
        (jwks({"kty": "oct", "kid": "s", "k": "c2VjcmV0"}), "no-usable-key"),
        (jwks(jwk("ES256"), jwk("ES256", "other", kid="k1")), "duplicate-kid"),
    ],
)
def test_a_document_that_is_no_key_set_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_jwks(body)


async def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path, clock = tmp_path / "jwks.json", Clock()
    path.write_bytes(jwks(jwk("ES256")))
    keys = FileKeys(path, clock)
    assert await keys.find("k1")
    path.write_bytes(jwks(jwk("ES256", "k2")))
    os.utime(path, ns=(1, 1))
    assert await keys.find("k2"), "a key nobody knows yet is looked for at once"
    assert await keys.find("k1") is None


async def test_a_key_taken_out_of_its_file_is_believed_for_a_second_at_most(tmp_path: Path) -> None:
    path, clock = tmp_path / "jwks.json", Clock()
    path.write_bytes(jwks(jwk("ES256")))
    keys = FileKeys(path, clock)
    assert await keys.find("k1")
    path.write_bytes(jwks(jwk("ES256", "k2")))
    os.utime(path, ns=(1, 1))
    clock.now_s += 0.9
    assert await keys.find("k1")
    clock.now_s += 0.1
    assert await keys.find("k1") is None


@pytest.mark.parametrize("change", [b"{", b" " * 300_000, None])
async def test_a_key_file_that_turns_bad_leaves_the_last_keys_in_force(tmp_path: Path, change: bytes | None) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks(jwk("ES256")))
    clock = Clock()
    keys = FileKeys(path, clock)
    assert await keys.find("k1")
    clock.now_s += 1
    path.unlink() if change is None else path.write_bytes(change)
    assert await keys.find("k1")
    assert keys.state().last_error is not None
    assert keys.state().failures >= 1


async def test_a_missing_key_file_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable):
        await FileKeys(tmp_path / "none.json", Clock()).find("k1")


@pytest.fixture
async def http() -> Any:
    async with httpx.AsyncClient() as client:
        yield client


@respx.mock
async def test_many_callers_share_one_first_fetch(http: httpx.AsyncClient) -> None:
    route = respx.get(URL).respond(content=jwks(jwk("ES256")))
    keys = UrlKeys(URL, http, Clock())
    found = await asyncio.gather(*(keys.find("k1") for _ in range(50)))
    assert all(found)
    assert route.call_count == 1


@respx.mock
async def test_ten_thousand_unknown_ids_cause_one_fetch_per_cooldown(http: httpx.AsyncClient) -> None:
    route = respx.get(URL).respond(content=jwks(jwk("ES256")))
    clock = Clock()
    keys = UrlKeys(URL, http, clock)
    await keys.find("k1")
    for number in range(10_000):
        assert await keys.find(f"x{number}") is None
    assert route.call_count == 2
    clock.now_s += 29
    assert await keys.find("y") is None
    assert route.call_count == 2
    clock.now_s += 1
    assert await keys.find("y") is None
    assert route.call_count == 3


@respx.mock
async def test_rotation_with_overlap_refuses_no_good_token(http: httpx.AsyncClient) -> None:
    route = respx.get(URL)
    route.respond(content=jwks(jwk("ES256")))
    clock = Clock()
    keys = UrlKeys(URL, http, clock)
    guard = TokenVerifier([issuer(keys)])
    await guard.verify(token(), NOW)
    route.respond(content=jwks(jwk("ES256"), jwk("ES256", "k2")))
    clock.now_s += 1
    # The new key is found at once; the old one still holds.
    assert all(await asyncio.gather(*(guard.verify(token("ES256", "k2", sub=f"s{n}"), NOW) for n in range(20))))
    assert await guard.verify(token(), NOW)
    assert route.call_count == 2


@respx.mock
async def test_a_removed_key_is_refused_within_the_lifetime_even_for_remembered_tokens(http: httpx.AsyncClient) -> None:
    route = respx.get(URL)
    route.respond(content=jwks(jwk("ES256"), jwk("ES256", "k2")))
    clock = Clock()
    guard = TokenVerifier([issuer(UrlKeys(URL, http, clock))])
    presented = token()
    await guard.verify(presented, NOW)
    route.respond(content=jwks(jwk("ES256", "k2")))
    clock.now_s += 300
    with pytest.raises(NotAuthenticated) as caught:
        await guard.verify(presented, NOW)
    assert caught.value.extra == {"reason": "unknown-key"}


@respx.mock
async def test_keys_are_fetched_in_the_background_before_they_are_too_old(http: httpx.AsyncClient) -> None:
    route = respx.get(URL).respond(content=jwks(jwk("ES256")))
    clock = Clock()
    keys = UrlKeys(URL, http, clock)
    await keys.find("k1")
    clock.now_s += 151
    assert await keys.find("k1")
    assert keys._flight is not None
    await keys._flight
    assert route.call_count == 2
    assert keys.state().age_s == 0


BAD = {
    "a server error": httpx.Response(500),
    "a redirect": httpx.Response(302, headers={"Location": "http://127.0.0.1:9/internal"}),
    "a page": httpx.Response(200, text="<html>login</html>"),
    "a megabyte": httpx.Response(200, content=b" " * 1_000_000 + jwks(jwk("ES256", "evil"))),
    "a compressed body": httpx.Response(200, content=b"x", headers={"Content-Encoding": "gzip"}),
    "no keys": httpx.Response(200, content=b'{"keys": []}'),
    "silence": httpx.ConnectError("down"),
}


@pytest.mark.parametrize("what", BAD)
@respx.mock
async def test_while_the_provider_is_away_the_last_keys_hold_for_a_day(http: httpx.AsyncClient, what: str) -> None:
    answer = BAD[what]
    route = respx.get(URL)
    route.respond(content=jwks(jwk("ES256")))
    clock = Clock()
    keys = UrlKeys(URL, http, clock)
    assert await keys.find("k1")
    route.mock(side_effect=[answer] * 5000 if isinstance(answer, httpx.Response) else answer)
    for _ in range(3):
        clock.now_s += 400
        assert await keys.find("k1")
        assert keys._flight is not None
        await keys._flight
        assert keys.state().failures > 0
        assert keys.state().last_error
    assert await keys.find("evil") is None
    clock.now_s += 86_400 - 1200
    assert await keys.find("k1")
    clock.now_s += 1
    with pytest.raises(KeysUnavailable):
        await keys.find("k1")
    assert all(str(call.request.url) == URL for call in respx.calls)


@respx.mock
async def test_without_any_keys_yet_the_answer_is_an_outage_and_then_they_come(http: httpx.AsyncClient) -> None:
    route = respx.get(URL).respond(500)
    clock = Clock()
    keys = UrlKeys(URL, http, clock)
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            await keys.find("k1")
    assert route.call_count == 1
    route.respond(content=jwks(jwk("ES256")))
    clock.now_s += 5
    assert await keys.find("k1")
    assert keys.state().last_error is None


@respx.mock
async def test_a_caller_that_goes_away_does_not_cancel_the_others_fetch(http: httpx.AsyncClient) -> None:
    gate = asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, content=jwks(jwk("ES256")))

    respx.get(URL).mock(side_effect=slow)
    keys = UrlKeys(URL, http, Clock())
    first, second = (asyncio.ensure_future(keys.find("k1")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.set()
    assert await second
    await keys.close()


@pytest.mark.parametrize("url", ["http://idp.example/jwks", "ftp://idp.example", "file:///etc/passwd"])
def test_keys_are_not_fetched_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        UrlKeys(url, httpx.AsyncClient(), Clock())
