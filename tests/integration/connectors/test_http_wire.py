"""The client's side of the wire: what is no answer, what ends a connection, and that nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from gateway.connectors.http import HttpTransport, Pool
from gateway.connectors.port import Gauge, Limits, NoAnswer, NotSent, TooSlow
from gateway.connectors.wire import Wire
from gateway.protocols.port import HttpCall, HttpReply
from tests.integration.connectors.scripted import WHOLE, Seen, erp, listening, transport
from tests.support.fault_proxy import Blackhole, CutRequest, CutResponse, FaultProxy, LoseResponse, Pass, ResetConnect

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 2\r\n\r\n{}"
GET = HttpCall("GET", "/x")
LONG_S = 30.0


# What is an answer

BROKEN = {
    "a length and chunks": CHUNKED + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks and a length": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two lengths that differ": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two lengths in one line": OK + b"Content-Length: 2, 3\r\n\r\n{}",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "a length in hexadecimal": OK + b"Content-Length: 0x2\r\n\r\n{}",
    "a length beyond all numbers": OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "an empty length": OK + b"Content-Length:\r\n\r\n{}",
    "a length with a blank before its colon": OK + b"Content-Length : 2\r\n\r\n{}",
    "no length": OK + b"\r\n{}",
    "no length, on a connection that is to be closed": OK + b"Connection: close\r\n\r\n{}",
    "a coding nobody asked for": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks inside chunks": CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked, and then something else": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk size with a sign": CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk size beyond all numbers": CHUNKED + b"\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"\r\n1\r\n{}\r\n0\r\n\r\n",
    "chunks that end in bare line feeds": CHUNKED + b"\r\n2\n{}\n0\n\n",
    "a length among the trailers": CHUNKED + b"\r\n2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n",
    "an endless chunk extension": CHUNKED + b"\r\n2;x=" + b"x" * 200_000,
    "endless trailers": CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 40_000,
    "a megabyte of empty lines before it": b"\r\n" * 500_000,
    "a header of 70 kB": OK + b"X: " + b"x" * 70_000 + b"\r\n" + LENGTH,
    "1,000 headers": OK + b"X: y\r\n" * 1000 + LENGTH,
    "interim answers without end": b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000,
    "a folded header": OK + b"X: a\r\n b\r\n" + LENGTH,
    "a bare line feed": OK + b"X: a\nY: b\r\n" + LENGTH,
    "a bare carriage return": OK + b"X: a\rY: b\r\n" + LENGTH,
    "a zero byte in a header": OK + b"X: a\x00b\r\n" + LENGTH,
    "a header without a name": OK + b": a\r\n" + LENGTH,
    "a header name that is none": OK + b"X\xc3\xa4: a\r\n" + LENGTH,
    "another protocol": b"ICY 200 OK\r\n" + LENGTH,
    "HTTP/2": b"HTTP/2.0 200 OK\r\n" + LENGTH,
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n" + LENGTH,
    "a status of two digits": b"HTTP/1.1 20 OK\r\n" + LENGTH,
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH,
    "status 999": b"HTTP/1.1 999 Whatever\r\n" + LENGTH,
    "status 0": b"HTTP/1.1 000 Whatever\r\n" + LENGTH,
    "another protocol after all": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello",
    "101 and nothing else": b"HTTP/1.1 101 Switching\r\n\r\n",
    "the gateway's own request": b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "TLS where none was asked for": b"\x15\x03\x01\x00\x02\x02\x50",
    "a body over the limit, in chunks": CHUNKED
    + b"\r\n"
    + b"8000\r\n"
    + b"x" * 0x8000
    + b"\r\n8000\r\n"
    + b"x" * 0x8000,
    "a body that says that it is over the limit": OK + b"Content-Length: 50001\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_breaks_http_is_no_answer_and_the_next_call_does_not_hear_of_it(name: str) -> None:
    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(BROKEN[name] if len(seen.requests) == 1 else WHOLE)

    async with erp(say) as seen, transport(seen.url, max_answer_bytes=50_000) as http:
        with pytest.raises(NoAnswer) as refused:
            await http.exchange(GET, LONG_S)
        assert not isinstance(refused.value, TooSlow), "it was known at once"
        assert (await http.exchange(GET, LONG_S)).body == b"{}"
        assert (seen.connections, len(seen.requests)) == (2, 2)


ODD = {
    "no reason": (b"HTTP/1.1 200\r\n" + LENGTH, HttpReply(200, {"content-length": "2"}, b"{}")),
    "an interim answer before it": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nETag: not-this\r\n\r\n" + OK + LENGTH,
        HttpReply(200, {"content-length": "2"}, b"{}"),
    ),
    "an empty line before it": (b"\r\n" + OK + LENGTH, HttpReply(200, {"content-length": "2"}, b"{}")),
    "chunks with an extension and a trailer": (
        CHUNKED + b"\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nETag: posing\r\n\r\n",
        HttpReply(200, {"transfer-encoding": "chunked"}, b"{}"),
    ),
    "a header twice": (
        OK + b"Warning: a\r\nwarning:b  \r\n" + LENGTH,
        HttpReply(200, {"warning": "a, b", "content-length": "2"}, b"{}"),
    ),
    "cookies, which no comma can join": (
        OK + b"Set-Cookie: a=1; Expires=Sat, 14 Nov 2026 12:00:00 GMT\r\nset-cookie: b=2\r\n" + LENGTH,
        HttpReply(200, {"content-length": "2"}, b"{}", ("a=1; Expires=Sat, 14 Nov 2026 12:00:00 GMT", "b=2")),
    ),
    "bytes beyond ASCII, kept as they are": (
        OK + b'ETag: W/"\xe4\xc3\xa4"\r\n' + LENGTH,
        HttpReply(200, {"etag": 'W/"\xe4\xc3\xa4"', "content-length": "2"}, b"{}"),
    ),
    "a compressed body, which is nobody's business here": (
        OK + b"Content-Encoding: gzip\r\n" + LENGTH,
        HttpReply(200, {"content-encoding": "gzip", "content-length": "2"}, b"{}"),
    ),
    "204 without a length": (b"HTTP/1.1 204 No Content\r\n\r\n", HttpReply(204, {}, b"")),
    "304 without a length": (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", HttpReply(304, {"etag": "x"}, b"")),
    "HTTP/1.0 that keeps the connection": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + LENGTH,
        HttpReply(200, {"connection": "Keep-Alive", "content-length": "2"}, b"{}"),
    ),
}


@pytest.mark.parametrize("name", ODD)
async def test_what_is_odd_and_whole_is_read_and_the_connection_is_kept(name: str) -> None:
    wire, reply = ODD[name]
    async with erp(wire) as seen, transport(seen.url) as http:
        assert [await http.exchange(GET, LONG_S) for _ in range(2)] == [reply, reply]
        assert seen.connections == 1


@pytest.mark.parametrize("name", ODD)
async def test_an_answer_that_drips_is_the_same_answer(name: str) -> None:
    wire, reply = ODD[name]

    async def drip(_: Seen, writer: asyncio.StreamWriter) -> None:
        for byte in wire:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async with erp(drip) as seen, transport(seen.url) as http:
        assert await http.exchange(GET, LONG_S) == reply


# What ends a connection

LAST = {
    "it says that it closes": OK + b"Connection: close\r\n" + LENGTH,
    "it says so among other words": OK + b"Connection: keep-alive, Close\r\n" + LENGTH,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + LENGTH,
    "a second answer nobody asked for": OK + LENGTH + OK + b"Content-Length: 6\r\n\r\nothers",
    "bytes behind it": OK + LENGTH + b"x",
    "chunks, and bytes behind them": CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
    "204 that announces a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
    "304 that announces chunks": b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("name", LAST)
async def test_an_answer_is_used_and_its_connection_is_not(name: str) -> None:
    async with erp(LAST[name]) as seen, transport(seen.url) as http:
        for _ in range(2):
            assert (await http.exchange(GET, LONG_S)).body in (b"{}", b"")
        assert seen.connections == 2
        await seen.ended.acquire()


async def test_what_an_erp_says_unasked_is_never_the_answer_to_the_next_request() -> None:
    async def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 1\r\n\r\n" + b"%d" % len(seen.requests))
        await writer.drain()
        await asyncio.sleep(0.05)  # in a segment of its own, when the connection lies idle
        writer.write(OK + b"Content-Length: 6\r\n\r\nothers")

    async with erp(say) as seen, transport(seen.url) as http:
        for turn in range(1, 4):
            assert (await http.exchange(GET, LONG_S)).body == b"%d" % turn
            await seen.ended.acquire()
        assert seen.connections == 3


async def test_the_answer_to_head_has_no_body_and_the_next_call_gets_its_own() -> None:
    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 2\r\n\r\n" + (b"" if seen.lines[-1].startswith(b"HEAD") else b"{}"))

    async with erp(say) as seen, transport(seen.url) as http:
        assert await http.exchange(HttpCall("HEAD", "/x"), LONG_S) == HttpReply(200, {"content-length": "2"}, b"")
        assert (await http.exchange(GET, LONG_S)).body == b"{}"


async def test_an_erp_that_answers_before_it_has_read_everything_is_heard_and_left() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"POST"):
            writer.write(refusal)
            await left.wait()
        else:
            writer.write(WHOLE)
        writer.close()

    left = asyncio.Event()
    async with listening(serve) as port, transport(f"http://127.0.0.1:{port}") as http:
        assert (await http.exchange(HttpCall("POST", "/x", {}, b"x" * 50_000_000), LONG_S)).status == 413
        assert (await http.exchange(GET, LONG_S)).body == b"{}"
        left.set()


async def test_a_big_request_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000
    async with erp() as seen, transport(seen.url) as http:
        for _ in range(2):
            await http.exchange(HttpCall("POST", "/x", {}, body), LONG_S)
        assert all(request.endswith(b"\r\n\r\n" + body) for request in seen.requests)
        assert seen.connections == 1


async def test_a_new_connection_on_which_the_erp_spoke_first_is_not_used_and_no_other_is_tried() -> None:
    class Plain(asyncio.Transport):
        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            ours.close()

    class Talkative:
        dials = 0

        async def dial(self, make: Callable[[], Wire]) -> Wire:
            self.dials += 1
            wire = make()
            wire.connection_made(Plain({"socket": ours}))
            return wire

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(WHOLE)
        dialer = Talkative()
        pool = Pool(dialer, Limits(), Gauge())  # type: ignore[arg-type]
        with pytest.raises(NotSent):
            await pool.take(asyncio.get_running_loop().time() + LONG_S)
    assert dialer.dials == 1


# What was sent, and how often

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("method", METHODS)
async def test_a_kept_connection_that_breaks_under_a_request_is_no_reason_to_send_it_again(method: str) -> None:
    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(seen.requests) == 1:
            writer.write(WHOLE)
        else:
            writer.transport.abort()

    async with erp(say) as seen, transport(seen.url) as http:
        await http.exchange(GET, LONG_S)
        with pytest.raises(NoAnswer):
            await http.exchange(HttpCall(method, "/second"), LONG_S)
        assert seen.lines == [b"GET /x HTTP/1.1", b"%s /second HTTP/1.1" % method.encode()]
        assert seen.connections == 1


@contextmanager
def erp_in_a_thread(said: threading.Event, closed: threading.Event) -> Iterator[int]:
    """Answers one request, waits for `said`, closes the connection and tells; then answers the next one."""
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            peer, _ = door.accept()
            peer.recv(65536)
            peer.sendall(WHOLE)
            said.wait()
            peer.close()
            closed.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        thread.join()
        door.close()


async def test_a_goodbye_that_our_loop_has_not_read_yet_puts_no_write_in_doubt() -> None:
    said, closed = threading.Event(), threading.Event()
    with erp_in_a_thread(said, closed) as port:
        async with transport(f"http://127.0.0.1:{port}") as http:
            await http.exchange(GET, LONG_S)
            said.set()
            closed.wait()  # this loop sleeps meanwhile
            reply = await http.exchange(HttpCall("POST", "/x", {}, b"{}"), LONG_S)
    assert reply.status == 200


BREAKS = {
    "the answer is lost": LoseResponse(),
    "the answer is cut in its head": CutResponse(10),
    "the answer is cut in its body": CutResponse(len(WHOLE) - 1),
    "the request is cut": CutRequest(20),
    "nothing is said, and then there is a reset": Blackhole(0.1),
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_connection_that_breaks_gives_no_answer_and_is_asked_once(name: str, method: str) -> None:
    async with erp() as seen, FaultProxy("127.0.0.1", seen.port) as proxy, transport(proxy.base_url) as http:
        proxy.rules = [BREAKS[name], Pass()]
        with pytest.raises(NoAnswer):
            await http.exchange(HttpCall(method, "/x"), LONG_S)
        assert len(seen.requests) <= 1
        assert proxy.connections_seen == 1
        assert (await http.exchange(GET, LONG_S)).status == 200


async def test_a_connection_that_is_reset_at_once_is_not_tried_again() -> None:
    async with erp() as seen, FaultProxy("127.0.0.1", seen.port) as proxy, transport(proxy.base_url) as http:
        proxy.rules = [ResetConnect(), Pass()]
        with pytest.raises((NotSent, NoAnswer)):  # which of them, the kernel decides
            await http.exchange(GET, LONG_S)
        assert (proxy.connections_seen, seen.requests) == (1, [])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9",
        "http://no-such-host.invalid",
        "https://127.0.0.1:9",
        "ftp://127.0.0.1",
        "http://u:p@127.0.0.1",
    ],
)
async def test_an_erp_that_cannot_be_reached_was_sent_nothing(url: str) -> None:
    async with transport(url) as http:
        with pytest.raises(NotSent):
            await http.exchange(GET, LONG_S)


INJECTIONS = {
    "a header value with a line": HttpCall("GET", "/x", {"X": "a\r\nX-Plant: 2000"}),
    "a header value with a bare line feed": HttpCall("GET", "/x", {"X": "a\nX-Plant: 2000"}),
    "a header value with a bare carriage return": HttpCall("GET", "/x", {"X": "a\rb"}),
    "a header value with a zero byte": HttpCall("GET", "/x", {"X": "a\x00b"}),
    "a header value that ends the head": HttpCall("GET", "/x", {"X": "a\r\n\r\nGET /y HTTP/1.1"}),
    "a header value that HTTP cannot carry": HttpCall("GET", "/x", {"X": "€"}),
    "a header name with a line": HttpCall("GET", "/x", {"X: a\r\nY": "b"}),
    "a header name with a colon": HttpCall("GET", "/x", {"X:Y": "b"}),
    "an empty header name": HttpCall("GET", "/x", {"": "b"}),
    "a length of the caller's own": HttpCall("POST", "/x", {"content-length": "7"}, b"{}"),
    "a coding of the caller's own": HttpCall("POST", "/x", {"Transfer-Encoding": "chunked"}, b"{}"),
    "a host of the caller's own": HttpCall("GET", "/x", {"HOST": "elsewhere"}),
    "a target with a line": HttpCall("GET", "/x HTTP/1.1\r\nX-Plant: 2000\r\n\r\n"),
    "a target with a blank": HttpCall("GET", "/x y"),
    "a target beyond ASCII": HttpCall("GET", "/ä"),
    "a target with a fragment": HttpCall("GET", "/x#y"),
    "a target that changes the host": HttpCall("GET", "@elsewhere/x"),
    "a method with a line": HttpCall("GET /y HTTP/1.1\r\nX: ", "/x"),
    "a method that is none": HttpCall("get", "/x"),
}


@pytest.mark.parametrize("name", INJECTIONS)
async def test_what_would_be_read_otherwise_than_it_was_meant_is_not_sent(name: str) -> None:
    async with erp() as seen, transport(seen.url) as http:
        with pytest.raises(NotSent):
            await http.exchange(INJECTIONS[name], LONG_S)
        assert seen.connections == 0


async def test_a_request_goes_below_the_path_of_the_base_url() -> None:
    async with erp() as seen, transport(f"{seen.url}/sap/bc/") as http:
        await http.exchange(HttpCall("POST", "/orders?$top=1", {"X-A": "b"}, b"{}"), LONG_S)
    assert seen.requests[0].decode().split("\r\n") == [
        "POST /sap/bc/orders?$top=1 HTTP/1.1",
        f"Host: 127.0.0.1:{seen.port}",
        "User-Agent: changeover",
        "Accept-Encoding: identity",
        "X-A: b",
        "Content-Length: 2",
        "",
        "{}",
    ]


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with erp() as seen, transport(seen.url) as http:
        assert (await http.exchange(GET, LONG_S)).status == 200


# Time, and those who go away


async def silence(seen: Seen, writer: asyncio.StreamWriter) -> None:
    if len(seen.requests) == 1:
        await asyncio.Event().wait()
    writer.write(WHOLE)


@pytest.mark.parametrize("way", ["cancelled", "out of time"])
async def test_a_call_that_is_given_up_takes_its_connection_with_it(way: str) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await reader.read() == b""
        gone.set()
        writer.close()

    async with listening(serve) as port, transport(f"http://127.0.0.1:{port}") as http:
        call = asyncio.create_task(http.exchange(GET, 0.2 if way == "out of time" else LONG_S))
        await asked.wait()
        if way == "cancelled":
            call.cancel()
        with pytest.raises(asyncio.CancelledError if way == "cancelled" else TooSlow):
            await call
        await gone.wait()


async def test_a_call_that_is_cancelled_while_it_waits_leaves_the_line_and_the_next_one_is_served() -> None:
    go = asyncio.Event()

    async def say(_: Seen, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(WHOLE)

    async with erp(say) as seen, transport(seen.url, concurrency=1) as http:
        calls = [asyncio.create_task(http.exchange(HttpCall("GET", f"/{n}"), LONG_S)) for n in range(4)]
        await asyncio.sleep(0.05)
        calls[1].cancel()
        go.set()
        replies = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(reply) for reply in replies] == [HttpReply, asyncio.CancelledError, HttpReply, HttpReply]
        assert seen.lines == [b"GET /0 HTTP/1.1", b"GET /2 HTTP/1.1", b"GET /3 HTTP/1.1"]
        assert seen.connections == 1


async def test_a_connection_given_to_a_call_that_was_cancelled_in_that_moment_goes_to_the_next_one() -> None:
    async def first() -> None:
        await http.exchange(GET, LONG_S)
        second.cancel()  # it was handed the connection, and has not run since

    async with erp() as seen, transport(seen.url, concurrency=1) as http:
        calls = [asyncio.create_task(first())]
        second = asyncio.create_task(http.exchange(HttpCall("GET", "/second"), LONG_S))
        calls += [second, asyncio.create_task(http.exchange(HttpCall("GET", "/third"), LONG_S))]
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), asyncio.CancelledError, HttpReply]
        assert seen.lines == [b"GET /x HTTP/1.1", b"GET /third HTTP/1.1"]
        assert seen.connections == 1


async def test_the_time_of_one_call_is_not_the_next_ones() -> None:
    async def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(seen.requests) == 2:
            await asyncio.sleep(0.4)
        writer.write(WHOLE)

    async with erp(say) as seen, transport(seen.url) as http:
        await http.exchange(GET, 0.2)
        assert (await http.exchange(GET, LONG_S)).status == 200
        assert seen.connections == 1


async def test_a_call_in_a_hurry_does_not_wait_as_long_as_the_patient_one_before_it_would_have() -> None:
    async def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(seen.requests) == 2:
            await asyncio.sleep(1)
        writer.write(WHOLE)

    async with erp(say) as seen, transport(seen.url) as http:
        assert (await http.exchange(GET, LONG_S)).status == 200
        with pytest.raises(TooSlow):
            await http.exchange(GET, 0.2)


async def test_who_waits_for_a_connection_beyond_his_time_has_sent_nothing() -> None:
    async with erp(silence) as seen, transport(seen.url, concurrency=1) as http:
        first = asyncio.create_task(http.exchange(GET, LONG_S))
        await asyncio.sleep(0.05)
        with pytest.raises(NotSent):
            await http.exchange(HttpCall("POST", "/second", {}, b"{}"), 0.1)
        assert seen.lines == [b"GET /x HTTP/1.1"]
        first.cancel()
        await asyncio.wait((first,))
        assert (await http.exchange(GET, LONG_S)).status == 200


@pytest.mark.parametrize("keep_alive_s", [4.0, 0.0])
async def test_no_more_connections_are_open_than_the_erp_may_have(keep_alive_s: float) -> None:
    async def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        under_way.append(len(seen.requests) - len(answered))
        await asyncio.sleep(0.001)
        answered.append(1)
        writer.write(WHOLE)

    under_way, answered = list[int](), list[int]()
    async with erp(say) as seen, transport(seen.url, concurrency=3, keep_alive_s=keep_alive_s) as http:
        await asyncio.gather(*(http.exchange(GET, LONG_S) for _ in range(60)))
        assert len(seen.requests) == 60
        assert seen.connections <= 3 if keep_alive_s else seen.connections == 60
        assert max(under_way) <= 3


async def test_an_idle_connection_is_closed_when_its_time_is_over() -> None:
    async with erp() as seen, transport(seen.url, keep_alive_s=0.1, concurrency=4) as http:
        await asyncio.gather(*(http.exchange(GET, LONG_S) for _ in range(4)))
        for _ in range(seen.connections):
            await seen.ended.acquire()
        assert (await http.exchange(GET, LONG_S)).status == 200


@pytest.mark.asyncio(loop_factories=["asyncio"])  # uvloop's clock stands still within a turn
async def test_a_connection_that_was_idle_too_long_is_not_used_though_the_timer_is_late() -> None:
    async with erp() as seen, transport(seen.url, keep_alive_s=0.1) as http:
        await http.exchange(GET, LONG_S)
        time.sleep(0.2)  # noqa: ASYNC251  # the loop has no turn in which the timer could fire
        await http.exchange(GET, LONG_S)
        assert seen.connections == 2


async def test_close_ends_what_is_idle_what_is_busy_and_what_waits() -> None:
    async def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(seen.requests) > 2:
            await asyncio.Event().wait()
        writer.write(WHOLE)

    async with erp(say) as seen, transport(seen.url, concurrency=2) as http:
        await asyncio.gather(*(http.exchange(GET, LONG_S) for _ in range(2)))
        calls = [asyncio.create_task(http.exchange(GET, LONG_S)) for _ in range(3)]
        await asyncio.sleep(0.05)
        await http.close()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(end).__name__ for end in ends) == ["NoAnswer", "NoAnswer", "NotSent"]
        with pytest.raises(NotSent):
            await http.exchange(GET, LONG_S)
        await http.close()


async def test_a_call_that_was_just_given_a_connection_when_all_is_closed_opens_no_other() -> None:
    async def first() -> None:
        await http.exchange(GET, LONG_S)
        await http.close()  # the second call was handed the connection, and has not run since

    async with erp() as seen, transport(seen.url, concurrency=1) as http:
        ends = await asyncio.gather(first(), http.exchange(GET, LONG_S), return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), NotSent]
        assert (seen.connections, len(seen.requests)) == (1, 1)


async def test_close_ends_a_dial() -> None:
    with silent_address() as port:
        async with transport(f"http://127.0.0.2:{port}", connect_timeout_s=60) as http:
            call = asyncio.create_task(http.exchange(GET, LONG_S))
            await asyncio.sleep(0.05)
            await http.close()
            with pytest.raises(NotSent):
                await call


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("way", ["closed", "cancelled"])
async def test_whenever_it_is_given_up_a_dial_leaves_no_connection_behind(turns: int, way: str) -> None:
    async with erp() as seen:
        async with transport(seen.url) as http:
            call = asyncio.create_task(http.exchange(GET, LONG_S))
            for _ in range(turns):
                await asyncio.sleep(0)
            if way == "cancelled":
                call.cancel()
            await http.close()
            await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(0.02)  # until the ERP has seen them all
        for _ in range(seen.connections):
            await seen.ended.acquire()


# Dials


@contextmanager
def silent_address(host: str = "127.0.0.2") -> Iterator[int]:
    """A port that drops those who knock: its queue is full, and nobody accepts."""
    with socket.socket() as door:
        door.bind((host, 0))
        door.listen(0)
        knocking = []
        for _ in range(4):
            knock = socket.socket()
            knock.setblocking(False)
            knock.connect_ex(door.getsockname())
            knocking.append(knock)
        try:
            yield door.getsockname()[1]
        finally:
            for knock in knocking:
                knock.close()


async def test_an_erp_that_does_not_take_a_connection_was_sent_nothing() -> None:
    with silent_address() as port:
        async with transport(f"http://127.0.0.2:{port}", connect_timeout_s=0.2) as http:
            with pytest.raises(NotSent, match="no connection in"):
                await http.exchange(GET, LONG_S)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # uvloop's getaddrinfo cannot be replaced
async def test_a_silent_address_does_not_hide_one_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    with silent_address() as port:

        async def both(*_: object, **__: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

        limits = {"connect_timeout_s": 0.4, "keep_alive_s": 0.0}
        async with listening(answering, port), transport(f"http://erp.example:{port}", **limits) as http:
            monkeypatch.setattr(loop, "getaddrinfo", both)
            for _ in range(3):
                assert (await http.exchange(GET, LONG_S)).status == 200


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(WHOLE)
    await reader.read()
    writer.close()


async def test_a_loop_that_was_late_does_not_blame_the_erp() -> None:
    async with erp() as seen, transport(seen.url, connect_timeout_s=0.2) as http:
        calls = [asyncio.create_task(http.exchange(GET, LONG_S)) for _ in range(20)]
        for _ in range(3):
            await asyncio.sleep(0)
            time.sleep(0.3)  # noqa: ASYNC251  # the loop is what stands still here
        assert {reply.status for reply in await asyncio.gather(*calls)} == {200}


@contextmanager
def erp_that_accepts_slowly(calls: int) -> Iterator[int]:
    """One accept a millisecond, and no answer before all have come. Its queue holds them all, or the kernel would be tested."""
    door = socket.create_server(("127.0.0.1", 0), backlog=calls)

    def serve() -> None:
        peers = []
        with suppress(OSError):  # the test is over
            for _ in range(calls):
                time.sleep(0.001)
                peers.append(door.accept()[0])
        for peer in peers:
            with peer:
                peer.recv(65536)
                peer.sendall(WHOLE)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        door.shutdown(socket.SHUT_RDWR)
        thread.join()
        door.close()


async def test_a_thousand_calls_at_once_are_a_thousand_answers_though_we_are_busy_and_the_erp_is_slow() -> None:
    async def call(http: HttpTransport) -> HttpReply:
        time.sleep(0.001)  # noqa: ASYNC251  # what the gateway itself does for a call
        return await http.exchange(GET, LONG_S)

    gauge = Gauge()
    with erp_that_accepts_slowly(1000) as port:
        http = HttpTransport(f"http://127.0.0.1:{port}", Limits(concurrency=1000, connect_timeout_s=0.4), gauge)
        replies = await asyncio.gather(*(call(http) for _ in range(1000)), return_exceptions=True)
        await http.close()
    assert [reply for reply in replies if not isinstance(reply, HttpReply)] == []
    assert gauge.opened == 1000


async def test_opened_and_reused_are_counted() -> None:
    async with erp() as seen:
        gauge = Gauge()
        http = HttpTransport(seen.url, Limits(), gauge)
        for _ in range(5):
            await http.exchange(GET, LONG_S)
        await http.close()
    assert (gauge.opened, gauge.reused) == (1, 4)
