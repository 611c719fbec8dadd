"""The scenario: traffic to three plants, one of them moves, traffic goes on, and the ERPs' logs judge it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.table import Table

from gateway.cli.demo.audit import audited
from gateway.cli.demo.processes import Demo, running
from gateway.cli.demo.traffic import Plant, Tally
from gateway.cli.output import progress

MOVED = "1000"
PLANTS = ("1000", "2000", "3000")
_BEFORE_S, _AFTER_S = 6.0, 8.0


async def run_demo(*, once: bool, rate: float) -> tuple[dict[str, Any], list[str]]:
    """Run the scenario; without `once` traffic goes on until Ctrl-C.

    Gives: the figures, and the documents that an ERP holds otherwise than they were sent.
    """
    with tempfile.TemporaryDirectory(prefix="changeover-demo-") as folder:
        progress.print("starting two ERPs and a gateway ...")
        async with running(Path(folder)) as demo:
            progress.print(f"gateway at {demo.gateway}, documentation at {demo.gateway}/docs")
            return await _scenario(demo, once=once, rate=rate)


async def _scenario(demo: Demo, *, once: bool, rate: float) -> tuple[dict[str, Any], list[str]]:
    tally, stop = Tally(), asyncio.Event()
    plants = {code: Plant(demo, code, rate / len(PLANTS), tally, seed) for seed, code in enumerate(PLANTS)}
    phases = dict.fromkeys(PLANTS, "legacy") | {"3000": "cloud"}
    news: list[str] = []
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        working = [asyncio.create_task(plant.work(http, stop)) for plant in plants.values()]
        with Live(
            console=Console(stderr=True), refresh_per_second=4, get_renderable=lambda: _picture(tally, phases, news)
        ):
            try:
                await asyncio.sleep(_BEFORE_S)
                await _move(demo, plants[MOVED], phases, news.append)
                await asyncio.sleep(_AFTER_S)
                if not once:
                    news.append("Traffic goes on. Ctrl-C ends the demo.")
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                if once:
                    raise
            finally:
                stop.set()
                for plant in plants.values():
                    plant.resume()
                await asyncio.gather(*working)
    figures = await audited(demo, tally)
    for error in tally.errors[:10]:
        progress.print(error, style="red", markup=False)
    return figures


async def _move(demo: Demo, plant: Plant, phases: dict[str, str], tell: Callable[[str], None]) -> None:
    """What the migration lead does on Saturday night; here without a flip, which is the next release's."""
    tell(f"Plant {MOVED}: the last order is finished, the MES is quiet.")
    await plant.pause()
    waves = demo.content / "routes" / "waves.yaml"
    text = waves.read_text("utf-8")
    first = text.index('plants: ["1000"]')
    waves.write_text(text[:first] + text[first:].replace("cloud: s4\n", "cloud: s4\n    phase: cloud\n", 1), "utf-8")
    tell("changeover plan")
    await demo.changeover("plan", "--content", str(demo.content))
    tell("changeover apply --unsafe-switch")
    await demo.changeover("apply", "--content", str(demo.content), "--unsafe-switch", "--reason", "demo")
    await _followed(demo)
    phases[MOVED] = "cloud"
    tell(f"Plant {MOVED} runs on the cloud ERP. Its MES goes on with the same URL.")
    plant.resume()


async def _followed(demo: Demo) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{demo.admin}/admin/v1/waves") as answer:
                table = await answer.json()
            cells = [cell for cell in table["cells"] if cell["plant"] == MOVED]
            if all(cell["phase"] == "cloud" for cell in cells):
                return
            await asyncio.sleep(0.05)


def _picture(tally: Tally, phases: dict[str, str], news: list[str]) -> Table:
    whole = Table.grid(padding=(0, 0))
    table = Table(title="What goes where", title_justify="left")
    for name in ("plant", "phase", "-> legacy ERP", "-> cloud ERP"):
        table.add_column(name, justify="right" if "ERP" in name else "left")
    for plant, phase in phases.items():
        style = "green" if phase == "cloud" else "yellow"
        counts = (str(tally.by_plant[plant, side]) for side in ("legacy", "cloud"))
        table.add_row(plant, f"[{style}]{phase}[/]", *counts)
    whole.add_row(table)
    recent = tally.seconds[-200:]
    typical = f"{median(recent) * 1000:.0f} ms" if recent else "-"
    whole.add_row(f"requests {tally.requests}   client errors {len(tally.errors)}   typical answer {typical}")
    for line in news[-6:]:
        whole.add_row(f"[dim]·[/] {line}")
    return whole
