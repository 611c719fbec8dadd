"""What each stage decides about a request, in words. Nothing is sent."""

from __future__ import annotations

from typing import Any

from gateway.connectors.factory import PROTOCOLS
from gateway.core.phases import PHASES
from gateway.dialects.filters import Unfilterable
from gateway.errors import GatewayError, Invalid
from gateway.pipeline.exchange import Exchange, Operation, required
from gateway.pipeline.execute import erp_side, execute, unlistable, unsayable
from gateway.pipeline.render import render, route_headers, status_of
from gateway.pipeline.stages import STAGES
from gateway.problem import problem_of
from gateway.protocols.port import HttpCall
from gateway.reads.authoritative import key_of, query_of
from gateway.writes.carry import first_step, prepared

Row = dict[str, Any]
"""`stage`, what it `decides`, and `why`; of a refused document also its `errors`, each with `field` and `reason`."""
_UNTIL_ERP = STAGES[: STAGES.index(execute)]
_OF_ONE_ANSWER = ("x-request-id", "cache-control")


async def walked(x: Exchange) -> list[Row]:
    """A row for each stage, up to the one that refuses."""
    rows: list[Row] = []
    for stage in _UNTIL_ERP:
        try:
            x = await stage(x)
        except GatewayError as err:
            return [*rows, {"stage": stage.__name__, **_refused(err)}]
        rows.append({"stage": stage.__name__, **_said(stage.__name__, x)})
    try:
        rows.append({"stage": execute.__name__, **_sent(x)})
    except GatewayError as err:
        return [*rows, {"stage": execute.__name__, **_refused(err)}]
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
        case "recall" if operation:
            keyed = "no Idempotency-Key: a repeated request is a new one" if operation.writes else "a read"
            return {"decides": "goes on", "why": keyed}
        case "steer" if cell and x.erp:
            sides = [f"{side}: {cell.erp(side)}" for side in PHASES[cell.phase].writes]
            return {
                "decides": ", then ".join(sides) if operation and operation.writes else f"{x.side}: {x.erp.name}",
                "why": f"phase {cell.phase}, epoch {cell.epoch}, table revision {x.in_force.table.revision}",
            }
    return {"decides": "", "why": ""}


def _sent(x: Exchange) -> Row:
    """The call that would go out. Raises: what the gateway would refuse it with."""
    try:
        call = _call(x)
    except Invalid as err:
        raise unsayable(x, err) from err
    except Unfilterable as err:
        raise unlistable(x, err) from err
    erp, kept = x.erp.name if x.erp else "", _kept_beside(x)
    beside = f"; the gateway keeps {', '.join(sorted(kept))}" if kept else ""
    if x.operation is not None and x.operation.writes and _nothing(x):
        return {"decides": "nothing written", "why": f"{erp} lacks these fields{beside}"}
    body = f" {call.body.decode(errors='replace')[:400]}" if call.body else ""
    return {"decides": f"{call.method} {call.target}", "why": f"{erp}{body}{beside}"}


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


def _kept_beside(x: Exchange) -> frozenset[str]:
    """The fields of a write that the ERP has not."""
    document = x.operation.document if x.operation is not None else None
    return x.translation.plan.beside & (document or {}).keys() if x.translation is not None else frozenset()


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
