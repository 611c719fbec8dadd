"""HTTP/1.1 messages to and from an ERP (pure): what may be written, and what is a whole answer.

Stricter than RFC 9112 wherever two readings of the same bytes are possible: an answer that is taken for another one's is
a document of somebody else, so what is not certain is no answer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.connectors.port import NoAnswer, NotSent
from gateway.protocols.port import HttpCall, HttpReply

MAX_HEAD_BYTES = 65_536
MAX_FIELDS = 256

_METHOD = re.compile(r"[A-Z]{1,20}")
_TARGET = re.compile(r"/[!\"$-~]*")  # visible ASCII but `#`: a fragment never goes over the wire
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TEXT = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
_NEEDS_NO_LENGTH = frozenset(("GET", "HEAD", "OPTIONS"))
_HAS_NO_BODY = frozenset((204, 304))
_FINAL = range(200, 600)
_INTERIM = range(100, 200)
_SWITCHED = 101
_DEFAULT_PORT = {"http": 80, "https": 443}
# What this client says itself: who is asked, and where a message ends.
_OURS = re.compile(
    "host|user-agent|accept-encoding|connection|keep-alive|proxy-connection|expect|te|trailer|upgrade|"
    "content-length|transfer-encoding",
    re.IGNORECASE,
)


class Origin:
    """An ERP's base URL, taken apart once. Raises: ValueError, without showing the URL: it may hold a secret."""

    def __init__(self, base_url: str) -> None:
        url = urlsplit(base_url)
        self.host, self.secure = url.hostname or "", url.scheme == "https"
        default = _DEFAULT_PORT.get(url.scheme)
        if default is None or "@" in url.netloc or url.query or url.fragment:
            raise ValueError("a base URL is http or https, a host, perhaps a port and a path, and nothing else")
        self.port = url.port or default
        name = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        if not _HOST.fullmatch(name):
            raise ValueError("the host of the base URL is none")
        place = name if self.port == default else f"{name}:{self.port}"
        self._prefix = url.path.rstrip("/")
        self._constant = f" HTTP/1.1\r\nHost: {place}\r\nUser-Agent: changeover\r\nAccept-Encoding: identity\r\n"

    def request(self, call: HttpCall) -> tuple[bytes, bytes]:
        """Gives: head and body. Raises: NotSent, for what would not be read as it was meant."""
        target, body = self._prefix + call.target, call.body or b""
        if not _METHOD.fullmatch(call.method) or not _TARGET.fullmatch(target):
            raise NotSent("the method or the target of the request is malformed")
        lines = [f"{call.method} {target}{self._constant}"]
        lines += [f"{_field(name)}{value}\r\n" for name, value in call.headers.items()]
        if body or call.method not in _NEEDS_NO_LENGTH:
            lines.append(f"Content-Length: {len(body)}\r\n")
        lines.append("\r\n")
        return _checked(lines), body


def _checked(lines: list[str]) -> bytes:
    try:
        head = "".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise NotSent("a header holds a character that HTTP cannot carry") from None
    # What is left when all text is deleted must be the line ends written here: four of the first line's, and one of each other.
    if head.translate(None, _TEXT) != b"\r\n" * (len(lines) + 3):
        raise NotSent("a header holds a control character")
    return head


@lru_cache(maxsize=1024)
def _field(name: str) -> str:
    if not _NAME.fullmatch(name) or _OURS.fullmatch(name):
        raise NotSent(f"{name!r} is no header that a call may set")
    return f"{name}: "


class Answer:
    """One answer while it comes in. Once `feed` has given the reply, `reusable` says whether the connection may go on."""

    def __init__(self, method: str, max_body_bytes: int) -> None:
        self.reusable = False
        self._parser = HttpResponseParser(self)
        self._to_head = method == "HEAD"
        self._max_body_bytes = max_body_bytes
        self._raw: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._wire_bytes = self._body_bytes = 0
        self._status = 0  # of the final answer, once its head is whole
        self._whole = False
        self._refusal = ""
        self._headers: dict[str, str] = {}
        self._cookies: tuple[str, ...] = ()

    def feed(self, data: bytes) -> HttpReply | None:
        """Take what came. Gives: the reply, once. Raises: NoAnswer: there will be none."""
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as err:
            if not self._whole:
                raise NoAnswer(self._refusal or f"no HTTP/1.1: {err}") from None
            self.reusable = False  # bytes behind the answer: the next one would be read from them
        if self._whole:
            del self._parser  # it holds this object, which holds it
            return HttpReply(self._status, self._headers, b"".join(self._pieces), self._cookies)
        # Heads, chunk sizes and trailers may not outgrow what they carry.
        if self._wire_bytes - self._body_bytes > MAX_HEAD_BYTES + self._body_bytes:
            raise NoAnswer("an answer of more framing than content")
        return None

    # What the parser says

    def on_message_begin(self) -> None:
        if self._whole:
            self._refuse("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # what comes later is a trailer and may not pose as a header
            self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse("an answer in another version of HTTP")
        if status in _INTERIM and status != _SWITCHED:
            return
        if status not in _FINAL:
            self._refuse(f"an answer with status {status}")
        # A head is no longer than all that came so far: it need be measured only where that is much.
        long = self._wire_bytes > MAX_HEAD_BYTES and sum(len(n) + len(v) for n, v in self._raw) > MAX_HEAD_BYTES
        if len(self._raw) > MAX_FIELDS or long:
            self._refuse("an answer with too many headers")
        self._status = status
        self._headers, self._cookies = _joined(self._raw)
        bodiless = self._to_head or status in _HAS_NO_BODY
        announced = self._announced(version)
        if not bodiless and announced is None:
            self._refuse("an answer without a length may have been cut anywhere")
        if not bodiless and (announced or 0) > self._max_body_bytes:
            self._refuse(f"an answer over {self._max_body_bytes} bytes")
        # A body that was announced where there may be none might still come, and pose as the next answer.
        self.reusable = self._parser.should_keep_alive() and not (bodiless and announced)
        self._whole = self._to_head  # the parser does not know what was asked

    def _announced(self, version: str) -> int | None:
        """The bytes that are to follow, 1 for chunks of an unknown number, None where nothing is said."""
        coding, length = self._headers.get("transfer-encoding"), self._headers.get("content-length")
        if coding is None:
            return None if length is None else int(length)
        if coding.lower() != "chunked" or version == "1.0":
            self._refuse("an answer in a transfer coding nobody asked for")
        return 1

    def on_body(self, piece: bytes) -> None:
        self._body_bytes += len(piece)
        if self._whole or self._body_bytes > self._max_body_bytes:
            self._refuse(f"an answer over {self._max_body_bytes} bytes")
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._status:
            self._whole = True
        else:
            self._raw.clear()  # an interim answer: the real one follows

    def _refuse(self, words: str) -> NoReturn:
        self._refusal = words
        raise NoAnswer(words)


def _joined(raw: list[tuple[bytes, bytes]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Headers by name in lower case, those of one name joined as RFC 9110 5.3 says; and the cookies, which cannot be joined."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in raw:
        name, value = _lower(raw_name), raw_value.decode("latin-1").rstrip(" \t")
        if name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers, tuple(cookies)


@lru_cache(maxsize=1024)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()
