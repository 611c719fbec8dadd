"""Backup of a SQLite store while a gateway writes to it, and a restore that lets nobody believe that time stood still.

What was written after the backup is unknown to a restored store, although the ERPs have it. So every cell's epoch rises, every
write that was open is in doubt, and a full reconciliation is demanded. Source: the write protocol, section 1.13.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.core.intents import step_token
from gateway.errors import StoreUnusable
from gateway.store.sql import Db, in_transaction, open_sqlite
from gateway.store.working_set import OPEN, audited

RECONCILE = "reconcile"
"""The row of `store_state` that demands a full reconciliation."""
_PAGES = 2_000
Progress = Callable[[int, int], None]


class BackupRefused(Exception):
    """It would destroy something, or it is no backup of a store."""


def backup(database: Path, target: Path, progress: Progress = lambda done, of: None) -> int:
    """Copy a store into a new file, as it stands at one moment. Gives: the copy's size in bytes. Raises: BackupRefused."""
    if target.exists():
        raise BackupRefused(f"{target} is there already: a backup overwrites nothing")
    if not database.exists():
        raise BackupRefused(f"there is no database {database}")
    with _beside(target) as part, closing(_opened(database)) as source, closing(sqlite3.connect(part)) as copy:
        # One read transaction around all steps: a copy in steps would start anew at each commit of the gateway.
        with _readable(database):
            source.execute("BEGIN")
            source.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
            source.backup(copy, pages=_PAGES, progress=lambda _, left, of: progress(of - left, of))
            source.execute("ROLLBACK")
        # A write-ahead log would be a second file that somebody forgets to keep.
        copy.execute("PRAGMA journal_mode=DELETE")
        _sound(copy, target)
    return target.stat().st_size


@dataclass(frozen=True, slots=True)
class Restorer:
    """Who restores what, when and why.

    `quiet_us`: so long a call that the lost gateway made at its end may still take effect. `live`: refuse where an instance's
    lease still runs.
    """

    source: str
    actor: str
    reason: str
    now_us: int
    quiet_us: int
    live: bool = False


def restore(database: Path, source: Path, by: Restorer, upgrade: Callable[[Path], None]) -> Path | None:
    """Put a backup in the place of a store that no gateway owns.

    Takes: `upgrade`, which brings the copy to the newest schema. Gives: where the store that was there is kept.
    Raises: BackupRefused, StoreUnusable.
    """
    if not source.exists():
        raise BackupRefused(f"there is no file {source}")
    if database.exists() and source.samefile(database):
        raise BackupRefused("a store is not restored from itself")
    kept = database.with_name(f"{database.name}.before-restore-{by.now_us // 1_000_000}") if database.exists() else None
    with _beside(database) as part:
        with closing(_opened(source)) as old, closing(sqlite3.connect(part)) as copy:
            with _readable(source):
                _whole(old, source)
                old.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode=DELETE")
            _sound(copy, source)
        upgrade(part)
        # All that makes it a restored store is done before it takes its place: no start in between sees the old epochs.
        with closing(open_sqlite(str(part))) as copy:
            in_transaction(copy, lambda db: aged(db, by))
            copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            copy.execute("PRAGMA journal_mode=DELETE")
        if kept is not None:
            _set_aside(database, kept)
    return kept


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as err:
        raise BackupRefused(f"{path}: {err}") from err


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Names the file that is read where it is damaged, and not the copy. Raises: BackupRefused."""
    try:
        yield
    except sqlite3.DatabaseError as err:
        if isinstance(err, sqlite3.OperationalError):
            raise  # the copy's: no room, or nobody may write there
        raise BackupRefused(f"{path} is damaged: {err}") from err


def _whole(opened: sqlite3.Connection, path: Path) -> None:
    """Raises: BackupRefused: the end is missing. SQLite reads zeros there, and finds the last page sound."""
    pages, page_bytes = (opened.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if path.stat().st_size < pages * page_bytes and not _logs(path)[0].exists():
        raise BackupRefused(f"{path} is damaged: its end is missing")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A file beside the target that takes its place at the end, whole or not at all. Raises: BackupRefused."""
    part = target.with_name(f"{target.name}.part")
    for rest in (part, *_logs(part)):
        rest.unlink(missing_ok=True)
    try:
        yield part
        _flushed(part)
        part.replace(target)
        _flushed(target.parent)
    except sqlite3.Error as err:
        raise BackupRefused(f"{target}: {err}") from err
    finally:
        for rest in (part, *_logs(part)):
            rest.unlink(missing_ok=True)


def _logs(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _flushed(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sound(copy: sqlite3.Connection, named: Path) -> None:
    found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupRefused(f"{named} is damaged: {found}")
    tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"alembic_version", "cell", "wave_table"} <= tables:
        raise BackupRefused(f"{named} is no store of a gateway")


def _set_aside(database: Path, kept: Path) -> None:
    """Keep the store that was there, in one file. A log that stayed would be played into the restored one."""
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as old:
            busy = old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.DatabaseError:
        busy = 0  # damaged: that may be why it is restored; its files are kept as they are
    if busy:
        raise StoreUnusable(f"somebody works on {database}")
    os.link(database, kept)
    for log, beside in zip(_logs(database), _logs(kept), strict=True):
        if log.exists():
            log.replace(beside)


async def aged(db: Db, by: Restorer) -> None:
    """Make a store whose data is an older one's a restored one. In the caller's transaction. Raises: BackupRefused."""
    living = await db.rows("SELECT id FROM instance WHERE until_us > ? LIMIT 1", await db.now_us())
    if living and by.live:
        raise BackupRefused(f"the gateway {living[0][0]} works on it: stop all gateways first")
    before = await db.rows("SELECT plant, domain, epoch FROM cell ORDER BY plant, domain FOR UPDATE")
    await db.rows("UPDATE cell SET epoch = epoch + 1")
    await db.rows("UPDATE wave_table SET revision = revision + 1")
    await db.rows("DELETE FROM instance")
    epochs = {f"{plant}/{domain}": [epoch, epoch + 1] for plant, domain, epoch in before}
    detail = json.dumps(
        {"from": by.source, "epochs": epochs, "in_doubt": await _doubted(db, by.now_us, by.now_us + by.quiet_us)}
    )
    await audited(db, by.now_us, by.actor, "store.restore", by.reason, detail)
    value = json.dumps({"since": "store.restore", "from": by.source, "actor": by.actor})
    await db.rows(
        "INSERT INTO store_state (name, value, at_us) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, at_us = excluded.at_us",
        RECONCILE, value, by.now_us,
    )  # fmt: skip


async def _doubted(db: Db, now_us: int, quiet_us: int) -> int:
    """Every write that was open may have been sent since the backup: its step is in doubt, and settled before it is sent.

    One that waits in its lane keeps waiting, so that the order stays; its step is in doubt all the same. So is that of a parked one,
    which a person may have sent on: its case asks whether it happened. Gives: how many.
    """
    legs = await db.rows(f"SELECT intent, side, step, created_us FROM leg WHERE {OPEN}")  # noqa: S608  # our own words
    await db.many(
        "INSERT INTO step (intent, side, number, state, token, sent_us, quiet_us) VALUES (?, ?, ?, 'in_doubt', ?, ?, ?) "
        "ON CONFLICT (intent, side, number) DO UPDATE SET state = 'in_doubt', quiet_us = excluded.quiet_us "
        "WHERE step.state <> 'done'",
        [
            (intent, side, step, step_token(intent, side, step), created_us, quiet_us)
            for intent, side, step, created_us in legs
        ],
    )
    await db.rows(
        "UPDATE leg SET state = 'in_doubt', owner = NULL, fence = fence + 1, next_at_us = ? "
        "WHERE state IN ('ready', 'sending', 'settling')", now_us,
    )  # fmt: skip
    return len(legs)
