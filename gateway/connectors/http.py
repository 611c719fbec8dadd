"""The only sockets to ERPs: HTTP/1.1 over aiohttp with keep-alive, bounded answers and an honest account of what was sent."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from yarl import URL

from gateway.connectors.port import Gauge, Limits, NoAnswer, NotSent, TooSlow
from gateway.protocols.port import HttpCall, HttpReply

_NO_BODY = {204, 304}
_CHUNK_BYTES = 65_536


class HttpTransport:
    """One ERP's base URL with its own pool. Nothing of a client's request reaches it but what a protocol codec wrote."""

    def __init__(self, base_url: str, limits: Limits, gauge: Gauge, *, tls: ssl.SSLContext | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._limits = limits
        self._gauge = gauge
        self._tls = tls
        self._http: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(self._count_opened)
        trace.on_connection_reuseconn.append(self._count_reused)
        connector = aiohttp.TCPConnector(
            limit=self._limits.concurrency, keepalive_timeout=self._limits.keep_alive_s, ssl=self._tls or True
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_timeout_s),
        )
        # aiohttp sends GET, PUT and DELETE again when a connection breaks. Whether that is safe is not its to judge: a PUT
        # may be a write that happened. There is no public switch; a test watches that this one works.
        session._retry_connection = False
        return session

    async def _count_opened(self, *_: object) -> None:
        self._gauge.opened += 1

    async def _count_reused(self, *_: object) -> None:
        self._gauge.reused += 1

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        """Send and read to the end. Raises: NotSent, NoAnswer."""
        if self._http is None:
            self._http = self._open()
        if timeout_s <= 0:
            raise NotSent("no time left")
        headers = {"User-Agent": "changeover", "Accept-Encoding": "identity", **call.headers}
        url = URL(self._base + call.target, encoded=True)
        connected = False
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._http.request(call.method, url, headers=headers, data=call.body, allow_redirects=False) as reply,
            ):
                connected = True
                return await self._whole(reply)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as err:
            raise NotSent(_words(err)) from err
        except TimeoutError as err:
            raise TooSlow(f"no answer in {timeout_s:.1f} s") from err
        except (aiohttp.ClientError, ConnectionError, ValueError) as err:
            raise NoAnswer(_words(err) + (" while the answer was read" if connected else "")) from err

    async def _whole(self, reply: aiohttp.ClientResponse) -> HttpReply:
        parts, size = [], 0
        async for chunk in reply.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > self._limits.max_answer_bytes:
                raise ValueError(f"an answer over {self._limits.max_answer_bytes} bytes")
            parts.append(chunk)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        _framed(reply.status, headers, size)
        return HttpReply(reply.status, headers, b"".join(parts), tuple(reply.headers.getall("Set-Cookie", ())))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()


def _framed(status: int, headers: dict[str, str], size: int) -> None:
    """An answer that only ends when the connection does may have been cut anywhere."""
    if status in _NO_BODY or "content-length" in headers or "chunked" in headers.get("transfer-encoding", ""):
        return
    if size or headers.get("connection", "").lower() == "close":
        raise ValueError("an answer without a length")


def _words(err: BaseException) -> str:
    return str(err) or type(err).__name__
