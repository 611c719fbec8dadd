"""A night's backlog: a start with it, and how fast its legs are claimed and ended."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gateway.core.intents import Move
from gateway.settings import shipped
from gateway.store.journal import Journal
from gateway.store.schema import empty_sqlite
from gateway.store.sql import ThreadedSqlite
from tests.bench.processes import BenchError

DOCUMENT = "x" * 600  # as in the earlier measurements of storage
FLAT_KB = 16 * 1024
"""Memory may grow by this much while a backlog ends: batches come and go, the backlog itself stays on the disk."""


async def backlog(path: Path, count: int, drain_s: float, claim_s: float) -> dict[str, Any]:
    """A start with `count` legs that are owed, how fast at most half are ended, and how fast the rest is claimed."""
    fresh(path)
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        apart.submit(_fill, path, count).result()
    began_s = time.perf_counter()
    journal = Journal(ThreadedSqlite(str(path)))
    await journal.alone("bench")
    await journal.beat("bench", 60_000_000)
    await journal.take_over()
    first = await journal.claim("bench", "s4", 10, 256)
    ready_s = time.perf_counter() - began_s
    before_kb = peak_kb = _rss_kb()
    ended, began_s = 0, time.perf_counter()
    while ended < count // 2 and time.perf_counter() - began_s < drain_s:  # the rest is for the claims
        await asyncio.gather(*(journal.do(Move(leg.ref, "finish", 2, key="{}")) for leg in first))
        ended += len(first)
        first = await journal.claim("bench", "s4", 10, 256)
        peak_kb = max(peak_kb, _rss_kb())
    spent_s = time.perf_counter() - began_s
    await journal.database.close()
    return {
        "legs": count,
        "ready_s": ready_s,
        "ended_per_s": ended / spent_s,
        "ended": ended,
        "grown_kb": peak_kb - before_kb,
        "claimed_per_s": await _claims(path, claim_s),
    }


async def _claims(path: Path, seconds: float) -> float:
    """Legs claimed per second, with all that is needed to carry them."""
    journal, claimed, batch = Journal(ThreadedSqlite(str(path))), 0, 1
    began_s = time.perf_counter()
    while batch and time.perf_counter() - began_s < seconds:
        batch = len(await journal.claim("bench", "s4", 10, 256))
        claimed += batch
    spent_s = time.perf_counter() - began_s
    await journal.database.close()
    if not claimed:
        raise BenchError("the backlog ended before its claims were measured")
    return claimed / spent_s


def _rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KB


_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


CELL = (
    "INSERT INTO cell (plant, domain, legacy, cloud, phase, epoch, term) "
    "VALUES ('1000', 'production', 'ecc', 's4', 'dual_legacy', 1, 1)"
)


def fresh(path: Path) -> None:
    """An empty store with a cell that writes both sides."""
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    path.write_bytes(empty_sqlite(shipped() / "migrations"))
    with sqlite3.connect(path) as db:
        db.execute(CELL)


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
