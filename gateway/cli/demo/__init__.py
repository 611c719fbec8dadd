"""`changeover demo`: two simulated ERPs, a gateway, steady clients, and a plant that moves before your eyes."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated

import typer

from gateway.cli.demo.run import run_demo
from gateway.cli.output import Format, fail, show, told


def demo(
    once: Annotated[bool, typer.Option("--once", help="run the scenario to its end and stop")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")] = False,
    rate: Annotated[float, typer.Option(help="orders per second over all plants", min=0.5, max=50)] = 6.0,
) -> None:
    """Show a plant moving from the legacy to the cloud ERP under traffic."""
    with told():
        summary, mistranslated = asyncio.run(run_demo(once=once, rate=rate))
    if as_json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        show([summary | summary.pop("by_side")], Format.TABLE)
    if mistranslated:
        fail(
            f"{len(mistranslated)} documents stand in an ERP otherwise than they were sent: {', '.join(mistranslated[:5])}"
        )
    if summary["client_errors"] or summary["lost"] or summary["duplicated"]:
        fail("the demo found errors: see the figures above")
