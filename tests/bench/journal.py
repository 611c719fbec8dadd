"""The journal layer alone: writes with both their commits, a backlog of legs that is claimed and ended, and a start with it.

One process, one core, no ERP: what a write costs before and after its call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from gateway.core.crosswalk import SHOWN, erp_space
from gateway.core.intents import Accept, Accepted, Intent, Move, Names, NewLeg, StepRecord, step_token
from gateway.settings import shipped
from gateway.store.journal import Journal
from gateway.store.postgres import Postgres
from gateway.store.sql import Database, ThreadedSqlite
from tests.bench.backlog import CELL, DOCUMENT, FLAT_KB, backlog, fresh
from tests.bench.content import REPOSITORY
from tests.bench.processes import BenchError, cores, on, running

CONCURRENT = 32
RESULT = "journal.json"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long writes are made, how many legs are owed at a start, and how long these are ended."""

    seconds: float
    backlog: int
    drain_s: float


FULL = Effort(seconds=5, backlog=1_000_000, drain_s=30)
QUICK = Effort(seconds=1, backlog=50_000, drain_s=2)


def apart(place: Path, effort: Effort) -> dict[str, Any]:
    """All figures, from a process on a core of its own: its memory is the journal's. Raises: BenchError."""
    place.mkdir(parents=True, exist_ok=True)
    core, other_core = cores()
    command = [sys.executable, "-m", "tests.bench.journal", str(place), "--server-core", str(other_core)]
    command += ["--quick"] if effort is QUICK else []
    log, found = place / "journal.log", place / RESULT
    with running(command, core=core, log=log, cwd=REPOSITORY) as process:
        if process.wait() != 0:
            raise BenchError(f"the journal could not be measured: {log.read_text('utf-8', 'replace')[-2000:]}")
    told: dict[str, Any] = json.loads(found.read_text())
    return told


def measured(place: Path, effort: Effort, server_core: int) -> dict[str, Any]:
    """All figures of the journal. Takes: where a database server runs."""
    place.mkdir(parents=True, exist_ok=True)
    # First, while this process is small: what it grows by is seen.
    owed = uvloop.run(backlog(place / "backlog.db", effort.backlog, effort.drain_s, effort.seconds))
    found: dict[str, Any] = {"sqlite": uvloop.run(_sqlite(place / "journal.db", effort.seconds)), "postgres": None}
    with _postgres(server_core) as url:
        if url:
            found["postgres"] = uvloop.run(_with(Postgres(url), 3, effort.seconds))
    return found | {"backlog": owed}


async def _sqlite(path: Path, seconds: float) -> dict[str, Any]:
    fresh(path)
    return await _with(ThreadedSqlite(str(path)), 1, seconds)


async def _with(database: Database, writers: int, seconds: float) -> dict[str, Any]:
    journal = Journal(database, writers)
    try:
        many = await _writes(journal, CONCURRENT, seconds)
        return {"at_32": many, "at_1": await _writes(journal, 1, min(seconds, 3.0))}
    finally:
        await database.close()


async def _writes(journal: Journal, concurrent: int, seconds: float) -> dict[str, float]:
    """Writes per second, and milliseconds for both commits of one."""
    ends_at_s, taken_ms = time.perf_counter() + seconds, list[float]()
    cpu_s, began_s = time.process_time(), time.perf_counter()

    # Rising with time, as an operation's id does.
    ids = (f"{concurrent:08x}{number:024x}" for number in count())

    async def one() -> None:
        while time.perf_counter() < ends_at_s:
            at_s = time.perf_counter()
            await _write(journal, next(ids))
            taken_ms.append((time.perf_counter() - at_s) * 1000)

    await asyncio.gather(*(one() for _ in range(concurrent)))
    spent_s = time.perf_counter() - began_s
    ordered = sorted(taken_ms)
    return {
        "writes_per_s": len(ordered) / spent_s,
        "p50_ms": median(ordered),
        "p99_ms": ordered[int(len(ordered) * 0.99)],
        "cpu_us": (time.process_time() - cpu_s) / len(ordered) * 1e6,
    }


async def _write(journal: Journal, id_: str) -> None:
    accepted = await journal.do(_accept(id_))
    if not isinstance(accepted, Accepted) or accepted.started is None:
        raise BenchError(f"the journal answered {accepted}")
    step = StepRecord(0, "sending", step_token(id_, "legacy", 0), 1, 1)
    await journal.do(
        Move(
            accepted.started,
            "finish",
            2,
            step=step,
            key='{"ManufacturingOrder":"1"}',
            names=tuple(Names("production_order", id_, space, id_) for space in (erp_space("ecc"), SHOWN)),
            answer='{"key":"1"}',
            instance="bench",
        )
    )


def _accept(id_: str) -> Accept:
    intent = Intent(
        id=id_, lane=id_, plant="1000", domain="production", object="production_order", verb="create", epoch=1, term=1,
        side="legacy", content="c", created_us=1, client="bench", subject="bench", document=DOCUMENT,
    )  # fmt: skip
    step = StepRecord(0, "sending", step_token(id_, "legacy", 0), 1, 1)
    return Accept(intent, (NewLeg("legacy", "ecc", starts=True, step=step),), "bench", 1, new_lane=True)


@contextmanager
def _postgres(core: int) -> Iterator[str | None]:
    """A database of our own in a PostgreSQL of our own, with the schema and a cell; None where there is no PostgreSQL."""
    from gateway.store.engine import Store
    from gateway.store.schema import migrate
    from tests.support.parts import PartMissing
    from tests.support.postgres import throwaway_postgres

    async def ready(url: str) -> None:
        store = Store(url)
        try:
            await migrate(store, shipped() / "migrations")
        finally:
            await store.close()

    try:
        with ExitStack() as stack:
            with on(core):
                cluster = stack.enter_context(throwaway_postgres(durable=True))
            url = cluster.create("journal_bench")
            asyncio.run(ready(url))
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(CELL.encode())
            yield url
    except PartMissing:
        yield None


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures in words."""
    yield f"\nThe journal alone, both commits of a write{'':6}writes/s      p50      p99 (ms)   CPU µs"
    for name, title in (("sqlite", "SQLite, synchronous FULL"), ("postgres", "PostgreSQL")):
        part = found[name]
        if part is None:
            yield f"  {title}: not there"
            continue
        for concurrent, row in (("32 at once", part["at_32"]), ("one by one", part["at_1"])):
            yield (
                f"  {f'{title}, {concurrent}':44} {row['writes_per_s']:9,.0f} {row['p50_ms']:8.2f} {row['p99_ms']:8.2f}"
                f" {row['cpu_us']:12.0f}"
            )
    b = found["backlog"]
    yield f"A backlog of {b['legs']:,} legs: claimed {b['claimed_per_s']:,.0f}/s, claimed and ended {b['ended_per_s']:,.0f}/s,"
    yield f"  memory grown by {b['grown_kb'] / 1024:.0f} MB over {b['ended']:,} of them; a start with it is ready in {b['ready_s']:.1f} s"


def reached(found: Mapping[str, Any] | None) -> dict[str, bool | None]:
    """What was to be reached; None where it was not measured."""
    sqlite, postgres, owed = (found.get(part) if found else None for part in ("sqlite", "postgres", "backlog"))
    return {
        "journal: 4,000 writes/s on SQLite at 32": sqlite["at_32"]["writes_per_s"] >= 4000 if sqlite else None,
        "journal: 500 writes/s on PostgreSQL at 32": postgres["at_32"]["writes_per_s"] >= 500 if postgres else None,
        "journal: p50 under 5 ms on SQLite, one by one": sqlite["at_1"]["p50_ms"] < 5 if sqlite else None,
        "backlog: over 5,000 legs claimed per second": owed["claimed_per_s"] > 5000 if owed else None,
        f"backlog: ended within {FLAT_KB // 1024} MB more": owed["grown_kb"] < FLAT_KB if owed else None,
        "backlog: ready within 5 s of a start": owed["ready_s"] < 5 if owed else None,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Only this part: `python -m tests.bench.journal [PLACE] [--quick]`; with a place, the figures stay there as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.journal", description=__doc__)
    parser.add_argument("place", nargs="?", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--server-core", type=int, default=cores()[1])
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="changeover-journal-") as place:
        found = measured(given.place or Path(place), QUICK if given.quick else FULL, given.server_core)
    if given.place:
        (given.place / RESULT).write_text(json.dumps(found))
    print("\n".join(lines(found)))
    for what, yes in reached(found).items():
        print(f"  {'not measured' if yes is None else 'reached' if yes else 'NOT reached':12} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
