"""What one request knows as it goes through the stages. Every stage takes an exchange and returns a fuller one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, NamedTuple, Protocol

from gateway.connectors.port import Connector
from gateway.control.content import Content
from gateway.core.canonical import Document, ObjectSpec
from gateway.core.contracts import Action, Contract, Resource
from gateway.core.etags import ANY_VERSION, Condition, ETag
from gateway.core.filters import EVERYTHING, Filter
from gateway.core.intents import Intent
from gateway.core.phases import Side
from gateway.core.waves import ENTERPRISE, Cell, WaveTable
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect
from gateway.edge.headers import Headers
from gateway.edge.limits import EdgeLimits
from gateway.edge.paths import Target
from gateway.edge.tokens import Caller
from gateway.errors import NotAuthenticated
from gateway.policy.decision import Decision
from gateway.policy.service import Policy
from gateway.protocols.port import Shape
from gateway.protocols.shape import shape_of
from gateway.reads.beside import BesideLookup, RememberedBeside
from gateway.reads.numbers import CrosswalkLookup
from gateway.store.journal import OperationView
from gateway.writes.engine import Writes

Receive = Callable[[], Any]
_NO_HEADERS = Headers({})


class Authenticator(Protocol):
    """Says who calls, from what the request carries."""

    async def caller(self, headers: Headers, now: float) -> Caller: ...


class Rates(Protocol):
    """Counts calls per caller and rate class."""

    def wait_s(self, caller: str, rate_class: str, now_s: float) -> float | None:
        """Seconds until the caller may go on; None: nobody declared the class."""
        ...


@dataclass(frozen=True, slots=True)
class ErpPath:
    """One ERP: the guarded path to it and the dialect it speaks."""

    name: str
    connector: Connector
    dialect: Dialect
    shapes: Mapping[tuple[str, str], Shape]

    def of(self, object_: str, plant: str) -> tuple[Translation, Shape] | None:
        """How an object of a plant is said to this ERP; None where the ERP has no such object."""
        translation = self.dialect.of(object_, plant)
        if translation is None:
            return None
        shape = self.shapes.get((object_, plant)) or self.shapes[object_, ENTERPRISE]
        return translation, shape


def erp_path(name: str, connector: Connector, dialect: Dialect) -> ErpPath:
    """An ERP's path, with the shapes of its objects worked out once."""
    shapes = {place: shape_of(translation.plan) for place, translation in dialect.translations.items()}
    return ErpPath(name, connector, dialect, shapes)


def never() -> float:
    """Routes that nobody else can change are never overdue."""
    return 0.0


@dataclass(frozen=True, slots=True)
class InForce:
    """Everything that decides about a request, at one moment: pinned when the request comes in, never looked up again."""

    content: Content
    table: WaveTable
    policy: Policy
    authenticator: Authenticator
    erps: Mapping[str, ErpPath]
    rates: Rates
    public_url: str = ""
    writes: Writes | None = None
    numbers: CrosswalkLookup | None = None
    beside: RememberedBeside | None = None
    overdue_s: Callable[[], float] = never
    """For how long nobody vouches any more that the table is the one in force; 0 or less while somebody does."""

    @property
    def kept(self) -> BesideLookup | None:
        """Where the fields are kept that ERPs lack, as writes see it."""
        return self.beside.store if self.beside is not None else None

    def contract(self, version: str) -> Contract | None:
        return self.content.contracts.get(version)


@dataclass(frozen=True, slots=True)
class Clock:
    """The times a request needs: `wall()` seconds since the epoch, `steady()` seconds of the event loop."""

    wall: Callable[[], float]
    steady: Callable[[], float]
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list asks for, in canonical fields; `cursor` is the client's own."""

    filter: Filter = EVERYTHING
    order: tuple[str, ...] = ()
    limit: int = 50
    cursor: str | None = None
    filtered: frozenset[str] = frozenset()


class Operation(NamedTuple):
    """The canonical operation: what policy, wave table and ERPs see of a request."""

    plant: str
    spec: ObjectSpec
    verb: str
    key: str | None = None
    document: Document | None = None
    listing: Listing | None = None

    @property
    def cell_id(self) -> tuple[str, str]:
        return self.plant, self.spec.domain

    @property
    def writes(self) -> bool:
        return self.verb not in ("read", "list")


class Result(NamedTuple):
    """What the ERP in charge answered, in canonical form."""

    document: Document | None = None
    documents: tuple[Document, ...] | None = None
    cursor: str | None = None
    etag: ETag | None = None
    key: str | None = None
    operation: str | None = None
    """A write's id in the journal."""
    pending: bool = False
    replayed: Intent | None = None
    """The write that an earlier request with the same key began."""


class Response(NamedTuple):
    """What goes back to the client."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)  # without slots: `filled` copies one dictionary, where `replace` walks thirty slots
class Exchange:
    """One request on its way. Fields are filled by the stage that is named beside them.

    A field that nobody has filled yet is not held at all: its default is the class's.
    """

    # the surface
    method: str
    raw_path: bytes
    query_string: bytes
    raw_headers: list[tuple[bytes, bytes]]
    receive: Receive
    in_force: InForce
    clock: Clock
    limits: EdgeLimits
    request_id: str = ""
    # admit
    headers: Headers = _NO_HEADERS
    target: Target | None = None
    body: bytes = b""
    deadline_s: float = 0.0
    contract: Contract | None = None
    # authenticate
    caller: Caller | None = None
    # negotiate
    resource_name: str = ""
    resource: Resource | None = None
    action: Action | None = None
    operation: Operation | None = None
    client: Translation | None = None
    fields: frozenset[str] | None = None
    if_match: Condition = ANY_VERSION
    watched: OperationView | None = None
    # recall
    idempotency_key: str | None = None
    # authorize
    decision: Decision | None = None
    # steer
    cell: Cell | None = None
    side: Side | None = None
    erp: ErpPath | None = None
    translation: Translation | None = None
    shape: Shape | None = None
    stale_s: float = 0.0
    # execute
    result: Result | None = None
    # render
    response: Response | None = None


_NAMES = frozenset(Exchange.__dataclass_fields__)
_new, _hold = object.__new__, object.__setattr__
_NEEDED = frozenset(name for name, each in Exchange.__dataclass_fields__.items() if each.default is MISSING)


def begun(**first: Any) -> Exchange:
    """A new exchange: `Exchange()`, at a fifth of its cost."""
    if not first.keys() >= _NEEDED:
        raise TypeError(f"an exchange needs {', '.join(_NEEDED - first.keys())}")
    if not _NAMES.issuperset(first):
        raise _no_such(first)
    made = _new(Exchange)
    _hold(made, "__dict__", first)
    return made


def filled(x: Exchange, **known: Any) -> Exchange:
    """The exchange with more of its fields known: `dataclasses.replace`, at a tenth of its cost."""
    if not _NAMES.issuperset(known):
        raise _no_such(known)
    made = _new(Exchange)
    _hold(made, "__dict__", {**x.__dict__, **known})
    return made


def _no_such(known: dict[str, Any]) -> TypeError:
    return TypeError(f"an exchange has no {', '.join(known.keys() - _NAMES)}")


def required(value: Any, what: str) -> Any:
    """A value that an earlier stage must have filled."""
    if value is None:
        raise RuntimeError(f"no {what} yet: the stages are out of order")
    return value


def known_caller(x: Exchange) -> Caller:
    """Who calls. Raises: NotAuthenticated: nobody was recognised."""
    if x.caller is None:
        raise NotAuthenticated("No caller.", reason="missing")
    return x.caller
