"""Bodies, answers and connections: what a client and an application see of each other."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from gateway.edge.limits import EdgeLimits
from gateway.edge.rejection import Rendered
from gateway.errors import GatewayError
from tests.integration.edge.attacks import END, HOST, ONE, chunked, get, post
from tests.integration.edge.echo import Echo
from tests.integration.edge.wire import Address, Client, Reply, ask, wire_server

LIMITS = EdgeLimits(max_body_bytes=100_000, linger_s=0.3)


class Recorder:
    """An app that writes down all it receives, and answers when it saw the end."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.messages.clear()
        self.ended.clear()
        more = True
        while more:
            message = await receive()
            self.messages.append(message)
            more = message.get("more_body", False)
        self.ended.set()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def recorded(request: pytest.FixtureRequest, recorder: Recorder) -> Iterator[Address]:
    with wire_server(recorder, LIMITS, loop=request.param) as address:
        yield address


@pytest.fixture(scope="module")
def echoed() -> Iterator[Address]:
    with wire_server(Echo(LIMITS), LIMITS) as address:
        yield address


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"5\r\nhello\r\n", b"xx\r\n"),
        (b"5\r\nhello", b"xx" + END),
        (b"5\r\nhello\r\n", b"5;a\nhello\r\n" + END),
        (b"5\r\nhello\r\n0\r\n", b"X-T: 1\nY: 2\r\n\r\n"),
        (b"5\r\nhello\r\n", b"1;" + b"a" * 40_000),
        (b"5\r\nhello\r\n0\r\n", b"X-T: " + b"a" * 40_000),
    ],
    ids=["bad size", "bad end of chunk", "bare LF", "bare LF in a trailer", "large extension", "large trailer"],
)
def test_a_framing_error_after_dispatch_reaches_the_application_as_a_disconnect(
    recorded: Address, recorder: Recorder, first: bytes, second: bytes
) -> None:
    reply = ask(recorded, chunked(first), second, pause_s=0.05)
    assert reply.statuses == [400]
    assert reply.closed
    assert recorder.ended.wait(5)
    assert recorder.messages[-1]["type"] == "http.disconnect"
    assert all(message.get("more_body", True) for message in recorder.messages)


def test_a_chunked_body_over_the_limit_is_answered_413(recorded: Address, recorder: Recorder) -> None:
    pieces = [b"4e20\r\n" + b"a" * 20_000 + b"\r\n"] * 6
    reply = ask(recorded, chunked(b""), *pieces, END, pause_s=0.02)
    assert (reply.statuses, reply.closed) == ([413], True)
    assert recorder.ended.wait(5)
    assert recorder.messages[-1]["type"] == "http.disconnect"


def test_a_declared_body_over_the_limit_is_answered_413_before_it_is_sent(recorded: Address) -> None:
    head = post(b"Expect: 100-continue\r\nContent-Length: 100001\r\n", b"")
    reply = ask(recorded, head)
    assert reply.statuses == [413]
    assert b"100 Continue" not in reply.raw


def test_a_body_of_exactly_the_limit_arrives_whole(recorded: Address, recorder: Recorder) -> None:
    assert ask(recorded, post(b"Content-Length: 100000\r\n", b"a" * 100_000)).statuses == [200]
    assert sum(len(message["body"]) for message in recorder.messages) == 100_000


def test_chunks_of_any_size_arrive_whole(recorded: Address, recorder: Recorder) -> None:
    body = b"".join(b"%x\r\n" % size + b"a" * size + b"\r\n" for size in range(1, 400))
    assert ask(recorded, chunked(body + END)).statuses == [200]
    assert sum(len(message["body"]) for message in recorder.messages) == sum(range(1, 400))


def test_a_client_that_leaves_half_way_is_a_disconnect(recorded: Address, recorder: Recorder) -> None:
    with Client(recorded) as client:
        client.send(post(b"Content-Length: 50\r\n", b"half"))
    assert ask(recorded, get()).statuses == [200]


def test_kept_connections_serve_one_request_after_the_other(recorded: Address) -> None:
    with Client(recorded) as client:
        for _ in range(20):
            client.send(post(b"Content-Length: 5\r\n", b"hello"))
            assert client.read(settle_s=0.01).statuses == [200]
            client.send(chunked(ONE + END))
            assert client.read(settle_s=0.01).statuses == [200]


def test_pipelined_requests_are_answered_in_order(echoed: Address) -> None:
    reply = ask(echoed, b"".join(get(b"/n%d" % n) for n in range(10)), answers=10)
    assert reply.statuses == [200] * 10
    places = [reply.raw.index(b'"n%d"' % n) for n in range(10)]
    assert places == sorted(places)


def test_a_bad_request_behind_a_good_one_is_refused_after_the_good_answer(echoed: Address) -> None:
    reply = ask(echoed, get() + b"GET  /x HTTP/1.1\r\n\r\n" + get(), answers=2)
    assert (reply.statuses, reply.closed) == ([200, 400], True)


def test_a_rejection_is_a_problem_document_and_closes(echoed: Address) -> None:
    reply = ask(echoed, b"TRACE /x HTTP/1.1\r\n" + HOST + b"\r\n")
    head, _, body = reply.raw.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert b"allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT" in head
    document = json.loads(body)
    assert (document["status"], document["code"]) == (405, "method-not-allowed")
    assert reply.closed


def test_a_rejected_head_request_gets_no_body(echoed: Address) -> None:
    reply = ask(echoed, b"HEAD /x HTTP/1.1\r\n\r\n", quiet_s=0.6)
    assert reply.raw.startswith(b"HTTP/1.1 400 ")
    assert reply.raw.endswith(b"\r\n\r\n")


def test_the_body_of_a_rejection_can_be_rendered_by_the_caller() -> None:
    from gateway.edge.http_protocol import strict_protocol

    def render(error: GatewayError, request_id: str) -> Rendered:
        return 400, [("x-own", "1")], f"<{error.code}>".encode()

    with wire_server(Echo(LIMITS), LIMITS, http=strict_protocol(LIMITS, render)) as address:
        raw = ask(address, b"GET  /x HTTP/1.1\r\n\r\n").raw
    assert raw.endswith(b"\r\n\r\n<malformed>")
    assert b"\r\nx-own: 1\r\n" in raw


def request_id(reply: Reply) -> str:
    (found,) = re.findall(rb"\r\nx-request-id: (\S+)\r\n", reply.raw.rpartition(b"HTTP/1.1 ")[2])
    return str(found, "ascii")


def test_a_rejection_has_a_request_id_of_its_own_in_head_and_body(echoed: Address) -> None:
    replies = [ask(echoed, b"GET  /x HTTP/1.1\r\n\r\n") for _ in range(2)]
    for reply in replies:
        document = json.loads(reply.raw.partition(b"\r\n\r\n")[2])
        assert document["instance"] == f"urn:request:{request_id(reply)}"
    assert len({request_id(reply) for reply in replies}) == 2


TOO_LONG = b"Content-Length: 999999999\r\n"


def test_a_rejection_tells_the_callers_own_request_id_where_it_is_sound(echoed: Address) -> None:
    asked = b"POST /x HTTP/1.1\r\n" + HOST + TOO_LONG
    assert request_id(ask(echoed, asked + b"X-Request-Id: night-run-0001\r\n\r\n")) == "night-run-0001"
    for bad in (b"short", b"with space", b"x" * 65, b"night-run-0001\r\nX-Request-Id: night-run-0002"):
        reply = ask(echoed, asked + b"X-Request-Id: " + bad + b"\r\n\r\n")
        assert re.fullmatch("[0-9a-f]{32}", request_id(reply)), bad


def test_the_request_id_of_a_rejection_is_never_that_of_the_request_before(echoed: Address) -> None:
    first = get(headers=b"X-Request-Id: night-run-0001\r\n")
    reply = ask(echoed, first + b"GET  /x HTTP/1.1\r\n\r\n", answers=2)
    assert reply.statuses == [200, 400]
    assert request_id(reply) != "night-run-0001"


def test_connections_of_one_address_are_capped_and_counted_down_again() -> None:
    with wire_server(Echo(LIMITS), EdgeLimits(max_connections_per_ip=3)) as address:
        clients = [Client(address) for _ in range(3)]
        for client in clients:
            client.send(get())
            assert client.read().statuses == [200]
        assert ask(address, get()).statuses == [503]
        clients[0].socket.close()
        statuses: list[int] = []
        while statuses != [200]:
            statuses = ask(address, get()).statuses
        for client in clients:
            client.socket.close()


async def _answer(send: Any, headers: list[tuple[bytes, bytes]], body: bytes = b"ok") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-length", b"2"), (b"Content-Length", b"2")], 500),
        ([(b"content-length", b"2"), (b"content-length", b"3")], 500),
        ([(b"content-length", b"2, 2")], 500),
        ([(b"x-a", b"a\r\nset-cookie: b")], 500),
        ([(b"x-a\r\nset-cookie", b"b")], 500),
        ([(b"content-length", b"2"), (b"transfer-encoding", b"chunked")], 200),
        ([(b"content-length", b"2"), (b"connection", b"keep-alive, x-a"), (b"keep-alive", b"timeout=5")], 200),
        ([(b"content-length", b"2"), (b"upgrade", b"h2c"), (b"trailer", b"x")], 200),
    ],
    ids=[
        "CL twice",
        "two CL",
        "CL list",
        "CR LF in a value",
        "CR LF in a name",
        "CL and TE",
        "hop-by-hop",
        "upgrade and trailer",
    ],
)
def test_an_answer_cannot_be_framed_twice_or_split(headers: list[tuple[bytes, bytes]], status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _answer(send, headers)

    with wire_server(app, LIMITS) as address:
        reply = ask(address, get(), quiet_s=1)
    head = reply.raw.partition(b"\r\n\r\n")[0].lower()
    assert reply.statuses == [status]
    assert head.count(b"content-length") <= 1
    for word in (b"transfer-encoding", b"keep-alive", b"upgrade", b"trailer", b"set-cookie"):
        assert word not in head


@pytest.mark.parametrize("size", [0, 1, 60_000, 200_000])
def test_an_answer_of_any_size_arrives_whole_with_its_head(size: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _answer(send, [(b"content-length", str(size).encode())], b"x" * size)

    with wire_server(app, LIMITS) as address:
        reply = ask(address, get(), quiet_s=1)
    head, _, body = reply.raw.partition(b"\r\n\r\n")
    assert (reply.statuses, body) == ([200], b"x" * size)
    assert head.lower().count(b"\r\ncontent-length: ") == 1


def test_an_answer_without_a_length_comes_in_chunks_piece_by_piece() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello", "more_body": True})
        await send({"type": "http.response.body", "body": b", you"})

    with wire_server(app, LIMITS) as address:
        client = HTTPConnection(address.host, address.port)
        client.request("GET", "/x")
        reply = client.getresponse()
        assert (reply.getheader("transfer-encoding"), reply.read()) == ("chunked", b"hello, you")
        client.close()


@pytest.mark.parametrize("body", [b"short", b"much too long"])
def test_an_answer_that_is_not_as_long_as_it_says_ends_the_connection_and_not_the_server(body: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _answer(send, [(b"content-length", b"8")], body)

    with wire_server(app, LIMITS) as address:
        first = ask(address, get(), quiet_s=1)
        assert (first.closed, b"\r\n\r\n" + body in first.raw) == (True, False)
        assert ask(address, get(), quiet_s=1).closed


def test_an_answer_given_before_the_body_ended_is_seen_and_the_connection_closed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _answer(send, [(b"content-length", b"2")])

    with wire_server(app, LIMITS) as address:
        reply = ask(address, post(b"Content-Length: 100000\r\n", b"a" * 50_000), get(), pause_s=0.05, quiet_s=2)
    assert (reply.statuses, reply.closed) == ([200], True)


def test_an_application_that_fails_after_a_framing_error_leaves_the_server_alive() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] == "http.request":
            pass
        raise RuntimeError("gone")

    with wire_server(app, LIMITS) as address:
        assert ask(address, chunked(b"5\r\nhello\r\n"), b"zz\r\n", pause_s=0.05).statuses == [400]
        assert ask(address, chunked(b"5\r\nhello\r\n"), b"zz\r\n", pause_s=0.05).statuses == [400]


def test_the_client_address_is_the_peer_whatever_a_header_says(echoed: Address) -> None:
    reply = ask(echoed, get(headers=b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"))
    assert b'"client": "127.0.0.1"' in reply.raw
