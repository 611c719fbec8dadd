"""`changeover case`: what a person must decide, and deciding it.

Exit codes: 0 done, 1 the case does not allow it or the document is wrong, 2 usage, 6 the store cannot be reached.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.content import Database
from gateway.cli.operator import Actor, DryRun, Reason, acting, at_desk
from gateway.cli.output import Exit, Format, Output, fail, print_data, print_json, progress, show, told
from gateway.control.cases import Acted, State
from gateway.control.told import acted_told, case_line, case_told
from gateway.edge.json_strict import loads
from gateway.errors import Malformed
from gateway.store.cases import Wanted

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What a person must decide: parked writes, splits, conflicts."
)
Number = Annotated[int, typer.Argument(metavar="CASE", help="the case's number", min=1)]


class Happened(StrEnum):
    """What the ERP did with a write in doubt."""

    YES = "yes"
    NO = "no"


@app.command("list")
def list_cases(
    state: Annotated[State, typer.Option(help="undecided is open and retrying")] = State.UNDECIDED,
    kind: Annotated[str | None, typer.Option(help="split, doubt, ...: docs/how-to/cases-and-audit.md")] = None,
    plant: Annotated[str | None, typer.Option(help="cases of this plant")] = None,
    object_: Annotated[str | None, typer.Option("--object", help="cases of this canonical object")] = None,
    erp: Annotated[str | None, typer.Option(help="cases of this ERP")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="at most so many")] = 100,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """List cases, the oldest first."""
    wanted = Wanted(None if state is State.ANY else state.value, kind, plant, object_, erp, limit=limit)
    with told():
        rows = at_desk(database, lambda desk: desk.cases.list(wanted))
    show([case_line(row) for row in rows], output)
    if output is Format.TABLE and not rows:
        progress.print("no such cases")


@app.command("show")
def show_case(case: Number, database: Database = None, output: Output = Format.TABLE) -> None:
    """Show a case with what people did about it, its write, both legs, their steps and the document's numbers."""
    with told():
        found = case_told(*at_desk(database, lambda desk: desk.cases.shown(case)))
    print_data(found, output)


@app.command()
def replay(
    case: Number,
    reason: Reason,
    actor: Actor = None,
    dry_run: DryRun = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Send the parked write again, at its place in the lane."""
    by = acting(actor, reason)
    with told():
        _print(at_desk(database, lambda desk: desk.cases.replay(case, by, dry_run=dry_run)), output)


@app.command()
def repair(
    case: Number,
    reason: Reason,
    patch: Annotated[
        str | None, typer.Option(help="JSON merge patch in canonical fields; null takes a field out")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="the patch in a file; - is standard input")] = None,
    actor: Actor = None,
    dry_run: DryRun = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Mend this side's copy of the document and send it, at its place in the lane; the other side's stays as it is."""
    by = acting(actor, reason)
    with told():
        edited = _patch(patch, file)
        _print(at_desk(database, lambda desk: desk.cases.repair(case, by, edited, dry_run=dry_run)), output)


@app.command()
def close(
    case: Number,
    reason: Reason,
    happened: Annotated[
        Happened | None, typer.Option(help="for a write in doubt: does the ERP have it? `no` sends it again")
    ] = None,
    key: Annotated[str | None, typer.Option(help="with --happened yes: the number the ERP gave a new document")] = None,
    actor: Actor = None,
    dry_run: DryRun = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Accept what is: the write is owed no more on this side, and its lane goes on."""
    by = acting(actor, reason)
    said = None if happened is None else happened is Happened.YES
    with told():
        _print(
            at_desk(database, lambda desk: desk.cases.close(case, by, happened=said, key=key, dry_run=dry_run)), output
        )


def _patch(text: str | None, file: Path | None) -> dict[str, Any]:
    if (text is None) == (file is None):
        fail("give the patch with --patch or with --file", Exit.USAGE)
    try:
        made = loads(_bytes(text, file))
    except Malformed as err:
        fail(f"the patch is no JSON: {err.detail}", Exit.USAGE)
    if not isinstance(made, dict):
        fail("the patch is a JSON object of canonical fields", Exit.USAGE)
    return made


def _bytes(text: str | None, file: Path | None) -> bytes:
    if text is not None:
        return text.encode()
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else Path(str(file)).read_bytes()
    except OSError as err:
        fail(str(err), Exit.USAGE)


def _print(acted: Acted, output: Format) -> None:
    if output is not Format.TABLE:
        print_data(acted_told(acted), output)
        return
    becomes = "would be" if acted.dry_run else "is"
    typer.echo(f"case {acted.case}: {acted.action}; the leg {becomes} {acted.leg}")
    if "document" in acted.after:
        print_json({"before": acted.before.get("document"), "after": acted.after["document"]})
