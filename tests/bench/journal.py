"""The journal layer alone: writes with both their commits, a backlog of legs that is claimed and ended, and a start with it.

One process, one core, no ERP: what a write costs before and after its call.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from gateway.app import shipped
from gateway.core.intents import Accept, Accepted, Intent, Move, Names, NewLeg, StepRecord, step_token
from gateway.store.journal import Journal
from gateway.store.schema import empty_sqlite
from gateway.store.sql import Database, Postgres, ThreadedSqlite
from tests.bench.processes import BenchError

CONCURRENT = 32
DOCUMENT = "x" * 600  # as in the earlier measurements of storage
ENDED = "done"


def measured(place: Path, seconds: float, backlog: int) -> dict[str, Any]:
    """All figures of the journal."""
    place.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"sqlite": asyncio.run(_sqlite(place / "journal.db", seconds))}
    with _postgres() as url:
        found["postgres"] = asyncio.run(_with(Postgres(url), 3, seconds)) if url else None
    found["backlog"] = asyncio.run(_backlog(place / "backlog.db", backlog, seconds))
    return found


async def _sqlite(path: Path, seconds: float) -> dict[str, Any]:
    _fresh(path)
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

    async def one(number: int) -> None:
        count = 0
        while time.perf_counter() < ends_at_s:
            count += 1
            at_s = time.perf_counter()
            await _write(journal, f"{number:04x}{concurrent:04x}{count:024x}")
            taken_ms.append((time.perf_counter() - at_s) * 1000)

    await asyncio.gather(*(one(number) for number in range(concurrent)))
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
            names=(Names("production_order", id_, "erp:ecc", id_),),
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


async def _backlog(path: Path, count: int, seconds: float) -> dict[str, Any]:
    """A night's backlog: claimed and ended as fast as it goes, and how long a start takes with it."""
    _fresh(path)
    _fill(path, count)
    began_s = time.perf_counter()
    journal = Journal(ThreadedSqlite(str(path)))
    await journal.alone("bench")
    await journal.beat("bench", 60_000_000)
    await journal.take_over()
    first = await journal.claim("bench", "s4", 10, 256)
    ready_s = time.perf_counter() - began_s
    before_kb = _rss_kb()
    ended, began_s = 0, time.perf_counter()
    while first and time.perf_counter() - began_s < seconds:
        await asyncio.gather(*(journal.do(Move(leg.ref, "finish", 2, key="{}")) for leg in first))
        ended += len(first)
        first = await journal.claim("bench", "s4", 10, 256)
    spent_s = time.perf_counter() - began_s
    await journal.database.close()
    return {
        "legs": count,
        "ready_s": ready_s,
        "ended_per_s": ended / spent_s,
        "ended": ended,
        "grown_kb": _rss_kb() - before_kb,
        "claimed_per_s": await _claims(path, seconds),
    }


async def _claims(path: Path, seconds: float) -> float:
    """Legs claimed per second, with all that is needed to carry them."""
    journal, claimed = Journal(ThreadedSqlite(str(path))), 0
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        claimed += len(await journal.claim("bench", "s4", 10, 256))
    spent_s = time.perf_counter() - began_s
    await journal.database.close()
    return claimed / spent_s


def _rss_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _fresh(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    path.write_bytes(empty_sqlite(shipped() / "migrations"))
    with sqlite3.connect(path) as db:
        db.execute(_CELL)


_CELL = (
    "INSERT INTO cell (plant, domain, legacy, cloud, phase, epoch, term) "
    "VALUES ('1000', 'production', 'ecc', 's4', 'dual_legacy', 1, 1)"
)


def _fill(path: Path, count: int) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.executemany(
            "INSERT INTO intent (id, lane, lane_seq, plant, domain, object, verb, epoch, term, side, content, created_us, "
            "client, subject, origin, document) VALUES (?, ?, 1, '1000', 'production', 'production_order', 'create', 1, 1, "
            "'legacy', 'c', 1, 'bench', 'bench', 'client', ?)",
            ((f"{n:032x}", f"{n:032x}", DOCUMENT) for n in range(count)),
        )
        db.executemany("INSERT INTO lane (id, last) VALUES (?, 1)", ((f"{n:032x}",) for n in range(count)))
        db.executemany(
            "INSERT INTO leg (intent, side, lane, lane_seq, erp, plant, domain, authoritative, held, state, fence, attempts, "
            "next_at_us, step, created_us) VALUES (?, 'cloud', ?, 1, 's4', '1000', 'production', 0, 0, 'ready', 0, 0, ?, 0, 1)",
            ((f"{n:032x}", f"{n:032x}", 1) for n in range(count)),
        )


@contextmanager
def _postgres() -> Iterator[str | None]:
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
        with throwaway_postgres(durable=True) as cluster:
            url = cluster.create("journal_bench")
            asyncio.run(ready(url))
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_CELL.encode())
            yield url
    except PartMissing:
        yield None


def lines(found: dict[str, Any]) -> Iterator[str]:
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


def reached(found: dict[str, Any]) -> dict[str, bool | None]:
    """What was to be reached."""
    postgres = found["postgres"]
    return {
        "journal: 4,000 writes/s on SQLite at 32": found["sqlite"]["at_32"]["writes_per_s"] >= 4000,
        "journal: 500 writes/s on PostgreSQL at 32": postgres["at_32"]["writes_per_s"] >= 500 if postgres else None,
        "journal: p50 under 5 ms on SQLite, one by one": found["sqlite"]["at_1"]["p50_ms"] < 5,
        "backlog: over 5,000 legs claimed per second": found["backlog"]["claimed_per_s"] > 5000,
        "backlog: ready within 5 s of a start": found["backlog"]["ready_s"] < 5,
    }


def main(arguments: Sequence[str]) -> int:
    """Only this part: `python -m tests.bench.journal [PLACE]`."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="changeover-journal-") as place:
        found = measured(Path(arguments[0]) if arguments else Path(place), 5.0, 1_000_000)
    print("\n".join(lines(found)))
    for what, yes in reached(found).items():
        print(f"  {'not measured' if yes is None else 'reached' if yes else 'NOT reached':12} {what}")
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
