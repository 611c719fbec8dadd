"""One simulated ERP: a request in, an answer out. No socket, no thread, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.declare import Model
from gateway.sim.erps.faults import FaultBook
from gateway.sim.erps.ledger import Ledger
from gateway.sim.erps.logon import Logon, Throttle, check_client
from gateway.sim.erps.reads import get
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.rules.business import Business
from gateway.sim.erps.sessions import Sessions
from gateway.sim.erps.site import Site
from gateway.sim.erps.truth import Cause, Entry
from gateway.sim.erps.wire.dialect import Dialect
from gateway.sim.erps.wire.messages import Answer, Request
from gateway.sim.erps.wire.options import pairs
from gateway.sim.erps.wire.paths import resolve
from gateway.sim.erps.writes import method_of, write

READS = frozenset({"GET", "HEAD"})
REFERENCES = (
    "x-request-id", "x-op-id", "requestid", "repeatability-request-id", "idempotency-key", "traceparent",
    "x-correlation-id", "sap-passport",
)  # fmt: skip


class Erp:
    """The engine behind one face.

    Takes: its configuration. `answer` never raises; `truth` is what really happened.
    """

    def __init__(self, config: ErpConfig) -> None:
        self.config = config
        self.logon = Logon(config)
        self.throttle = Throttle(config)
        cookie = f"SAP_SESSIONID_{config.erp.upper()[:3]}_{config.sap_client}"
        self.sessions = Sessions(config.clock, config.seed, cookie, config.session_lifetime_s)
        self.faults = FaultBook(config.faults)
        self.reset()

    def reset(self) -> None:
        """As it was at the start: seeded, nothing in the truth log."""
        self.site = Site(self.config)
        self.repeatable: dict[str, tuple[datetime, Answer]] = {}

    @property
    def truth(self) -> list[Entry]:
        return self.site.ledger.truth

    @property
    def model(self) -> Model:
        return self.site.model

    @property
    def dialect(self) -> Dialect:
        return self.site.dialect

    @property
    def ledger(self) -> Ledger:
        return self.site.ledger

    @property
    def business(self) -> Business:
        return self.site.business

    def answer(self, request: Request) -> Answer:
        """What the ERP does with a request."""
        try:
            return self._answered(request)
        except ErpRefusal as refusal:
            return self.refused(refusal)

    def refused(self, refusal: ErpRefusal) -> Answer:
        """A refusal in this face's shape."""
        at = self.config.clock().strftime("%Y%m%d%H%M%S.%f")
        return Answer(refusal.status, refusal.headers, self.dialect.refusal(refusal, at))

    def _answered(self, request: Request) -> Answer:
        if request.path == "/oauth/token" and request.method == "POST":
            return self.logon.token(request)
        self.throttle.check()
        user = self.logon.user(request)
        if self.config.face == "d365":
            return self._dispatch(request, user)
        check_client(self.config, request.headers.get("sap-client", pairs(request.query).get("sap-client")))
        if request.method not in READS and self.config.csrf:
            self.sessions.check(request)
        answer = self._dispatch(request, user)
        wants_token = request.headers.get("x-csrf-token", "").lower() == "fetch"
        return answer.with_headers(*self.sessions.fetch(request)) if wants_token else answer

    def _dispatch(self, request: Request, user: str) -> Answer:
        target = resolve(self.model, request.path)
        if request.method in READS:
            return get(self.site, request, target)
        method = method_of(request)
        cause = Cause("api", user, f"{method} {request.path}", _references(request))
        if method == "POST" and self.config.remembers_s > 0:
            return self._once(request, lambda: write(self.site, request, target, method, cause))
        return write(self.site, request, target, method, cause)

    def _once(self, request: Request, write_it: Callable[[], Answer]) -> Answer:
        """A write under an identifier that was seen in the window gets the first one's answer."""
        name = request.headers.get("repeatability-request-id") or request.headers.get("requestid", "")
        at, answer = self.repeatable.get(name, (None, None))
        now = self.config.clock()
        if at is not None and answer is not None and (now - at).total_seconds() <= self.config.remembers_s:
            return answer.with_headers(("repeatability-result", "accepted"))
        answer = write_it()
        if name:
            self.repeatable.pop(name, None)  # the newest stands last
            self.repeatable[name] = (now, answer)
        return answer


def _references(request: Request) -> dict[str, str]:
    return {name: request.headers[name] for name in REFERENCES if name in request.headers}
