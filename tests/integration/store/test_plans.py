"""However much the journal and the crosswalk hold, what every write does finds its rows by an index."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from gateway.core.intents import Accept, Accepted, Intent, Known, Move, Names, NewCase, NewLeg, Replay, StepRecord
from gateway.core.waves import Cell, Plan, WaveTable
from gateway.settings import shipped
from gateway.store.crosswalk import Crosswalk
from gateway.store.engine import Store
from gateway.store.feeds import FeedBook
from gateway.store.journal import Journal
from gateway.store.schema import migrate
from gateway.store.sql import ThreadedSqlite
from gateway.store.waves import OPEN_LEGS, AuditEntry, commit

CELL = Cell("1000", "production", "ecc", "s4", phase="dual_legacy")
_LARGE = re.compile(r"\b(?:SCAN) (?!json_each|CONSTANT|\(?subquery)(\w+)")
SMALL = {"cell", "c", "instance", "i"}
"""Tables with a row for each cell or gateway."""


class Watched(ThreadedSqlite):
    """Notes every statement."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.seen: set[str] = set()
        for connection in (self._connection, self._reader):
            connection.set_trace_callback(self.seen.add)


def intent(number: int, verb: str, *parents: str) -> Intent:
    return Intent(
        id=f"{number:032x}", lane="lane-1", plant="1000", domain="production", object="production_order", verb=verb, epoch=1,
        term=1, side="legacy", content="c", created_us=number, client="mes", subject="mes", document="{}", parents=parents,
    )  # fmt: skip


def accept(number: int, verb: str, *parents: str, key: str | None = None) -> Accept:
    made = intent(number, verb, *parents)
    replay = Replay("mes", key, "f", 10**15) if key else None
    legs = (NewLeg("legacy", "ecc", starts=True, step=StepRecord(0, "sending", "t", 1, 1)), NewLeg("cloud", "s4"))
    return Accept(made, legs, "me", number, replay, (Names("production_order", "lane-1", "shown", "1000001"),))


async def everything_that_writes_do(journal: Journal, crosswalk: Crosswalk) -> None:
    """A create with both its legs, a change behind it, a claim, a takeover, a case; and the lookups of reads and replays."""
    await journal.beat("me", 10**9)
    first = await journal.do(accept(1, "create", key="k"))
    assert isinstance(first, Accepted)
    assert first.started is not None
    assert isinstance(await journal.do(accept(2, "change", "lane-0", key="k")), Known)
    await journal.do(accept(3, "change", "lane-0", key="other"))
    step = StepRecord(0, "done", "t", 1, 1)
    names = (Names("production_order", "lane-1", "erp:ecc", "1000001"),)
    await journal.do(Move(first.started, "finish", 5, step=step, key="{}", names=names, answer="{}"))
    assert await journal.due("s4", 10)
    (other,) = await journal.claim("me", "s4", 10, 8)
    await journal.do(Move(other.ref, "begin", 6, next_step=StepRecord(0, "sending", "u", 1, 1)))
    await journal.do(Move(other.ref, "park", 7, case=NewCase("split", "why"), error="why"))
    await journal.take_over()
    await journal.held("me")
    await journal.picture(first.intent.id, "{}")
    await journal.known("mes", "k", 1)
    await journal.operation(first.intent.id)
    await journal.owned([other.ref])
    await crosswalk.to_erp("ecc", [("production_order", "1000001"), ("item", "P-100")])
    await crosswalk.to_shown("ecc", [("production_order", "1000001")])
    await crosswalk.canonical([("production_order", "1000001")])
    await crosswalk.of("production_order", "lane-1")
    await crosswalk.holder("production_order", "shown", "1000001")


@pytest.fixture
async def played(tmp_path: Path) -> tuple[Path, list[str]]:
    """A database in which all that happened, and its statements."""
    path = tmp_path / "journal.db"
    store = Store(f"sqlite:///{path}")
    await migrate(store, shipped() / "migrations")
    await commit(store, Plan(0, "c1", ()), WaveTable(1, {CELL.id: CELL}), b"", AuditEntry(1, "lead", "apply", "go", {}))
    await store.close()
    database = Watched(str(path))
    await everything_that_writes_do(Journal(database), Crosswalk(database))
    await FeedBook(database).open_in("lane-1")
    await database.close()
    statements = sorted({text for text in database.seen if text.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))})
    assert len(statements) > 30, "the trace has every statement once"
    return path, statements


def test_no_statement_of_a_write_or_a_lookup_reads_a_whole_table(played: tuple[Path, list[str]]) -> None:
    path, statements = played
    with sqlite3.connect(path) as db:
        assert not [flaw for text in statements for flaw in scans(db, text)]


def test_what_a_cell_owes_is_counted_among_its_open_legs_only(played: tuple[Path, list[str]]) -> None:
    path, _ = played
    with sqlite3.connect(path) as db:
        (step,) = db.execute(f"EXPLAIN QUERY PLAN {OPEN_LEGS.text}", {"plant": "1000", "domain": "production"})
    assert "USING INDEX leg_cell" in step[3]


def test_a_row_is_written_without_a_table_built_for_it(played: tuple[Path, list[str]]) -> None:
    """As SQLite does for each list in the condition of a partial index: that was a quarter of a write's processor time."""
    path, statements = played
    single = [text for text in statements if text.startswith(("INSERT", "UPDATE")) and " IN (" not in text]
    assert {text.split()[2] for text in single if text.startswith("INSERT")} >= {"intent", "leg", "step", "lane"}
    assert any(text.startswith("UPDATE leg") for text in single)
    with sqlite3.connect(path) as db:
        assert not [text for text in single if any(row[1] == "OpenEphemeral" for row in db.execute(f"EXPLAIN {text}"))]


def scans(db: sqlite3.Connection, statement: str) -> list[str]:
    """The large tables that a statement reads from end to end."""
    steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
    found = [match[1] for step in steps if "USING INDEX" not in step for match in [_LARGE.search(step)] if match]
    return [f"{table}: {statement[:120]}" for table in found if table not in SMALL]


def test_a_scan_is_seen(tmp_path: Path) -> None:
    """The check itself finds what it looks for."""
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("CREATE TABLE leg (intent TEXT PRIMARY KEY, erp TEXT)")
        assert scans(db, "SELECT 1 FROM leg WHERE erp = 'x'") == ["leg: SELECT 1 FROM leg WHERE erp = 'x'"]
        assert not scans(db, "SELECT 1 FROM leg WHERE intent = 'x'")
