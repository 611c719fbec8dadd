"""The data plane: a raw ASGI application around the pipeline. Everything a client of an API version sees leaves from here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from time import perf_counter
from typing import Any, Protocol

from gateway.edge.limits import EdgeLimits
from gateway.edge.paths import parse_target
from gateway.errors import Draining, GatewayError, RouteMoved
from gateway.observe.logs import access, log
from gateway.observe.metrics import Metrics
from gateway.observe.trace import continued
from gateway.pipeline.admit import request_id_of
from gateway.pipeline.authorize import authorize
from gateway.pipeline.exchange import Clock, Exchange, InForce, begun, filled
from gateway.pipeline.negotiate import allowed
from gateway.pipeline.render import route_headers
from gateway.pipeline.stages import Times, run
from gateway.problem import rendered

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
NO_CONTENT = 204
_MOVES_FOLLOWED = 3


class Serving(Protocol):
    """What is in force now, and whether this instance still takes requests."""

    @property
    def in_force(self) -> InForce: ...

    @property
    def draining(self) -> bool: ...

    async def refreshed(self, than: int | None = None) -> InForce: ...


class DataPlane:
    """Answers `/api/...`."""

    def __init__(self, serving: Serving, clock: Clock, limits: EdgeLimits, metrics: Metrics) -> None:
        self._serving, self._clock, self._limits, self._metrics = serving, clock, limits, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        x = self._introduced(scope, receive)
        trace = continued(only(scope["headers"], b"traceparent"), self._clock.new_id())
        times: Times = []
        self._metrics.in_flight += 1
        try:
            x, error = await self._answered(x, times)
            status = await self._send(x, error, [*_timed(times), ("traceparent", trace)], send)
        finally:
            self._metrics.in_flight -= 1
        self._account(x, error, status, perf_counter() - began, times, trace)

    def _introduced(self, scope: Scope, receive: Receive) -> Exchange:
        """The exchange before the first stage: whatever fails is told under the caller's request id and version."""
        in_force = self._serving.in_force
        return begun(
            method=scope["method"],
            raw_path=scope["raw_path"],
            query_string=scope["query_string"],
            raw_headers=scope["headers"],
            receive=receive,
            in_force=in_force,
            clock=self._clock,
            limits=self._limits,
            request_id=request_id_of(only(scope["headers"], b"x-request-id"), self._clock),
            contract=in_force.contract(_version(scope["raw_path"])),
        )

    async def _answered(self, x: Exchange, times: Times) -> tuple[Exchange, Exception | None]:
        if self._serving.draining:
            return x, Draining("This instance is shutting down.", retry_after_s=1)
        if x.method == "OPTIONS":
            return x, None
        x, error = await run(x, times)
        for _ in range(_MOVES_FOLLOWED):
            if not isinstance(error, RouteMoved):
                break
            # Nothing was sent: the same request, asked again of the table as it is now.
            try:
                in_force = await self._serving.refreshed(x.in_force.table.revision)
            except Exception as err:  # the store's or the content's trouble is not the caller's: it may come again
                log.error("route.unread", reason=f"{type(err).__name__}: {err}")
                break
            x = filled(
                x, in_force=in_force, cell=None, side=None, erp=None, translation=None, shape=None, decision=None
            )
            x, error = await run(x, times, since=authorize)
        return x, error

    async def _send(self, x: Exchange, error: Exception | None, more: list[tuple[str, str]], send: Send) -> int:
        status, headers, body = self._response(x, error)
        raw = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in (*headers, *more)]
        if status != NO_CONTENT:
            raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if x.method == "HEAD" else body})
        return status

    def _response(self, x: Exchange, error: Exception | None) -> tuple[int, list[tuple[str, str]], bytes]:
        if error is None and x.response is not None:
            return x.response.status, list(x.response.headers), x.response.body
        if error is None:
            return NO_CONTENT, [("allow", self._allowed(x)), *route_headers(x)], b""
        status, headers, body = rendered(error, x.request_id, x.in_force.public_url)
        return status, [*headers, *route_headers(x, error)], body

    def _allowed(self, x: Exchange) -> str:
        with suppress(GatewayError):
            target = parse_target(x.raw_path, x.query_string)
            if x.contract is not None:
                return ", ".join(allowed(x.contract, target))
        return "OPTIONS"

    def _account(
        self, x: Exchange, error: Exception | None, status: int, seconds: float, times: Times, trace: str
    ) -> None:
        labels = _labels(x)
        self._metrics.request(labels, status, seconds)
        self._metrics.stages(times)
        told = {
            "request_id": x.request_id,
            "traceparent": trace,
            "method": x.method,
            "path": x.raw_path.decode("ascii", "replace")[:500],
            "status": status,
            "code": getattr(error, "code", type(error).__name__) if error else None,
            "ms": round(seconds * 1000, 1),
            "client": x.caller.client_id if x.caller else None,
            "plant": x.cell.plant if x.cell else None,
            "side": labels[3],
            "erp": x.erp.name if x.erp else None,
            "epoch": x.cell.epoch if x.cell else None,
            "policy": x.decision.revision[:12] if x.decision else None,
        }
        if error is not None and not isinstance(error, GatewayError):
            log.error("request", **told, exc_info=error)
        else:
            access.line(told)


def _labels(x: Exchange) -> tuple[str, str, str, str]:
    version = x.contract.version if x.contract else "none"
    if x.operation is None:
        return version, "none", "none", "none"
    return version, x.operation.spec.name, x.operation.verb, x.side or "none"


def _timed(times: Times) -> list[tuple[str, str]]:
    if not times:
        return []
    names, seconds = zip(*times, strict=True)
    return [("server-timing", _timing(names) % tuple([each * 1000 for each in seconds]))]


@lru_cache(maxsize=64)
def _timing(stages: tuple[str, ...]) -> str:
    return ", ".join([f"{name};dur=%.3f" for name in stages])


def only(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header that is given exactly once."""
    found = [value for given, value in headers if given == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _version(raw_path: bytes) -> str:
    """What stands where the version stands, `/api/<version>`."""
    parts = raw_path.split(b"/", 3)
    return parts[2].decode("latin-1") if len(parts) > 2 else ""  # noqa: PLR2004  # the third part
