"""`changeover sim`: plays histories of the write protocol in virtual time and judges them."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.output import Exit, fail, progress

_MANY = 2000
"""So many histories meet every failure that can occur."""


def sim(
    histories: Annotated[int, typer.Option(min=1, help="how many")] = 200,
    seed: Annotated[int, typer.Option(help="the first one")] = 1,
    mutant: Annotated[str | None, typer.Option(help="take a part of the protocol away; `list` names them")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Play histories: one seed, one history.

    Exits 4 when an invariant is broken, when a mutant is not caught, or when 2,000 and more never met a failure of the table.
    """
    from gateway.sim.histories import play  # noqa: PLC0415  # the whole gateway
    from gateway.sim.mutants import MUTANTS, NOT_HERE  # noqa: PLC0415  # the whole gateway

    if mutant == "list":
        for name, each in MUTANTS.items():
            typer.echo(f"{name:28} {each.missing}")
        for name, why in NOT_HERE.items():
            typer.echo(f"{name:28} not here: {why}")
        return
    if mutant is not None and mutant not in MUTANTS:
        fail(NOT_HERE.get(mutant, f"no mutant {mutant!r}; `--mutant list` names them"), Exit.USAGE)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress) as bars:
        bar = bars.add_task(mutant or "histories", total=histories)
        seeds = range(seed, seed + histories)
        report = play(seeds, mutant, jobs, lambda: bars.advance(bar), until_caught=mutant is not None)
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        typer.echo(
            f"{report.histories} histories, {report.operations} writes, {report.acknowledged} acknowledged, "
            f"{report.cases} open cases, {sum(report.faults.values())} faults, {report.violations} with a violation"
        )
        if report.missing:
            typer.echo(f"never occurred: {', '.join(report.missing)}")
        if report.first_seed is not None:
            typer.echo(f"seed {report.first_seed}:\n  " + "\n  ".join(report.first))
    unmet = report.missing if mutant is None and report.histories >= _MANY else []
    if bool(report.violations) != (mutant is not None) or unmet:
        raise typer.Exit(Exit.GATE)
