"""Stage: the call to the ERP. Reads answer from the side in charge; writes are carried out there, once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gateway.core.canonical import Document
from gateway.core.contracts import Contract
from gateway.dialects.filters import Unfilterable
from gateway.errors import Denied, Invalid, Malformed
from gateway.pipeline.authorize import authorize_lines
from gateway.pipeline.exchange import Exchange, Listing, Operation, Result, filled, required
from gateway.pipeline.listing import read_cursor, write_cursor
from gateway.pipeline.negotiate import client_path
from gateway.reads.authoritative import ErpSide, find, search
from gateway.writes.direct import Outcome, write


async def execute(x: Exchange) -> Exchange:
    """Carry out the operation. Raises: what the ERP's answer means, in the caller's terms."""
    operation: Operation = required(x.operation, "operation")
    side = erp_side(x)
    if operation.listing is not None:
        return filled(x, result=await _list(x, side, operation.listing))
    if not operation.writes:
        found = await find(side, required(operation.key, "key"), x.deadline_s)
        await authorize_lines(x, found.document)
        return filled(x, result=Result(found.document, etag=found.etag, key=operation.key))
    await _bound_to_own(x, side, operation)
    return filled(x, result=_written(await _write(x, side, operation)))


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
    )


async def _bound_to_own(x: Exchange, side: ErpSide, operation: Operation) -> None:
    """What a document is bound to by its URL must be this plant's too. Raises: NoSuchDocument."""
    if x.action is None or x.action.binds is None:
        return
    parent = required(x.resource, "resource").object
    if (found := required(x.erp, "ERP").of(parent, operation.plant)) is not None:
        above = replace(side, translation=found[0], shape=found[1])
        await find(above, required(operation.document, "document")[x.action.binds], x.deadline_s)


async def _list(x: Exchange, side: ErpSide, listing: Listing) -> Result:
    cell = required(x.cell, "cell")
    place = read_cursor(listing.cursor, cell, side.side, listing) if listing.cursor else None
    try:
        page = await search(side, listing.filter, listing.order, listing.limit, place, x.deadline_s)
    except Unfilterable as err:
        field = client_path(required(x.client, "client dialect"), (err.field,))
        raise Malformed(f"The list cannot look at {field!r} this way: {err.reason}.", field=field) from err
    cursor = write_cursor(page.cursor, cell, side.side, listing) if page.cursor else None
    shown = [document for document in page.documents if await _may_see(x, document)]
    return Result(documents=tuple(shown), cursor=cursor)


async def _may_see(x: Exchange, document: Document) -> bool:
    try:
        await authorize_lines(x, document)
    except Denied:
        return False
    return True


async def _write(x: Exchange, side: ErpSide, operation: Operation) -> Outcome:
    contract: Contract = required(x.contract, "contract")
    try:
        return await write(
            side,
            operation.verb,
            operation.key,
            operation.document,
            x.if_match,
            x.deadline_s,
            permitted=partial(authorize_lines, x),
        )
    except Invalid as err:
        errors = [
            {**e, "field": client_path(required(x.client, "client dialect"), tuple(e["path"]))}
            for e in err.extra["errors"]
        ]
        shown = [{"field": e["field"], "reason": e["reason"]} for e in errors]
        raise Invalid(err.detail, errors=shown, version=contract.version) from err


def _written(outcome: Outcome) -> Result:
    return Result(outcome.document, etag=outcome.etag, key=outcome.key)
