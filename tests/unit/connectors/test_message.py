"""Messages to and from an ERP: however an answer is cut by the network it is the same, and a request says what it seems to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.connectors.message import Answer, Origin
from gateway.connectors.port import NoAnswer, NotSent
from gateway.protocols.port import HttpCall, HttpReply

NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True).filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding", b"connection", b"set-cookie", b"upgrade")
)
VALUES = st.from_regex(rb"([!-~\x80-\xff]([\t -~\x80-\xff]{0,30}[!-~\x80-\xff])?)?", fullmatch=True)
INTERIM = st.sampled_from(
    [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nETag: x\r\n\r\n"]
)


@dataclass(frozen=True, slots=True)
class Said:
    """What an ERP says, and what that means."""

    wire: bytes
    reply: HttpReply


@st.composite
def answers(draw: st.DrawFn) -> Said:
    status = draw(st.sampled_from([200, 201, 204, 302, 304, 400, 404, 503]))
    fields = draw(st.lists(st.tuples(NAMES, VALUES), max_size=8))
    cookies = draw(st.lists(VALUES, max_size=3))
    pieces = [] if status in (204, 304) else draw(st.lists(st.binary(min_size=1, max_size=200), max_size=5))
    framing, framed = _framed(draw, status, pieces)
    named = [*fields, *framing, *((b"Set-Cookie", cookie) for cookie in cookies)]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in draw(st.permutations(named)))
    interim = b"".join(draw(st.lists(INTERIM, max_size=2)))
    wire = interim + b"HTTP/1.1 %d X\r\n" % status + lines + b"\r\n" + framed
    ordered = [line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1]]
    return Said(wire, HttpReply(status, _joined(ordered), b"".join(pieces), _cookies(ordered)))


def _framed(draw: st.DrawFn, status: int, pieces: list[bytes]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    if status in (204, 304):
        return [], b""
    if draw(st.booleans()):
        return [(b"Content-Length", b"%d" % sum(map(len, pieces)))], b"".join(pieces)
    chunks = b"".join(b"%x;note=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    trailer = draw(st.sampled_from([b"", b"ETag: posing-as-a-header\r\n"]))
    return [(b"Transfer-Encoding", b"Chunked")], chunks + b"0\r\n" + trailer + b"\r\n"


def _joined(lines: list[list[bytes]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in lines:
        if name != b"Set-Cookie":
            found.setdefault(name.decode().lower(), []).append(value.decode("latin-1"))
    return {name: ", ".join(values) for name, values in found.items()}


def _cookies(lines: list[list[bytes]]) -> tuple[str, ...]:
    return tuple(value.decode("latin-1") for name, value in lines if name == b"Set-Cookie")


def fed(answer: Answer, wire: bytes, cuts: list[int]) -> HttpReply | None:
    ends = sorted({cut % (len(wire) + 1) for cut in cuts} | {len(wire)})
    reply = None
    for start, end in zip([0, *ends], ends, strict=False):
        if wire[start:end]:
            assert reply is None, "an answer was whole before its end"
            reply = answer.feed(wire[start:end])
    return reply


@given(answers(), st.lists(st.integers(min_value=0, max_value=100_000), max_size=12))
def test_an_answer_is_the_same_however_it_is_cut(said: Said, cuts: list[int]) -> None:
    answer = Answer("GET", 10_000)
    assert fed(answer, said.wire, cuts) == said.reply
    assert answer.reusable


@given(answers())
def test_an_answer_that_comes_byte_by_byte_is_the_same(said: Said) -> None:
    assert fed(Answer("POST", 10_000), said.wire, list(range(len(said.wire)))) == said.reply


@given(answers(), st.data())
def test_half_an_answer_is_no_answer_yet(said: Said, data: st.DataObject) -> None:
    end = data.draw(st.integers(min_value=1, max_value=len(said.wire) - 1))
    assert Answer("GET", 10_000).feed(said.wire[:end]) is None


@given(answers(), st.binary(min_size=1, max_size=40).filter(lambda more: more.strip(b"\r\n") != b""))
def test_whatever_stands_behind_an_answer_ends_the_connection(said: Said, more: bytes) -> None:
    answer = Answer("GET", 10_000)
    assert answer.feed(said.wire + more) == said.reply
    assert not answer.reusable


@given(answers(), answers())
def test_two_answers_to_one_request_are_the_first_one_and_the_end_of_the_connection(one: Said, other: Said) -> None:
    answer = Answer("GET", 10_000)
    assert answer.feed(one.wire + other.wire) == one.reply
    assert not answer.reusable


@given(answers(), st.data())
def test_a_spoilt_answer_is_an_answer_or_none_and_nothing_else(said: Said, data: st.DataObject) -> None:
    place = data.draw(st.integers(min_value=0, max_value=len(said.wire) - 1))
    spoilt = said.wire[:place] + data.draw(st.binary(max_size=3)) + said.wire[place + 1 :]
    try:
        reply = Answer("GET", 10_000).feed(spoilt)
    except NoAnswer:
        return
    assert reply is None or reply.status in range(200, 600)


@given(st.binary(max_size=300))
def test_noise_is_no_answer(noise: bytes) -> None:
    try:
        assert Answer("GET", 10_000).feed(b"noise" + noise) is None
    except NoAnswer:
        return


def test_an_answer_to_head_announces_a_body_and_has_none() -> None:
    answer = Answer("HEAD", 10)
    reply = answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    assert reply == HttpReply(200, {"content-length": "500"}, b"")
    assert not answer.reusable, "an ERP that sends the body all the same would be heard by the next request"


@pytest.mark.parametrize(
    ("base_url", "host", "path"),
    [
        ("http://erp.example", "erp.example", "/x"),
        ("http://erp.example:80/", "erp.example", "/x"),
        ("http://erp.example:8000/sap/", "erp.example:8000", "/sap/x"),
        ("https://erp.example", "erp.example", "/x"),
        ("https://erp.example:443", "erp.example", "/x"),
        ("https://erp.example:80", "erp.example:80", "/x"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "/x"),
        ("http://[::1]", "[::1]", "/x"),
        ("http://[2001:db8::5]:8443/a/b", "[2001:db8::5]:8443", "/a/b/x"),
        ("http://bücher.example", "xn--bcher-kva.example", "/x"),
    ],
)
def test_the_host_is_named_as_the_url_names_it(base_url: str, host: str, path: str) -> None:
    head, body = Origin(base_url).request(HttpCall("GET", "/x"))
    assert head.decode().split("\r\n") == [
        f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: changeover", "Accept-Encoding: identity", "", "",
    ]  # fmt: skip
    assert body == b""


@pytest.mark.parametrize(
    "base_url",
    ["", "erp.example", "ftp://erp.example", "http://", "http://u:p@erp.example", "http://erp.example/?a=1", "http://a b",
     "http://erp.example/#x", "http://erp.example:x", "http://erp.example:99999", "http://[::1", "http://a..b"],
)  # fmt: skip
def test_what_is_no_base_url_is_refused_and_not_repeated(base_url: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        Origin(base_url)
    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", None, None),
        ("GET", b"", None),
        ("POST", None, b"0"),
        ("POST", b"", b"0"),
        ("PATCH", b"{}", b"2"),
        ("DELETE", None, b"0"),
        ("GET", b"{}", b"2"),
    ],
)
def test_a_request_says_how_long_it_is(method: str, body: bytes | None, length: bytes | None) -> None:
    head, sent = Origin("http://erp.example").request(HttpCall(method, "/x", {}, body))
    told = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    assert told == ([] if length is None else [length])
    assert sent == (body or b"")


@given(
    st.dictionaries(st.from_regex(r"X-[A-Za-z0-9-]{1,10}", fullmatch=True), st.text(max_size=30), max_size=4),
    st.text(max_size=30),
)
def test_a_request_has_the_lines_it_was_given_or_is_not_sent(headers: dict[str, str], target: str) -> None:
    try:
        head, _ = Origin("http://erp.example").request(HttpCall("GET", f"/{target}", headers))
    except NotSent:
        return
    lines = head.decode("latin-1").split("\r\n")
    assert lines[0] == f"GET /{target} HTTP/1.1"
    assert lines[4:] == [f"{name}: {value}" for name, value in headers.items()] + ["", ""]
    assert "\r" not in "".join(lines)
    assert "\n" not in "".join(lines)
