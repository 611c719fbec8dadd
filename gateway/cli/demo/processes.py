"""The processes of the demo: two simulated ERPs and a gateway, each a real one on a real port."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gateway.control.content import lay_out
from gateway.edge.api_keys import generate
from gateway.settings import shipped

_CLIENTS = ("mes", "wms", "planning")
_START_S = 40
_QUICK = "limits: {breaker_open_s: 1}\n"
"""An ERP that is back is tried again after a second: a show does not wait for ten."""


class Process:
    """A process of the demo: started, killed, started again. Its log goes on in one file.

    It has a session of its own: Ctrl-C in the terminal is for the demo, which still needs it to drain and to be audited.
    """

    def __init__(self, folder: Path, command: list[str], environment: dict[str, str]) -> None:
        self._log = folder / f"{command[0]}-{command[1]}.log"
        self.command, self._environment = command, environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; one that still runs is killed first."""
        await self.kill()
        with open(self._log, "ab") as log:  # noqa: ASYNC230, PTH123  # once, at the start
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self.command,
                env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    async def kill(self) -> None:
        """SIGKILL: it gets no chance to put anything in order."""
        self.kill_now()
        if self._process is not None:
            await self._process.wait()

    def kill_now(self) -> None:
        """SIGKILL, and nobody waits for its end."""
        if self._process is not None and self.runs:
            self._process.kill()

    async def stop(self) -> None:
        if self._process is not None and self.runs:
            self._process.terminate()
            await self._process.wait()


@dataclass(frozen=True, slots=True)
class Demo:
    """What runs, and how to reach it. `erps` and `erp_processes` are by side; `keys` by client."""

    gateway: str
    admin: str
    erps: dict[str, str]
    keys: dict[str, str]
    content: Path
    environment: dict[str, str]
    own: dict[str, str]
    """What the demo adds to the environment."""
    erp_processes: dict[str, Process] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    """All that run, in the order in which they start."""

    def kill_now(self) -> None:
        """SIGKILL for all that run."""
        for process in self.processes:
            process.kill_now()

    async def changeover(self, *arguments: str) -> str:
        """Run a `changeover` command as an operator would. Raises: RuntimeError: it failed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"changeover {' '.join(arguments)}: {output.decode(errors='replace')}")
        return output.decode()


def _bound(port: int) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("127.0.0.1", port))
    except OSError as err:
        one.close()
        raise RuntimeError(
            f"port {port} cannot be had: {err.strerror}; another sandbox, or --port and --admin-port"
        ) from err
    return one


def _free_ports(count: int) -> list[int]:
    held = [_bound(0) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def prepared(folder: Path, ports: tuple[int, int] | None = None) -> Demo:
    """What is to run in `folder`; nothing of it does yet.

    Takes: `ports`, data and admin port; default: free ones. Raises: RuntimeError: one of them is taken; nothing was written.
    """
    for port in ports or ():
        _bound(port).close()
    legacy, cloud, *free = _free_ports(4)
    data, admin = ports or tuple(free)
    demo = _laid_out(folder, legacy, cloud, data, admin)
    secret = demo.environment["CHANGEOVER_ERP_ECC_SECRET"]
    logons = {"legacy": f"basic:GATEWAY:{secret}", "cloud": f"oauth:gateway:{secret}"}
    for side, port in (("legacy", legacy), ("cloud", cloud)):
        state = str(folder / f"{side}.state")
        command = ["gateway.sim.erps", side, "--port", str(port), "--auth", logons[side], "--state", state]
        demo.erp_processes[side] = Process(folder, command, demo.environment)
    serve = ["gateway", "serve", "--content", str(demo.content), "--port", str(data), "--admin-port", str(admin)]
    demo.processes.extend([*demo.erp_processes.values(), Process(folder, serve, demo.environment)])
    return demo


@asynccontextmanager
async def running(demo: Demo) -> AsyncIterator[None]:
    """Start everything, and stop it all at the end. What was started is not ready yet."""
    try:
        for process in demo.processes:
            await process.start()
        yield
    finally:
        await asyncio.gather(*(process.stop() for process in reversed(demo.processes)))


def _laid_out(folder: Path, legacy: int, cloud: int, data: int, admin: int) -> Demo:
    content = folder / "content"
    lay_out(shipped(), content)
    for erp in ("ecc", "s4"):
        path = content / "routes" / "erps" / f"{erp}.yaml"
        if "limits:" not in (text := path.read_text("utf-8")):
            path.write_text(text + _QUICK, "utf-8")
    (folder / "jwks.json").write_text(json.dumps({"keys": []}))
    secret = secrets.token_urlsafe(16)
    keys = {client: generate(client, secrets.token_bytes)[0] for client in _CLIENTS}
    own = {
        "CHANGEOVER_CONTENT": str(content),
        "CHANGEOVER_ERP_ECC_URL": f"http://127.0.0.1:{legacy}",
        "CHANGEOVER_ERP_S4_URL": f"http://127.0.0.1:{cloud}",
        "CHANGEOVER_ERP_ECC_SECRET": secret,
        "CHANGEOVER_ERP_S4_SECRET": secret,
        "CHANGEOVER_JWKS": f"file:{folder / 'jwks.json'}",
        "CHANGEOVER_DATABASE_URL": f"sqlite:///{folder / 'changeover.db'}",
        "CHANGEOVER_LOG_LEVEL": "warning",
        "CHANGEOVER_FOLLOW_S": "0.1",
    } | {f"CHANGEOVER_KEY_{c.upper()}": hashlib.sha256(key.encode()).hexdigest() for c, key in keys.items()}
    environment = {**os.environ, **own}
    erps = {"legacy": f"http://127.0.0.1:{legacy}", "cloud": f"http://127.0.0.1:{cloud}"}
    return Demo(f"http://127.0.0.1:{data}", f"http://127.0.0.1:{admin}", erps, keys, content, environment, own)


async def ready(demo: Demo, folder: Path) -> None:
    """Wait until all answer. Takes: `folder`, where their logs are. Raises: RuntimeError: one died, with the end of its log."""
    wanted = [f"{demo.admin}/readyz", *(f"{url}/_health" for url in demo.erps.values())]
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(_START_S * 10):
            if not all(p.runs for p in demo.processes):
                break
            if all([await _answers(http, url) for url in wanted]):
                return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the demo did not start:\n{_ends_of_logs(folder)}")


def _ends_of_logs(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log")))


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
