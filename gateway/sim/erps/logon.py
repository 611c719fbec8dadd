"""Who may call: Basic users, OAuth clients and their bearer tokens, the SAP client, and the request budget."""

from __future__ import annotations

import base64
import binascii
import random
from collections import deque
from datetime import datetime, timedelta
from urllib.parse import unquote_plus

import orjson

from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.wire.messages import Answer, Request


class Logon:
    """The door of one ERP."""

    def __init__(self, config: ErpConfig) -> None:
        self._config = config
        self._dice = random.Random(f"tokens-{config.seed}")  # noqa: S311 - a simulation
        self._tokens: dict[str, tuple[str, datetime]] = {}

    def user(self, request: Request) -> str:
        """The user of a request. Raises: 401."""
        if not self._config.users and not self._config.clients:
            return "GATEWAY"
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic" and (user := self._basic(credentials, self._config.users)):
            return user
        if scheme.lower() == "bearer":
            return self._bearer(credentials)
        raise self._unknown()

    def token(self, request: Request) -> Answer:
        """`POST /oauth/token`, grant client_credentials."""
        form = dict(p.partition("=")[::2] for p in request.body.decode("latin-1").split("&"))
        form = {unquote_plus(k): unquote_plus(v) for k, v in form.items()}
        if form.get("grant_type") != "client_credentials":
            return Answer(400, body=b'{"error":"unsupported_grant_type"}')
        client = self._client(request, form)
        if client is None:
            return Answer(401, (("www-authenticate", "Basic"),), b'{"error":"invalid_client"}')
        token = f"{self._dice.getrandbits(160):040x}"
        lifetime_s = self._config.token_lifetime_s
        self._tokens[token] = (client, self._config.clock() + timedelta(seconds=lifetime_s))
        body = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime_s}
        return Answer(200, (("cache-control", "no-store"),), orjson.dumps(body))

    def revoke_all(self) -> None:
        """Every token handed out is worthless from now on."""
        self._tokens.clear()

    def _client(self, request: Request, form: dict[str, str]) -> str | None:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return self._basic(credentials, self._config.clients)
        name = form.get("client_id", "")
        return name if name and self._config.clients.get(name) == form.get("client_secret") else None

    def _basic(self, credentials: str, known: dict[str, str]) -> str | None:
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user if user and known.get(user) == password else None

    def _bearer(self, token: str) -> str:
        client, until = self._tokens.get(token, ("", self._config.clock()))
        if not client or until <= self._config.clock():
            raise self._unknown('Bearer error="invalid_token"')
        return client

    def _unknown(self, challenge: str = "") -> ErpRefusal:
        default = f'Basic realm="{self._config.erp}"' if self._config.users else "Bearer"
        headers = (("www-authenticate", challenge or default),)
        return ErpRefusal(401, "LOGON/401", "Logon failed", headers=headers)


def check_client(config: ErpConfig, given: str | None) -> None:
    """Raises: 401 for a `sap-client` that this system does not have."""
    if given is not None and given != config.sap_client:
        raise ErpRefusal(401, "LOGON/400", f"Client {given} is not available in this system")


class Throttle:
    """At most so many requests in a window; then 429 with `Retry-After`."""

    def __init__(self, config: ErpConfig) -> None:
        self._config = config
        self._at: deque[datetime] = deque()

    def check(self) -> None:
        """Raises: 429."""
        if not self._config.throttle_requests:
            return
        now, window = self._config.clock(), timedelta(seconds=self._config.throttle_window_s)
        while self._at and now - self._at[0] >= window:
            self._at.popleft()
        if len(self._at) >= self._config.throttle_requests:
            wait_s = max(1, round((self._at[0] + window - now).total_seconds()))
            message = "Number of requests exceeded the limit over the time window. Retry later."
            raise ErpRefusal(429, "0x80072322", message, headers=(("retry-after", str(wait_s)),))
        self._at.append(now)
