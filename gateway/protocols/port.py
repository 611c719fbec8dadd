"""What a protocol codec is: pure functions between native documents and HTTP messages. It opens nothing and knows no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from gateway.core.filters import EVERYTHING, Compare, Filter, both

NativeDocument = dict[str, Any]
NativeKey = Mapping[str, Any]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class HttpCall(NamedTuple):
    """A request to an ERP. `target` is path and query below the ERP's base URL, already quoted; `safe` calls may be repeated."""

    method: str
    target: str
    headers: Mapping[str, str] = NOTHING
    body: bytes | None = None
    safe: bool = False


class HttpReply(NamedTuple):
    """An ERP's answer, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    set_cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)  # itself and no other: what a codec works out once is kept by shape
class Shape:
    """What the dialect says about one native object: the protocol's own settings and the paths it reads.

    `paths` are the native fields of the document; `lists` the fields of each nested list, by the path of the list.
    """

    native: Mapping[str, Any]
    paths: tuple[tuple[str, ...], ...] = ()
    lists: Mapping[tuple[str, ...], Shape] = field(default_factory=dict)


class Answer(NamedTuple):
    """One document, or none where the ERP only said yes. `key` holds what the answer told of a new document's key."""

    document: NativeDocument | None = None
    etag: str | None = None
    key: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents in order; `cursor` leads to the next ones, None at the end."""

    documents: tuple[NativeDocument, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: a filter and an order in native fields, at most `limit` documents, from `cursor` on."""

    filter: Filter = EVERYTHING
    order: tuple[str, ...] = ()
    limit: int = 100
    cursor: str | None = None


def by_key(key: NativeKey) -> Query:
    """What finds the one document of a key; a second one would be a mistake, so two are asked for."""
    return Query(filter=both(*(Compare(name, "eq", value) for name, value in _dotted(key))), limit=2)


def _dotted(key: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in key.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", v) for inner, v in _dotted(value))
        else:
            yield name, value


class StepCall(NamedTuple):
    """One step of a write. `kind` is create, change or call; `name` the operation that `call` names.

    `before` is the native document as it was read, empty for a new one: it holds what the key does not say, such as record ids.
    `headers` carry the id under which the ERP knows the step again.
    """

    kind: str
    name: str | None = None
    bound: bool = False
    key: NativeKey = NOTHING
    document: NativeDocument | None = None
    arguments: Mapping[str, Any] = NOTHING
    etag: str | None = None
    acknowledge: tuple[str, ...] = ()
    before: Mapping[str, Any] = NOTHING
    headers: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True)
class Reference:
    """A record that a document names by its fields: `model` and what to look for; `path` is the field that needs the id.

    `take` is the record's field that is wanted, itself an id; without `kept` another record may answer to the same the next time.
    """

    path: tuple[str | int, ...]
    model: str
    wanted: tuple[tuple[str, Any], ...]
    take: str = "id"
    kept: bool = True


class ErpRefusal(Exception):
    """The ERP answered and said no; nothing changed there.

    `kind` is one of: invalid, not-found, conflict, locked, stale, etag-required, denied, busy, session, warning, failed.
    """

    def __init__(  # a value with names
        self,
        kind: str,
        message: str,
        *,
        field: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        warning: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.field, self.code = kind, message, field, code
        self.retry_after_s, self.warning = retry_after_s, warning


class AnswerBroken(Exception):
    """The ERP's answer breaks its own protocol."""


class ProtocolCodec(Protocol):
    """Turns native operations into HTTP calls and replies into native documents."""

    def read(self, shape: Shape, key: NativeKey) -> HttpCall: ...
    def search(self, shape: Shape, query: Query) -> HttpCall: ...
    def step(self, shape: Shape, call: StepCall) -> HttpCall: ...
    def answer(self, shape: Shape, reply: HttpReply) -> Answer:
        """The document that was read."""
        ...

    def written(self, shape: Shape, reply: HttpReply) -> Answer:
        """What a step is answered with. Raises: ErpRefusal: also where the ERP says no within a yes of HTTP."""
        ...

    def page(self, shape: Shape, query: Query, reply: HttpReply) -> Page: ...
    def metadata(self, shape: Shape) -> HttpCall | None: ...


@runtime_checkable
class ReferenceCodec(Protocol):
    """A codec of an ERP that wants its own ids where a document names records, and that may ask back with a warning.

    `places` is what a read must ask for first, if anything; `at_place` puts the answer in.
    """

    def places(self, shape: Shape) -> HttpCall | None: ...
    def at_place(self, shape: Shape, query: Query, reply: HttpReply) -> Shape: ...

    def references(self, shape: Shape, document: NativeDocument) -> Iterable[Reference]: ...
    def lookup(self, shape: Shape, reference: Reference) -> HttpCall: ...
    def found(self, reference: Reference, reply: HttpReply) -> list[int]: ...
    def placed(self, call: StepCall, ids: Mapping[tuple[str | int, ...], int]) -> StepCall: ...
    def acknowledge(self, shape: Shape, warning: str) -> HttpCall | None: ...


_BY_STATUS = {
    400: "invalid",
    401: "session",
    403: "denied",
    404: "not-found",
    409: "conflict",
    412: "stale",
    422: "invalid",
    423: "locked",
    428: "etag-required",
    429: "busy",
    503: "busy",
}


def refusal_kind(status: int) -> str:
    """What an error status means when the body does not say better."""
    return _BY_STATUS.get(status, "invalid" if 400 <= status < 500 else "failed")  # noqa: PLR2004  # HTTP's own classes


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of `Retry-After`; a date there is counted from the answer's own `Date`, or else it is read as unknown."""
    value = headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    until, now = _moment(value), _moment(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until is not None and now is not None else None


def _moment(http_date: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # rarely needed, and slow to import

    try:
        return parsedate_to_datetime(http_date).astimezone(UTC) if http_date else None
    except ValueError:
        return None
