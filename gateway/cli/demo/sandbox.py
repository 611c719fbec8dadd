"""`changeover sandbox`: two simulated ERPs and a gateway to play with."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.demo.interrupt import for_ever, interruptible
from gateway.cli.demo.processes import Demo, prepared, ready, running
from gateway.cli.output import Exit, progress, told


def sandbox(
    folder: Annotated[Path, typer.Option(help="where content, database and keys are kept")] = Path("sandbox"),
    port: Annotated[int, typer.Option(help="data port")] = 8080,
    admin_port: Annotated[int, typer.Option(help="admin port")] = 8081,
) -> None:
    """Run two simulated ERPs and a gateway until Ctrl-C; FOLDER/env holds keys and addresses for a shell."""
    folder.mkdir(parents=True, exist_ok=True)
    with told():
        try:
            asyncio.run(_stay(folder.resolve(), (port, admin_port)))
        except RuntimeError as err:
            progress.print(str(err), style="red", markup=False)
            raise typer.Exit(1) from err
        except asyncio.CancelledError as err:
            raise typer.Exit(Exit.INTERRUPTED) from err


async def _stay(folder: Path, ports: tuple[int, int]) -> None:
    demo = prepared(folder, ports)
    # Before anything answers: whoever waits for the gateway reads it next.
    (folder / "env").touch(mode=0o600)
    (folder / "env").write_text(_shell(demo), "utf-8")
    with interruptible(demo.kill_now) as interrupt:
        async with running(demo):
            if await interrupt.until(ready(demo, folder)):
                progress.print(
                    f"gateway at {demo.gateway}, documentation at {demo.gateway}/docs, health at {demo.admin}/readyz"
                )
                progress.print(f"keys and addresses: . {folder}/env")
                await interrupt.until(for_ever())


def _shell(demo: Demo) -> str:
    """The environment as a shell reads it: the clients' keys, and what `changeover` commands need."""
    values = {f"KEY_{client.upper()}": key for client, key in demo.keys.items()}
    values |= {"GATEWAY": demo.gateway, "LEGACY_ERP": demo.erps["legacy"], "CLOUD_ERP": demo.erps["cloud"], **demo.own}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
