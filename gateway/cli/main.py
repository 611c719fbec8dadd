"""The list of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import (
    case,
    cells,
    content,
    crosswalk,
    demo,
    dialect,
    doctor,
    explain,
    journal,
    serve,
    sim,
    store_commands,
)
from gateway.cli.demo import sandbox

app = typer.Typer(name="changeover", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # only here

        typer.echo(version("changeover"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=lambda v: _version(wanted=v), is_eager=True)
    ] = False,
) -> None:
    """One stable endpoint in front of an old and a new ERP."""


app.command("serve")(serve.serve_command)
app.command("init")(content.init)
app.command("plan")(content.plan)
app.command("apply")(content.apply)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(dialect.app, name="dialect")
app.command("drift")(dialect.drift)
app.command("wave")(content.wave)
app.command("suspend")(cells.suspend)
app.command("resume")(cells.resume)
app.command("key")(content.key)
app.command("sim")(sim.sim)
app.add_typer(case.app, name="case")
app.add_typer(journal.app, name="journal")
app.add_typer(crosswalk.app, name="crosswalk")
app.add_typer(store_commands.app, name="store")
