"""The list of commands. What a command needs is imported when it is called: all of it together takes seconds."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

COMMANDS = {
    "serve": ("serve:serve_command", "Serve until SIGTERM."),
    "init": ("content:init", "Copy the reference deployment, to be edited."),
    "plan": ("content:plan", "Show what an apply would change."),
    "apply": (
        "content:apply",
        "Put declared content and cells in force: all of it in one transaction, or none.",
    ),
    "doctor": ("doctor:doctor", "Check machine, content, secrets, store, policy and ERPs."),
    "explain": ("explain:explain", "Walk a request through the stages and say what each decides."),
    "demo": (
        "demo:demo",
        "Show a plant moving from the legacy to the cloud ERP under traffic, through an outage, with nothing lost.",
    ),
    "sandbox": (
        "demo.sandbox:sandbox",
        "Run two simulated ERPs and a gateway until Ctrl-C; FOLDER/env holds keys and addresses for a shell.",
    ),
    "dialect": ("dialect:app", "The mapping files: their coverage, their laws, what one says."),
    "drift": ("drift:drift", "Compare dialects with what the ERPs say of themselves and name what a release changed."),
    "wave": ("content:wave", "Show the cells as they run now."),
    "suspend": ("cells:suspend", "Let what a cell's other side is owed wait; the side in charge goes on."),
    "resume": ("cells:resume", "Let what a suspended cell's other side is owed go on."),
    "case": ("case:app", "What a person must decide: parked writes, splits, conflicts."),
    "audit": ("audit:app", "Who decided what, when and why."),
    "journal": ("journal:app", "The writes as they stand."),
    "crosswalk": ("crosswalk:app", "Which number of the old ERP is which of the new one."),
    "store": ("store_commands:app", "The database itself."),
    "key": ("content:key", "Make an API key: the key for the client, its hash for routes/clients.yaml."),
    "sim": ("sim:sim", "Play histories: one seed, one history."),
}
"""Name -> where it is (`module:attribute` under `gateway.cli`) and what it does, in the first words of its own help."""


class Commands(TyperGroup):
    """The commands, each imported when it is called."""

    _listing = False

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        # Names that a mistyped one is compared with.
        self.commands = {name: TyperCommand(name, help=words) for name, (_, words) in COMMANDS.items()}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments. Raises: UsageError: one is no UTF-8; no database and no audit can hold it."""
        for given in args:
            if given != given.encode(errors="replace").decode():
                ctx.fail(f"no UTF-8: {given!r}")
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, imported now; while the list is shown, its name and words alone."""
        if cmd_name not in COMMANDS:
            return None
        return self.commands[cmd_name] if self._listing else _imported(cmd_name, COMMANDS[cmd_name][0])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of commands, told without importing them."""
        self._listing = True
        super().format_help(ctx, formatter)


def _imported(name: str, where: str) -> Any:
    module, _, attribute = where.partition(":")
    found = getattr(import_module(f"gateway.cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        found = alone
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    name="changeover", cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


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
