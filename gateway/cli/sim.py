"""`changeover sim`: plays histories of the write protocol in virtual time and judges them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.output import Exit, fail, progress

if TYPE_CHECKING:
    from gateway.sim.histories import Report

_FEW, _UNTIL_CAUGHT = 200, 1000
_MANY = 2000
"""So many histories meet every failure that can occur."""


def sim(
    histories: Annotated[
        int | None, typer.Option(min=1, help="how many; by default 200, and up to 1,000 until a mutant is caught")
    ] = None,
    seed: Annotated[int, typer.Option(help="the first one")] = 1,
    mutant: Annotated[
        str | None, typer.Option(help="take a part of the protocol away; `list` names them, `all` tries each")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Play histories: one seed, one history.

    Exits 4 when an invariant is broken, when a mutant is not caught, or when 2,000 and more never met a failure of the table.
    """
    from gateway.sim.mutants import MUTANTS, NOT_HERE  # noqa: PLC0415  # the whole gateway

    if mutant == "list":
        for name, each in MUTANTS.items():
            typer.echo(f"{name:28} {each.missing}")
        for name, why in NOT_HERE.items():
            typer.echo(f"{name:28} not here: {why}")
        return
    if mutant not in {None, "all", *MUTANTS}:
        fail(NOT_HERE.get(str(mutant), f"no mutant {mutant!r}; `--mutant list` names them"), Exit.USAGE)
    seeds = range(seed, seed + (histories or (_UNTIL_CAUGHT if mutant else _FEW)))
    if mutant == "all":
        _all_mutants(_played(list(MUTANTS), seeds, jobs), {n: each.missing for n, each in MUTANTS.items()}, as_json)
    else:
        _one(_played([mutant], seeds, jobs)[mutant], mutant, as_json)


def _played(mutants: Sequence[str | None], seeds: range, jobs: int) -> dict[str | None, Report]:
    """What came of the seeds, by the part that was taken away."""
    from gateway.sim.histories import play  # noqa: PLC0415  # the whole gateway

    reports = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress) as bars:
        for name in mutants:
            step = partial(bars.advance, bars.add_task(name or "histories", total=len(seeds)))
            reports[name] = play(seeds, name, jobs, step, until_caught=name is not None)
    return reports


def _one(report: Report, mutant: str | None, as_json: bool) -> None:
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


def _all_mutants(reports: dict[str | None, Report], missing: dict[str, str], as_json: bool) -> None:
    """Each mutant and the first seed whose history caught it, as the docs have it."""
    first = {name: reports[name].first_seed for name in missing}
    if as_json:
        typer.echo(json.dumps({"mutants": first}))
    else:
        typer.echo("| mutant | what is missing | first seed |\n|---|---|---|")
        for name, what in missing.items():
            typer.echo(f"| `{name}` | {what} | {first[name] or 'not caught'} |")
    if None in first.values():
        raise typer.Exit(Exit.GATE)
