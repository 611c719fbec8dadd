"""What a version's operations are answered with: documents, problems by what a request goes through, and headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

from gateway import errors
from gateway.core.canonical import ObjectSpec
from gateway.core.contracts import Contract
from gateway.core.etags import SHAPE
from gateway.core.intents import LegState, StepState
from gateway.core.phases import SIDES
from gateway.problem import codes, statuses_of, title_of

Json = dict[str, Any]
ID = "^[0-9a-f]{32}$"


class Asked(NamedTuple):
    """What of an operation decides how it may be answered.

    `verb` is the canonical one, or `watch` where there is no `spec`: for an operation of the journal. `named` says that its path
    names a document, `creates` that it makes one, `body` that it takes one.
    """

    contract: Contract
    verb: str
    spec: ObjectSpec | None = None
    named: bool = False
    creates: bool = False
    body: bool = False
    key_required: bool = False

    @property
    def watches(self) -> bool:
        return self.spec is None

    @property
    def reads(self) -> bool:
        return self.verb in ("read", "list")

    @property
    def writes(self) -> bool:
        return not self.reads and not self.watches


PROBLEMS: tuple[tuple[Callable[[Asked], bool], tuple[type[errors.GatewayError], ...]], ...] = (
    (lambda a: True, (
        errors.Malformed, errors.NotAuthenticated, errors.Denied, errors.RequestTimeout, errors.TooLarge, errors.UriTooLong,
        errors.ExpectationFailed, errors.HeadersTooLarge, errors.Overloaded, errors.KeysUnavailable, errors.PolicyUnavailable,
        errors.JournalUnavailable, errors.Draining, codes()["internal"],
    )),
    (lambda a: a.contract.sunset_at is not None, (errors.VersionGone,)),
    (lambda a: a.watches, (errors.NoSuchOperation,)),
    (lambda a: not a.watches, (
        errors.UnroutedPlant, errors.ErpRefused, errors.Conflict, errors.NotYet, errors.ErpDown, errors.ErpBusy,
        errors.ErpTimeout, errors.ErpAnswerBroken,
    )),
    (lambda a: a.reads, (errors.RouteUnknown,)),
    (lambda a: a.verb == "list", (errors.NoSuchPage,)),
    (lambda a: a.named, (errors.NoSuchDocument,)),
    (lambda a: a.reads or a.named, (errors.DialectBroken,)),
    (lambda a: a.writes, (
        errors.IdempotencyMismatch, errors.IdempotencyInFlight, errors.RouteMoved, errors.OutcomeUnknown,
    )),
    (lambda a: a.key_required, (errors.IdempotencyMissing,)),
    (lambda a: a.writes and not a.creates, (errors.StaleEtag, errors.EtagRequired)),
    (lambda a: a.body, (errors.UnsupportedMedia, errors.Invalid)),
    (lambda a: a.body and a.spec is not None and bool(a.spec.plants), (errors.MixedCells,)),
)  # fmt: skip
"""Who can be told what. Paths that name no resource, versions that are none and the admin port's problems are no operation's."""


def _text(description: str, **schema: Any) -> Json:
    return {"description": description, "schema": {"type": "string", **schema}}


HEADERS: dict[str, Json] = {
    "X-Request-Id": _text("The caller's own, where it sent a sound one.", pattern="^[A-Za-z0-9._-]{8,64}$"),
    "traceparent": _text("W3C trace context."),
    "Server-Timing": _text("Milliseconds in each stage."),
    "X-Route": _text(
        "Side, epoch and phase that answered, such as `cloud; epoch=7; phase=dual_cloud`; of a repeated write those of before."
    ),
    "X-Op-Id": _text("The write's id: `/operations/{id}` tells of it.", pattern=ID),
    "Idempotent-Replayed": _text("The answer of an earlier request with the same Idempotency-Key.", const="true"),
    "ETag": _text("For If-Match.", pattern=f"^{SHAPE}$"),
    "Location": _text("Where it is found.", format="uri-reference"),
    "Deprecation": _text("Since when the version is deprecated (RFC 9745).", pattern="^@[0-9]+$"),
    "Sunset": _text("When the version is switched off (RFC 8594)."),
    "Link": _text("The version's life and successor, and the next page of a list (RFC 8288)."),
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": _text("What credential is taken."),
}


def headers(contract: Contract) -> Json:
    """The headers that every answer of a version may have, and those that some have."""
    return {
        name: HEADERS[name] for name in (*_common(contract), "X-Route", "X-Op-Id", "Retry-After", "WWW-Authenticate")
    }


def _common(contract: Contract) -> list[str]:
    life = [("Deprecation", contract.deprecated_at), ("Sunset", contract.sunset_at), ("Link", contract.deprecated_at)]
    return ["X-Request-Id", "traceparent", "Server-Timing", *(name for name, moment in life if moment)]


class Problems:
    """The problem answers of a version, each of them written once: `responses` has them by name."""

    def __init__(self, contract: Contract, public_url: str) -> None:
        self._contract, self._public_url = contract, public_url
        self._names: dict[tuple[int, tuple[str, ...]], str] = {}
        self.responses: Json = {}

    def of(self, asked: Asked) -> Json:
        """What an operation can be refused with: status -> answer."""
        found = [cls for true, classes in PROBLEMS if true(asked) for cls in classes]
        by_status: dict[int, list[type[errors.GatewayError]]] = {}
        for cls in found:
            for status in statuses_of(cls):
                by_status.setdefault(status, []).append(cls)
        return {str(status): self._named(status, by_status[status]) for status in sorted(by_status)}

    def _named(self, status: int, classes: list[type[errors.GatewayError]]) -> Json:
        which = (status, tuple(cls.code for cls in classes))
        if which not in self._names:
            others = sum(known == status for known, _ in self._names)
            self._names[which] = f"Problem{status}" + (f"-{others + 1}" if others else "")
            self.responses[self._names[which]] = self._problem(status, classes)
        return {"$ref": f"#/components/responses/{self._names[which]}"}

    def _problem(self, status: int, classes: list[type[errors.GatewayError]]) -> Json:
        types = [f"{self._public_url}/problems/{cls.code}" for cls in classes]
        names = [*_common(self._contract), "X-Route", *_TOLD_WITH.get(status, ())]
        told = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"type": {"enum": types}}}]}
        return {
            "description": " | ".join(f"{title_of(cls)}." for cls in classes),
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
            "content": {"application/problem+json": {"schema": told}},
        }


_TOLD_WITH = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After", "X-Op-Id"),
    412: ("X-Op-Id",),
    422: ("X-Op-Id",),
    429: ("Retry-After",),
    502: ("X-Op-Id",),
    503: ("Retry-After", "X-Op-Id"),
    504: ("X-Op-Id",),
}
"""X-Op-Id: of a write that stands in the journal."""


def good(asked: Asked) -> Json:
    """What an operation is answered with where nothing is wrong: status -> answer."""
    if asked.watches:
        return {"200": _answer(asked, "The write, and what is waited for.", _ref("Operation"))}
    if asked.verb == "list":
        rows = {"items": {"type": "array", "items": _ref(_name(asked))}, "next": {"type": ["string", "null"]}}
        page = {"type": "object", "required": ["items", "next"], "properties": rows}
        return {"200": _answer(asked, "A page.", page, optional=("Link",))}
    if asked.verb == "read":
        return {"200": _answer(asked, "The document.", _ref(_name(asked)), "ETag")}
    done = _made(asked) if asked.creates else _changed(asked)
    told = "It is in the journal and will be carried out, or it is done and cannot be shown: the operation tells of it."
    return done | {"202": _written(asked, told, _ref("Accepted"), "Location")}


def _made(asked: Asked) -> Json:
    place = ("Location",) if asked.contract.shows(_name(asked)) else ()
    return {"201": _written(asked, "Created.", _ref(_name(asked)), "ETag", *place)}


def _changed(asked: Asked) -> Json:
    return {
        "200": _written(asked, "The document as it is now.", _ref(_name(asked)), "ETag"),
        "204": _written(asked, "Done. The document cannot be shown now.", None, optional=("ETag",)),
    }


def _written(asked: Asked, description: str, schema: Json | None, *needed: str, optional: tuple[str, ...] = ()) -> Json:
    return _answer(asked, description, schema, "X-Op-Id", *needed, optional=("Idempotent-Replayed", *optional))


def _answer(asked: Asked, description: str, schema: Json | None, *needed: str, optional: tuple[str, ...] = ()) -> Json:
    """One answer. What is repeated from the journal may tell no route any more."""
    routed = ("X-Route",) if asked.reads else ()
    made = {name: {**HEADERS[name], "required": True} for name in (*_common(asked.contract), *routed, *needed)}
    if asked.writes:
        made["X-Route"] = HEADERS["X-Route"]
    made |= {name: HEADERS[name] for name in optional if name not in made}
    content = {"content": {"application/json": {"schema": schema}}} if schema is not None else {}
    return {"description": description, "headers": made, **content}


def _name(asked: Asked) -> str:
    return asked.spec.name if asked.spec is not None else ""


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Json, optional: tuple[str, ...] = ()) -> Json:
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "required": needed, "properties": properties, "additionalProperties": False}


_WORD: Json = {"type": "string"}
_MOMENT: Json = {"type": "string", "format": "date-time"}
_STEP = _object({"number": {"type": "integer"}, "state": {"enum": list(get_args(StepState))}, "sent_at": _MOMENT})
_LEG = _object(
    {
        "side": {"enum": list(SIDES)}, "state": {"enum": list(get_args(LegState))}, "attempts": {"type": "integer"},
        "waits_for": _WORD, "next_try_at": _MOMENT, "error": _WORD, "steps": {"type": "array", "items": _STEP},
    },
    ("waits_for", "next_try_at", "error"),
)  # fmt: skip
SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "properties": {
            "type": {"type": "string", "description": "Its documentation stands at this address."},
            "title": _WORD,
            "status": {"type": "integer"},
            "detail": _WORD,
            "instance": _WORD,
            "code": _WORD,
            "field": _WORD,
            "errors": {
                "type": "array",
                "items": {"type": "object", "properties": {"field": _WORD, "reason": _WORD}},
            },
            "reasons": {"type": "array", "items": _WORD},
            "erp": _WORD,
            "erp_message": _WORD,
            "erp_code": _WORD,
            "operation": _WORD,
            "retryable": {"type": "boolean"},
            "in_doubt": {"type": "boolean"},
            "replayed": {"type": "boolean"},
        },
    },
    "Accepted": _object({
        "operation": {"type": "string", "pattern": ID},
        "state": {"enum": ["pending", "done"]},
        "status": {"type": "string", "format": "uri-reference", "description": "Where the operation is read."},
    }),
    "Operation": _object({
        "operation": {"type": "string", "pattern": ID},
        "plant": _WORD,
        "object": _WORD,
        "verb": _WORD,
        "state": {"enum": ["pending", "replicating", "done", "refused", "voided", "parked"]},
        "document": {"type": ["string", "null"], "description": "The number of the document, once it is known."},
        "created_at": _MOMENT,
        "legs": {"type": "array", "items": _LEG},
    }),
}  # fmt: skip
"""What answers hold beside documents."""
