"""Stage: back into the client's words, with masks applied, and headers that say how the answer was made."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import Any
from urllib.parse import quote

from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded
from gateway.core.contracts import Contract, lifecycle_headers
from gateway.core.intents import ENDED, Intent
from gateway.core.waves import ENTERPRISE, Cell
from gateway.dialects.compile import Translation
from gateway.dialects.running import Mismatch
from gateway.edge.json_strict import dumps
from gateway.errors import DialectBroken, GatewayError
from gateway.observe.logs import log
from gateway.pipeline.exchange import Exchange, Operation, Response, Result, filled, required
from gateway.store.journal import LegView, OperationView

CREATED, ACCEPTED, OK, NO_CONTENT = 201, 202, 200, 204


async def render(x: Exchange) -> Exchange:
    """Write the response. Raises: DialectBroken: the version cannot say what the ERP answered."""
    if x.watched is not None:
        return filled(x, response=_response(x, OK, dumps(told(x.watched)), []))
    result: Result = required(x.result, "result")
    if result.pending:
        return filled(x, response=_accepted(x, result, "pending"))
    operation: Operation = required(x.operation, "operation")
    if operation.writes:
        return filled(x, response=_written(x, operation, result))
    if result.documents is not None:
        rows = [_shown(x, document) for document in result.documents]
        response = _response(x, OK, dumps({"items": rows, "next": result.cursor}), _next(x, result.cursor))
    else:
        response = _response(x, OK, dumps(_shown(x, required(result.document, "document"))), _place(x, result))
    return filled(x, response=response)


def status_of(operation: Operation) -> int:
    """The status of an answer that shows a document."""
    return CREATED if operation.writes and operation.key is None else OK


def _written(x: Exchange, operation: Operation, result: Result) -> Response:
    """What the write left behind. Whatever keeps that from being shown is no failure of the write."""
    try:
        shown = _shown(x, result.document) if result.document is not None else None
    except DialectBroken as err:
        log.warning("write.not_shown", intent=result.operation, reason=err.detail)
        shown = None
    if shown is not None:
        return _response(x, status_of(operation), dumps(shown), _place(x, result))
    # What cannot be shown may not be found at its place either: a new document's operation knows what became of it.
    return _accepted(x, result, "done") if operation.key is None else _response(x, NO_CONTENT, b"", _place(x, result))


def _shown(x: Exchange, document: Document) -> dict[str, Any]:
    client: Translation = required(x.client, "client dialect")
    mask = required(x.decision, "decision").obligations.mask
    try:
        native = client.encode(masked(document, mask) if mask else document)
    except Mismatch as err:
        field = ".".join(map(str, err.native))
        raise DialectBroken(f"This version cannot show {field}: {err.reason}.", field=field) from err
    return native if x.fields is None else {k: v for k, v in native.items() if k in x.fields}


def masked(document: Document, mask: list[str]) -> Document:
    """The document without the fields that a mask names, such as `lines[].price`."""
    made = dict(document)
    for path in mask:
        list_name, is_row, field = path.partition("[].")
        if not is_row:
            made.pop(path, None)
        elif made.get(list_name) is not None:
            made[list_name] = [{k: v for k, v in row.items() if k != field} for row in made[list_name]]
    return made


def _response(x: Exchange, status: int, body: bytes, more: list[tuple[str, str]]) -> Response:
    media = [("content-type", "application/json")] if body else []
    return Response(status, (*media, *more, *route_headers(x)), body)


def _place(x: Exchange, result: Result) -> list[tuple[str, str]]:
    headers = [("etag", str(result.etag))] if result.etag else []
    headers += _operation(result)
    operation: Operation = required(x.operation, "operation")
    if operation.writes and operation.key is None and result.key:
        headers += _location(x, operation, result.key)
    return headers


def _location(x: Exchange, operation: Operation, key: str) -> list[tuple[str, str]]:
    """Where the new document stands, in a version that shows such documents."""
    contract: Contract = required(x.contract, "contract")
    name = contract.shows(operation.spec.name, x.resource_name)
    if name is None:
        return []
    plant = f"/plants/{quote(operation.plant, safe='')}" if operation.plant != ENTERPRISE else ""
    return [("location", f"/api/{contract.version}{plant}/{name}/{quote(key, safe='')}")]


def _next(x: Exchange, cursor: str | None) -> list[tuple[str, str]]:
    if cursor is None:
        return []
    target = required(x.target, "target")
    kept = [(name, value) for name, values in target.query.items() if name != "cursor" for value in values]
    query = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in [*kept, ("cursor", cursor)])
    return [("link", f'<{x.raw_path.decode("ascii")}?{query}>; rel="next"')]


def _accepted(x: Exchange, result: Result, state: str) -> Response:
    """202: the write is in the journal, and where to ask for it. Nobody may send it again."""
    place = f"/api/{required(x.contract, 'contract').version}/operations/{result.operation}"
    body = {"operation": result.operation, "state": state, "status": place}
    return _response(x, ACCEPTED, dumps(body), [("location", place), *_operation(result)])


def _operation(result: Result) -> list[tuple[str, str]]:
    headers = [("x-op-id", result.operation)] if result.operation else []
    return [*headers, ("idempotent-replayed", "true")] if result.replayed else headers


def told(view: OperationView) -> dict[str, Any]:
    """An operation as clients see it: both legs, their steps, and what is waited for."""
    intent = view.intent
    return {
        "operation": intent.id,
        "plant": intent.plant,
        "object": intent.object,
        "verb": intent.verb,
        "state": _state(view),
        "document": intent.key or (loaded(view.answer).get("key") if view.answer else None),
        "created_at": _moment(intent.created_us),
        "legs": [_leg(leg) for leg in view.legs],
    }


def _state(view: OperationView) -> str:
    """done once every side has it; what else, from the side that counts first."""
    first = view.legs[0].state if view.legs else "done"
    if first != "done":
        return {"refused": "refused", "voided": "voided", "parked": "parked"}.get(first, "pending")
    if any(leg.state == "parked" for leg in view.legs):
        return "parked"
    return "done" if all(leg.state in ENDED for leg in view.legs) else "replicating"


_WAITS = {
    "waiting": "an earlier write to the document, its parent, or the other side",
    "ready": "its turn",
    "sending": "the ERP's answer",
    "settling": "the ERP's answer",
    "in_doubt": "certainty about what the ERP did",
    "parked": "a person's decision",
}


def _leg(leg: LegView) -> dict[str, Any]:
    shown: dict[str, Any] = {"side": leg.side, "state": leg.state, "attempts": leg.attempts}
    if leg.state in _WAITS:
        shown["waits_for"] = _WAITS[leg.state]
    if leg.state in ("ready", "in_doubt"):
        shown["next_try_at"] = _moment(leg.next_at_us)
    if leg.error is not None:
        shown["error"] = leg.error
    shown["steps"] = [{"number": s.number, "state": s.state, "sent_at": _moment(s.sent_us)} for s in leg.steps]
    return shown


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds")


def _phase(cell: Cell) -> str:
    return f"{cell.phase}; suspended" if cell.suspended else cell.phase


def _replayed(x: Exchange, first: Intent) -> str:
    """How the first request was routed. The journal keeps no phase: it is told while the cell is at that epoch."""
    cell = x.in_force.table.cell(first.plant, first.domain)
    same = cell is not None and (cell.epoch, cell.term) == (first.epoch, first.term)
    phase = f"; phase={cell.phase}" if cell is not None and same else ""
    return f"{first.side}; epoch={first.epoch}{phase}; replayed"


def route_headers(x: Exchange, error: Exception | None = None) -> list[tuple[str, str]]:
    """What a client may know of how its answer was made."""
    headers = [("x-request-id", x.request_id), ("cache-control", "no-store")]
    if x.contract is not None:
        headers += lifecycle_headers(x.contract, x.in_force.public_url).items()
    shown = x.result.replayed if x.result is not None else None
    first = shown or (error.repeats if isinstance(error, GatewayError) else None)
    if isinstance(first, Intent):
        headers.append(("x-route", _replayed(x, first)))
    elif x.cell is not None:
        stale = f"; stale={ceil(x.stale_s)}" if x.stale_s else ""
        headers.append(("x-route", f"{x.side or 'none'}; epoch={x.cell.epoch}; phase={_phase(x.cell)}{stale}"))
    return headers
