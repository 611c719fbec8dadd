"""The servers of a run: the gateway, nginx and the fixed ERPs, each on its core."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench import nginx, upstream
from tests.bench.answers import FixedErp
from tests.bench.content import REPOSITORY, Deployment, environment
from tests.bench.load import Call, ask
from tests.bench.processes import BenchError, cores, free_port, listens, running, wait_for

_SAMPLE = re.compile(r"^(changeover_\w+(?:\{[^}]*\})?) ([0-9.eE+-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """Something that listens. `admin_port` and `database` are the gateway's, `created` is the log of nginx as a fixed ERP."""

    port: int
    pid: int
    admin_port: int = 0
    database: Path | None = None
    created: Path | None = None


@contextmanager
def gateway(place: Path, made: Deployment, erps: Mapping[str, int]) -> Iterator[Server]:
    """A gateway as a person starts it: metrics and the access log on, a new database. Takes: the ports of its ERPs."""
    place.mkdir(parents=True, exist_ok=True)
    log, database = place / "gateway.log", place / "gateway.db"
    command = [sys.executable, "-m", "gateway", "serve", "--content", str(made.folder)]
    command += ["--database", f"sqlite:///{database}", "--port", "0", "--admin-port", "0"]
    core, _ = cores()
    with running(command, core=core, log=log, env=environment(place, erps), cwd=place) as process:
        wait_for(lambda: _ports(log) is not None, process, log)
        port, admin_port = _ports(log) or (0, 0)
        yield Server(port, process.pid, admin_port, database)


def _ports(log: Path) -> tuple[int, int] | None:
    for line in log.read_bytes().splitlines()[:200]:
        if b'"serving"' in line:
            event = json.loads(line)
            return event["port"], event["admin_port"]
    return None


@contextmanager
def proxied(place: Path, erp_port: int, files: int) -> Iterator[Server]:
    """nginx in the gateway's place."""
    port = free_port()
    with _nginx(nginx.proxy(place, {port: erp_port}, files), port, cores()[0]) as server:
        yield server


@contextmanager
def fixed_erp(place: Path, erp: FixedErp, files: int, delay_ms: float = 0) -> Iterator[Server]:
    """The fixed ERP; nginx where it answers at once and is there, our own server otherwise."""
    place.mkdir(parents=True, exist_ok=True)
    port, core = free_port(), cores()[1]
    if not delay_ms and nginx.missing() is None:
        with _nginx(nginx.fixed(place, port, erp.read, erp.around, files), port, core) as server:
            yield replace(server, created=nginx.created_log(place))
        return
    read, created, log = place / "read.json", place / "created.json", place / "upstream.log"
    read.write_bytes(erp.read)
    created.write_bytes(erp.created(upstream.NUMBER))
    command = [sys.executable, "-m", "tests.bench.upstream", str(port), str(delay_ms), str(read), str(created)]
    with running(command, core=core, log=log, cwd=REPOSITORY) as process:
        wait_for(lambda: listens(port), process, log)
        yield Server(port, process.pid)


@contextmanager
def _nginx(config: Path, port: int, core: int) -> Iterator[Server]:
    log = config.parent / "nginx.log"
    with running(nginx.command(config), core=core, log=log) as process:
        wait_for(lambda: listens(port), process, log)
        yield Server(port, process.pid)


def created(server: Server) -> int:
    """How many documents a fixed ERP has created, by its own count."""
    if server.created is None:
        return int(ask(server.port, Call("GET", "/created", ()))[2])
    return server.created.read_bytes().count(b"\n")


def told(server: Server, path: str) -> Any:
    """What the gateway's admin API answers."""
    status, _, body = ask(server.admin_port, Call("GET", path, ()))
    if status != 200:
        raise BenchError(f"{path} answered {status}")
    return json.loads(body)


def no_case(server: Server) -> None:
    """Raises: BenchError: the gateway needs a person, so what was measured is not the work."""
    cases = told(server, "/admin/v1/cases?state=undecided&limit=1")["cases"]
    if cases:
        raise BenchError(f"the gateway opened a case: {cases[0]['kind']}: {cases[0]['reason']}")


def metrics(server: Server) -> dict[str, float]:
    """The gateway's exposition: sample name with labels -> value."""
    status, _, body = ask(server.admin_port, Call("GET", "/metrics", ()))
    if status != 200:
        raise BenchError(f"/metrics answered {status}")
    return {name: float(value) for name, value in _SAMPLE.findall(body.decode())}
