"""Reads: the ERP in charge answers, in canonical form."""

from __future__ import annotations

from typing import NamedTuple

from gateway.connectors.port import Connector
from gateway.core.budget import Priority
from gateway.core.canonical import Document
from gateway.core.etags import ETag, content_hash
from gateway.core.filters import Compare, Filter, both
from gateway.core.phases import Side
from gateway.core.waves import ENTERPRISE
from gateway.dialects.compile import Translation
from gateway.dialects.filters import Unfilterable, to_native
from gateway.dialects.running import Mismatch
from gateway.errors import (
    Conflict,
    DialectBroken,
    ErpAnswerBroken,
    ErpBusy,
    ErpRefused,
    EtagRequired,
    GatewayError,
    NoSuchDocument,
    StaleEtag,
)
from gateway.protocols.port import ErpRefusal, NativeDocument, NativeKey, Query, Shape
from gateway.reads.beside import BesideLookup, completed


class ErpSide(NamedTuple):
    """One side of a cell: its ERP, the dialect there, and what ETags say of it. `priority` is what it is called for.

    `beside` is where the fields are kept that the ERP lacks; None where only its own count.
    """

    name: str
    connector: Connector
    translation: Translation
    shape: Shape
    plant: str
    side: Side
    term: int
    priority: Priority = Priority.INTERACTIVE
    beside: BesideLookup | None = None


class Found(NamedTuple):
    """A document as the ERP has it now. `native_etag` is the ERP's own lock, None where it has none; `native` what it sent."""

    document: Document
    etag: ETag
    native_etag: str | None
    native: NativeDocument


class FoundPage(NamedTuple):
    """Some documents, and the ERP's place where the next ones are."""

    documents: tuple[Document, ...]
    cursor: str | None


async def find(side: ErpSide, key: str, deadline_s: float) -> Found:
    """One document by its key. Raises: NoSuchDocument, or what the ERP's refusal means."""
    native_key = key_of(side, key)
    try:
        answer = await side.connector.read(side.shape, native_key, deadline_s, side.priority)
    except ErpRefusal as refusal:
        if refusal.kind == "not-found":
            raise _missing(side, key) from refusal
        raise _unread(side, refusal) from refusal
    if answer.document is None:
        raise _missing(side, key)
    document = decoded(side, answer.document)
    if not belongs(side, document):
        # A key of another plant: this cell has no such document, and says so in the same words as for a missing one.
        raise _missing(side, key)
    told = document.get(side.translation.plan.spec.key)
    if told is not None and told != key:
        # An ERP may take a number written otherwise for the same: here it would be a second document, in a lane of its own.
        words = f"There is no {side.translation.plan.spec.name} {key!r}: its number is {told!r}."
        raise NoSuchDocument(words, reason="another-number")
    (document,) = await _completed(side, [document])
    return Found(document, shown_etag(side, document, answer.etag), answer.etag, answer.document)


def _missing(side: ErpSide, key: str) -> NoSuchDocument:
    return NoSuchDocument(f"There is no {side.translation.plan.spec.name} {key!r}.")


async def search(  # all of a query
    side: ErpSide, where: Filter, order: tuple[str, ...], limit: int, place: str | None, deadline_s: float
) -> FoundPage:
    """A page of the cell's documents. Raises: Unfilterable, or what the ERP's refusal means."""
    query = query_of(side, where, order, limit, place)
    try:
        page = await side.connector.search(side.shape, query, deadline_s, side.priority)
    except ErpRefusal as refusal:
        if refusal.kind == "not-found":
            raise _no_service(side, refusal) from refusal
        raise _unread(side, refusal) from refusal
    documents = (decoded(side, row) for row in page.documents)
    own = [document for document in documents if belongs(side, document)]
    return FoundPage(tuple(await _completed(side, own)), page.cursor)


async def _completed(side: ErpSide, documents: list[Document]) -> list[Document]:
    plan = side.translation.plan
    if side.beside is None or not plan.beside or not documents:
        return documents
    return await completed(side.beside, side.name, side.plant, plan, documents)


def query_of(side: ErpSide, where: Filter, order: tuple[str, ...], limit: int, place: str | None = None) -> Query:
    """What the ERP is asked for a list: the caller's filter within the cell's own plant. Raises: Unfilterable."""
    native = to_native(side.translation.plan, both(*_own_plant(side), where))
    return Query(native, tuple(field for name in order for field in _native_order(side, name)), limit, place)


def _no_service(side: ErpSide, refusal: ErpRefusal) -> ErpRefused:
    """An ERP that finds nothing answers an empty list; a list that is not found is one it does not offer."""
    text = f"{side.name} offers no list of {side.translation.plan.spec.name}."
    return ErpRefused(text, erp=side.name, erp_message=refusal.message, erp_code=refusal.code, reason="unsupported")


def belongs(side: ErpSide, document: Document) -> bool:
    """Whether a document is the cell's and of its object.

    ERPs keep the orders of all plants, and all kinds of stock documents, in one place; where neither key nor header tells
    them apart, the rows do: one at least must name the plant and hold what every row of the object holds.
    """
    spec = side.translation.plan.spec
    if side.plant == ENTERPRISE:
        return True
    told = side.translation.plan.level.entry("plant") is not None
    if told or spec.plant_of_lines is None or document.get("plant", side.plant) != side.plant:
        return bool(document.get("plant", side.plant) == side.plant)
    rows = document.get(spec.plant_of_lines) or ()
    needed = [row.name for row in spec.field(spec.plant_of_lines).rows if row.required]
    whole = [row for row in rows if all(row.get(name) is not None for name in needed)]
    return not rows or any(row["plant"] == side.plant for row in whole)


def _own_plant(side: ErpSide) -> tuple[Filter, ...]:
    """Lists show the cell's plant only; the condition is the gateway's, whatever the caller filters on."""
    plan = side.translation.plan
    entry = plan.level.entry("plant")
    if side.plant == ENTERPRISE or entry is None or ".".join(entry.native[0]) in plan.native.get("unsearchable", ()):
        return ()  # What cannot be searched for is left out of the page afterwards.
    return (Compare("plant", "eq", side.plant),)


def _native_order(side: ErpSide, name: str) -> tuple[str, ...]:
    """A canonical field's order in the ERP's own fields: a day and its time are two."""
    field, _, direction = name.partition(" ")
    entry = side.translation.plan.level.entry(field)
    if entry is None or entry.codec is None or not (entry.codec.ordered or len(entry.native) == 1):
        raise Unfilterable(field, "the field has no order")
    return tuple("/".join(path) + (" desc" if direction else "") for path in entry.native)


def key_of(side: ErpSide, key: str) -> NativeKey:
    """The ERP's key fields for a canonical key. Raises: NoSuchDocument: no document there can have this key."""
    spec = side.translation.plan.spec
    try:
        return side.translation.encode_key({spec.key: key, "plant": side.plant})
    except Mismatch as err:
        raise _missing(side, key) from err


def decoded(side: ErpSide, native: dict[str, object]) -> Document:
    """The canonical form of what the ERP sent. Raises: DialectBroken."""
    try:
        document = side.translation.decode(native)
    except Mismatch as err:
        field = ".".join(map(str, err.native))
        raise DialectBroken(
            f"{side.name} sent {field} in a way its dialect does not know: {err.reason}.", field=field
        ) from err
    if side.plant == ENTERPRISE:
        return document
    # Where the ERP names the plant on the lines only, the header's is the cell's; where on the header only, the lines' is that.
    return _placed(side, document if "plant" in document else {"plant": side.plant, **document})


def _placed(side: ErpSide, document: Document) -> Document:
    plan = side.translation.plan
    name = plan.spec.plant_of_lines
    entry = plan.level.entry(name) if name is not None and document.get(name) else None
    if name is None or entry is None or entry.rows is None or entry.rows.entry("plant") is not None:
        return document
    return {**document, name: [{**row, "plant": document["plant"]} for row in document[name]]}


def shown_etag(side: ErpSide, document: Document, native: str | None) -> ETag:
    """The ETag a client sees. The ERP's own says nothing of what is kept beside it."""
    kept = {name: value for name in side.translation.plan.beside if (value := document.get(name)) is not None}
    if native is not None and kept:
        return ETag(side.side, side.term, content=content_hash({"": native, **kept}))
    if native is not None:
        return ETag(side.side, side.term, native=native)
    return ETag(side.side, side.term, content=content_hash(document))


def _unread(side: ErpSide, refusal: ErpRefusal) -> GatewayError:
    """What a refusal to read means: a read names no version of its document, so none can be an old one."""
    if refusal.kind in ("stale", "etag-required"):
        words = {"erp": side.name, "erp_message": refusal.message, "erp_code": refusal.code}
        return ErpAnswerBroken(f"{side.name} speaks of a version of the document where none was named.", **words)
    return meaning(side, refusal)


def meaning(side: ErpSide, refusal: ErpRefusal) -> GatewayError:
    """What an ERP's refusal means to the caller; the ERP's own words and field stay."""
    words = {"erp": side.name, "erp_message": refusal.message, "erp_code": refusal.code, "field": refusal.field}
    match refusal.kind:
        case "not-found":
            return NoSuchDocument(f"There is no such {side.translation.plan.spec.name}.")
        case "conflict" | "locked":
            return Conflict(refusal.message or "The document is locked.", **words)
        case "stale":
            return StaleEtag("The document changed since it was read.", **words)
        case "etag-required":
            return EtagRequired("The ERP wants to know which version of the document is changed.", **words)
        case "busy":
            return ErpBusy(f"{side.name} asks to come back later.", erp=side.name, retry_after_s=refusal.retry_after_s)
        case "session" | "denied":
            return ErpAnswerBroken(f"{side.name} refuses the gateway's own account.", **words)
    return ErpRefused(refusal.message, **words)
