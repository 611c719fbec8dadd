"""`python -m tests.bench [--quick] [--json]`: starts everything, checks it, measures it, stops it.

Slowness never fails a run; an error or a wrong answer does (exit 1), and then there is no figure.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.control.content import Content, load, read_folder
from tests.bench import dialect, facts, measure, nginx
from tests.bench.answers import FixedErp
from tests.bench.content import IN_FLIGHT, Deployment, deployment, environment
from tests.bench.correctness import calls, check_gateway, check_nginx
from tests.bench.load import wrk_missing
from tests.bench.processes import BenchError, allow_many_files, cores
from tests.bench.report import lines, verdict
from tests.bench.served import Server, fixed_erp, gateway, proxied

RESULTS = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long everything takes."""

    cpu_rounds: int
    cpu_s: float
    latency_rounds: int
    latency_s: float
    in_flight_s: float
    sequential: int


FULL = Plan(cpu_rounds=5, cpu_s=3, latency_rounds=3, latency_s=4, in_flight_s=9, sequential=1000)
QUICK = Plan(cpu_rounds=2, cpu_s=1, latency_rounds=1, latency_s=2, in_flight_s=0, sequential=200)


class Bench:
    """One run: a folder, a deployment, the fixed ERP's answers."""

    def __init__(self, place: Path, plan: Plan) -> None:
        self._place, self._plan, self._files = place, plan, allow_many_files()
        self._made: Deployment = deployment(place)
        self._content: Content = _loaded(place, self._made)
        self._erp: FixedErp = dialect.fixed_answers(self._content)
        self._read, self._create = calls(self._made)

    def run(self) -> dict[str, Any]:
        """Everything, in order. Raises: BenchError."""
        with self._servers("fast", delay_ms=0) as (servers, _):
            found = self._fast(servers)
        with self._servers("latency", delay_ms=20) as (servers, _):
            rounds = measure.latency_rounds(servers, self._read, self._plan.latency_rounds, self._plan.latency_s)
            found["latency"] = measure.latency_summary(rounds) | {"rounds": rounds}
        found["in_flight"] = self._in_flight()
        found["dialect"] = dialect.costs(self._content, self._erp)
        return found

    def _fast(self, servers: Mapping[str, Server]) -> dict[str, Any]:
        server = servers["gateway"]
        found: dict[str, Any] = {"checks": check_gateway(server, self._made, self._erp)}
        if "nginx" in servers:
            check_nginx(servers["nginx"], self._made, self._erp)
        found["cpu"] = {call.method: self._cpu(servers, call) for call in (self._read, self._create)}
        found["counts"] = measure.counts(server)
        if found["counts"]["errors"]:
            raise BenchError("the gateway answered 5xx during the measurement")
        sequential = self._plan.sequential
        found["stages"] = {call.method: measure.stages(server, call, sequential) for call in (self._read, self._create)}
        return found

    def _cpu(self, servers: Mapping[str, Server], call: Any) -> dict[str, Any]:
        rounds = measure.cpu_rounds(servers, call, self._plan.cpu_rounds, self._plan.cpu_s, self._place)
        return measure.cpu_summary(rounds) | {"rounds": rounds}

    def _in_flight(self) -> dict[str, Any]:
        found = {}
        names = ("gateway",) if nginx.missing() else ("nginx", "gateway")
        for name in names:
            with self._servers(f"flight-{name}", delay_ms=2000, only=name) as (servers, erp):
                found[name] = measure.flight(servers[name], erp, self._read, IN_FLIGHT, self._plan.in_flight_s)
        return found

    @contextmanager
    def _servers(
        self, name: str, delay_ms: float, only: str | None = None
    ) -> Iterator[tuple[dict[str, Server], Server]]:
        """nginx and a fresh gateway in front of one fixed ERP."""
        place = self._place / name
        with ExitStack() as stack:
            erp = stack.enter_context(fixed_erp(place / "erp", self._erp, self._files, delay_ms))
            found = {}
            if nginx.missing() is None and only in (None, "nginx"):
                found["nginx"] = stack.enter_context(proxied(place / "nginx", erp.port, self._files))
            if only in (None, "gateway"):
                found["gateway"] = stack.enter_context(gateway(place / "gateway", self._made, erp.port))
            yield found, erp


def _loaded(place: Path, made: Deployment) -> Content:
    os.environ.update({k: v for k, v in environment(place, 9).items() if k.startswith("CHANGEOVER_")})
    return load(read_folder(made.folder))


@contextmanager
def _alone() -> Iterator[None]:
    """Two runs at once would measure each other. Raises: BenchError."""
    with (Path(tempfile.gettempdir()) / "changeover-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            raise BenchError("another run is under way") from err
        yield


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: whether it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args(arguments)
    try:
        with _alone(), tempfile.TemporaryDirectory(prefix="changeover-bench-") as place:
            found = _measured(Path(place), QUICK if given.quick else FULL)
    except BenchError as err:
        print(f"no figures: {err}", file=sys.stderr)
        return 1
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(lines(found)))
    if given.json:
        print(json.dumps(found))
    return 0


def _measured(place: Path, plan: Plan) -> dict[str, Any]:
    machine, before = facts.facts(), facts.cpu_times()
    os.sched_setaffinity(0, {cores()[1]})
    run = Bench(place, plan)
    found = run.run()
    machine["stolen"] = facts.stolen(before, facts.cpu_times())
    reasons = {"nginx": nginx.missing(), "wrk": wrk_missing()}
    found |= {
        "facts": machine,
        "noise": facts.noisy(machine["load_before"], machine["stolen"]),
        "skipped": {name: reason for name, reason in reasons.items() if reason},
        "plan": "full" if plan is FULL else "quick",
    }
    return found | {"reached": verdict(found)}


if __name__ == "__main__":
    sys.exit(main())
