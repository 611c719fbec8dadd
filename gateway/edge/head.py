"""The head of a request, checked before anything acts on it (pure).

Stricter than RFC 9112 wherever two parsers in a row might disagree about what was said: a gateway that decides
on one reading and forwards another decides nothing. Source of the rules: the attack table in the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from gateway.edge.limits import EdgeLimits
from gateway.errors import ExpectationFailed, HeadersTooLarge, Malformed, MethodNotAllowed, TooLarge, UriTooLong

RawHeaders = list[tuple[bytes, bytes]]

SINGLETONS = frozenset(
    b"authorization content-encoding content-length content-type cookie date expect host idempotency-key "
    b"if-match if-modified-since if-none-match if-range if-unmodified-since max-forwards proxy-authorization "
    b"range referer traceparent transfer-encoding upgrade user-agent x-request-id".split()
)
ASCII_ONLY = SINGLETONS | frozenset(
    b"connection forwarded te trailer x-forwarded-for x-forwarded-host x-forwarded-proto".split()
)

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_HOST = re.compile(rb"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
# Everything that is neither a line break nor forbidden: horizontal tab, printable ASCII, obs-text.
_TEXT = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
_REQUEST_LINE_SLACK_BYTES = 64  # the method, the version and the spaces around the target


@dataclass(frozen=True, slots=True)
class Framing:
    """How the body is delimited: a length, or chunks."""

    length: int
    chunked: bool = False


def check_request_line(line: bytes, limits: EdgeLimits) -> None:
    """Raises: Malformed, UriTooLong, MethodNotAllowed."""
    if len(line) > limits.max_uri_bytes + _REQUEST_LINE_SLACK_BYTES:
        raise UriTooLong("The request target is too long.", limit_bytes=limits.max_uri_bytes)
    match = _LINE.fullmatch(line)
    if match is None:
        raise Malformed("The request line is not `METHOD SP target SP HTTP/1.1`.")
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise Malformed("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
    if method.decode("ascii") not in limits.methods:
        raise MethodNotAllowed("This method is not used here.", allow=sorted(limits.methods))
    if len(target) > limits.max_uri_bytes:
        raise UriTooLong("The request target is too long.", limit_bytes=limits.max_uri_bytes)
    if target[:1] != b"/" or b"#" in target:
        raise Malformed("The request target must be a path that starts with a slash.")


def check_unfinished(received: bytearray, limits: EdgeLimits) -> None:
    """Cut an endless head early.

    Takes: what came so far, without the empty line that ends a head.
    Raises: UriTooLong, HeadersTooLarge, Malformed.
    """
    if len(received) > limits.max_uri_bytes + _REQUEST_LINE_SLACK_BYTES and b"\r\n" not in received:
        raise UriTooLong("The request target is too long.", limit_bytes=limits.max_uri_bytes)
    if len(received) > limits.max_header_bytes:
        raise HeadersTooLarge("The header section is too large.", limit_bytes=limits.max_header_bytes)


def check_lines(head: bytes, limits: EdgeLimits) -> None:
    """Check a whole head as bytes: its size, its line ends, its characters.

    Takes: the head with the empty line that ends it.
    Raises: Malformed, HeadersTooLarge.
    """
    lines = head.count(b"\r\n")
    if len(head) > limits.max_header_bytes or lines - 2 > limits.max_headers:
        raise HeadersTooLarge(
            "The header section is too large.",
            limit_bytes=limits.max_header_bytes,
            limit_headers=limits.max_headers,
        )
    # What is left when all text is deleted must be the line ends, each of them CR LF.
    if head.translate(None, _TEXT) != b"\r\n" * lines:
        raise Malformed("The head holds a control character or a line end that is not CR LF.")
    if b"\r\n " in head or b"\r\n\t" in head:
        raise Malformed("A header is folded over several lines.")


def check_headers(headers: RawHeaders, *, http_1_0: bool, limits: EdgeLimits) -> Framing:
    """Check the header section and say how the body is delimited.

    Takes: names in lower case.
    Raises: Malformed, TooLarge, ExpectationFailed.
    """
    names = [name for name, _ in headers]
    if b"_" in b"".join(names):
        raise Malformed("Header names may not hold an underscore: some servers read it as a hyphen.")
    values = dict(headers)
    if len(values) != len(names):
        _check_repeated(names)
    _check_ascii(headers)
    _check_host(values.get(b"host"), limits)
    expect = values.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise ExpectationFailed("The only expectation met here is 100-continue.")
    return _framing(values, http_1_0=http_1_0, limits=limits)


def is_plant_header(name: bytes) -> bool:
    """Whether a header names a plant, under whatever prefix: it decides where a request goes."""
    return b"plant" in name


def _check_repeated(names: list[bytes]) -> None:
    seen: set[bytes] = set()
    for name in names:
        if name in seen and (name in SINGLETONS or is_plant_header(name)):
            raise Malformed(f"{name.decode('latin-1')} is given twice.", field=name.decode("latin-1"))
        seen.add(name)


def _check_ascii(headers: RawHeaders) -> None:
    if b"".join([value for _, value in headers]).isascii():
        return
    for name, value in headers:
        if not value.isascii() and (name in ASCII_ONLY or is_plant_header(name)):
            raise Malformed("This header may hold ASCII only.", field=name.decode("latin-1"))


def _check_host(host: bytes | None, limits: EdgeLimits) -> None:
    match = _HOST.fullmatch(host) if host is not None else None
    if match is None:
        raise Malformed("Exactly one valid Host header is needed.", field="host")
    name, port = match.groups()
    if port is not None and not 0 < int(port) < 65536:  # noqa: PLR2004 - the range of TCP ports
        raise Malformed("The port in Host does not exist.", field="host")
    if limits.hosts is not None and name.decode("ascii").lower() not in limits.hosts:
        raise Malformed("This Host is not served here.", field="host")


def _framing(values: dict[bytes, bytes], *, http_1_0: bool, limits: EdgeLimits) -> Framing:
    coding = values.get(b"transfer-encoding")
    length = values.get(b"content-length")
    if coding is not None:
        if length is not None:
            _refuse("Content-Length and Transfer-Encoding exclude each other.")
        if http_1_0 or coding.lower() != b"chunked":
            _refuse("The only transfer coding is `chunked`, and only in HTTP/1.1.")
        return Framing(0, chunked=True)
    if length is None:
        return Framing(0)
    if _LENGTH.fullmatch(length) is None:
        _refuse("Content-Length is not a plain decimal number.")
    if int(length) > limits.max_body_bytes:
        raise TooLarge("The body is too large.", limit_bytes=limits.max_body_bytes)
    return Framing(int(length))


def _refuse(detail: str) -> NoReturn:
    raise Malformed(detail)
