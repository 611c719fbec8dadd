"""`changeover explain METHOD URL`: what each stage would decide, and why. Nothing is sent to any ERP."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from gateway.assembly import policy_of
from gateway.cli.content import Database, Folder
from gateway.cli.explained import Book, Row, refuses, walked
from gateway.cli.output import Exit, Format, Output, fail, show, told
from gateway.control.content import Content, load, load_folder, unpack
from gateway.core.waves import WaveTable
from gateway.edge.headers import Headers
from gateway.edge.limits import EdgeLimits
from gateway.edge.paths import parse_target
from gateway.edge.tokens import Caller
from gateway.errors import GatewayError, NotAuthenticated, StoreUnusable
from gateway.pipeline.exchange import Clock, ErpPath, Exchange, InForce, erp_path
from gateway.pipeline.negotiate import operation_id
from gateway.policy.cache import DecisionCache
from gateway.policy.service import Policy
from gateway.settings import Settings, settings, shipped
from gateway.store.crosswalk import Crosswalk
from gateway.store.engine import Store
from gateway.store.journal import Journal
from gateway.store.schema import at_head
from gateway.store.waves import files_of, running

_Headers = Mapping[str, str | None]


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
    idempotency_key: Annotated[str | None, typer.Option(help="Idempotency-Key")] = None,
    content: Folder = None,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Walk a request through the stages and say what each decides."""
    with told():
        if _watches(url):
            fail("what became of an operation stands in the journal: changeover journal show ID", Exit.USAGE)
        made = settings(content=content, database_url=database)
        body = _body(data)
        more = {"if-match": if_match, "idempotency-key": idempotency_key}
        rows = asyncio.run(_explained(made, method.upper(), url, body, (client, roles, plants), more))
        # In the table the errors stand in `why`.
        show([{k: v for k, v in row.items() if k != "errors" or output is not Format.TABLE} for row in rows], output)
    if refuses(rows):
        raise typer.Exit(Exit.ERROR)


def _watches(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return operation_id(parse_target(parts.path.encode(), parts.query.encode())) is not None
    except GatewayError:
        return False  # the first stage will say what is wrong with it


def _body(data: str | None) -> bytes:
    if data is None:
        return b""
    return Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()


async def _explained(
    made: Settings, method: str, url: str, body: bytes, who: tuple[str | None, str, str], more: _Headers
) -> list[Row]:
    async with AsyncExitStack() as stack:
        store = Store(made.database_url)
        stack.push_async_callback(store.close)
        content, table, book = await _in_force(made, store, stack)
        policy = policy_of(made, content.bundle, DecisionCache(1))
        stack.push_async_callback(policy.close)
        await policy.probe()
        in_force = _pinned(made, content, table, policy, _caller(content, *who))
        return await walked(_exchange(in_force, method, url, body, more), book)


async def _in_force(made: Settings, store: Store, stack: AsyncExitStack) -> tuple[Content, WaveTable, Book | None]:
    """What runs, when the store has it, and what it remembers; else what the folder declares."""
    have, newest = await at_head(store, shipped() / "migrations")
    if have not in (None, newest):
        raise StoreUnusable(f"the schema is at {have}, this program's at {newest}: changeover store migrate")
    now = await running(store) if have is not None else None
    blob = await files_of(store, now.content) if now else None
    book = None
    if have is not None:
        database = store.journal_database()
        stack.push_async_callback(database.close)
        book = Book(Journal(database), Crosswalk(database))
    if now is not None and blob is not None and made.content is None:
        return load(unpack(blob), try_policies=made.embedded_policies), now.table, book
    _, content = load_folder(made.content or shipped(), try_policies=made.embedded_policies)
    return content, now.table if now else WaveTable(0, {cell.id: cell for cell in content.cells}), book


def _caller(content: Content, client: str | None, roles: str, plants: str) -> Caller | None:
    if client is not None:
        rule = next((key for key in content.clients.keys if key.id == client), None)
        if rule is None:
            return None
        who = rule.client_id
        return Caller(f"client:{who}", who, "api-keys", tuple(rule.roles), tuple(rule.plants), "api-key", None)
    if not roles:
        return None
    return Caller("somebody", "somebody", "explain", tuple(roles.split(",")), tuple(plants.split(",")), "jwt", None)


def _pinned(made: Settings, content: Content, table: WaveTable, policy: Policy, who: Caller | None) -> InForce:
    erps: dict[str, ErpPath] = {
        name: erp_path(name, None, content.dialects[erp.dialect])  # type: ignore[arg-type]  # nothing is sent
        for name, erp in content.erps.items()
    }
    return InForce(
        content, table, policy, _Somebody(who), erps, _Uncounted(content.clients.rate_classes), made.public_url
    )


def _exchange(in_force: InForce, method: str, url: str, body: bytes, more: _Headers) -> Exchange:
    parts = urlsplit(url)
    media = b"application/merge-patch+json" if method == "PATCH" else b"application/json"
    headers = [(b"host", b"explain"), (b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", media))
    headers += [(name.encode(), value.encode()) for name, value in more.items() if value is not None]

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
