"""The error tree: what can go wrong, in the caller's terms. No HTTP here; `problem.py` gives each class its status.

GatewayError
├── Refused            the caller can change something and try again
│   ├── Malformed  TooLarge  UriTooLong  HeadersTooLarge  UnsupportedMedia  MethodNotAllowed  ExpectationFailed
│   ├── RequestTimeout
│   ├── NotAuthenticated  Denied
│   ├── UnroutedPlant  UnknownVersion  UnknownResource  NoSuchDocument  VersionGone
│   ├── Invalid  MixedCells  ErpRefused  NoSuchOperation  NoSuchPage  NoSuchCase  CaseMoved
│   ├── IdempotencyMissing  IdempotencyMismatch  IdempotencyInFlight
│   └── Conflict  StaleEtag  EtagRequired
├── Unavailable        waiting helps: PolicyUnavailable  KeysUnavailable  ErpDown  ErpTimeout  ErpBusy  Overloaded  NotYet  Draining
│                   JournalUnavailable  RouteMoved  RouteUnknown
├── Doubtful           a write whose outcome nobody knows: OutcomeUnknown
└── Broken             our fault, or a peer that breaks its own protocol: DialectBroken  ErpAnswerBroken

ContentError           a content file is wrong: file, line, column and reason of every mistake at once
SecretMissing  StoreUnusable  StalePlan     an operator can mend it; commands say so and end
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self


class GatewayError(Exception):
    """Something a caller is told about.

    Takes: `detail`, one sentence for a person; `extra`, the machine-readable members of the problem document.
    """

    code: ClassVar[str] = "gateway-error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: dict[str, Any] = {k: v for k, v in extra.items() if v is not None}
        self.operation: str | None = self.extra.get("operation")
        """The id in the journal of the write that came to this."""
        self.repeats: object = None
        """The intent (`core.intents`) of an earlier request, where this is what that one was told."""

    def of_operation(self, operation: str) -> Self:
        """The same about a write in the journal. A copy: an error of a connection may be told to many callers."""
        made = copy(self)
        made.operation = operation
        return made


class Refused(GatewayError):
    """The request cannot be carried out as it is."""

    code = "refused"


class Malformed(Refused):
    """The request breaks HTTP, JSON or the URL grammar. `field` names the place where there is one."""

    code = "malformed"


class RequestTimeout(Refused):
    """The request did not arrive in time. A head has one limit of time, a body a pace it may not fall below."""

    code = "request-timeout"


class TooLarge(Refused):
    """The body is larger than the contract allows. `limit_bytes` says how much is allowed."""

    code = "body-too-large"


class UriTooLong(Refused):
    """The request target is longer than the limit."""

    code = "uri-too-long"


class HeadersTooLarge(Refused):
    """The header section is larger than the limit."""

    code = "headers-too-large"


class UnsupportedMedia(Refused):
    """The content type or content coding is not one the operation takes."""

    code = "unsupported-media-type"


class MethodNotAllowed(Refused):
    """The resource exists and does not know this method. `allow` lists the ones it knows."""

    code = "method-not-allowed"


class ExpectationFailed(Refused):
    """`Expect` holds something other than `100-continue`."""

    code = "expectation-failed"


class NotAuthenticated(Refused):
    """No credential, or one that does not hold. `reason` is a stable word, never the token."""

    code = "not-authenticated"


class Denied(Refused):
    """The policy said no. `reasons` are the policy's own words."""

    code = "denied"


class UnroutedPlant(Refused):
    """No cell of the wave table covers this plant and domain."""

    code = "unrouted-plant"


class UnknownVersion(Refused):
    """No contract has this version."""

    code = "unknown-version"


class UnknownResource(Refused):
    """The version has no such resource or action."""

    code = "unknown-resource"


class NoSuchDocument(Refused):
    """The ERP in charge has no document with this key."""

    code = "no-such-document"


class VersionGone(Refused):
    """The version is past its sunset. `successor` links to the next one."""

    code = "version-gone"


class Invalid(Refused):
    """The document breaks the contract. `errors` lists {field, reason}."""

    code = "invalid-document"


class MixedCells(Refused):
    """The lines of the document belong to cells that are on different sides."""

    code = "mixed-cells"


class ErpRefused(Refused):
    """The ERP understood the request and said no. `erp_message` and `field` are the ERP's own."""

    code = "erp-refused"


class Conflict(Refused):
    """The document is locked or already exists."""

    code = "conflict"


class StaleEtag(Refused):
    """The document changed since the caller read it."""

    code = "stale-etag"


class EtagRequired(Refused):
    """A change needs `If-Match`."""

    code = "etag-required"


class IdempotencyMissing(Refused):
    """The contract wants an Idempotency-Key with this request."""

    code = "idempotency-key-missing"


class IdempotencyMismatch(Refused):
    """The Idempotency-Key was used for another request."""

    code = "idempotency-key-reused"


class IdempotencyInFlight(Refused):
    """The first request with this Idempotency-Key is still being answered."""

    code = "idempotency-in-flight"


class NoSuchOperation(Refused):
    """There is no such operation, or it is another caller's."""

    code = "no-such-operation"


class NoSuchPage(Refused):
    """The cursor leads to no page of this list."""

    code = "no-such-page"


class NoSuchCase(Refused):
    """There is no case with this number."""

    code = "no-such-case"


class CaseMoved(Refused):
    """The case does not allow this as it stands now. `state` is the case's, `leg` its leg's."""

    code = "case-moved"


class Unavailable(GatewayError):
    """Not now. `retry_after_s` says when to come back, where that is known."""

    code = "unavailable"


class PolicyUnavailable(Unavailable):
    """The policy engine cannot answer; an unanswered question is never a yes."""

    code = "policy-unavailable"


class KeysUnavailable(Unavailable):
    """The keys that verify tokens cannot be had and the cached ones are too old."""

    code = "keys-unavailable"


class ErpDown(Unavailable):
    """The ERP could not be reached, or the request was not sent. Nothing happened there."""

    code = "erp-down"


class ErpTimeout(Unavailable):
    """The ERP did not answer a read in time."""

    code = "erp-timeout"


class ErpBusy(Unavailable):
    """The ERP asked to come back later."""

    code = "erp-busy"


class Overloaded(Unavailable):
    """The gateway's own limit towards this ERP or for this caller is reached."""

    code = "overloaded"


class NotYet(Unavailable):
    """The cell is in a phase this release names but does not carry traffic in."""

    code = "phase-not-yet"


class JournalUnavailable(Unavailable):
    """The journal cannot commit, so nothing is sent. Reads go on for a while."""

    code = "journal-unavailable"


class RouteMoved(Unavailable):
    """The cell changed its phase while the write came in; nothing was sent."""

    code = "route-moved"


class RouteUnknown(Unavailable):
    """The gateway cannot tell which ERP is in charge: it has not heard from its store for too long."""

    code = "route-unknown"


class Draining(Unavailable):
    """This instance is shutting down."""

    code = "draining"


class Doubtful(GatewayError):
    """A write whose outcome is not known."""

    code = "doubtful"


class OutcomeUnknown(Doubtful):
    """The write was sent and no answer came. It may have happened; it is never sent again."""

    code = "outcome-unknown"


class Broken(GatewayError):
    """The gateway, its content or a peer broke its own rules."""

    code = "broken"


class DialectBroken(Broken):
    """A document did not fit the dialect that should know it. `field` names the native field."""

    code = "dialect-broken"


class ErpAnswerBroken(Broken):
    """The ERP's answer to a read cannot be understood."""

    code = "erp-answer-broken"


def _tree(kind: type[GatewayError]) -> dict[str, type[GatewayError]]:
    found = {kind.code: kind}
    for below in kind.__subclasses__():
        found |= _tree(below)
    return found


BY_CODE = _tree(GatewayError)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a content file. Lines and columns count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    reason: str

    @property
    def place(self) -> str:
        """Where it stands, as editors take it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {' '.join(line.strip() for line in self.reason.splitlines())}"


class ContentError(Exception):
    """Content is wrong: every mistake found, so that one run of the check is enough."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(m) for m in mistakes))
        self.mistakes = mistakes


class SecretMissing(Exception):
    """A secret or address that is named is not there."""


class StoreUnusable(Exception):
    """The database cannot be opened, is owned by another gateway, or is at another schema revision."""


class StalePlan(Exception):
    """The table or the content changed since the plan was made."""
