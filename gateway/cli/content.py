"""`changeover init, plan, apply, wave, key`: declared content and cells."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from gateway.cli.number_ranges import refusal, unfit
from gateway.cli.operator import logged_in
from gateway.cli.output import Exit, Format, Output, fail, print_json, progress, show, told
from gateway.control import waves
from gateway.control.content import Content, lay_out, load_folder
from gateway.core.phases import PHASES
from gateway.core.waves import Change
from gateway.edge.api_keys import generate
from gateway.settings import Settings, settings, shipped
from gateway.store.engine import Store
from gateway.store.schema import migrate
from gateway.store.waves import NotDrained, running

T = TypeVar("T")
Folder = Annotated[Path | None, typer.Option("--content", help="folder with routes/, translators/ and policies/")]
Database = Annotated[str | None, typer.Option("--database", help="database URL")]


def with_store(made: Settings, work: Callable[[Store], Awaitable[T]], *, make: bool = False) -> T | None:
    """Open the store, bring its schema up, do the work, close it. Gives: None: there is no store, and without `make` none is made."""

    async def go() -> T | None:
        store = Store(made.database_url)
        try:
            if not (store.exists or make):
                return None
            await migrate(store, shipped() / "migrations")
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(go())


def declared(made: Settings) -> tuple[dict[str, str], Content]:
    """The content folder's files, checked and compiled."""
    with progress.status("checking content"):
        return load_folder(made.content or shipped(), try_policies=made.embedded_policies)


def init(folder: Annotated[Path, typer.Argument(help="a new or empty folder")]) -> None:
    """Copy the reference deployment, to be edited."""
    if folder.exists() and any(folder.iterdir()):
        fail(f"{folder} is not empty", Exit.USAGE)
    lay_out(shipped(), folder)
    progress.print(f"Edit {folder}/routes, then: changeover plan --content {folder}")


def plan(
    content: Folder = None,
    database: Database = None,
    output: Output = Format.TABLE,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="exit 3 when there are differences")] = False,
) -> None:
    """Show what an apply would change."""
    with told():
        made = settings(content=content, database_url=database)
        _, found = declared(made)
        planned = with_store(made, lambda store: waves.plan(store, found))
        if planned is None:
            progress.print(f"there is no database {made.database_url} yet: this is the plan of a first start")
            planned = waves.planned(None, found)
        _print_plan(planned, output)
    if exit_code and not planned.empty:
        raise typer.Exit(Exit.DIFFERENT)


def _print_plan(planned: waves.Planned, output: Format) -> None:
    plan_ = planned.plan
    if output is not Format.TABLE:
        print_json(
            {
                "plan": plan_.id,
                "table_revision": plan_.table_revision,
                "content": {"before": planned.content_before, "after": plan_.content},
                "changes": [asdict(c) for c in plan_.changes],
                "unfit_numbers": [unfit(each) for each in planned.unfit],
            }
        )
        return
    if planned.empty:
        typer.echo(f"No differences. Table revision {plan_.table_revision}, content {plan_.content}.")
        return
    if planned.content_before != plan_.content:
        typer.echo(f"content: {planned.content_before or 'none'} -> {plan_.content}")
    rows = [{"change": str(c), "": _note(c)} for c in plan_.changes]
    if rows:
        show(rows, Format.TABLE)
    if planned.unfit:
        typer.echo(f"apply refuses this. {refusal(planned.unfit)}")
    typer.echo(f"Plan {plan_.id}, against table revision {plan_.table_revision}.")


def _note(change: Change) -> str:
    phase = PHASES.get(str((change.after or {}).get("phase")))
    notes = ["moves traffic: needs a flip"] if change.guarded else []
    if phase is not None and not phase.carries_traffic:
        notes.append(f"{phase.name} carries no traffic yet: clients get 503")
    return "; ".join(notes)


def apply(
    content: Folder = None,
    database: Database = None,
    plan_id: Annotated[str | None, typer.Option("--plan", help="apply only if the plan is still this one")] = None,
    reason: Annotated[str | None, typer.Option(help="why; stands in the audit; required with --unsafe-switch")] = None,
    unsafe_switch: Annotated[
        bool, typer.Option("--unsafe-switch", help="move cells between ERPs without a flip")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="seconds to wait until the cells that move owe no writes", min=0)
    ] = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the plan and change nothing")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Put declared content and cells in force: all of it in one transaction, or none."""
    reason = (reason or "").strip() or None
    if unsafe_switch and reason is None and not dry_run:
        fail("--unsafe-switch needs a --reason: it stands in the audit", Exit.USAGE)
    with told():
        made = settings(content=content, database_url=database)
        files, found = declared(made)

        async def go(store: Store) -> waves.Planned:
            if dry_run:
                return await waves.plan(store, found)
            await waves.fitting(store, found)
            attempt = partial(
                waves.apply, store, found, files,
                actor=logged_in(), reason=reason, now_us=time.time_ns() // 1000,
                expected=plan_id, unsafe_switch=unsafe_switch,
            )  # fmt: skip
            return await waves.once_drained(attempt, wait, lambda err: progress.print(f"still open: {err}"))

        try:
            planned = with_store(made, go, make=not dry_run) or waves.planned(None, found)
        except waves.Guarded as err:
            lines = "\n".join(f"  {change}" for change in err.changes)
            fail(
                f"These changes move traffic from one ERP to another:\n{lines}\nOnly --unsafe-switch does that here.",
                Exit.GATE,
            )
        except waves.NumbersUnfit as err:
            fail(refusal(err.unfit), Exit.GATE)
        except NotDrained as err:
            fail(_not_drained(err), Exit.GATE)
        _print_plan(planned, output)
        if not dry_run and not planned.empty:
            progress.print("applied")


def _not_drained(err: NotDrained) -> str:
    """What holds a move up, and what can be done about it."""
    now_us = time.time_ns() // 1000
    lines = [
        f"  ({o.plant}, {o.domain}): {o.legs} open, the oldest since {(now_us - o.oldest_us) // 1_000_000} s"
        + ("; suspended: `changeover resume` lets them go" if o.suspended else "")
        for o in err.owed
    ]
    told = "Nothing was changed: writes are still on their way to the ERPs of these cells:"
    help_ = (
        "Wait until they are done (--wait SECONDS), or see in /readyz and /admin/v1/backlog which ERP holds them up."
    )
    return "\n".join([told, *lines, help_])


def wave(database: Database = None, output: Output = Format.TABLE) -> None:
    """Show the cells as they run now."""
    with told():
        made = settings(database_url=database)
        now = with_store(made, running)
        if now is None:
            fail(f"nothing is applied yet in {made.database_url.rpartition('@')[2]}")
        rows: list[dict[str, Any]] = [asdict(cell) for _, cell in sorted(now.table.cells.items())]
        show(rows, output, title=f"table revision {now.table.revision}, content {now.content}")


def key(client: Annotated[str, typer.Argument(help="the client's id: a-z, 0-9 and -")]) -> None:
    """Make an API key: the key for the client, its hash for routes/clients.yaml."""
    made, digest = generate(client, secrets.token_bytes)
    print_json({"id": client, "key": made, "sha256": digest})
