"""Schema revisions: brings a database to the newest one, and says at which it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncpg import PostgresError  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from gateway.errors import StoreUnusable
from gateway.store.engine import Store

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

# One number that no other program takes an advisory lock on.
_LOCK = 7_206_931_118


def _config(folder: Path) -> Config:
    from alembic.config import Config  # noqa: PLC0415  # a third of a second that most commands need not wait for

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def upgrade_sync(connection: Connection, folder: Path) -> None:
    """Bring a connection's schema to the newest revision."""
    have = _revision_of(connection)
    if have == newest(folder):
        return
    if have is not None and have > newest(folder):
        raise StoreUnusable(f"the database is at revision {have}, which this program does not know: use a newer one")
    from alembic import command  # noqa: PLC0415  # as above

    config = _config(folder)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def empty_sqlite(folder: Path) -> bytes:
    """An empty SQLite database at the newest revision, as its file's bytes."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        upgrade_sync(connection, folder)
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        image: bytes = raw.serialize()
    engine.dispose()
    return image


async def migrate(store: Store, folder: Path) -> None:
    """Bring the schema to the newest revision; several gateways starting at once do it one after the other."""

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        upgrade_sync(connection, folder)

    store.make_room()
    with _usable():
        async with store.transaction() as db:
            await db.run_sync(upgrade)


@contextmanager
def _usable() -> Iterator[None]:
    """Raises: StoreUnusable: in words, why a database cannot be used at all."""
    try:
        yield
    except OSError as err:
        raise StoreUnusable(f"the database cannot be reached: {err}") from err
    except (DBAPIError, PostgresError) as err:
        raise StoreUnusable(f"the database cannot be used: {getattr(err, 'orig', None) or err}") from err


async def at_head(store: Store, folder: Path) -> tuple[str | None, str | None]:
    """The revision of the database and the newest one. Raises: StoreUnusable."""
    if not store.exists:
        return None, newest(folder)
    with _usable():
        async with store.transaction() as db:
            return await db.run_sync(_revision_of), newest(folder)


def newest(folder: Path) -> str:
    """The newest revision's id: a revision's file begins with it, and they are counted up."""
    return max(file.name.partition("_")[0] for file in (folder / "versions").glob("*.py"))


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _scripts(folder: Path) -> ScriptDirectory:
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # as above

    return ScriptDirectory.from_config(_config(folder))


@dataclass(frozen=True, slots=True)
class SchemaRevision:
    """One schema change. `kind` is pre (safe under the code before it) or post (only once no older code runs)."""

    id: str
    kind: str
    title: str
    applied: bool


async def revisions(store: Store, folder: Path) -> list[SchemaRevision]:
    """All schema revisions, the oldest first. Raises: StoreUnusable: the database is newer than this program."""
    have, _ = await at_head(store, folder)
    known = list(reversed(list(_scripts(folder).walk_revisions())))
    ids = [script.revision for script in known]
    if have is not None and have not in ids:
        raise StoreUnusable(f"the database is at revision {have}, which this program does not know: use a newer one")
    applied = ids.index(have) + 1 if have is not None else 0
    return [
        SchemaRevision(script.revision, _kind(script.module.__doc__), (script.doc or "").rstrip("."), n < applied)
        for n, script in enumerate(known)
    ]


def _kind(text: str | None) -> str:
    found = re.search(r"^Kind: (pre|post)\b", text or "", re.MULTILINE)
    return found[1] if found else "unknown"
