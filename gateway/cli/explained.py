"""What each stage decides about a request, in words. Nothing is sent."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.connectors.factory import PROTOCOLS
from gateway.core.canonical import Document
from gateway.core.phases import PHASES, Side
from gateway.dialects.compile import Translation
from gateway.dialects.filters import Unfilterable
from gateway.errors import GatewayError, IdempotencyMismatch, Invalid, NoSuchDocument
from gateway.pipeline.exchange import Exchange, Operation, known_caller, required
from gateway.pipeline.execute import erp_side, execute, unlistable, unsayable
from gateway.pipeline.recall import idempotency_key, recall
from gateway.pipeline.render import render, route_headers, status_of
from gateway.pipeline.stages import STAGES
from gateway.problem import problem_of
from gateway.protocols.port import HttpCall
from gateway.reads.authoritative import ErpSide, key_of, query_of
from gateway.reads.numbers import CrosswalkLookup, for_erp, keyed
from gateway.store.journal import Journal
from gateway.writes.carry import first_step, named_by, prepared
from gateway.writes.write import fingerprint_of

Row = dict[str, Any]
"""`stage`, what it `decides`, and `why`; of a refused document also its `errors`, each with `field` and `reason`."""
_UNTIL_ERP = STAGES[: STAGES.index(execute)]
_OF_ONE_ANSWER = ("x-request-id", "cache-control")


class Book(NamedTuple):
    """What the store knows of writes and numbers."""

    journal: Journal
    numbers: CrosswalkLookup


async def walked(x: Exchange, book: Book | None = None) -> list[Row]:
    """A row for each stage, up to the one that refuses or answers. Takes: `book`, None where there is no store."""
    rows: list[Row] = []
    for stage in _UNTIL_ERP:
        try:
            if stage is recall:
                row, answered = await _recalled(x, book)
                rows.append({"stage": recall.__name__, **row})
                if answered:
                    return rows
                continue
            x = await stage(x)
        except GatewayError as err:
            return [*rows, {"stage": stage.__name__, **_refused(err)}]
        rows.append({"stage": stage.__name__, **_said(stage.__name__, x)})
    try:
        rows.append({"stage": execute.__name__, **_sent(x)})
    except GatewayError as err:
        return [*rows, {"stage": execute.__name__, **_refused(err)}]
    rows += [{"stage": f"execute, then {side}", **await _followed(x, side, book)} for side in _others(x)]
    return [*rows, {"stage": render.__name__, **_rendered(x)}]


def refuses(rows: list[Row]) -> bool:
    """Whether the request would be refused."""
    return bool(rows) and str(rows[-1]["decides"]).startswith("refuses")


def _refused(err: GatewayError) -> Row:
    errors = [{"field": e.get("field", ""), "reason": e.get("reason", "")} for e in err.extra.get("errors") or ()]
    words = [f"{e['field']}: {e['reason']}" for e in errors]
    words += [f"{name}: {value}" for name, value in err.extra.items() if name != "errors"]
    return {
        "decides": f"refuses: {problem_of(err).status} {err.code}",
        "why": f"{err.detail} {'; '.join(words)}".strip(),
        **({"errors": errors} if errors else {}),
    }


def _said(stage: str, x: Exchange) -> Row:
    contract, caller, operation, decision, cell = x.contract, x.caller, x.operation, x.decision, x.cell
    match stage:
        case "admit" if contract:
            life = f"deprecated {contract.deprecated_at:%F}" if contract.deprecated_at else "in use"
            return {
                "decides": f"version {contract.version}",
                "why": f"{life}; body {len(x.body)} bytes, deadline {contract.limits.deadline_s} s",
            }
        case "authenticate" if caller:
            return {
                "decides": caller.subject,
                "why": f"roles {', '.join(caller.roles)}; plants {', '.join(caller.plants)}",
            }
        case "negotiate" if operation:
            words = f"{operation.verb} {operation.spec.name} {operation.key or ''}".strip()
            return {
                "decides": words,
                "why": f"cell ({operation.plant}, {operation.spec.domain}); dialect {contract.dialect if contract else ''}",
            }
        case "authorize" if decision:
            asked = ", ".join(decision.obligations.in_force()) or "none"
            return {
                "decides": "allows",
                "why": f"bundle {decision.revision[:12]}; reasons {', '.join(decision.reasons) or 'none'}; obligations {asked}",
            }
        case "steer" if cell and x.erp:
            sides = [f"{side}: {cell.erp(side)}" for side in PHASES[cell.phase].writes]
            return {
                "decides": ", then ".join(sides) if operation and operation.writes else f"{x.side}: {x.erp.name}",
                "why": f"phase {cell.phase}, epoch {cell.epoch}, table revision {x.in_force.table.revision}",
            }
    return {"decides": "", "why": ""}


async def _recalled(x: Exchange, book: Book | None) -> tuple[Row, bool]:
    """What the Idempotency-Key stands for, and whether that is the answer. Raises: what a wrong key is refused with."""
    operation: Operation = required(x.operation, "operation")
    if not operation.writes:
        return {"decides": "goes on", "why": "a read"}, False
    key = idempotency_key(x)
    if key is None:
        return {"decides": "goes on", "why": "no Idempotency-Key: a repeated request is a new one"}, False
    if book is None:
        return {"decides": "goes on", "why": "the Idempotency-Key is new: there is no database yet"}, False
    known = await book.journal.known(known_caller(x).client_id, key, int(x.clock.wall() * 1_000_000))
    if known is None:
        return {"decides": "goes on", "why": "the Idempotency-Key is new: the answer will be kept under it"}, False
    same = fingerprint_of(operation.plant, operation.spec.name, operation.verb, operation.key, operation.document)
    if known.fingerprint != same:
        raise IdempotencyMismatch("This Idempotency-Key was used for another request.", operation=known.intent)
    why = "the same request was made under this Idempotency-Key: nothing is sent, whatever the table says now"
    return {"decides": f"answers what operation {known.intent} came to", "why": why}, True


def _others(x: Exchange) -> list[Side]:
    """The sides that get the write after the one in charge."""
    cell, operation = required(x.cell, "cell"), required(x.operation, "operation")
    return [side for side in PHASES[cell.phase].writes if side != x.side] if operation.writes else []


async def _followed(x: Exchange, side: Side, book: Book | None) -> Row:
    """The call that would go to the other ERP once the first one said yes; what stands in its way is a case, and no refusal."""
    cell, operation = required(x.cell, "cell"), required(x.operation, "operation")
    name = required(cell.erp(side), "ERP")
    path = x.in_force.erps[name]
    found = path.of(operation.spec.name, operation.plant)
    if found is None:
        return {"decides": "opens a case: untranslatable", "why": f"{name} has no {operation.spec.name}"}
    there = ErpSide(name, path.connector, *found, cell.plant, side, cell.term)
    try:
        key, document = await _in_its_numbers(x, there, book)
        if prepared(there, operation.verb, document, None).nothing:
            return {
                "decides": "nothing written",
                "why": f"{name} lacks these fields{_keeps(there.translation, document)}",
            }
        codec = PROTOCOLS[path.dialect.file.protocol or ""]()
        call = codec.step(there.shape, first_step(there, operation.verb, key, document))
        return _told(name, call, _keeps(there.translation, document))
    except GatewayError as err:
        return {"decides": f"opens a case: {err.extra.get('reason') or err.code}", "why": f"{name}: {err.detail}"}


async def _in_its_numbers(x: Exchange, there: ErpSide, book: Book | None) -> tuple[str | None, Document | None]:
    """Key and document as the other ERP calls things. Raises: NoSuchDocument: nobody knows its number of the document."""
    operation = required(x.operation, "operation")
    key, document, object_ = operation.key, operation.document, keyed(operation.spec.name)
    if book is not None and document is not None:
        document = await for_erp(book.numbers, there.name, operation.spec.name, document)
    if key is None or object_ in x.in_force.content.manifest(there.name).same_numbers:
        return key, document
    names = await book.numbers.to_erp(there.name, [(object_, key)]) if book is not None else {}
    if (object_, key) not in names:
        words = f"Nobody knows under which number {there.name} has {operation.spec.name} {key}."
        raise NoSuchDocument(words, reason="unmapped")
    return names[object_, key], document


def _told(erp: str, call: HttpCall, more: str = "") -> Row:
    body = f" {call.body.decode(errors='replace')[:400]}" if call.body else ""
    return {"decides": f"{call.method} {call.target}", "why": f"{erp}{body}{more}"}


def _sent(x: Exchange) -> Row:
    """The call that would go out. Raises: what the gateway would refuse it with."""
    named_by(x.if_match)
    try:
        call = _call(x)
    except Invalid as err:
        raise unsayable(x, err) from err
    except Unfilterable as err:
        raise unlistable(x, err) from err
    erp = x.erp.name if x.erp else ""
    beside = _keeps(x.translation, x.operation.document if x.operation is not None else None)
    if x.operation is not None and x.operation.writes and _nothing(x):
        return {"decides": "nothing written", "why": f"{erp} lacks these fields{beside}"}
    return _told(erp, call, beside)


def _rendered(x: Exchange) -> Row:
    """What the answer would be made of, as far as it is known before the ERP has said anything."""
    operation: Operation = required(x.operation, "operation")
    masked = required(x.decision, "decision").obligations.mask
    known = [f"masks {', '.join(masked) or 'nothing'}"]
    if x.fields is not None:
        known.append(f"shows {', '.join(sorted(x.fields))} only")
    if operation.listing is None:
        known.append(f"ETag of {x.side}, term {required(x.cell, 'cell').term}")
    known += [f"{name}: {value}" for name, value in route_headers(x) if name not in _OF_ONE_ANSWER]
    pending = ", or 202 while it is pending" if operation.writes else ""
    version = required(x.contract, "contract").version
    return {"decides": f"{status_of(operation)} in {version}{pending}", "why": "; ".join(known)}


def _nothing(x: Exchange) -> bool:
    """Whether the ERP has no field for anything of a change."""
    operation = required(x.operation, "operation")
    return prepared(erp_side(x), operation.verb, operation.document, None).nothing


def _keeps(translation: Translation | None, document: Document | None) -> str:
    """The fields of a write that the ERP has not, in words."""
    kept = sorted(translation.plan.beside & (document or {}).keys()) if translation is not None else []
    return f"; the gateway keeps {', '.join(kept)}" if kept else ""


def _call(x: Exchange) -> HttpCall:
    side, operation = erp_side(x), x.operation
    assert x.erp is not None and operation is not None  # noqa: S101, PT018  # the stages have run
    codec = PROTOCOLS[x.erp.dialect.file.protocol or ""]()
    if operation.listing is not None:
        wanted = operation.listing
        return codec.search(side.shape, query_of(side, wanted.filter, wanted.order, wanted.limit))
    if not operation.writes:
        return codec.read(side.shape, key_of(side, operation.key or ""))
    return codec.step(side.shape, first_step(side, operation.verb, operation.key, operation.document))
