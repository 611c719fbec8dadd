"""`changeover suspend, resume`: what a cell's other side is owed waits, or goes on."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gateway.cli.content import Database, with_store
from gateway.cli.operator import logged_in
from gateway.cli.output import Exit, Format, Output, fail, progress, show, told
from gateway.control import waves
from gateway.core.waves import CellId
from gateway.settings import settings
from gateway.store.engine import Store
from gateway.store.waves import NoSuchCell, owed, running

Plant = Annotated[str, typer.Argument(help="plant of the cell; * for the enterprise")]
Domain = Annotated[str, typer.Argument(help="domain of the cell, such as production")]
Reason = Annotated[str, typer.Option("--reason", help="why; stands in the audit")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show the cell and change nothing")]


def suspend(
    plant: Plant,
    domain: Domain,
    reason: Reason,
    dry_run: DryRun = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Let what a cell's other side is owed wait; the side in charge goes on."""
    _set((plant, domain), reason, database, output, suspended=True, dry_run=dry_run)


def resume(
    plant: Plant,
    domain: Domain,
    reason: Reason,
    dry_run: DryRun = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Let what a suspended cell's other side is owed go on."""
    _set((plant, domain), reason, database, output, suspended=False, dry_run=dry_run)


def _set(cell: CellId, reason: str, database: str | None, output: Format, *, suspended: bool, dry_run: bool) -> None:
    if not reason.strip():
        fail("--reason: say why; it stands in the audit", Exit.USAGE)

    async def go(store: Store) -> bool:
        changed = await waves.suspend(
            store, cell, suspended=suspended, actor=logged_in(), reason=reason,
            now_us=time.time_ns() // 1000, dry_run=dry_run,
        )  # fmt: skip
        await _shown(store, cell, output)
        return changed

    with told():
        try:
            changed = with_store(settings(database_url=database), go)
        except NoSuchCell as err:
            fail(str(err), Exit.USAGE)
    if changed is None:
        fail("there is no such database yet, and nothing is applied")
    word = "suspended" if suspended else "resumed"
    if not changed:
        progress.print(f"nothing to do: the cell is {'already' if suspended else 'not'} suspended")
    else:
        progress.print(f"would be {word}" if dry_run else word)


async def _shown(store: Store, id_: CellId, output: Format) -> None:
    """The cell as it is now, and what its ERPs are owed."""
    now = await running(store)
    if now is None:
        return
    cell = now.table.cells[id_]
    open_ = await owed(store, cell)
    row = {"plant": cell.plant, "domain": cell.domain, "phase": cell.phase, "suspended": cell.suspended}
    show([row | {"open_legs": open_.legs if open_ else 0, "table_revision": now.table.revision}], output)
