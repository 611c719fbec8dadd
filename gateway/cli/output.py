"""How commands speak: data on standard output as table, JSON or YAML; progress and errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from typing import Annotated, Any, NoReturn

import typer
import yaml
from rich.console import Console
from rich.table import Table

from gateway.errors import ContentError, GatewayError, SecretMissing, StalePlan, StoreUnusable


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    ERROR = 1
    USAGE = 2
    DIFFERENT = 3
    GATE = 4
    APPROVAL = 5
    UNREACHABLE = 6
    PARTLY = 7
    STALE = 8
    INTERRUPTED = 130


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("-o", "--output", help="table, json or yaml")]
# Lines are as long as they are: a terminal breaks them by itself, and a program that reads `file:line:column:` must not see it.
progress = Console(stderr=True, highlight=False, soft_wrap=True)
_WIDEST = 100_000


def show(rows: Sequence[dict[str, Any]], output: Format, *, title: str | None = None) -> None:
    """Print rows that have the same keys."""
    if output is Format.JSON:
        print_json(list(rows))
    elif output is Format.YAML:
        sys.stdout.write(yaml.safe_dump(json.loads(json.dumps(list(rows), default=str)), sort_keys=False))
    else:
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for name in rows[0] if rows else ():
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*("" if v is None else str(v) for v in row.values()))
        # A pipe has no width of its own: let the lines be as long as they are.
        console = Console()
        Console(width=None if console.is_terminal else _WIDEST).print(table)


def print_data(value: dict[str, Any], output: Format) -> None:
    """Print one thing with its parts; as a table, that is YAML."""
    if output is Format.JSON:
        print_json(value)
    else:
        plain = json.loads(json.dumps(value, default=str))
        sys.stdout.write(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=160))


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def fail(message: str, code: Exit = Exit.ERROR) -> NoReturn:
    """Say what went wrong and stop."""
    progress.print(message, style="red", markup=False)
    raise typer.Exit(code)


@contextmanager
def told() -> Iterator[None]:
    """Turn the errors an operator can mend into a message and an exit code."""
    try:
        yield
    except ContentError as err:
        fail("\n".join(str(m) for m in err.mistakes))
    except StalePlan as err:
        fail(f"stale plan: {err}", Exit.STALE)
    except StoreUnusable as err:
        fail(f"store: {err}", Exit.UNREACHABLE)
    except SecretMissing as err:
        fail(f"missing: {err}", Exit.USAGE)
    except GatewayError as err:
        more = "".join(f"\n  {e.get('field', '')}: {e.get('reason', '')}" for e in err.extra.get("errors", ()))
        fail(f"{err.code}: {err.detail}{more}")
    except OSError as err:
        fail(str(err), Exit.UNREACHABLE)
