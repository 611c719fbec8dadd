"""Creates through the whole gateway to ERPs that answer at once. What is counted has ended on every side, and is checked."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gateway.core.crosswalk import erp_space
from tests.bench.answers import FixedErp
from tests.bench.content import deployment
from tests.bench.correctness import calls, check_create
from tests.bench.load import Call, closed_loop
from tests.bench.measure import CONNECTIONS, counts, spread
from tests.bench.processes import BenchError, cpu_s
from tests.bench.served import Server, created, fixed_erp, gateway, no_case, told

POLL_S, STUCK_S = 0.1, 30.0
LOGGED_S = 5.0
"""Within this, a fixed ERP has written down what it created."""


@dataclass(frozen=True, slots=True)
class Way:
    """A phase, the ERPs that each write goes to in it, and what is to be reached."""

    phase: str
    erps: tuple[str, ...]
    goal_per_s: int


WAYS = (Way("legacy", ("ecc",), 700), Way("dual_legacy", ("ecc", "s4"), 350))


@dataclass(frozen=True, slots=True)
class Effort:
    """How often, and for how long each time."""

    rounds: int
    seconds: float


def measured(place: Path, fixed: Mapping[str, FixedErp], files: int, effort: Effort) -> dict[str, Any]:
    """Writes per second in each phase. Raises: BenchError."""
    return {way.phase: _way(place / way.phase, way, fixed, files, effort) for way in WAYS}


def _way(place: Path, way: Way, fixed: Mapping[str, FixedErp], files: int, effort: Effort) -> dict[str, Any]:
    made = deployment(place, way.phase)
    with ExitStack() as stack:
        erps = {name: stack.enter_context(fixed_erp(place / name, fixed[name], files)) for name in way.erps}
        ports = {name: erp.port for name, erp in erps.items()}
        server = stack.enter_context(gateway(place / "gateway", made, ports))
        check_create(server, made, way.phase)
        _, create = calls(made)
        _loaded(server, create, 1, place)
        rounds = [_round(server, create, effort.seconds, place) for _ in range(effort.rounds)]
        return summary(way, rounds) | checked(server, erps) | {"rounds": rounds}


def _round(server: Server, create: Call, seconds: float, place: Path) -> dict[str, float]:
    began_us, before_s = time.time_ns() // 1000, cpu_s(server.pid)
    answered_per_s, loaded_s = _loaded(server, create, seconds, place)
    used_s = cpu_s(server.pid) - before_s
    ((writes, first_us, last_us),) = _rows(
        server,
        "SELECT COUNT(DISTINCT i.id), MIN(i.created_us), MAX(l.ended_us) FROM intent i JOIN leg l ON l.intent = i.id "
        "WHERE i.created_us >= ?",
        began_us,
    )
    if not answered_per_s:
        raise BenchError("no create was answered")
    whole_s = (last_us - first_us) / 1e6
    return {
        "writes": writes,
        "whole_s": whole_s,
        "drain_s": max(0.0, whole_s - loaded_s),
        "writes_per_s": writes / whole_s,
        "answered_per_s": answered_per_s,
        "cpu_us": used_s / writes * 1e6,
        "busy": used_s / whole_s,
    }


def _loaded(server: Server, create: Call, seconds: float, place: Path) -> tuple[float, float]:
    """Create for some seconds, and wait until nothing is owed. Gives: answers per second, and the seconds they came in."""
    done = closed_loop(server.port, create, CONNECTIONS, seconds, place)
    if done.errors:
        raise BenchError(f"{done.errors} errors in {done.requests} creates")
    drained(server)
    return done.requests / done.seconds, done.seconds


def drained(server: Server) -> None:
    """Wait until nothing is owed. Raises: BenchError: it does not get less."""
    least, since_s, empty = float("inf"), time.monotonic(), 0
    while empty < 2:  # calls whose client has left come in a moment later
        time.sleep(POLL_S)
        owed = told(server, "/admin/v1/backlog")["backlog"]
        legs = sum(row["legs"] for row in owed)
        empty = 0 if legs else empty + 1
        if legs < least:
            least, since_s = legs, time.monotonic()
        elif legs and time.monotonic() - since_s > STUCK_S:
            raise BenchError(f"what is owed does not get less: {owed}")


def checked(server: Server, erps: Mapping[str, Server]) -> dict[str, Any]:
    """What the gateway's store and the ERPs say of all writes of the run. Raises: BenchError: not the same, or not all done."""
    no_case(server)
    if counts(server)["errors"]:
        raise BenchError("the gateway answered 5xx during the measurement")
    ((writes, cases),) = _rows(server, "SELECT (SELECT COUNT(*) FROM intent), (SELECT COUNT(*) FROM case_)")
    legs = {(erp, state): count for erp, state, count in _rows(server, _LEGS)}
    numbers = dict(
        _rows(server, "SELECT space, COUNT(*) FROM crosswalk WHERE object = 'production_order' GROUP BY space")
    )
    made = {name: _created(erp, writes) for name, erp in erps.items()}
    _same("cases, closed ones too", cases, 0)
    _same("legs that are done", legs, {(name, "done"): writes for name in erps})
    _same("numbers known", {name: numbers.get(erp_space(name)) for name in erps}, dict.fromkeys(erps, writes))
    _same("documents that the ERPs created", made, dict.fromkeys(erps, writes))
    return {"writes": writes, "created": made}


_LEGS = "SELECT erp, state, COUNT(*) FROM leg GROUP BY erp, state"


def _created(erp: Server, expected: int) -> int:
    until_s = time.monotonic() + LOGGED_S
    while (found := created(erp)) < expected and time.monotonic() < until_s:
        time.sleep(POLL_S)
    return found


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise BenchError(f"{what}: {found} instead of {expected}")


def _rows(server: Server, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the gateway's store says, read beside it."""
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True, timeout=30)) as db:
        return db.execute(statement, values).fetchall()


def summary(way: Way, rounds: list[dict[str, float]]) -> dict[str, Any]:
    middle = {key: median(each[key] for each in rounds) for key in ("answered_per_s", "drain_s", "cpu_us", "busy")}
    return {
        "legs": len(way.erps),
        "goal_per_s": way.goal_per_s,
        "writes_per_s": spread(each["writes_per_s"] for each in rounds),
        **middle,
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures in words."""
    yield "\nCreates, 32 connections, ERPs answer at once    writes/s   (by round)    answered/s   CPU µs   core busy   drain s"
    for phase, row in found.items():
        rate = row["writes_per_s"]
        title = f"{phase}, {'both legs' if row['legs'] > 1 else 'one leg'} ended"
        by_round = f"({rate['min']:,.0f}-{rate['max']:,.0f})"
        yield (
            f"  {title:44} {rate['median']:9,.0f} {by_round:>15} {row['answered_per_s']:10,.0f} {row['cpu_us']:8,.0f}"
            f" {row['busy']:11.0%} {row['drain_s']:9.1f}"
        )
    all_ = ", ".join(f"{row['writes']:,} in {phase}" for phase, row in found.items())
    yield f"  checked: {all_}; every leg done, no case, and as many documents at each ERP"


def reached(found: Mapping[str, Any] | None) -> dict[str, bool | None]:
    """What was to be reached; None where it was not measured."""
    return {
        f"{way.goal_per_s} writes/s with {len(way.erps)} leg{'s' * (len(way.erps) > 1)}": (
            found[way.phase]["writes_per_s"]["median"] >= way.goal_per_s if found and way.phase in found else None
        )
        for way in WAYS
    }
