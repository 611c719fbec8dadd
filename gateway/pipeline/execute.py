"""Stage: the call to the ERP. Reads answer from the side in charge; writes are carried out there, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from gateway.core.canonical import Document
from gateway.core.crosswalk import REFERENCES
from gateway.core.filters import Filter, compared, with_values
from gateway.core.intents import NewLeg
from gateway.core.phases import PHASES
from gateway.core.waves import Cell
from gateway.dialects.filters import Unfilterable
from gateway.errors import Denied, Invalid, Malformed
from gateway.pipeline.authorize import authorize_lines
from gateway.pipeline.exchange import Exchange, Listing, Operation, Result, filled, known_caller, required
from gateway.pipeline.listing import read_cursor, write_cursor
from gateway.pipeline.negotiate import client_path
from gateway.reads.authoritative import ErpSide, find, search
from gateway.reads.beside import BesideLookup
from gateway.reads.numbers import CrosswalkLookup, for_client, key_for_erp
from gateway.store.sql import StoreDown
from gateway.writes.engine import Writes
from gateway.writes.place import Place
from gateway.writes.write import Pending, Write, Written

_MOST_PAGES = 20
"""Pages of an ERP that one list may read: a caller who gets an empty one with a `next` goes on from there."""


async def execute(x: Exchange) -> Exchange:
    """Carry out the operation. Raises: what the ERP's answer means, in the caller's terms."""
    if x.watched is not None or x.result is not None:
        return x
    operation: Operation = required(x.operation, "operation")
    side = erp_side(x)
    if operation.listing is not None:
        return filled(x, result=await _list(x, side, operation.listing))
    if not operation.writes:
        return filled(x, result=await _read(x, side, operation))
    await _bound_to_own(x, side, operation)
    return filled(x, result=await _write(x, side, operation))


async def _read(x: Exchange, side: ErpSide, operation: Operation) -> Result:
    key: str = required(operation.key, "key")
    numbers = _numbers(x)
    own = await _own_key(x, side, operation.spec.name, key)
    asked_s = x.clock.wall()
    found = await find(side, own, x.deadline_s)
    await authorize_lines(x, found.document)
    (document,) = _dated(side, asked_s, [found.document])
    if numbers:
        (document,) = await for_client(numbers, side.name, operation.spec.name, [document])
    return Result(document, etag=found.etag, key=key)


def _numbers(x: Exchange) -> CrosswalkLookup | None:
    """The crosswalk, where numbers may differ."""
    if x.in_force.writes is None or x.in_force.table.one_number:
        return None
    numbers: CrosswalkLookup = required(x.in_force.numbers, "numbers")
    return numbers


async def _own_key(x: Exchange, side: ErpSide, object_: str, key: str) -> str:
    """A document's number in the ERP in charge. Raises: NoSuchDocument."""
    numbers = _numbers(x)
    if numbers is None:
        return key
    return await key_for_erp(numbers, side.name, object_, key, x.in_force.content.manifest(side.name).same_numbers)


def erp_side(x: Exchange) -> ErpSide:
    """The ERP in charge, as reads and writes need it."""
    erp, cell = required(x.erp, "ERP"), required(x.cell, "cell")
    return ErpSide(
        erp.name,
        erp.connector,
        required(x.translation, "translation"),
        required(x.shape, "shape"),
        cell.plant,
        required(x.side, "side"),
        cell.term,
        beside=_beside(x),
    )


def _beside(x: Exchange) -> BesideLookup | None:
    """Where the fields are kept that the ERP lacks: reads may remember them, a write may not."""
    writes = x.operation is not None and x.operation.writes
    return x.in_force.kept if writes else x.in_force.beside


async def _bound_to_own(x: Exchange, side: ErpSide, operation: Operation) -> None:
    """What a document is bound to by its URL must be this plant's too. Raises: NoSuchDocument."""
    if x.action is None or x.action.binds is None:
        return
    parent = required(x.resource, "resource").object
    if (found := required(x.erp, "ERP").of(parent, operation.plant)) is not None:
        above = side._replace(translation=found[0], shape=found[1])
        key = required(operation.document, "document")[x.action.binds]
        await find(above, await _own_key(x, side, parent, key), x.deadline_s)


async def _list(x: Exchange, side: ErpSide, listing: Listing) -> Result:
    cell = required(x.cell, "cell")
    numbers = _numbers(x)
    where = listing.filter
    if numbers:
        where = await _own_numbers(numbers, side, where)
    place = read_cursor(listing.cursor, cell, side.side, listing) if listing.cursor is not None else None
    try:
        shown, place = await _page(x, side, listing, where, place)
    except Unfilterable as err:
        raise unlistable(x, err) from err
    cursor = write_cursor(place, cell, side.side, listing) if place else None
    if numbers:
        shown = await for_client(numbers, side.name, side.translation.plan.spec.name, shown)
    return Result(documents=tuple(shown), cursor=cursor)


async def _page(
    x: Exchange, side: ErpSide, listing: Listing, where: Filter, place: str | None
) -> tuple[list[Document], str | None]:
    """The next documents that the caller may see, and where the ones after them are.

    ERPs keep the documents of all plants in one place, so a page of theirs may hold nothing of this cell: then the one after it is
    read. Only whole pages are taken, because a cursor is the ERP's own place between two of them.
    """
    half_time_s = x.deadline_s - required(x.contract, "contract").limits.deadline_s / 2
    for _ in range(_MOST_PAGES):
        asked_s = x.clock.wall()
        page = await search(side, where, listing.order, listing.limit, place, x.deadline_s)
        shown = [document for document in _dated(side, asked_s, page.documents) if await _may_see(x, document)]
        place = page.cursor
        if shown or place is None or x.clock.steady() > half_time_s:
            break
    return shown, place


def _dated(side: ErpSide, asked_s: float, documents: Sequence[Document]) -> list[Document]:
    """The documents with the moment they are true of: where the ERP names none, that of the question."""
    if "as_of" not in side.translation.plan.spec.model.model_fields:
        return list(documents)
    asked_at = datetime.fromtimestamp(int(asked_s), UTC)
    return [document if document.get("as_of") else {**document, "as_of": asked_at} for document in documents]


def unlistable(x: Exchange, err: Unfilterable) -> Malformed:
    """What the ERP's dialect cannot filter or order by, in the client's own words."""
    field = client_path(required(x.client, "client dialect"), (err.field,))
    return Malformed(f"The list cannot look at {field!r} this way: {err.reason}.", field=field)


async def _own_numbers(crosswalk: CrosswalkLookup, side: ErpSide, where: Filter) -> Filter:
    """A client's filter with the ERP's own numbers in it."""
    object_ = side.translation.plan.spec.name
    fields = {path[0]: of for path, of in REFERENCES[object_] if len(path) == 1}
    asked = {(fields[c.field], str(c.value)) for c in compared(where) if c.field in fields}
    names = await crosswalk.to_erp(side.name, asked)
    return with_values(where, lambda c: names.get((fields.get(c.field, ""), str(c.value)), c.value))


async def _may_see(x: Exchange, document: Document) -> bool:
    try:
        await authorize_lines(x, document)
    except Denied:
        return False
    return True


async def _write(x: Exchange, side: ErpSide, operation: Operation) -> Result:
    writes: Writes = required(x.in_force.writes, "write engine")
    try:
        done = await writes.submit(_asked(x, side, operation))
    except Invalid as err:
        raise unsayable(x, err) from err
    if isinstance(done, Pending):
        return Result(operation=done.operation, pending=True, replayed=done.replayed)
    return await _shown(x, side, operation, done)


def unsayable(x: Exchange, err: Invalid) -> Invalid:
    """What the ERP's dialect cannot say of a document, in the client's own words."""
    client, contract = required(x.client, "client dialect"), required(x.contract, "contract")
    errors = [
        {"field": client_path(client, tuple(e["path"])) if "path" in e else e["field"], "reason": e["reason"]}
        for e in err.extra["errors"]
    ]
    return Invalid(err.detail, errors=errors, version=contract.version)


def _asked(x: Exchange, side: ErpSide, operation: Operation) -> Write:
    caller, places = known_caller(x), tuple(_places(x, side, operation))
    return Write(
        cell=required(x.cell, "cell"),
        spec=operation.spec,
        verb=operation.verb,
        key=operation.key,
        document=operation.document,
        if_match=x.if_match,
        places=tuple(place for place in places if isinstance(place, Place)),
        client=caller.client_id,
        subject=caller.subject,
        content=x.in_force.content.revision,
        version=required(x.contract, "contract").version,
        deadline_s=x.deadline_s,
        permitted=partial(authorize_lines, x),
        idempotency_key=x.idempotency_key,
        one_number=x.in_force.table.one_number,
        unplaced=tuple(leg for leg in places if isinstance(leg, NewLeg)),
    )


def _places(x: Exchange, side: ErpSide, operation: Operation) -> Iterator[Place | NewLeg]:
    """Where the write goes: the authoritative side first. What the other ERP has no place for is owed to it, and a person's."""
    cell: Cell = required(x.cell, "cell")
    content = x.in_force.content
    yield Place(side, content.manifest(side.name))
    for other in PHASES[cell.phase].writes[1:]:
        erp = x.in_force.erps[required(cell.erp(other), "ERP")]
        found = erp.of(operation.spec.name, operation.plant)
        if found is None:
            yield NewLeg(other, erp.name, parked=f"{erp.name} has no {operation.spec.name}.")
            continue
        place = side._replace(name=erp.name, connector=erp.connector, translation=found[0], shape=found[1], side=other)
        yield Place(place, content.manifest(erp.name))


async def _shown(x: Exchange, side: ErpSide, operation: Operation, done: Written) -> Result:
    """What the write left behind, in the numbers that clients know."""
    outcome, numbers = done.outcome, _numbers(x)
    document, key = outcome.document, operation.key or outcome.key
    if numbers and document is not None and not done.replayed:
        try:
            (document,) = await for_client(numbers, side.name, operation.spec.name, [document])
        except StoreDown:
            # It is done, and in which numbers cannot be told now: the operation will.
            return Result(etag=outcome.etag, operation=done.operation)
        key = operation.key or document.get(operation.spec.key) or key
    return Result(document, etag=outcome.etag, key=key, operation=done.operation, replayed=done.replayed)
