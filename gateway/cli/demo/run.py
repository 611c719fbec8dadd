"""The scenario: traffic to three plants; one moves through the dual phases while an ERP is killed; the ERPs' logs judge it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
from rich.live import Live

from gateway.cli.demo.audit import Verdict, audited
from gateway.cli.demo.interrupt import Interrupt, for_ever, interruptible
from gateway.cli.demo.picture import Watched, picture
from gateway.cli.demo.processes import Demo, prepared, ready, running
from gateway.cli.demo.traffic import Plant, Tally
from gateway.cli.output import progress

MOVED = "1000"
PLANTS = ("1000", "2000", "3000")
_TRAFFIC_S, _DOWN_S = 2.5, 5.0
_DRAIN_S = 60.0
_WATCH_S = 0.25


async def run_demo(*, once: bool, rate: float) -> Verdict | None:
    """Run the scenario; without `once` traffic goes on until Ctrl-C. Gives: None where Ctrl-C came before any traffic.

    Raises: RuntimeError: something did not start, or did not end; CancelledError: Ctrl-C came twice.
    """
    with tempfile.TemporaryDirectory(prefix="changeover-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        demo = prepared(folder)
        with interruptible(demo.kill_now) as interrupt:
            progress.print("starting two ERPs and a gateway ...")
            async with running(demo):
                if not await interrupt.until(ready(demo, folder)):
                    return None
                progress.print(f"gateway at {demo.gateway}, documentation at {demo.gateway}/docs")
                show = _Show(demo, rate)
                await show.run(interrupt, once=once)
                # Where Ctrl-C ended an outage, an ERP is on its way up.
                await ready(demo, folder)
                return await show.verdict()


class _Show:
    """One run: its clients, what is watched, and the acts one after the other."""

    def __init__(self, demo: Demo, rate: float) -> None:
        self._demo, self._tally, self._news = demo, Tally(), list[str]()
        self._plants = {
            code: Plant(demo, code, rate / len(PLANTS), self._tally, seed) for seed, code in enumerate(PLANTS)
        }
        self._watched = Watched(dict.fromkeys(PLANTS, "legacy") | {"3000": "cloud"})

    @property
    def _tell(self) -> Callable[[str], None]:
        return self._news.append

    async def run(self, interrupt: Interrupt, *, once: bool) -> None:
        """Play the acts, and go on where not `once`; whatever ends that, the traffic ends and the ERPs get what they are owed."""
        stop = asyncio.Event()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            working = [asyncio.create_task(plant.work(http, stop)) for plant in self._plants.values()]
            watching = asyncio.create_task(self._watch(http))
            try:
                with Live(
                    console=progress,
                    refresh_per_second=4,
                    get_renderable=lambda: picture(self._tally, self._watched, self._news),
                ):
                    if not await interrupt.until(self._played(once=once)):
                        self._tell(
                            "Ctrl-C: the traffic ends, and the ERPs get what they are owed. Again to stop at once."
                        )
                    stop.set()
                    for plant in self._plants.values():
                        plant.resume()
                    await asyncio.gather(*working)
                    await self._drained()
            finally:
                if not progress.is_terminal:
                    progress.line()  # the picture leaves its last line open there
                for task in (watching, *working):
                    task.cancel()
                await asyncio.gather(watching, *working, return_exceptions=True)

    async def verdict(self) -> Verdict:
        """What the ERPs say of all that was sent."""
        for error in self._tally.errors[:10]:
            progress.print(error, style="red", markup=False)
        return await audited(self._demo, self._tally)

    async def _played(self, *, once: bool) -> None:
        await self._acts()
        if not once:
            self._tell("Traffic goes on. Ctrl-C ends the demo.")
            await for_ever()

    async def _acts(self) -> None:
        await asyncio.sleep(_TRAFFIC_S)
        await self._move("dual_legacy", "its orders are made in both ERPs now; the legacy ERP answers", quiet=True)
        await asyncio.sleep(_TRAFFIC_S)
        await self._outage("cloud")
        await self._move("dual_cloud", "the cloud ERP answers now, and the legacy ERP follows", quiet=False)
        await asyncio.sleep(_TRAFFIC_S)
        await self._move("cloud", "it runs on the cloud ERP. Its MES goes on with the same URL", quiet=True)
        await asyncio.sleep(_TRAFFIC_S)

    async def _move(self, phase: str, means: str, *, quiet: bool) -> None:
        """Ask for another phase. Takes: `quiet`, whether the MES finishes its order first.

        An order that was begun in one ERP alone has no twin; where both have it, the move needs no pause. In either case it
        waits until nothing is on its way any more.
        """
        plant = self._plants[MOVED]
        if quiet:
            self._tell(f"Plant {MOVED}: the last order is finished, the MES is quiet.")
            await plant.pause()
        self._declare(phase)
        reason = f"demo: plant {MOVED} to {phase}"
        self._tell(f'changeover apply --unsafe-switch --wait {_DRAIN_S:.0f} --reason "{reason}"')
        await self._demo.changeover(
            "apply", "--content", str(self._demo.content), "--unsafe-switch", "--reason", reason,
            "--wait", str(_DRAIN_S),
        )  # fmt: skip
        await self._followed(phase)
        self._watched.phases[MOVED] = phase
        self._tell(f"Plant {MOVED} is in {phase}: {means}.")
        plant.resume()

    def _declare(self, phase: str) -> None:
        path = self._demo.content / "routes" / "waves.yaml"
        before, rule, after = path.read_text("utf-8").partition(f'plants: ["{MOVED}"]')
        old = self._watched.phases[MOVED]
        line = "    cloud: s4\n" if old == "legacy" else f"    cloud: s4\n    phase: {old}\n"
        path.write_text(before + rule + after.replace(line, f"    cloud: s4\n    phase: {phase}\n", 1), "utf-8")

    async def _outage(self, side: str) -> None:
        process = self._demo.erp_processes[side]
        try:
            await process.kill()
            self._watched.down.add(side)
            self._tell(f"kill -9 {side} ERP. Plant {MOVED} goes on; Pune, which has this ERP alone, is told to wait.")
            await asyncio.sleep(_DOWN_S)
        finally:
            # Also where the demo ends now: it owes this ERP its writes.
            await process.start()
        self._tell(f"The {side} ERP starts again, with what it had committed.")

    async def _drained(self) -> None:
        """Wait until no ERP is owed anything. Raises: RuntimeError: it took too long."""
        give_up_s = asyncio.get_running_loop().time() + _DRAIN_S
        async with aiohttp.ClientSession() as http:
            while self._watched.owed or await self._look(http):
                if asyncio.get_running_loop().time() > give_up_s:
                    raise RuntimeError(f"the ERPs are still owed writes: {dict(self._watched.owed)}")
                await asyncio.sleep(_WATCH_S)

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        while True:
            await self._look(http)
            await asyncio.sleep(_WATCH_S)

    async def _look(self, http: aiohttp.ClientSession) -> bool:
        """Note what the ERPs are owed. Gives: whether that is anything."""
        async with http.get(f"{self._demo.admin}/admin/v1/backlog") as answer:
            rows = (await answer.json())["backlog"]
        self._watched.note(rows)
        for side in tuple(self._watched.down):
            if self._demo.erp_processes[side].runs and not self._watched.owed.get(side):
                self._watched.down.discard(side)
        return bool(self._watched.owed)

    async def _followed(self, phase: str) -> None:
        """Wait until the gateway serves it."""
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self._demo.admin}/admin/v1/waves") as answer:
                    cells = [cell for cell in (await answer.json())["cells"] if cell["plant"] == MOVED]
                if all(cell["phase"] == phase for cell in cells):
                    return
                await asyncio.sleep(0.05)
