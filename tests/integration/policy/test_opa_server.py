"""The OPA server as an engine: what it says is told apart, and whatever goes wrong on the way is an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.errors import PolicyUnavailable
from gateway.policy.cache import DecisionCache
from gateway.policy.manifest import Manifest
from gateway.policy.opa_server import OpaServer, OpaServerEngine
from gateway.policy.port import Answered, EngineFault, QuestionFault, Undefined
from gateway.policy.service import Policy

MANIFEST = Manifest.model_validate({"schema": 1, "package": "shop"})
POLICY = """package shop

decision := {"allow": true, "reasons": [], "obligations": {}} if input.verb == "read"
decision := {"allow": true, "reasons": [], "obligations": {}} if startswith(input.version, "v")
decision := {"allow": true, "reasons": ["2"], "obligations": {}} if input.object == "item"
"""
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def untried(server: OpaServer) -> Policy:
    return Policy(OpaServerEngine(server, MANIFEST), MANIFEST, cache=DecisionCache(), tried=False)


@pytest.fixture
async def engine(start_opa: Callable[..., str]) -> AsyncIterator[OpaServerEngine]:
    url = start_opa()
    async with httpx.AsyncClient(base_url=url) as http:
        put = await http.put("/v1/policies/shop", content=POLICY, headers={"Content-Type": "text/plain"})
        assert put.status_code == 200
    made = OpaServerEngine(OpaServer(url, timeout_s=10), MANIFEST)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        (b'{"verb":"read","version":"x","object":""}', Answered),
        (b'{"verb":"x","version":"x","object":""}', Undefined()),
        (b'{"verb":"x","version":null,"object":""}', QuestionFault("policy-builtin-error")),
        (b'{"verb":"read","version":"x","object":"item"}', QuestionFault("policy-conflict")),
        (b'{"verb":', EngineFault("status-400")),
    ],
)
async def test_a_real_server_tells_a_no_from_a_fault(engine: OpaServerEngine, question: bytes, outcome: object) -> None:
    found = await engine.decide(question)
    assert isinstance(found, Answered) if outcome is Answered else found == outcome


async def test_numbers_reach_the_server_digit_by_digit(start_opa: Callable[..., str]) -> None:
    url = start_opa()
    policy = "package shop\n\ndecision := input.n > 10000\n"
    async with httpx.AsyncClient(base_url=url) as http:
        await http.put("/v1/policies/shop", content=policy, headers={"Content-Type": "text/plain"})
    engine = OpaServerEngine(OpaServer(url, timeout_s=10), MANIFEST)
    assert await engine.decide(b'{"n":10000.000000000000000001}') == Answered(b"true")
    await engine.close()


async def test_a_server_without_the_rule_is_not_accepted(start_opa: Callable[..., str]) -> None:
    policy = untried(OpaServer(start_opa(), timeout_s=10))
    await policy.probe()
    assert (policy.fit, policy.trouble) == (False, "data.shop.decision cannot be evaluated: policy-undefined")
    with pytest.raises(PolicyUnavailable):
        await policy.decide(b"{}")
    await policy.close()


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    async with impostor(_answer(b"")) as url:
        pass
    engine = OpaServerEngine(OpaServer(url), MANIFEST)
    assert await engine.decide(b"{}") == EngineFault("unreachable")
    await engine.close()
    policy = untried(OpaServer(url))
    await policy.probe()
    assert (policy.fit, policy.trouble) == (None, "the policy engine cannot be asked: unreachable")
    with pytest.raises(PolicyUnavailable):
        await policy.decide(b"{}")
    await policy.close()


@asynccontextmanager
async def impostor(handler: Handler) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _answer(answer: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handler


def _http(status: str, body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (_http("200 OK", b"{}"), Undefined()),
        (_http("200 OK", b"<html>"), EngineFault("unreachable")),
        (_http("200 OK", b"[1]"), EngineFault("unreachable")),
        (_http("200 OK", b'{"result": true, "pad": "' + b"x" * 2_000_000 + b'"}'), EngineFault("unreachable")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", EngineFault("unreachable")),
        (_http("307 Temporary Redirect", b"{}", "Location: http://127.0.0.1:1/\r\n"), EngineFault("status-307")),
        (_http("401 Unauthorized", b"{}"), EngineFault("status-401")),
        (_http("500 Oops", b"{}"), EngineFault("status-500")),
        (_http("500 Oops", b'{"errors": [{"code": "eval_cancel_error"}]}'), EngineFault("status-500")),
        (
            _http("500 Oops", b'{"errors": [{"code": "eval_type_error"}, {"code": "internal"}]}'),
            EngineFault("status-500"),
        ),
        (_http("503 Busy", b"{}"), EngineFault("status-503")),
        (b"", EngineFault("unreachable")),
        (b"\x00\x01\r\n\r\n", EngineFault("unreachable")),
    ],
)
async def test_what_is_not_an_answer_is_never_a_yes(answer: bytes, outcome: object) -> None:
    async with impostor(_answer(answer)) as url:
        engine = OpaServerEngine(OpaServer(url, timeout_s=10), MANIFEST)
        assert await engine.decide(b"{}") == outcome
        await engine.close()


async def test_a_server_that_is_too_slow_is_an_outage() -> None:
    released = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()

    async with impostor(wait) as url:
        engine = OpaServerEngine(OpaServer(url, timeout_s=0.05), MANIFEST)
        assert await engine.decide(b"{}") == EngineFault("timeout")
        released.set()
        await engine.close()


@pytest.mark.parametrize("url", ["opa:8181", "ftp://opa", "http://opa/path", "http://"])
def test_a_url_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="OPA server"):
        OpaServerEngine(OpaServer(url), MANIFEST)
