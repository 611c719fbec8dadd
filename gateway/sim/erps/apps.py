"""The three ERPs as ASGI applications."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.control import Control
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.faults import Fault, without_last_rows
from gateway.sim.erps.kept import Kept
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.wire.messages import Answer, Request
from gateway.sim.erps.wire.said import Said, with_header, with_return

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def legacy_app(config: ErpConfig | None = None) -> ErpApp:
    """An ECC-like ERP: OData V2."""
    return ErpApp(replace(config or ErpConfig(), face="legacy"))


def cloud_app(config: ErpConfig | None = None) -> ErpApp:
    """An S/4-like ERP: OData V4."""
    return ErpApp(replace(config or ErpConfig(), face="cloud"))


def d365_app(config: ErpConfig | None = None) -> ErpApp:
    """A D365-like ERP: OData V4 with companies and a throttle."""
    return ErpApp(replace(config or ErpConfig(), face="d365"))


class ErpApp:
    """The shell: reads the request, lets the faults have their way, sends the answer.

    Takes: `state`, the file that what is committed is kept in; without one it is gone with the process.
    """

    def __init__(self, config: ErpConfig, state: Path | None = None) -> None:
        self.erp = Erp(config)
        self.control = Control(self.erp)
        self._kept = Kept(self.erp, state) if state is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        request = await _request(scope, receive)
        if request is None:
            return
        if request.path.startswith("/_"):
            await _send(send, self._kept_first(self.control.answer(request)))
            return
        url = f"{request.path}?{request.query}" if request.query else request.path
        fault = self.erp.faults.pick(request.method, url)
        if fault is None:
            await _send(send, self._answer(request))
        else:
            await self._misbehave(fault, request, receive, send)

    async def _misbehave(self, fault: Fault, request: Request, receive: Receive, send: Send) -> None:
        if fault.action == "drop_before":
            return await _hang_up(receive, send)
        if fault.action in ("status", "error_in_200"):
            return await _send(send, self._faulty(fault))
        if fault.action in ("bapi_return", "sap_message"):
            return await _send(send, self._saying(fault, request))
        if fault.action == "delay":
            await asyncio.sleep(fault.delay_s)
        if fault.action == "csrf_expired":
            self.erp.sessions.end_all()
        if fault.action == "fewer_lines":
            request = replace(request, body=without_last_rows(request.body))
        answer = self._answer(request)
        if fault.action == "commit_then_drop":
            return await _hang_up(receive, send)
        if fault.action == "truncate":
            return await _truncated(answer, receive, send)
        if fault.action == "commit_then_delay":
            await asyncio.sleep(fault.delay_s)
        return await _send(send, self._faulty(fault) if fault.action == "commit_then_status" else answer)

    def _saying(self, fault: Fault, request: Request) -> Answer:
        """The answer with what a BAPI behind it says; an error is said of work that is not done."""
        said, v2 = Said(fault.type, fault.code, fault.message, fault.field), self.erp.dialect.v2
        answer = Answer(204) if said.refuses else self._answer(request)
        if fault.action == "sap_message":
            return with_header(answer, said, v2=v2)
        return with_return(answer, said, fault.member, v2=v2)

    def _answer(self, request: Request) -> Answer:
        return self._kept_first(self.erp.answer(request))

    def _kept_first(self, answer: Answer) -> Answer:
        """No answer leaves before what it tells of is kept."""
        if self._kept is not None:
            self._kept.save()
        return answer

    def _faulty(self, fault: Fault) -> Answer:
        """The error a fault asks for, in the face's own shape."""
        headers = () if fault.retry_after_s is None else (("retry-after", str(fault.retry_after_s)),)
        status = 200 if fault.action == "error_in_200" else fault.status
        return self.erp.refused(ErpRefusal(status, fault.code, fault.message, headers=headers))


async def _request(scope: Scope, receive: Receive) -> Request | None:
    """The whole request, or None when the caller left before it was sent."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}; {text}" if key == "cookie" and key in headers else text
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
    await send({"type": "http.response.body", "body": answer.body})


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if answer.body:
        headers.append((b"content-type", answer.content_type.encode()))
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    return headers


async def _truncated(answer: Answer, receive: Receive, send: Send) -> None:
    """The headers promise the whole body; half of it comes."""
    await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await _hang_up(receive, send, flush=True)


async def _hang_up(receive: Receive, send: Send, *, flush: bool = False) -> None:
    """Close the connection under the caller. ASGI has no word for this: uvicorn's transport is behind `send`."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionAbortedError("this server does not let an application close its connection")
    if flush:
        transport.close()
    else:
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        kind = message["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
