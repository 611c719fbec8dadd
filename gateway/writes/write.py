"""A write as a client asks for it, and what it came to."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.canonical import Document, ObjectSpec
from gateway.core.etags import Condition, content_hash
from gateway.core.intents import Intent, NewLeg
from gateway.core.waves import Cell
from gateway.writes.carry import Outcome
from gateway.writes.place import Place

Permitted = Callable[[Document], Awaitable[None]]


class Write(NamedTuple):
    """What a client asks: a verb on an object of a cell. Numbers are those that clients know.

    `places` has the authoritative side first, then the other one where the phase writes both.
    """

    cell: Cell
    spec: ObjectSpec
    verb: str
    key: str | None
    document: Document | None
    if_match: Condition
    places: tuple[Place, ...]
    client: str
    subject: str
    content: str
    version: str
    deadline_s: float
    permitted: Permitted
    idempotency_key: str | None = None
    one_number: bool = False
    """Every ERP's numbers are those that clients know."""
    unplaced: tuple[NewLeg, ...] = ()
    """Legs to ERPs without such an object: parked from the start."""


class Written(NamedTuple):
    """A write that ended in time: its operation, and what it left behind in the ERP's numbers."""

    operation: str
    outcome: Outcome
    replayed: Intent | None = None
    """What an earlier request with the same key began, where this is its answer."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A write that is in the journal and not done yet: nobody may send it again."""

    operation: str
    replayed: Intent | None = None


def fingerprint_of(plant: str, object_: str, verb: str, key: str | None, document: Document | None) -> str:
    """What an Idempotency-Key is bound to: the canonical operation, whatever the version."""
    text = content_hash(document) if document is not None else ""
    return hashlib.sha256("\n".join((plant, object_, verb, key or "", text)).encode()).hexdigest()


def fingerprint(w: Write) -> str:
    """The fingerprint of a write."""
    return fingerprint_of(w.cell.plant, w.spec.name, w.verb, w.key, w.document)
