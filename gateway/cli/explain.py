"""`changeover explain METHOD URL`: what each stage would decide, and why. Nothing is sent to any ERP."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from gateway.app import policy_of
from gateway.cli.content import Database, Folder
from gateway.cli.output import Exit, Format, Output, print_json, show, told
from gateway.connectors.factory import PROTOCOLS
from gateway.control.content import Content, load, read_folder, unpack
from gateway.core.phases import PHASES
from gateway.core.waves import WaveTable
from gateway.dialects.filters import Unfilterable
from gateway.edge.headers import Headers
from gateway.edge.limits import EdgeLimits
from gateway.edge.tokens import Caller
from gateway.errors import GatewayError, Malformed, NotAuthenticated, StoreUnusable
from gateway.pipeline.exchange import Clock, ErpPath, Exchange, InForce, erp_path, required
from gateway.pipeline.execute import erp_side, execute
from gateway.pipeline.stages import STAGES
from gateway.policy.cache import DecisionCache
from gateway.policy.service import Policy
from gateway.problem import PROBLEMS, problem_of
from gateway.protocols.port import HttpCall
from gateway.reads.authoritative import key_of, query_of
from gateway.settings import Settings, settings, shipped
from gateway.store.engine import Store
from gateway.store.schema import at_head
from gateway.store.waves import files_of, running
from gateway.writes.carry import first_step, prepared

_UNTIL_ERP = STAGES[: STAGES.index(execute)]


@dataclass(frozen=True, slots=True)
class _Somebody:
    """The caller that the command line names."""

    who: Caller | None

    async def caller(self, headers: Headers, now: float) -> Caller:  # no credential is looked at
        if self.who is None:
            raise NotAuthenticated("No caller: say --client, or --roles and --plants.", reason="missing")
        return self.who


@dataclass(frozen=True, slots=True)
class _Uncounted:
    """The declared rate classes; nothing is counted."""

    declared: Collection[str]

    def wait_s(self, caller: str, rate_class: str, now_s: float) -> float | None:
        return 0.0 if rate_class in self.declared else None


def explain(
    method: Annotated[str, typer.Argument(help="GET, POST, PATCH")],
    url: Annotated[str, typer.Argument(help="path and query, such as /api/v2/plants/1000/production-orders/1")],
    client: Annotated[str | None, typer.Option(help="a client of routes/clients.yaml")] = None,
    roles: Annotated[str, typer.Option(help="roles of an imagined caller, with commas")] = "",
    plants: Annotated[str, typer.Option(help="plants of an imagined caller, with commas")] = "*",
    data: Annotated[str | None, typer.Option(help="the body, or @file")] = None,
    if_match: Annotated[str | None, typer.Option(help="If-Match")] = None,
    content: Folder = None,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Walk a request through the stages and say what each decides."""
    with told():
        made = settings(content=content, database_url=database)
        body = _body(data)
        rows = asyncio.run(_explained(made, method.upper(), url, body, (client, roles, plants), if_match))
        if output is Format.TABLE:
            show(rows, output)
        else:
            print_json(rows)
    if rows and rows[-1]["decides"].startswith("refuses"):
        raise typer.Exit(Exit.ERROR)


def _body(data: str | None) -> bytes:
    if data is None:
        return b""
    return Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()


async def _explained(
    made: Settings, method: str, url: str, body: bytes, who: tuple[str | None, str, str], if_match: str | None
) -> list[dict[str, str]]:
    content, table = await _in_force(made)
    policy = policy_of(made, content.bundle, DecisionCache(1))
    try:
        await policy.probe()
        x = _exchange(_pinned(content, table, policy, _caller(content, *who)), method, url, body, if_match)
        return await _walked(x)
    finally:
        await policy.close()


async def _walked(x: Exchange) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for stage in _UNTIL_ERP:
        try:
            x = await stage(x)
        except GatewayError as err:
            why = "; ".join(f"{k}: {v}" for k, v in err.extra.items())
            rows.append(
                {
                    "stage": stage.__name__,
                    "decides": f"refuses: {problem_of(err).status} {err.code}",
                    "why": f"{err.detail} {why}".strip(),
                }
            )
            return rows
        rows.append({"stage": stage.__name__, **_said(stage.__name__, x)})
    rows.append({"stage": "execute", **_sent(x)})
    return rows


async def _in_force(made: Settings) -> tuple[Content, WaveTable]:
    """What runs, when the store has it; else what the folder declares."""
    store = Store(made.database_url)
    try:
        have, newest = await at_head(store, shipped() / "migrations")
        if have not in (None, newest):
            raise StoreUnusable(f"the schema is at {have}, this program's at {newest}: changeover store migrate")
        now = await running(store) if have is not None else None
        blob = await files_of(store, now.content) if now else None
    finally:
        await store.close()
    if now is not None and blob is not None and made.content is None:
        return load(unpack(blob), try_policies=made.embedded_policies), now.table
    content = load(read_folder(made.content or shipped()), try_policies=made.embedded_policies)
    return content, now.table if now else WaveTable(0, {cell.id: cell for cell in content.cells})


def _caller(content: Content, client: str | None, roles: str, plants: str) -> Caller | None:
    if client is not None:
        rule = next((key for key in content.clients.keys if key.id == client), None)
        if rule is None:
            return None
        return Caller(f"client:{client}", client, "api-keys", tuple(rule.roles), tuple(rule.plants), "api-key", None)
    if not roles:
        return None
    return Caller("somebody", "somebody", "explain", tuple(roles.split(",")), tuple(plants.split(",")), "jwt", None)


def _pinned(content: Content, table: WaveTable, policy: Policy, who: Caller | None) -> InForce:
    erps: dict[str, ErpPath] = {
        name: erp_path(name, None, content.dialects[erp.dialect])  # type: ignore[arg-type]  # nothing is sent
        for name, erp in content.erps.items()
    }
    return InForce(content, table, policy, _Somebody(who), erps, _Uncounted(content.clients.rate_classes))


def _exchange(in_force: InForce, method: str, url: str, body: bytes, if_match: str | None) -> Exchange:
    parts = urlsplit(url)
    media = b"application/merge-patch+json" if method == "PATCH" else b"application/json"
    headers = [(b"host", b"explain"), (b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", media))
    if if_match:
        headers.append((b"if-match", if_match.encode()))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Exchange(
        method=method,
        raw_path=parts.path.encode(),
        query_string=parts.query.encode(),
        raw_headers=headers,
        receive=receive,
        in_force=in_force,
        clock=Clock(time.time, time.monotonic, lambda: uuid.uuid4().hex),
        limits=EdgeLimits(),
    )


def _said(stage: str, x: Exchange) -> dict[str, str]:
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


def _sent(x: Exchange) -> dict[str, str]:
    """The call that would go out."""
    try:
        call = _call(x)
    except GatewayError as err:
        return {"decides": f"refuses: {problem_of(err).status} {err.code}", "why": err.detail}
    except Unfilterable as err:
        return {
            "decides": f"refuses: {PROBLEMS[Malformed].status} {Malformed.code}",
            "why": f"{err.field}: {err.reason}",
        }
    erp, kept = x.erp.name if x.erp else "", _kept_beside(x)
    beside = f"; the gateway keeps {', '.join(sorted(kept))}" if kept else ""
    if x.operation is not None and x.operation.writes and _nothing(x):
        return {"decides": "nothing written", "why": f"{erp} lacks these fields{beside}"}
    body = f" {call.body.decode(errors='replace')[:400]}" if call.body else ""
    return {"decides": f"{call.method} {call.target}", "why": f"{erp}{body}{beside}"}


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
