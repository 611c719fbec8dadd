"""ERPs that break HTTP: a broken answer to a write is doubt, to a read an error, and never a success."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.connectors.http import HttpTransport
from gateway.connectors.port import Gauge, Limits, NoAnswer
from gateway.connectors.sessions import Basic
from gateway.errors import ErpAnswerBroken, OutcomeUnknown
from gateway.protocols.port import HttpCall, StepCall
from tests.integration.connectors.conftest import NEW, ORDERS, Connect

WRITE = HttpCall("POST", "/x", {"Content-Type": "application/json"}, b"{}")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def erp_that_says(
    answer: bytes, *, then: Callable[[asyncio.StreamWriter], None] | None = None
) -> AsyncIterator[str]:
    """A server that reads a request, says `answer` and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if then is not None:
            then(writer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def exchange(url: str) -> bytes:
    transport = HttpTransport(url, Limits(max_answer_bytes=100_000), Gauge())
    try:
        return (await transport.exchange(WRITE, 2.0)).body
    finally:
        await transport.close()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("less than its length", OK + b"Content-Length: 10\r\n\r\n{}"),
        ("no length, so it may be cut anywhere", OK + b"\r\n{}"),
        ("no length and an empty body", OK + b"Connection: close\r\n\r\n"),
        ("a chunk that never ends", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"),
        ("a chunk size that is no number", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        ("nothing at all", b""),
        ("half a status line", b"HTTP/1.1 20"),
        ("no HTTP", b"hello\r\n\r\n"),
        ("more than anybody needs", OK + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000),
        ("a header that never ends", OK + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n"),
    ],
)
async def test_an_answer_that_is_not_whole_is_no_answer(name: str, answer: bytes) -> None:
    async with erp_that_says(answer) as url:
        with pytest.raises(NoAnswer):
            await exchange(url)


async def test_a_whole_answer_is_read_even_if_the_erp_hangs_up_after_it() -> None:
    async with erp_that_says(OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}") as url:
        assert await exchange(url) == b"{}"


async def test_a_redirect_is_not_followed() -> None:
    async with erp_that_says(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    ) as url:
        assert await exchange(url) == b""


async def test_a_cookie_of_the_erp_is_not_sent_back_by_itself() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            seen.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
            writer.write(OK + b"Set-Cookie: SESSION=of-somebody\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = HttpTransport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Limits(), Gauge())
    for _ in range(2):
        await transport.exchange(WRITE, 2.0)
    await transport.close()
    server.close()
    assert all(b"cookie" not in request.lower() for request in seen)
    assert all(b"accept-encoding: identity" in request.lower() for request in seen)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_on_a_connection_that_breaks_goes_out_once(method: str) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = HttpTransport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Limits(), Gauge())
    with pytest.raises(NoAnswer):
        await transport.exchange(HttpCall(method, "/x", {}, b"{}"), 2.0)
    await transport.close()
    server.close()
    assert requests == 1


@pytest.mark.parametrize("depth", [100, 900, 5000])
async def test_a_document_nested_deeper_than_any_is_an_error_to_a_read_and_doubt_to_a_write(
    connect: Connect, depth: int
) -> None:
    body = b'{"d": {"ManufacturingOrder": "1", "Deep": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"
    soon = asyncio.get_running_loop().time() + 5
    async with erp_that_says(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body) as url:
        erp = connect(url, session=Basic("u", lambda: "p"))
        with pytest.raises(ErpAnswerBroken):
            await erp.read(ORDERS, {"ManufacturingOrder": "1"}, soon)
        with pytest.raises(OutcomeUnknown):
            await erp.send(ORDERS, StepCall("create", document=dict(NEW)), soon)
