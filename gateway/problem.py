"""From an error to what the caller gets: RFC 9457 problem+json. One table, walked by a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from gateway import errors


@dataclass(frozen=True, slots=True)
class Problem:
    """How an error class is told: status, and what each person does about it. The text makes the documentation page."""

    status: int
    caller: str
    operator: str


PROBLEMS: Mapping[type[errors.GatewayError], Problem] = MappingProxyType(
    {
        errors.Malformed: Problem(400, "Mend the request at `field`.", "Nothing."),
        errors.RequestTimeout: Problem(408, "Send the request without long pauses.", "Look at the network; or raise header_timeout_s."),
        errors.TooLarge: Problem(413, "Send less than `limit_bytes`.", "Raise limits.body_bytes of the contract."),
        errors.UriTooLong: Problem(414, "Shorten the URL.", "Nothing."),
        errors.HeadersTooLarge: Problem(431, "Send fewer or shorter headers.", "Nothing."),
        errors.UnsupportedMedia: Problem(415, "Send the type in `accept`.", "Nothing."),
        errors.MethodNotAllowed: Problem(405, "Use a method of `Allow`.", "Nothing."),
        errors.ExpectationFailed: Problem(417, "Send no Expect but 100-continue.", "Nothing."),
        errors.NotAuthenticated: Problem(401, "Get a valid token or key; see `reason`.", "Look at the issuer's keys and clocks."),
        errors.Denied: Problem(403, "Ask the security team; `reasons` are the policy's.", "Look the decision up by request id."),
        errors.UnroutedPlant: Problem(404, "Check plant and resource.", "Declare a cell in routes/waves.yaml and apply."),
        errors.UnknownVersion: Problem(404, "Use one of `versions`.", "Nothing."),
        errors.UnknownResource: Problem(404, "Check the path against the version's documentation.", "Nothing."),
        errors.NoSuchDocument: Problem(404, "Check the key.", "Nothing."),
        errors.VersionGone: Problem(410, "Move to `successor`.", "Nothing; the contract says so."),
        errors.Invalid: Problem(422, "Mend the fields in `errors`.", "Nothing."),
        errors.MixedCells: Problem(422, "Send one document per plant.", "Move the plants in one flip group."),
        errors.ErpRefused: Problem(422, "Read `erp_message`: the ERP's own reason.", "Nothing, or the ERP's customising."),
        errors.Conflict: Problem(409, "Read the document again, then try again.", "Nothing."),
        errors.StaleEtag: Problem(412, "Read the document again and repeat the change on it.", "Nothing."),
        errors.EtagRequired: Problem(428, "Send If-Match.", "Nothing."),
        errors.NoSuchPage: Problem(404, "Start the list again, without a cursor.", "Nothing."),
        errors.NoSuchOperation: Problem(404, "Check the operation's id.", "Nothing; the journal keeps operations for a time."),
        errors.NoSuchCase: Problem(404, "Nothing: the admin port answers it.", "Check the number with `changeover case list`."),
        errors.CaseMoved: Problem(409, "Nothing: the admin port answers it.", "Read the case again; the text says what it allows."),
        errors.IdempotencyMissing: Problem(400, "Send Idempotency-Key, a new one for each new request.", "Nothing."),
        errors.IdempotencyMismatch: Problem(422, "Use a new Idempotency-Key for a new request.", "Nothing."),
        errors.IdempotencyInFlight: Problem(409, "Wait for the first request's answer, or ask again.", "Nothing."),
        errors.JournalUnavailable: Problem(503, "Try again; nothing was sent.", "Look at the database: it takes no commit."),
        errors.RouteMoved: Problem(503, "Try again; nothing was sent.", "Nothing; a flip was under way."),
        errors.RouteUnknown: Problem(503, "Try again.", "Look at the database and the network to it; or allow `stale_reads_s`."),
        errors.PolicyUnavailable: Problem(503, "Try again later.", "See /readyz: the policy engine does not run."),
        errors.KeysUnavailable: Problem(503, "Try again later.", "The issuer's keys cannot be fetched for too long."),
        errors.ErpDown: Problem(503, "Try again after `Retry-After`; nothing happened.", "Look at the ERP and the network to it."),
        errors.ErpTimeout: Problem(504, "Try again; it was a read.", "Look at the ERP's load."),
        errors.ErpBusy: Problem(503, "Try again after `Retry-After`; nothing happened.", "Look at the ERP's load and limits."),
        errors.Overloaded: Problem(429, "Slow down; try again after `Retry-After`.", "Raise the rate class or the ERP's limits."),
        errors.NotYet: Problem(503, "Try again later.", "The phase is named in this release and carries no traffic."),
        errors.Draining: Problem(503, "Try again; another instance answers.", "Nothing; the instance shuts down."),
        errors.OutcomeUnknown: Problem(504, "Look whether the document is there before you send it again.", "Look in the ERP."),
        errors.DialectBroken: Problem(502, "Report `field`.", "Run `changeover drift`: the ERP says something new."),
        errors.ErpAnswerBroken: Problem(502, "Report the request id.", "Look at the ERP's log."),
    }
)  # fmt: skip
INTERNAL = Problem(500, "Report the request id.", "Look at the log line of the request id: it is our fault.")
_BUSY_BY_CALLER, _NO_ROOM = "rate_class", 503
_DOWN_FOR_S = 1  # an ERP that is down says nothing about when it will be back
_UNJUDGED = (
    "missing",
    "two-credentials",
)  # no credential was looked at, so none is called invalid (RFC 6750 section 3)
_HEADERS_ONLY = ("allow", "retry_after_s")


def problem_of(error: BaseException) -> Problem:
    """The row of an error, or of the nearest class above it that has one."""
    return PROBLEMS.get(kind_of(error), INTERNAL)


def statuses_of(kind: type[errors.GatewayError]) -> tuple[int, ...]:
    """The statuses that an error class is told with."""
    status = problem_of(kind("")).status
    return (status, _NO_ROOM) if issubclass(kind, errors.Overloaded) else (status,)


def kind_of(error: BaseException) -> type[errors.GatewayError]:
    """The class that an error is told as: only those have a page."""
    return next((cls for cls in type(error).__mro__ if cls in PROBLEMS), _Internal)


def title_of(error: type[BaseException]) -> str:
    """The first sentence of the class's docstring: what kind of problem it is."""
    return (error.__doc__ or "").split(". ")[0].split("\n")[0].strip().rstrip(".")


def rendered(error: Exception, request_id: str, base_url: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body for an error. An error nobody knows tells nothing of itself."""
    if not isinstance(error, errors.GatewayError):
        error = _Internal("Something went wrong in the gateway.")
    status = problem_of(error).status
    if isinstance(error, errors.Overloaded) and _BUSY_BY_CALLER not in error.extra:
        status = _NO_ROOM
    kind = kind_of(error)
    body: dict[str, Any] = {
        "type": f"{base_url}/problems/{kind.code}",
        "title": title_of(kind),
        "status": status,
        "detail": error.detail,
        "instance": f"urn:request:{request_id}",
        "code": str(error.extra.get("code", kind.code)),
    }
    body |= {k: v for k, v in error.extra.items() if k not in (*_HEADERS_ONLY, "code", *body)}
    if isinstance(error, errors.Unavailable):
        body["retryable"] = True
    if isinstance(error, errors.Doubtful):
        body["in_doubt"] = True
    return status, [("content-type", "application/problem+json"), *_headers(error)], orjson.dumps(body, default=str)


class _Internal(errors.Broken):
    """The gateway failed."""

    code = "internal"


def _headers(error: errors.GatewayError) -> list[tuple[str, str]]:
    headers = []
    if isinstance(error, errors.NotAuthenticated):
        judged = error.extra.get("reason") not in _UNJUDGED
        detail = ', error="invalid_token"' if judged else ""
        headers.append(("www-authenticate", f'Bearer realm="changeover"{detail}'))
    if isinstance(error, errors.MethodNotAllowed):
        headers.append(("allow", ", ".join(error.extra.get("allow", ()))))
    if error.operation is not None:
        headers.append(("x-op-id", error.operation))
    if error.extra.get("replayed"):
        headers.append(("idempotent-replayed", "true"))
    wait = error.extra.get("retry_after_s", _DOWN_FOR_S if isinstance(error, errors.ErpDown) else None)
    if wait is not None:
        headers.append(("retry-after", str(max(1, round(float(wait))))))
    return headers


def codes() -> Mapping[str, type[errors.GatewayError]]:
    """Every problem code that can be told, and its class."""
    every: tuple[type[errors.GatewayError], ...] = (*PROBLEMS, _Internal)
    return {cls.code: cls for cls in every}
