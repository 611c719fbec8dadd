"""Who the gateway is towards each ERP. Tokens and cookies are the gateway's own: a client never sees or sends them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from gateway.connectors.port import Session, Transport
from gateway.errors import ErpDown
from gateway.protocols.json import dumps, loads
from gateway.protocols.port import AnswerBroken, HttpCall, HttpReply

UNAUTHORIZED, FORBIDDEN, OK = 401, 403, 200
Secret = Callable[[], str]
"""Reads a secret where it lives, each time it is needed, so that a rotated one is found."""


class Basic:
    """HTTP Basic with a service account."""

    def __init__(self, user: str, password: Secret) -> None:
        self._user, self._password = user, password
        self._coded = "", ""

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        password = self._password()
        if password != self._coded[0] or not self._coded[1]:
            pair = f"{self._user}:{password}".encode()
            self._coded = password, f"Basic {base64.b64encode(pair).decode()}"
        return {"Authorization": self._coded[1]}

    def expired(self, reply: HttpReply) -> bool:  # a password does not expire by being refused
        return False


class Bearer:
    """A fixed key."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key()}"}

    def expired(self, reply: HttpReply) -> bool:  # a key does not expire by being refused
        return False


class _Renewed:
    """A session that is fetched once for all who wait, and forgotten when the ERP refuses it."""

    def __init__(self) -> None:
        self._held: dict[str, str] | None = None
        self._lock = asyncio.Lock()

    async def held(self, transport: Transport, timeout_s: float) -> dict[str, str]:
        if self._held is None:
            async with self._lock:
                if self._held is None:
                    self._held = await self.fetch(transport, timeout_s)
        return self._held

    async def fetch(self, transport: Transport, timeout_s: float) -> dict[str, str]:
        raise NotImplementedError  # abstract

    def forget(self) -> bool:
        self._held = None
        return True


class ClientCredentials(_Renewed):
    """OAuth 2.0 client credentials (RFC 6749 section 4.4); the token is renewed when the ERP no longer takes it."""

    def __init__(self, token_path: str, client: str, secret: Secret) -> None:
        super().__init__()
        self._path, self._client, self._secret = token_path, client, secret

    async def fetch(self, transport: Transport, timeout_s: float) -> dict[str, str]:
        form = {"grant_type": "client_credentials", "client_id": self._client, "client_secret": self._secret()}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        reply = await transport.exchange(HttpCall("POST", self._path, headers, urlencode(form).encode()), timeout_s)
        try:
            token = loads(reply.body)["access_token"] if reply.status == OK else None
        except (AnswerBroken, LookupError, TypeError):
            token = None
        if not isinstance(token, str):
            raise ErpDown("the ERP's token endpoint gave no token", status=reply.status)
        return {"Authorization": f"Bearer {token}"}

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        return dict(await self.held(transport, timeout_s))

    def expired(self, reply: HttpReply) -> bool:
        return reply.status == UNAUTHORIZED and self.forget()


class TrytonLogin(_Renewed):
    """A Tryton session: login by JSON-RPC, then `Authorization: Session`."""

    def __init__(self, user: str, password: Secret) -> None:
        super().__init__()
        self._user, self._password = user, password

    async def fetch(self, transport: Transport, timeout_s: float) -> dict[str, str]:
        params = [self._user, {"password": self._password()}]
        body = dumps({"id": 0, "method": "common.db.login", "params": params})
        reply = await transport.exchange(
            HttpCall("POST", "/rpc/", {"Content-Type": "application/json"}, body), timeout_s
        )
        try:
            user_id, token, *_ = loads(reply.body)["result"]
        except (AnswerBroken, LookupError, TypeError, ValueError) as err:
            raise ErpDown("the ERP refused the gateway's login", status=reply.status) from err
        words = f"{self._user}:{user_id}:{token}".encode()
        return {"Authorization": f"Session {base64.b64encode(words).decode()}"}

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        return dict(await self.held(transport, timeout_s))

    def expired(self, reply: HttpReply) -> bool:
        return reply.status == UNAUTHORIZED and self.forget()


class Csrf(_Renewed):
    """SAP's token and cookie around another session: fetched by a GET, sent with every call that changes something."""

    def __init__(self, inner: Session, fetch_path: str) -> None:
        super().__init__()
        self._inner, self._path = inner, fetch_path

    async def fetch(self, transport: Transport, timeout_s: float) -> dict[str, str]:
        call = HttpCall("GET", self._path, {"Accept": "application/json", "X-CSRF-Token": "Fetch"}, safe=True)
        own = await self._inner.headers(call, transport, timeout_s)
        reply = await transport.exchange(HttpCall("GET", self._path, {**call.headers, **own}), timeout_s)
        token = reply.headers.get("x-csrf-token", "")
        if not token or token.lower() == "required":
            self._inner.expired(reply)
            raise ErpDown("the ERP gave no CSRF token", status=reply.status)
        cookies = _cookies(reply.set_cookies)
        return {"X-CSRF-Token": token} | ({"Cookie": cookies} if cookies else {})

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]:
        own = await self._inner.headers(call, transport, timeout_s)
        return own if call.safe else own | await self.held(transport, timeout_s)

    def expired(self, reply: HttpReply) -> bool:
        if reply.status == FORBIDDEN and reply.headers.get("x-csrf-token", "").lower() == "required":
            return self.forget()
        if self._inner.expired(reply):
            return self.forget()
        return False


def _cookies(set_cookies: tuple[str, ...]) -> str:
    found: dict[str, str] = {}
    for line in set_cookies:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(line)
        except CookieError:
            continue
        found |= {name: morsel.coded_value for name, morsel in jar.items()}
    return "; ".join(f"{name}={value}" for name, value in found.items())
