"""Keys over a real socket, on a clock that is moved by hand: rotation, outage, and servers that do it wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.edge.jwks import UrlKeys, UrlKeysTimes
from gateway.edge.tokens import TokenVerifier
from gateway.errors import KeysUnavailable, NotAuthenticated
from tests.unit.identity.mint import NOW, issuer, jwk, jwks, token
from tests.unit.identity.test_jwks import Clock

Script = Callable[[asyncio.StreamWriter], None]


@asynccontextmanager
async def served(script: Script, *, stays_open: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    heads: list[bytes] = []
    done = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        script(writer)
        await writer.drain()
        if stays_open:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks", heads
        finally:
            done.set()


def answer(body: bytes, status: str = "200 OK", more: str = "") -> Script:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return lambda writer: writer.write(head.encode() + body)


async def test_a_token_is_verified_with_keys_from_a_socket() -> None:
    async with httpx.AsyncClient(trust_env=False) as http, served(answer(jwks(jwk("ES256")))) as (url, heads):
        guard = TokenVerifier([issuer(UrlKeys(url, http, time.monotonic))])
        callers = await asyncio.gather(*(guard.verify(token(sub=f"s{n}"), NOW) for n in range(10)))
    assert {caller.client_id for caller in callers} == {"mes-7"}
    assert len(heads) == 1
    assert b"accept-encoding: identity" in heads[0].lower()


async def test_a_redirect_is_not_followed() -> None:
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=True) as http,
        served(answer(jwks(jwk("ES256")))) as (target, reached),
        served(answer(b"", "302 Found", f"Location: {target}\r\n")) as (url, _),
    ):
        keys = UrlKeys(url, http, time.monotonic)
        with pytest.raises(KeysUnavailable):
            await keys.find("k1")
        assert keys.state().last_error == "redirect"
        assert reached == []


async def test_an_endless_body_is_cut_off() -> None:
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        served(lambda w: w.write(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1_000_000), stays_open=True) as (url, _),
    ):
        keys = UrlKeys(url, http, time.monotonic)
        with pytest.raises(KeysUnavailable):
            await keys.find("k1")
        assert keys.state().last_error == "too-large"


async def test_a_server_that_never_finishes_is_given_up() -> None:
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        served(lambda w: w.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), stays_open=True) as (url, _),
    ):
        keys = UrlKeys(url, http, time.monotonic, UrlKeysTimes(timeout_s=0.2))
        with pytest.raises(KeysUnavailable):
            await keys.find("k1")
        assert keys.state().last_error == "unreachable"


class Rotating:
    """What a provider publishes; it may be changed while it serves, and be gone for a while."""

    def __init__(self, *names: str) -> None:
        self.publish(*names)

    def publish(self, *names: str) -> None:
        self.body = jwks(*[jwk("ES256", name) for name in names])
        self.gone = False

    def __call__(self, writer: asyncio.StreamWriter) -> None:
        if not self.gone:
            answer(self.body)(writer)


async def test_a_key_that_was_taken_away_is_refused_when_its_time_is_over() -> None:
    provider, clock = Rotating("k1", "k2"), Clock()
    async with httpx.AsyncClient(trust_env=False) as http, served(provider) as (url, _):
        guard = TokenVerifier([issuer(UrlKeys(url, http, clock))])
        await guard.verify(token("ES256", "k1"), NOW)
        provider.publish("k2")
        clock.now_s += 300
        with pytest.raises(NotAuthenticated):
            await guard.verify(token("ES256", "k1"), NOW)
        assert await guard.verify(token("ES256", "k2"), NOW)


async def test_a_key_nobody_knows_is_asked_for_once_in_half_a_minute_and_found_after_that() -> None:
    provider, clock = Rotating("k1"), Clock()
    async with httpx.AsyncClient(trust_env=False) as http, served(provider) as (url, heads):
        keys = UrlKeys(url, http, clock)
        assert await keys.find("k1")
        assert await keys.find("k2") is None
        provider.publish("k1", "k2")
        clock.now_s += 29
        for number in range(1000):
            assert await keys.find(f"x{number}") is None
        assert await keys.find("k2") is None
        assert len(heads) == 2
        clock.now_s += 1
        assert await keys.find("k2")
    assert len(heads) == 3


async def test_while_the_provider_is_gone_its_last_keys_hold_for_a_day_and_then_nobody_is_let_in() -> None:
    provider, clock = Rotating("k1"), Clock()
    async with httpx.AsyncClient(trust_env=False) as http, served(provider) as (url, heads):
        keys = UrlKeys(url, http, clock)
        assert await keys.find("k1")
        provider.gone = True
        for _ in range(3):
            clock.now_s += 28_799
            assert await keys.find("k1")
        assert len(heads) > 1
        assert keys.state().last_error == "unreachable"
        clock.now_s += 4
        with pytest.raises(KeysUnavailable):
            await keys.find("k1")
        provider.publish("k1")
        clock.now_s += 30
        await keys.close()
        with pytest.raises(KeysUnavailable):
            await keys.find("k1")  # it asks, and nobody waits for a provider that may still be gone
        assert keys._flight is not None
        await keys._flight
        assert await keys.find("k1")
