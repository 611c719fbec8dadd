"""The head of a request, as a value: the borders of each limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.head import Framing, check_headers, check_lines, check_request_line
from gateway.edge.limits import EdgeLimits
from gateway.edge.response_guard import checked_response_headers
from gateway.errors import GatewayError, HeadersTooLarge, Malformed, MethodNotAllowed, TooLarge, UriTooLong

LIMITS = EdgeLimits(max_header_bytes=200, max_headers=3, max_uri_bytes=20, max_body_bytes=1000)
HOST = (b"host", b"gateway.example")


def framing(*headers: tuple[bytes, bytes], http_1_0: bool = False) -> Framing:
    return check_headers([HOST, *headers], http_1_0=http_1_0, limits=LIMITS)


def test_the_uri_limit_is_exact() -> None:
    check_request_line(b"GET /" + b"a" * 19 + b" HTTP/1.1", LIMITS)
    with pytest.raises(UriTooLong):
        check_request_line(b"GET /" + b"a" * 20 + b" HTTP/1.1", LIMITS)


def test_a_method_outside_the_list_says_which_are_inside() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        check_request_line(b"TRACE / HTTP/1.1", LIMITS)
    assert "GET" in caught.value.extra["allow"]


def test_the_header_limits_are_exact() -> None:
    check_lines(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3 + b"\r\n", LIMITS)
    with pytest.raises(HeadersTooLarge):
        check_lines(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4 + b"\r\n", LIMITS)
    with pytest.raises(HeadersTooLarge):
        check_lines(b"GET / HTTP/1.1\r\nA: " + b"b" * 200 + b"\r\n\r\n", LIMITS)


@given(st.binary(max_size=40))
def test_no_control_byte_passes_in_a_head(value: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nA: b" + value + b"\r\n\r\n"
    try:
        check_lines(head, EdgeLimits())
    except GatewayError:
        return
    lines = head.split(b"\r\n")
    assert not any((byte < 32 and byte != 9) or byte == 127 for line in lines for byte in line)
    assert not any(line[:1] in (b" ", b"\t") for line in lines if line)


def test_a_body_is_framed_in_exactly_one_way() -> None:
    assert framing() == Framing(0)
    assert framing((b"content-length", b"1000")) == Framing(1000)
    assert framing((b"transfer-encoding", b"Chunked")) == Framing(0, chunked=True)
    with pytest.raises(TooLarge):
        framing((b"content-length", b"1001"))
    with pytest.raises(Malformed):
        framing((b"transfer-encoding", b"chunked"), http_1_0=True)


@pytest.mark.parametrize("host", [b"gw", b"gw:1", b"10.0.0.1:8080", b"[::1]:8080", b"a-b.example:65535", b"A_B"])
def test_valid_hosts_pass(host: bytes) -> None:
    assert check_headers([(b"host", host)], http_1_0=False, limits=LIMITS) == Framing(0)


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a:", b"a:0", b"a:65536", b"a:x", b"a/b", b"a@b", b"[::1", b"a,b", b"a\\b", b"-a"]
)
def test_invalid_hosts_are_refused(host: bytes) -> None:
    with pytest.raises(Malformed):
        check_headers([(b"host", host)], http_1_0=False, limits=LIMITS)


def test_an_answer_keeps_close_and_loses_every_other_connection_header() -> None:
    given_headers = [
        (b"Connection", b"close"),
        (b"Keep-Alive", b"x"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-A", b"b"),
    ]
    assert checked_response_headers(given_headers) == [(b"connection", b"close"), (b"x-a", b"b")]
