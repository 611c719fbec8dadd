"""The attack corpus: exact bytes, the answers allowed, and whether an application may act on them.

One row per row of the wire, hop-by-hop and document tables of the security reference. Every row ends its request,
so the answer comes at once; what needs time or endless data is in the test modules.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: gateway.example\r\n"


@dataclass(frozen=True, slots=True)
class Attack:
    """`statuses`: the first answer must be one of these. `absent` may appear nowhere in what comes back."""

    name: str
    raw: bytes
    statuses: frozenset[int]
    must_not_reach_app: bool = True
    absent: tuple[bytes, ...] = ()
    present: tuple[bytes, ...] = ()
    answers: int = 1


def _bad(name: str, raw: bytes, *statuses: int, absent: tuple[bytes, ...] = ()) -> Attack:
    return Attack(name, raw, frozenset(statuses or (400,)), absent=absent)


def _good(
    name: str, raw: bytes, *, absent: tuple[bytes, ...] = (), present: tuple[bytes, ...] = (), answers: int = 1
) -> Attack:
    return Attack(name, raw, frozenset({200}), False, absent, present, answers)


def get(target: bytes = b"/x", headers: bytes = b"", host: bytes = HOST) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + host + headers + b"\r\n"


def post(headers: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /x HTTP/" + version + b"\r\n" + HOST + headers + b"\r\n" + body


def chunked(body: bytes, headers: bytes = b"") -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n" + headers, body)


def document(body: bytes) -> bytes:
    return post(b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body), body)


ONE = b"5\r\nhello\r\n"
END = b"0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"

FRAMING = [
    _bad("CL and TE together", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", END + SMUGGLED)),
    _bad(
        "TE and CL together, other order", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", END + SMUGGLED)
    ),
    _bad("two different CL", post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!")),
    _bad("two identical CL", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    _bad("CL list of identical values", post(b"Content-Length: 5, 5\r\n", b"hello")),
    *[
        _bad(f"CL {value.decode()!r}", post(b"Content-Length: " + value + b"\r\n", b"hello"))
        for value in (b"+5", b"-1", b"0x5", b"1_0", b"5 5", b"", b"5;", b"5.0")
    ],
    _bad("CL of 2^64+5", post(b"Content-Length: 18446744073709551621\r\n", b"hello")),
    _bad("CL larger than the limit", post(b"Content-Length: 999999999\r\n", b"hello"), 413),
    _bad("chunk size of 17 digits", chunked(b"10000000000000005\r\nhello\r\n" + END)),
    _bad("TE xchunked", post(b"Transfer-Encoding: xchunked\r\n", ONE + END)),
    _bad("TE gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", ONE + END)),
    _bad("TE chunked, chunked", post(b"Transfer-Encoding: chunked, chunked\r\n", ONE + END)),
    _bad("TE twice", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ONE + END)),
    _bad("TE chunked, identity", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", ONE + END)),
    _bad("TE identity", post(b"Transfer-Encoding: identity\r\n", b"")),
    _bad("TE empty", post(b"Transfer-Encoding: \r\nContent-Length: 5\r\n", b"hello")),
    _bad("TE with a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", ONE + END)),
    _bad("TE on HTTP/1.0", post(b"Transfer-Encoding: chunked\r\n", ONE + END, version=b"1.0")),
    _bad("Transfer_Encoding", post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"hello")),
    _bad("X_Plant next to X-Plant", get(headers=b"X-Plant: 1000\r\nX_Plant: 2000\r\n")),
    _bad("chunk extension of 64 KB", chunked(b"5;" + b"a" * 65536 + b"\r\nhello\r\n" + END)),
    _bad("100 chunk extensions of 50 KB", chunked((b"1;" + b"a" * 50_000 + b"\r\nx\r\n") * 100 + END)),
    _bad("chunk extension ended by a bare LF", chunked(b"5;a\nhello\r\n" + END)),
    _bad("chunk size ended by a bare LF", chunked(b"5\nhello\r\n" + END)),
    _bad("chunk ended by xx", chunked(b"5\r\nhelloxx" + END)),
    _bad("chunk ended by a bare LF", chunked(b"5\r\nhello\n" + END)),
    _bad("chunk size 0x5", chunked(b"0x5\r\nhello\r\n" + END)),
    _bad("chunk size with a sign", chunked(b"+5\r\nhello\r\n" + END)),
    _bad("chunk size with a space before", chunked(b" 5\r\nhello\r\n" + END)),
    _bad("chunk size with a space behind", chunked(b"5 \r\nhello\r\n" + END)),
    _bad("empty chunk size", chunked(b"\r\nhello\r\n" + END)),
    _bad("trailer with a bare LF", chunked(ONE + b"0\r\nX-T: 1\nX-U: 2\r\n\r\n")),
    _bad("100k chunks of one byte", chunked(b"1\r\nx\r\n" * 100_000 + END)),
    _good(
        "trailers Authorization and X-Plant",
        chunked(
            ONE + b"0\r\nAuthorization: Bearer evil\r\nX-Plant: 2000\r\n\r\n",
            b"Authorization: Bearer good\r\nX-Plant: 1000\r\n",
        ),
        absent=(b"evil", b"2000"),
        present=(b"Bearer good", b"1000"),
    ),
    _good(
        "trailer that would repeat a framing header",
        chunked(ONE + b"0\r\nX-Extra: evil\r\nX_Under: evil\r\n\r\n"),
        absent=(b"evil",),
    ),
    _bad("trailer Content-Length", chunked(ONE + b"0\r\nContent-Length: 50\r\n\r\n")),
    _bad("trailer of 1 MB", chunked(ONE + b"0\r\nX-T: " + b"a" * 1_000_000 + b"\r\n\r\n"), absent=(b"aaaa",)),
    _bad("endless small trailers", chunked(ONE + b"0\r\n" + b"X-T: 1\r\n" * 10_000 + b"\r\n")),
    _good("request behind a body of known length", post(b"Content-Length: 5\r\n", b"hello" + get()), answers=2),
    _good("request behind the last chunk", chunked(ONE + END + SMUGGLED), absent=(b"smuggled",)),
    _good(
        "request behind Connection: close",
        post(b"Content-Length: 5\r\nConnection: close\r\n", b"hello" + SMUGGLED),
        absent=(b"smuggled",),
    ),
    _good("bytes behind a GET without a length", get() + b"hello\r\n\r\n", answers=2),
]

HEADERS = [
    _bad("obs-fold", get(headers=b"X-User: user\r\n admin\r\n")),
    _bad("obs-fold with a tab", get(headers=b"X-User: user\r\n\tadmin\r\n")),
    _bad("obs-fold on the first header", get(host=b" X: y\r\n" + HOST)),
    _bad("obs-fold on TE", post(b"Transfer-Encoding:\r\n chunked\r\n", ONE + END)),
    _bad("bare LF lines", b"GET /x HTTP/1.1\nHost: gateway.example\n\n"),
    _bad("one bare LF", b"GET /x HTTP/1.1\r\nHost: gateway.example\nX-A: b\r\n\r\n"),
    _bad("CR in a value", get(headers=b"X-A: a\rX-Plant: 2000\r\n")),
    _bad("CR CR LF", get(headers=b"X-A: a\r\r\n")),
    _bad("NUL in a value", get(headers=b"X-A: a\x00b\r\n")),
    _bad("byte 0x01 in a value", get(headers=b"X-A: a\x01b\r\n")),
    _bad("byte 0x7f in a value", get(headers=b"X-A: a\x7fb\r\n")),
    _bad("space before the colon", get(headers=b"X-A : b\r\n")),
    _bad("space in a name", get(headers=b"X A: b\r\n")),
    _bad("empty name", get(headers=b": b\r\n")),
    _bad("no colon", get(headers=b"X-A\r\n")),
    _bad("byte above 0x7f in a name", get(headers=b"X-\xe9: b\r\n")),
    _bad("bytes above 0x7f in Authorization", get(headers=b"Authorization: Bearer \xe9\r\n")),
    _bad("bytes above 0x7f in Idempotency-Key", get(headers=b"Idempotency-Key: \xff\r\n")),
    _bad("bytes above 0x7f in X-Plant", get(headers=b"X-Plant: 10\xb9\r\n")),
    _bad("bytes above 0x7f in X-Erp-Plant", get(headers=b"X-Erp-Plant: 10\xb9\r\n")),
    _bad("bytes above 0x7f in Host", get(host=b"Host: g\xe4teway.example\r\n")),
    _bad("bytes above 0x7f in If-Match", get(headers=b'If-Match: "\xe4"\r\n')),
    _good("bytes above 0x7f in a harmless header", get(headers=b"X-User-Name: M\xfcller\r\n")),
    _bad("no Host", get(host=b"")),
    _bad("no Host on HTTP/1.0", b"GET /x HTTP/1.0\r\n\r\n"),
    _bad("two Hosts", get(headers=b"Host: other.example\r\n")),
    _bad("two equal Hosts", get(headers=HOST)),
    _bad("empty Host", get(host=b"Host:\r\n")),
    _bad("Host a/b@c?d", get(host=b"Host: a/b@c?d\r\n")),
    _bad("Host with user information", get(host=b"Host: user@gateway.example\r\n")),
    _bad("Host with a port beyond 65535", get(host=b"Host: gateway.example:99999\r\n")),
    _bad("Host with port 0", get(host=b"Host: gateway.example:0\r\n")),
    _bad("Host list", get(host=b"Host: gateway.example, other.example\r\n")),
    _bad("Host outside the allowlist", get(host=b"Host: other.example\r\n")),
    _good("Host in capitals with a port", get(host=b"Host: Gateway.EXAMPLE:8080\r\n")),
    *[
        _bad(f"{name} twice", get(headers=f"{name}: a\r\n{name}: a\r\n".encode()))
        for name in (
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "X-Plant",
            "Cookie",
        )
    ],
    _bad("Authorization twice, other case", get(headers=b"Authorization: a\r\nAUTHORIZATION: b\r\n")),
    _good(
        "Accept twice", get(headers=b"Accept: text/plain\r\nAccept: text/html\r\n"), present=(b"text/plain, text/html",)
    ),
    _bad("Expect: bogus", post(b"Expect: bogus\r\nContent-Length: 5\r\n", b"hello"), 417),
    _bad("Expect: y 100-continue", post(b"Expect: y 100-continue\r\nContent-Length: 5\r\n", b"hello"), 417),
    _bad("Expect: 100-continue, 100-continue", post(b"Expect: 100-continue, 100-continue\r\n", b""), 417),
    _good(
        "Expect: 100-continue",
        post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello"),
        present=(b"HTTP/1.1 100 Continue\r\n\r\n",),
    ),
    _good(
        "h2c upgrade",
        get(headers=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
        absent=(b"101", b"h2c", b"AAMAAABk"),
    ),
    _good(
        "h2c upgrade with a body",
        post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n", b"hello"),
        absent=(b"101", b"h2c"),
        present=(b"hello",),
    ),
    _good(
        "h2c upgrade with chunks",
        chunked(ONE + END, b"Connection: Upgrade\r\nuPgRaDe: h2c\r\n"),
        absent=(b"101", b"h2c"),
        present=(b"hello",),
    ),
    _good(
        "websocket upgrade",
        get(
            headers=b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        ),
        absent=(b"101 ",),
    ),
    _bad("two Upgrades", get(headers=b"Upgrade: h2c\r\nUpgrade: websocket\r\n")),
    _good("X-Forwarded-For from a stranger", get(headers=b"X-Forwarded-For: 6.6.6.6\r\n"), absent=(b"6.6.6.6",)),
    _good("Forwarded from a stranger", get(headers=b"Forwarded: for=6.6.6.6\r\n"), absent=(b"6.6.6.6",)),
    _bad("one header of 5 MB", get(headers=b"X-A: " + b"a" * 5_000_000 + b"\r\n"), 431),
    _bad("50k headers", get(headers=b"X-A: b\r\n" * 50_000), 431),
    _bad("300k headers", get(headers=b"X-A: b\r\n" * 300_000), 431),
    _bad("101 headers", get(headers=b"X-A: b\r\n" * 100), 431),
    _good("100 headers", get(headers=b"X-A: b\r\n" * 99)),
]

REQUEST_LINE = [
    _bad("absolute URI", get(b"http://other.example/x")),
    _bad("absolute URI of the same host", get(b"http://gateway.example/x")),
    _bad("authority form", get(b"gateway.example:443")),
    _bad("asterisk form", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    _bad("no leading slash", get(b"x")),
    _bad("fragment in the target", get(b"/x#y")),
    _bad("bytes above 0x7f in the target", get(b"/\xe4")),
    _bad("control byte in the target", get(b"/a\x01b")),
    _bad("HTTP/0.9", b"GET /x\r\n"),
    _bad("HTTP/2.0 as text", b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n"),
    _bad("HTTP/1.9", b"GET /x HTTP/1.9\r\n" + HOST + b"\r\n"),
    _bad("HTTP/1.10", b"GET /x HTTP/1.10\r\n" + HOST + b"\r\n"),
    _bad("HTTP/01.1", b"GET /x HTTP/01.1\r\n" + HOST + b"\r\n"),
    _bad("http/1.1 in small letters", b"GET /x http/1.1\r\n" + HOST + b"\r\n"),
    _bad("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _bad("double space", b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n"),
    _bad("double space before the version", b"GET /x  HTTP/1.1\r\n" + HOST + b"\r\n"),
    _bad("tab instead of space", b"GET\t/x\tHTTP/1.1\r\n" + HOST + b"\r\n"),
    _bad("space behind the version", b"GET /x HTTP/1.1 \r\n" + HOST + b"\r\n"),
    _bad("leading space", b" GET /x HTTP/1.1\r\n" + HOST + b"\r\n"),
    _bad("TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" * 2),
    _bad("TRACE", b"TRACE /x HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    _bad("CONNECT", b"CONNECT /x HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    _bad("unknown method", b"FROB /x HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    _bad("method in small letters", b"get /x HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    _bad("URL of 60 KB", get(b"/" + b"a" * 60_000), 414),
    _bad("URL of 9 KB", get(b"/" + b"a" * 9_000), 414),
    _bad("endless request line", b"GET /" + b"a" * 2_000_000, 414),
    _good("empty line before the request", b"\r\n" + get()),
]

PATHS = [
    _bad("encoded slash", get(b"/plants/1000%2F2000")),
    _bad("encoded slash and dots", get(b"/plants/1000/..%2f..%2fadmin")),
    _bad("encoded backslash", get(b"/plants/1000/a%5Cb")),
    _bad("backslash", get(b"/plants/1000/a\\b")),
    _bad("dot segments", get(b"/plants/1000/../../admin")),
    _bad("encoded dot segments", get(b"/plants/%2e%2e/admin")),
    _bad("encoded single dot", get(b"/plants/1000/%2e/x")),
    _bad("doubly encoded dots", get(b"/plants/%252e%252e")),
    _bad("encoded NUL", get(b"/plants/1000%00")),
    _bad("encoded CR LF", get(b"/plants/1000%0d%0aX:y")),
    _bad("trailing space in a plant", get(b"/plants/1000%20")),
    _bad("zero-width space in a plant", get(b"/plants/10%E2%80%8B00")),
    _bad("zero-width space in a key", get(b"/plants/1000/a%E2%80%8Bb")),
    _bad("full-width plant", get(b"/plants/%EF%BC%91000")),
    _bad("full-width key", get(b"/plants/1000/%EF%BC%91")),
    _bad("overlong UTF-8", get(b"/plants/1000/%c0%ae")),
    _bad("invalid UTF-8", get(b"/plants/1000/%ff")),
    _bad("encoded surrogate", get(b"/plants/1000/%ED%A0%80")),
    _bad("not NFC", get(b"/plants/1000/u%CC%88")),
    _bad("half a percent escape", get(b"/plants/1000/a%2")),
    _bad("double slash", get(b"//plants//1000")),
    _bad("plant in small letters", get(b"/plants/abc")),
    _bad("query parameter twice", get(b"/plants/1000?a=1&a=2")),
    _bad("65 query parameters", get(b"/plants/1000?" + b"&".join(b"p%d=1" % n for n in range(65)))),
    _bad("NUL in the query", get(b"/plants/1000?a=%00")),
    _good("joined key with a bar", get(b"/plants/1000/4711%7C00010"), present=(b"4711|00010",)),
    _good("key with an umlaut", get(b"/plants/1000/Schl%C3%BCssel")),
]

HOP_BY_HOP = [
    *[
        _bad(f"Connection names {name}", get(headers=f"{name}: a\r\nConnection: close, {name.lower()}\r\n".encode()))
        for name in (
            "Authorization",
            "Idempotency-Key",
            "X-Plant",
            "X-Erp-Plant",
            "Forwarded",
            "X-Forwarded-For",
            "Content-Type",
            "If-Match",
            "Cookie",
        )
    ],
    _bad("Connection names Host", get(headers=b"Connection: host\r\n")),
    _bad("Connection names Content-Length", post(b"Connection: content-length\r\nContent-Length: 5\r\n", b"hello")),
    _bad("second Connection names Authorization", get(headers=b"Connection: close\r\nConnection: Authorization\r\n")),
    _good("Connection names a harmless header", get(headers=b"X-Hop: 1\r\nConnection: x-hop\r\n"), absent=(b"x-hop",)),
    *[
        _good(f"{name} is stripped", get(headers=f"{name}: marker\r\n".encode()), absent=(b"marker",))
        for name in (
            "Keep-Alive",
            "Proxy-Connection",
            "Proxy-Authorization",
            "Proxy-Authenticate",
            "TE",
            "Trailer",
            "Upgrade",
            "HTTP2-Settings",
            "X-Changeover-Side",
            "X-CHANGEOVER-Subject",
            "X-HTTP-Method-Override",
            "X-Original-URL",
        )
    ],
]

DOCUMENTS = [
    _bad("JSON duplicate key", document(b'{"plant": "1000", "plant": "2000"}')),
    _bad("JSON duplicate key, escaped", document(b'{"plant": "1000", "pl\\u0061nt": "2000"}')),
    _bad("JSON duplicate key, nested", document(b'{"a": [{"b": 1, "b": 2}]}')),
    _bad("JSON NaN", document(b'{"a": NaN}')),
    _bad("JSON Infinity", document(b'{"a": -Infinity}')),
    _bad("JSON 1e999", document(b'{"a": 1e999}')),
    _bad("JSON exponent of 30 digits", document(b'{"a": 1e999999999999999999999999999999}')),
    _bad("JSON UTF-16", document('{"a": 1}'.encode("utf-16"))),
    _bad("JSON UTF-16 without BOM", document('{"a": 1}'.encode("utf-16-le"))),
    _bad("JSON UTF-8 BOM", document(b'\xef\xbb\xbf{"a": 1}')),
    _bad("JSON invalid UTF-8", document(b'{"a": "\xff"}')),
    _bad("JSON NUL", document(b'{"a": "x\\u0000y"}')),
    _bad("JSON raw control character", document(b'{"a": "x\x01y"}')),
    _bad("JSON lone surrogate", document(b'{"a": "\\ud800"}')),
    _bad("JSON lone surrogate in a key", document(b'{"\\udc00": 1}')),
    _bad("JSON depth 33", document(b"[" * 33 + b"]" * 33)),
    _bad("JSON depth 100k", document(b"[" * 100_000 + b"]" * 100_000)),
    _bad("JSON integer of 5,000 digits", document(b'{"a": ' + b"9" * 5_000 + b"}")),
    _bad("JSON 10,001 members", document(b"[" + b",".join([b"1"] * 10_001) + b"]")),
    # A version takes less than that; where it would take more, the text is too long.
    _bad("JSON string over 1 MiB", document(b'{"a": "' + b"x" * 1_048_577 + b'"}'), 400, 413),
    _bad("JSON of 9 MiB", document(b"[" + b"1," * 4_718_592 + b"1]"), 413),
    _bad("JSON trailing comma", document(b'{"a": 1,}')),
    _bad("JSON trailing text", document(b'{"a": 1} {"a": 2}')),
    _bad("JSON comment", document(b'{"a": 1} // x')),
    _bad("JSON empty", document(b"")),
    _bad("JSON leading zero", document(b'{"a": 01}')),
    _good("JSON integer beyond 2^53", document(b'{"a": 9007199254740993}')),
    _good("JSON decimal of 22 digits", document(b'{"a": 0.1234567890123456789012}')),
]

ATTACKS = [*FRAMING, *HEADERS, *REQUEST_LINE, *PATHS, *HOP_BY_HOP, *DOCUMENTS]
