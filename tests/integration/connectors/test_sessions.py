"""Logging in to an ERP that says something else than its manual does: no call goes out, and the next one logs in anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.connectors.port import Session
from gateway.connectors.sessions import Basic, ClientCredentials, Csrf, TrytonLogin
from gateway.errors import ErpDown, OutcomeUnknown
from gateway.protocols.port import Query, StepCall
from tests.integration.connectors.conftest import NEW, ORDERS, PRODUCTS, Connect
from tests.integration.connectors.scripted import Seen, erp

CREATE = StepCall("create", document=dict(NEW))
ALL = Query(limit=1)
LONG_S = 30.0
ROWS = b'{"d": {"results": []}}'
MADE = b'{"d": {"ManufacturingOrder": "000001000099"}}'


def soon() -> float:
    return asyncio.get_running_loop().time() + LONG_S


def said(body: bytes, *, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, more, len(body), body)


def token() -> Session:
    return ClientCredentials("/oauth/token", "gateway", lambda: "pw")


def login() -> Session:
    return TrytonLogin("gateway", lambda: "pw")


def sap() -> Session:
    return Csrf(Basic("GATEWAY", lambda: "pw"), f"{PRODUCTS}/")


NO_SESSION = {
    "a page in place of a token": (token, b"/oauth/token", b"<html>Sign in</html>", b'{"access_token": "t1"}'),
    "a list in place of a token": (token, b"/oauth/token", b"[]", b'{"access_token": "t1"}'),
    "a number in place of a token": (token, b"/oauth/token", b"7", b'{"access_token": "t1"}'),
    "an answer without a token": (token, b"/oauth/token", b"{}", b'{"access_token": "t1"}'),
    "a token that is no text": (token, b"/oauth/token", b'{"access_token": null}', b'{"access_token": "t1"}'),
    "a page in place of a login": (login, b"/rpc/", b"<html>Down</html>", b'{"result": [7, "t1"]}'),
    "a wrong password": (login, b"/rpc/", b'{"result": null}', b'{"result": [7, "t1"]}'),
    "an error in place of a login": (login, b"/rpc/", b'{"error": ["LoginException"]}', b'{"result": [7, "t1"]}'),
    "half a login": (login, b"/rpc/", b'{"result": [7]}', b'{"result": [7, "t1"]}'),
}
Login = Callable[[], Session]


@pytest.mark.parametrize("name", NO_SESSION)
async def test_a_login_that_gave_nothing_sends_no_call_and_the_next_call_logs_in_anew(
    name: str, connect: Connect
) -> None:
    make, place, nothing, session = NO_SESSION[name]
    logins = iter([nothing, session])

    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(said(next(logins) if place in seen.lines[-1] else ROWS))

    async with erp(say) as seen:
        connector = connect(seen.url, session=make())
        with pytest.raises(ErpDown):
            await connector.search(ORDERS, ALL, soon())
        assert [place in line for line in seen.lines] == [True]
        await connector.search(ORDERS, ALL, soon())
        assert [place in line for line in seen.lines] == [True, True, False]


@pytest.mark.parametrize("make", [token, login, sap])
async def test_a_write_that_got_no_further_than_the_login_is_not_in_doubt(make: Login, connect: Connect) -> None:
    """The connection breaks: had it been the write's own, nobody would know what became of it."""

    def say(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with erp(say) as seen:
        with pytest.raises(ErpDown, match="no session"):
            await connect(seen.url, session=make()).send(ORDERS, CREATE, soon())
        assert len(seen.lines) == 1
        assert not any(b"A_ProductionOrder_2" in line for line in seen.lines)


async def test_a_cookie_that_no_browser_would_take_does_not_hide_the_sessions_own(connect: Connect) -> None:
    cookies = b"X-CSRF-Token: abc\r\nSet-Cookie: sap/odd=1\r\nSet-Cookie: SAP_SESSIONID=s1; path=/\r\n"

    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        fetched = seen.lines[-1].startswith(b"GET")
        writer.write(said(ROWS, more=cookies) if fetched else said(MADE, status=b"201 Created"))

    async with erp(say) as seen:
        await connect(seen.url, session=sap()).send(ORDERS, CREATE, soon())
        fetch, write = seen.requests
        assert b"Cookie:" not in fetch
        assert b"\r\nCookie: SAP_SESSIONID=s1\r\n" in write


@pytest.mark.parametrize("body", [b"<html>Thank you for your order</html>", b"[]", b'{"d": 7}'])
async def test_a_write_that_is_answered_in_a_way_nobody_understands_is_in_doubt_and_goes_out_once(
    body: bytes, connect: Connect
) -> None:
    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(said(body, status=b"201 Created"))

    async with erp(say) as seen:
        with pytest.raises(OutcomeUnknown):
            await connect(seen.url, session=Basic("GATEWAY", lambda: "pw")).send(ORDERS, CREATE, soon())
        assert len(seen.lines) == 1
