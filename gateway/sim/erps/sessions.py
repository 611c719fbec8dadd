"""CSRF tokens and the session cookies they are bound to: either alone is worth nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.sim.erps.ledger import Clock
from gateway.sim.erps.refusal import CSRF, ErpRefusal
from gateway.sim.erps.wire.messages import Headers, Request

MOST_SESSIONS = 2000


@dataclass(slots=True)
class Session:
    token: str
    seen: datetime


class Sessions:
    """The sessions of one ERP. Takes: the clock, the seed of its tokens, and the name of its cookie."""

    def __init__(self, clock: Clock, seed: int, cookie: str, lifetime_s: int) -> None:
        self._clock = clock
        self._dice = random.Random(f"sessions-{seed}")  # noqa: S311 - a simulation: the same run, the same tokens
        self._cookie = cookie
        self._lifetime = timedelta(seconds=lifetime_s)
        self._sessions: dict[str, Session] = {}

    def fetch(self, request: Request) -> Headers:
        """The answer headers of `X-CSRF-Token: Fetch`: the token of the caller's session, or of a new one."""
        found = self._session(request)
        if found is not None:
            return (("x-csrf-token", found.token),)
        name, token = f"{self._dice.getrandbits(96):024x}", f"{self._dice.getrandbits(128):032x}"
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[name] = Session(token, self._clock())
        return (("x-csrf-token", token), ("set-cookie", f"{self._cookie}={name}; path=/; HttpOnly"))

    def check(self, request: Request) -> None:
        """Raises: 403 unless the token is that of the session in the cookie."""
        found = self._session(request)
        if found is None or request.headers.get("x-csrf-token") != found.token:
            required = (("x-csrf-token", "Required"),)
            raise ErpRefusal(403, CSRF, "CSRF token validation failed", headers=required)

    def end_all(self) -> None:
        """What a restart of the ERP does."""
        self._sessions.clear()

    def _session(self, request: Request) -> Session | None:
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            found = self._sessions.get(value) if name == self._cookie else None
            if found is not None and self._clock() - found.seen <= self._lifetime:
                found.seen = self._clock()
                return found
        return None
