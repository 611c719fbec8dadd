"""`changeover demo`: two simulated ERPs, a gateway, steady clients, and a plant that moves while one ERP is killed."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated

import typer

from gateway.cli.demo.run import run_demo
from gateway.cli.output import Exit, Format, fail, progress, show, told


def demo(
    once: Annotated[bool, typer.Option("--once", help="run the scenario to its end and stop")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
    rate: Annotated[float, typer.Option(help="orders per second over all plants", min=0.5, max=50)] = 6.0,
) -> None:
    """Show a plant moving from the legacy to the cloud ERP under traffic, through an outage, with nothing lost.

    Exit 0 only where no client saw an error, nothing was lost, made twice or differs between the ERPs, and all was translated.
    """
    with told():
        try:
            verdict = asyncio.run(run_demo(once=once, rate=rate))
        except RuntimeError as err:
            fail(str(err))
        except asyncio.CancelledError as err:
            raise typer.Exit(Exit.INTERRUPTED) from err
    if verdict is None:
        raise typer.Exit(Exit.INTERRUPTED)
    figures = verdict.figures
    for reference, words in list(verdict.diverged.items())[:5]:
        progress.print(f"{reference} is not the same in both ERPs: {words}", style="red", markup=False)
    for reference in verdict.mistranslated[:5]:
        progress.print(f"{reference} stands in an ERP otherwise than it was sent", style="red", markup=False)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        show([{**figures, **figures["by_side"]} | {"by_side": None}], Format.TABLE)
    if not verdict.good:
        fail("the demo found errors: see the figures above")
