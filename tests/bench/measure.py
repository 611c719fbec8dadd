"""The measurements. Each gives plain data; an error or a wrong answer on the way gives no figure but a BenchError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.load import Call, Closed, ask, asking, closed_loop, in_flight, open_loop
from tests.bench.processes import BenchError, cpu_s, memory_kb
from tests.bench.served import Server, metrics

CONNECTIONS = 32
RATE_PER_S = 300.0
Servers = Mapping[str, Server]


def cpu_rounds(servers: Servers, call: Call, rounds: int, seconds: float, place: Path) -> list[dict[str, Any]]:
    """CPU of each server per request, the servers taking turns."""
    for server in servers.values():
        closed_loop(server.port, call, CONNECTIONS, 1, place)
    return [
        {name: _cpu_round(name, server, call, seconds, place) for name, server in servers.items()}
        for _ in range(rounds)
    ]


def _cpu_round(name: str, server: Server, call: Call, seconds: float, place: Path) -> dict[str, float]:
    before_s = cpu_s(server.pid)
    done: Closed = closed_loop(server.port, call, CONNECTIONS, seconds, place)
    used_s = cpu_s(server.pid) - before_s
    if done.errors or not done.requests:
        raise BenchError(f"{name}: {done.errors} errors in {done.requests} {call.method} requests")
    return {
        "cpu_us": used_s / done.requests * 1e6,
        "requests_per_s": done.requests / done.seconds,
        "busy": used_s / done.seconds,
        "requests": done.requests,
    }


def cpu_summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The gateway against nginx: the median of the ratios of each round."""
    names = list(rounds[0])
    found: dict[str, Any] = {
        name: {key: median(each[name][key] for each in rounds) for key in ("cpu_us", "requests_per_s", "busy")}
        for name in names
    }
    if "nginx" in names:
        found["ratio"] = spread([each["gateway"]["cpu_us"] / each["nginx"]["cpu_us"] for each in rounds])
    return found


def spread(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"median": median(ordered), "min": ordered[0], "max": ordered[-1]}


def latency_rounds(servers: Servers, call: Call, rounds: int, seconds: float) -> list[dict[str, dict[str, float]]]:
    """Percentiles at a fixed rate, the servers taking turns."""
    found = []
    for _ in range(rounds):
        each = {}
        for name, server in servers.items():
            taken_ms, errors = open_loop(server.port, call, RATE_PER_S, seconds)
            if errors:
                raise BenchError(f"{name}: {errors} errors at {RATE_PER_S:.0f} requests/s")
            each[name] = {f"p{p}_ms": percentile(taken_ms, p) for p in (50, 90, 99)}
        found.append(each)
    return found


def percentile(ordered: list[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def latency_summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {key: median(each[name][key] for each in rounds) for key in rounds[0][name]} for name in rounds[0]
    }
    if "nginx" in found:
        found["added"] = {
            key: spread([each["gateway"][key] - each["nginx"][key] for each in rounds]) for key in ("p50_ms", "p99_ms")
        }
    return found


def flight(server: Server, erp: Server, call: Call, count: int, seconds: float) -> dict[str, Any]:
    """Memory of a server with `count` calls under way towards a slow ERP."""
    asking(server.port, call, 2)
    before = memory_kb(server.pid)
    seen = [before]
    done = in_flight(server.port, call, count, seconds, lambda: seen.append(memory_kb(server.pid)))
    if done.errors:
        why = ask(server.admin_port, Call("GET", "/readyz", ()))[2].decode() if server.admin_port else ""
        raise BenchError(f"{done.errors} of {done.errors + done.answered} failed in flight: {done.first_error} {why}")
    rss_kb, pss_kb = (max(each[kind] for each in seen) for kind in (0, 1))
    at_erp = int(ask(erp.port, Call("GET", "/peak", ()))[2])
    return {
        "calls": count,
        "errors": done.errors,
        "answered": done.answered,
        "requests_per_s": done.answered / done.seconds,
        "peak_at_client": done.peak,
        "peak_at_erp": at_erp,
        "rss_before_kb": before[0],
        "rss_peak_kb": rss_kb,
        "pss_before_kb": before[1],
        "pss_peak_kb": pss_kb,
        "kb_each": (pss_kb - before[1]) / count,
    }


def stages(server: Server, call: Call, times: int) -> dict[str, Any]:
    """Microseconds of each stage of sequential requests: the median from Server-Timing, the mean from the histogram."""
    asking(server.port, call, 50)
    before = metrics(server)
    spent: dict[str, list[float]] = {}
    for status, headers, _ in asking(server.port, call, times):
        if status >= 300:
            raise BenchError(f"{call.method} answered {status}")
        for part in headers["server-timing"].split(", "):
            name, _, milliseconds = part.partition(";dur=")
            spent.setdefault(name, []).append(float(milliseconds) * 1000)
    after = metrics(server)
    return {
        name: {"median_us": median(values), "mean_us": _mean_us(name, before, after)} for name, values in spent.items()
    }


def _mean_us(stage: str, before: Mapping[str, float], after: Mapping[str, float]) -> float:
    total, count = (
        after[key] - before.get(key, 0.0)
        for key in (f'changeover_stage_seconds_{kind}{{stage="{stage}"}}' for kind in ("sum", "count"))
    )
    return total / count * 1e6


def counts(server: Server) -> dict[str, Any]:
    """What the gateway counted. Raises: BenchError: it answered something with an error that was not asked for."""
    found = metrics(server)
    return {
        "policy_cache_hit_ratio": _ratio(found, "changeover_policy_cache"),
        "token_cache_hit_ratio": _ratio(found, "changeover_token_cache"),
        "connection_reuse_ratio": found.get('changeover_erp_connection_reuse_ratio{erp="ecc"}'),
        "errors": sum(v for k, v in found.items() if k.startswith("changeover_requests_total") and 'status="5' in k),
    }


def _ratio(found: Mapping[str, float], name: str) -> float | None:
    hits, misses = found.get(f"{name}_hits"), found.get(f"{name}_misses")
    return hits / (hits + misses) if hits is not None and misses is not None and hits + misses else None
