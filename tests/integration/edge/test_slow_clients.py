"""Clients that take their time: each is cut off, and nobody else waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.edge.limits import EdgeLimits
from tests.integration.edge.attacks import HOST, chunked, get, post
from tests.integration.edge.echo import Echo
from tests.integration.edge.wire import Address, Client, ask, wire_server

LIMITS = EdgeLimits(
    header_timeout_s=0.3,
    body_grace_s=0.4,
    body_min_bytes_per_s=1024,
    body_total_s=1.5,
    keep_alive_s=0.4,
    linger_s=0.2,
)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Echo, Address]]:
    echo = Echo(LIMITS)
    with wire_server(echo, LIMITS, loop=request.param) as address:
        yield echo, address


@pytest.fixture
def echo(served: tuple[Echo, Address]) -> Echo:
    served[0].acted.clear()
    return served[0]


@pytest.fixture
def address(served: tuple[Echo, Address]) -> Address:
    return served[1]


def drip(client: Client, data: bytes, pause_s: float) -> None:
    """Send byte after byte until the server has had enough."""
    for byte in data:
        if not client.send(bytes([byte])):
            return
        time.sleep(pause_s)


def test_a_connection_that_says_nothing_is_closed_without_a_word(address: Address) -> None:
    assert ask(address, quiet_s=5).raw == b""
    assert ask(address, quiet_s=5).closed


def test_half_a_request_line_is_answered_408(address: Address, echo: Echo) -> None:
    reply = ask(address, b"GET /x HT")
    assert (reply.statuses, reply.closed, echo.acted) == ([408], True, [])


def test_a_header_that_drips_is_cut_though_bytes_keep_coming(address: Address, echo: Echo) -> None:
    with Client(address) as client:
        drip(client, get(headers=b"X-A: " + b"a" * 200 + b"\r\n"), 0.02)
        assert client.read().statuses == [408]
    assert echo.acted == []


def test_a_body_that_never_comes_is_answered_408(address: Address, echo: Echo) -> None:
    reply = ask(address, post(b"Content-Length: 5\r\n", b""))
    assert (reply.statuses, reply.closed, echo.acted) == ([408], True, [])


def test_a_body_that_stops_half_way_is_answered_408(address: Address, echo: Echo) -> None:
    reply = ask(address, post(b"Content-Length: 5\r\n", b"he"))
    assert (reply.statuses, reply.closed, echo.acted) == ([408], True, [])


def test_a_body_slower_than_the_rate_is_cut(address: Address, echo: Echo) -> None:
    with Client(address) as client:
        client.send(post(b"Content-Length: 500\r\n", b""))
        drip(client, b"a" * 500, 0.02)
        assert client.read().statuses == [408]
    assert echo.acted == []


def test_chunks_that_drip_are_cut(address: Address, echo: Echo) -> None:
    with Client(address) as client:
        client.send(chunked(b""))
        for _ in range(100):
            if not client.send(b"1\r\na\r\n"):
                break
            time.sleep(0.02)
        assert client.read().statuses == [408]
    assert echo.acted == []


def test_a_body_fast_enough_but_endless_is_cut_at_the_total_time(address: Address, echo: Echo) -> None:
    with Client(address) as client:
        client.send(post(b"Content-Length: 8000000\r\n", b""))
        for _ in range(200):
            if not client.send(b"a" * 400):
                break
            time.sleep(0.02)
        assert client.read().statuses == [408]
    assert echo.acted == []


def test_a_slow_body_above_the_rate_is_served(address: Address, echo: Echo) -> None:
    pieces = [b"a" * 300] * 10
    reply = ask(address, post(b"Content-Length: 3000\r\n", b""), *pieces, pause_s=0.08)
    assert reply.statuses == [200]
    assert echo.acted


def test_an_idle_kept_connection_is_closed(address: Address) -> None:
    with Client(address) as client:
        client.send(get())
        assert client.read().statuses == [200]
        assert client.read(quiet_s=5) == client.read(quiet_s=5)
        assert client.read(quiet_s=5).closed


def test_the_next_request_on_a_kept_connection_has_a_header_timeout_too(address: Address) -> None:
    with Client(address) as client:
        client.send(get())
        assert client.read().statuses == [200]
        client.send(b"GET /x HTTP/1.1\r\n" + HOST)
        reply = client.read()
        assert (reply.statuses, reply.closed) == ([408], True)


def test_empty_lines_do_not_keep_a_connection_alive(address: Address) -> None:
    with Client(address) as client:
        drip(client, b"\r\n" * 100, 0.02)
        assert client.read(quiet_s=5).closed


def test_a_good_client_is_served_among_half_open_ones(address: Address, echo: Echo) -> None:
    clients = [Client(address) for _ in range(100)]
    try:
        for client in clients:
            client.send(b"POST /x HTTP/1.1\r\nHos")
        assert ask(address, get()).statuses == [200]
    finally:
        for client in clients:
            client.socket.close()


def test_a_slow_application_does_not_cost_its_client_the_connection() -> None:
    import asyncio

    from gateway.edge.body import read_body

    async def slow(scope: object, receive: object, send: object) -> None:
        await asyncio.sleep(1.0)  # longer than the grace; the client has been stopped by then
        body = await read_body(receive, LIMITS)  # type: ignore[arg-type]
        headers = [(b"content-length", b"0"), (b"x-size", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    size = 4_000_000
    with wire_server(slow, replace(LIMITS, body_total_s=5)) as address:
        reply = ask(address, post(b"Content-Length: %d\r\n" % size, b"a" * size))
    assert reply.statuses == [200]
    assert b"x-size: 4000000" in reply.raw


def test_an_endless_header_is_cut_early(address: Address, echo: Echo) -> None:
    sent = 0
    with Client(address) as client:
        client.send(b"GET /x HTTP/1.1\r\n" + HOST + b"X-A: ")
        while sent < 40_000_000 and client.send(b"a" * 65536):
            sent += 65536
    # What the sockets of both ends can hold, no more
    assert sent < 16_000_000
    assert echo.acted == []
    assert ask(address, get()).statuses == [200]


def test_an_endless_trailer_is_cut_early(address: Address, echo: Echo) -> None:
    sent = 0
    with Client(address) as client:
        client.send(chunked(b"5\r\nhello\r\n0\r\nX-T: "))
        while sent < 40_000_000 and client.send(b"a" * 65536):
            sent += 65536
    assert sent < 16_000_000
    assert echo.acted == []


def test_an_endless_body_is_cut_early(address: Address, echo: Echo) -> None:
    sent = 0
    with Client(address) as client:
        client.send(chunked(b""))
        while sent < 300_000_000 and client.send(b"10000\r\n" + b"a" * 65536 + b"\r\n"):
            sent += 65536
    assert sent < LIMITS.max_body_bytes + 16_000_000
    assert echo.acted == []
    assert ask(address, get()).statuses == [200]
