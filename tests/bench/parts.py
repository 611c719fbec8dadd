"""The parts of a run, each with servers of its own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.control.content import Content, load, read_folder
from tests.bench import dialect, journal, measure, nginx, writes
from tests.bench.content import IN_FLIGHT, Deployment, deployment, environment
from tests.bench.correctness import calls, check_gateway, check_nginx
from tests.bench.load import Call
from tests.bench.processes import BenchError, allow_many_files
from tests.bench.served import Server, fixed_erp, gateway, no_case, proxied

PARTS = ("cpu", "latency", "in_flight", "journal", "writes")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long everything takes."""

    cpu_rounds: int
    cpu_s: float
    latency_rounds: int
    latency_s: float
    in_flight_s: float
    sequential: int
    writes: writes.Effort
    journal: journal.Effort


FULL = Plan(
    cpu_rounds=5, cpu_s=3, latency_rounds=3, latency_s=4, in_flight_s=9, sequential=1000,
    writes=writes.Effort(rounds=3, seconds=8), journal=journal.FULL,
)  # fmt: skip
QUICK = Plan(
    cpu_rounds=2, cpu_s=1, latency_rounds=1, latency_s=2, in_flight_s=0, sequential=200,
    writes=writes.Effort(rounds=1, seconds=2), journal=journal.QUICK,
)  # fmt: skip


class Bench:
    """One run: a folder, a deployment, the fixed ERPs' answers."""

    def __init__(self, place: Path, plan: Plan) -> None:
        self._place, self._plan, self._files = place, plan, allow_many_files()
        self._made: Deployment = deployment(place)
        self._content: Content = _loaded(place, self._made)
        self._erps = dialect.fixed_answers(self._content)
        self._read, self._create = calls(self._made)

    def run(self, parts: Collection[str]) -> dict[str, Any]:
        """What is asked for, in order. Raises: BenchError."""
        ways = {"cpu": self._cpu, "latency": self._latency, "in_flight": self._in_flight}
        ways |= {"journal": self._journal, "writes": self._writes}
        return {name: value for part in PARTS if part in parts for name, value in ways[part]().items()}

    def _cpu(self) -> dict[str, Any]:
        with self._servers("fast", delay_ms=0) as (servers, _):
            return self._fast(servers) | {"dialect": dialect.costs(self._content, self._erps["ecc"])}

    def _fast(self, servers: Mapping[str, Server]) -> dict[str, Any]:
        server = servers["gateway"]
        found: dict[str, Any] = {"checks": check_gateway(server, self._made, self._erps["ecc"])}
        if "nginx" in servers:
            check_nginx(servers["nginx"], self._made, self._erps["ecc"])
        found["cpu"] = {call.method: self._rounds(servers, call) for call in (self._read, self._create)}
        found["counts"] = measure.counts(server)
        if found["counts"]["errors"]:
            raise BenchError("the gateway answered 5xx during the measurement")
        sequential = self._plan.sequential
        found["stages"] = {call.method: measure.stages(server, call, sequential) for call in (self._read, self._create)}
        no_case(server)
        return found

    def _rounds(self, servers: Mapping[str, Server], call: Call) -> dict[str, Any]:
        rounds = measure.cpu_rounds(servers, call, self._plan.cpu_rounds, self._plan.cpu_s, self._place)
        return measure.cpu_summary(rounds) | {"rounds": rounds}

    def _latency(self) -> dict[str, Any]:
        with self._servers("latency", delay_ms=20) as (servers, _):
            rounds = measure.latency_rounds(servers, self._read, self._plan.latency_rounds, self._plan.latency_s)
        return {"latency": measure.latency_summary(rounds) | {"rounds": rounds}}

    def _in_flight(self) -> dict[str, Any]:
        found = {}
        names = ("gateway",) if nginx.missing() else ("nginx", "gateway")
        for name in names:
            with self._servers(f"flight-{name}", delay_ms=2000, only=name) as (servers, erp):
                found[name] = measure.flight(servers[name], erp, self._read, IN_FLIGHT, self._plan.in_flight_s)
        return {"in_flight": found}

    def _journal(self) -> dict[str, Any]:
        return {"journal": journal.apart(self._place / "journal", self._plan.journal)}

    def _writes(self) -> dict[str, Any]:
        return {"writes": writes.measured(self._place / "writes", self._erps, self._files, self._plan.writes)}

    @contextmanager
    def _servers(
        self, name: str, delay_ms: float, only: str | None = None
    ) -> Iterator[tuple[dict[str, Server], Server]]:
        """nginx and a fresh gateway in front of one fixed ERP."""
        place = self._place / name
        with ExitStack() as stack:
            erp = stack.enter_context(fixed_erp(place / "erp", self._erps["ecc"], self._files, delay_ms))
            found = {}
            if nginx.missing() is None and only in (None, "nginx"):
                found["nginx"] = stack.enter_context(proxied(place / "nginx", erp.port, self._files))
            if only in (None, "gateway"):
                found["gateway"] = stack.enter_context(gateway(place / "gateway", self._made, {"ecc": erp.port}))
            yield found, erp


def _loaded(place: Path, made: Deployment) -> Content:
    os.environ.update({k: v for k, v in environment(place, {}).items() if k.startswith("CHANGEOVER_")})
    return load(read_folder(made.folder))
