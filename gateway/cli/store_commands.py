"""`changeover store`: the database itself.

Exit codes: 0 done, 1 refused, 2 usage (PostgreSQL has its own tools), 3 schema revisions are missing (migrate --check), 6 the
store cannot be reached or a gateway owns it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from gateway.cli.content import Database
from gateway.cli.operator import Actor, DryRun, Reason, acting, at_desk, now_us
from gateway.cli.output import Exit, Format, Output, fail, print_data, progress, show, told
from gateway.settings import settings, shipped
from gateway.store.backup import BackupRefused, Restorer, aged
from gateway.store.backup import backup as copied
from gateway.store.backup import restore as put_back
from gateway.store.crosswalk_bulk import Audit
from gateway.store.engine import Store
from gateway.store.schema import SchemaRevision, migrate, revisions
from gateway.store.upkeep import prune as pruned
from gateway.store.upkeep import reconciled as compared

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The database itself.")
_DAY_US = 24 * 3600 * 1_000_000
_WEEK_S, _CENTURY_DAYS = 7 * 24 * 3600.0, 36_500
_MIGRATIONS = shipped() / "migrations"


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="a file that is not there yet", dir_okay=False)],
    database: Database = None,
) -> None:
    """Copy a SQLite store, also while a gateway writes to it."""
    with told():
        path = _sqlite(database, "pg_dump --format=custom --file=FILE DATABASE-URL")
        try:
            with Progress(console=progress, transient=True) as bar:
                task = bar.add_task("copying", total=None)
                size = copied(path, file, lambda done, of: bar.update(task, completed=done, total=of))
        except BackupRefused as err:
            fail(str(err))
        typer.echo(f"{file}: {size} bytes")


@app.command()
def restore(
    reason: Reason,
    file: Annotated[Path | None, typer.Argument(help="a backup of a SQLite store", dir_okay=False)] = None,
    after_pg_restore: Annotated[
        bool, typer.Option("--after-pg-restore", help="the database is PostgreSQL, and pg_restore has filled it")
    ] = False,
    quiet: Annotated[
        float,
        typer.Option(
            "--quiet", min=0, max=_WEEK_S, help="seconds that the lost gateway's last calls may still take effect for"
        ),
    ] = 120.0,
    actor: Actor = None,
    database: Database = None,
) -> None:
    """Put a backup in the store's place: all epochs rise, open writes are in doubt, a full reconciliation is demanded."""
    by = acting(actor, reason)
    if (file is None) != after_pg_restore:
        fail("name the backup of a SQLite store, or say --after-pg-restore", Exit.USAGE)
    with told():
        try:
            if file is None:
                who = Restorer("pg_restore", by.actor, by.reason, now_us(), int(quiet * 1_000_000), live=True)
                at_desk(database, lambda desk: desk.database.transaction(lambda db: aged(db, who)))
            else:
                _restored(file, Restorer(str(file), by.actor, by.reason, now_us(), int(quiet * 1_000_000)), database)
        except BackupRefused as err:
            fail(str(err))
    typer.echo("restored: every epoch rose, and a full reconciliation is demanded")


def _restored(file: Path, by: Restorer, database: str | None) -> None:
    path = _sqlite(database, "pg_restore --clean --dbname=DATABASE-URL FILE, then this with --after-pg-restore")
    if not file.exists():
        fail(f"there is no backup {file}")
    store = Store(f"sqlite:///{path}")
    try:
        store.own()
        kept = put_back(path, file, by, _upgraded)
    finally:
        asyncio.run(store.close())
    if kept is not None:
        progress.print(f"what was there is kept as {kept}")


def _upgraded(part: Path) -> None:
    """Bring a copy to the newest schema. Raises: StoreUnusable: it is newer than this program."""

    async def go() -> None:
        store = Store(f"sqlite:///{part}")
        try:
            await revisions(store, _MIGRATIONS)
            await migrate(store, _MIGRATIONS)
        finally:
            await store.close()

    asyncio.run(go())


def _sqlite(database: str | None, instead: str) -> Path:
    """The file of a SQLite store."""
    store = Store(settings(database_url=database).database_url)
    asyncio.run(store.close())
    if not store.is_sqlite:
        fail(f"this is for SQLite; PostgreSQL has its own: {instead}", Exit.USAGE)
    if not store.url.database or store.url.database == ":memory:":
        fail("a database in memory has no file", Exit.USAGE)
    return Path(store.url.database)


@app.command()
def reconciled(
    reason: Annotated[str, typer.Option("--reason", help="who compared what, and how; stands in the audit")],
    actor: Actor = None,
    database: Database = None,
) -> None:
    """Say that the ERPs of every plant were compared after a restore: change feeds are read again, and flips are allowed."""
    by = acting(actor, reason)
    with told():
        audit = Audit(now_us(), by.actor, by.reason)
        demanded = at_desk(database, lambda desk: compared(desk.database, audit))
    if not demanded:
        fail("the store demands no reconciliation")
    typer.echo("no reconciliation is demanded any more")


@app.command()
def prune(
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=1, max=_CENTURY_DAYS, help="keep what ended in the last so many days")
    ],
    reason: Annotated[str, typer.Option("--reason", help="why; stands in the audit")] = "retention",
    actor: Actor = None,
    dry_run: DryRun = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Delete old writes that have ended everywhere and have no undecided case, and idempotency keys that are over."""
    by = acting(actor, reason)
    with told(), Progress(console=progress, transient=True) as bar:
        task = bar.add_task("deleting", total=None)
        tell: Callable[[int], None] = lambda done: bar.update(task, completed=done)  # noqa: E731  # typed on its way
        audit = Audit(now_us(), by.actor, by.reason)
        before_us = audit.at_us - keep_days * _DAY_US
        gone = at_desk(database, lambda desk: pruned(desk.database, before_us, audit, dry_run=dry_run, progress=tell))
    print_data({**asdict(gone), "dry_run": dry_run}, output)


@app.command("migrate")
def migrate_store(
    check: Annotated[bool, typer.Option("--check", help="change nothing; exit 3 when revisions are missing")] = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Bring the schema to the newest revision, and show the revisions with their kinds."""
    with told():
        found = asyncio.run(_migrated(settings(database_url=database).database_url, check=check))
    show([_line(revision) for revision in found], output)
    if check and not all(revision.applied for revision in found):
        raise typer.Exit(Exit.DIFFERENT)


async def _migrated(url: str, *, check: bool) -> list[SchemaRevision]:
    store = Store(url)
    try:
        found = await revisions(store, _MIGRATIONS)
        if not check:
            await migrate(store, _MIGRATIONS)
            found = await revisions(store, _MIGRATIONS)
        return found
    finally:
        await store.close()


def _line(revision: SchemaRevision) -> dict[str, object]:
    when = "before the new program starts" if revision.kind == "pre" else "once no older program runs"
    return {**asdict(revision), "run": when}
