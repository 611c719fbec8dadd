"""`changeover journal`: the writes as they stand.

Exit codes: 0 shown, 1 no such operation, 2 usage, 6 the store cannot be reached.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer

from gateway.cli.content import Database
from gateway.cli.operator import Desk, at_desk, now_us
from gateway.cli.output import Exit, Format, Output, fail, print_data, show, told
from gateway.control.told import backlog_told, feed_line, intent_line, operation_told
from gateway.core.intents import LegState
from gateway.store.feeds import FeedBook
from gateway.store.journal_views import Look, intents

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The writes as they stand.")


@app.command("show")
def show_journal(
    operation: Annotated[str | None, typer.Argument(metavar="[ID]", help="one operation, with all it has")] = None,
    lane: Annotated[str | None, typer.Option(help="writes to this canonical id")] = None,
    erp: Annotated[str | None, typer.Option(help="writes with a leg to this ERP")] = None,
    state: Annotated[
        str | None, typer.Option(help="writes with a leg in this state: ready, parked, in_doubt, ...")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="at most so many")] = 50,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Show one operation, or the newest writes first."""
    if state is not None and state not in get_args(LegState):
        fail(f"no state of a leg: {state!r}; there are {', '.join(get_args(LegState))}", Exit.USAGE)
    if operation is not None and (lane, erp, state) != (None, None, None):
        fail("either one operation, or filters", Exit.USAGE)
    with told():
        if operation is not None:
            view = at_desk(database, lambda desk: desk.journal.operation(operation))
            if view is None:
                fail(f"there is no operation {operation!r}")
            print_data(operation_told(view), output)
            return
        look = Look(lane, erp, state, limit=limit)
        rows = [intent_line(line) for line in at_desk(database, lambda desk: intents(desk.database, look))]
    show([_flat(row) for row in rows] if output is Format.TABLE else rows, output)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    legs = ", ".join(f"{leg['erp']} {leg['state']}" for leg in row["legs"])
    kept = ("operation", "created_at", "plant", "object", "verb", "key", "lane", "lane_seq")
    return {**{name: row[name] for name in kept}, "legs": legs}


@app.command()
def backlog(database: Database = None, output: Output = Format.TABLE) -> None:
    """Show what is owed: legs per ERP and state, and how old the oldest is."""

    async def found(desk: Desk) -> list[dict[str, Any]]:
        return backlog_told(await desk.journal.backlog(), now_us())

    with told():
        rows = at_desk(database, found)
    show(rows, output)
    if output is Format.TABLE and not rows:
        typer.echo("nothing is owed")


@app.command()
def feeds(database: Database = None, output: Output = Format.TABLE) -> None:
    """Show the change feeds of ERPs: how far each was read, when, by whom, and what was found."""

    async def found(desk: Desk) -> list[dict[str, Any]]:
        return [feed_line(row, now_us()) for row in await FeedBook(desk.database).rows()]

    with told():
        rows = at_desk(database, found)
    show(rows, output)
    if output is Format.TABLE and not rows:
        typer.echo("no feed was ever read: no plant is in a dual phase, or no manifest names a delta_feed")
