"""`changeover audit`: who decided what, when and why.

Exit codes: 0 shown, 2 usage, 6 the store cannot be reached.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.content import Database
from gateway.cli.operator import at_desk, now_us
from gateway.cli.output import Exit, Format, Output, fail, progress, show, told
from gateway.control.since import FORM, since
from gateway.control.told import audit_line
from gateway.store.audit import Asked, audit

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who decided what, when and why.")


@app.callback()
def group() -> None:
    """Who decided what, when and why."""


@app.command("list")
def list_audit(
    since_: Annotated[str | None, typer.Option("--since", help=FORM)] = None,
    action: Annotated[
        str | None, typer.Option(help="apply, suspend, case.replay, store.restore, ...; `case` is all of case.*")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="what this person did")] = None,
    before: Annotated[
        int | None, typer.Option(min=1, max=2**31 - 1, help="rows older than the one with this number")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="at most so many")] = 50,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """List what was decided, the newest first."""
    asked = Asked(_since(since_), action, actor, before, limit)
    with told():
        rows = [audit_line(line) for line in at_desk(database, lambda desk: audit(desk.database, asked))]
    show([_flat(row) for row in rows] if output is Format.TABLE else rows, output)
    if output is Format.TABLE and not rows:
        progress.print("no such rows")


def _since(text: str | None) -> int | None:
    try:
        return None if text is None else since(text, now_us())
    except ValueError:
        fail(f"--since {text}: say {FORM}", Exit.USAGE)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The parts of the detail that are a word each; the whole is in JSON and YAML."""
    words = (f"{name}={value}" for name, value in row["detail"].items() if isinstance(value, str | int))
    return {**row, "detail": " ".join(words)}
