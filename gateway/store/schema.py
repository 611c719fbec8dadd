"""Schema revisions: brings a database to the newest one, and says at which it is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from gateway.store.engine import Store, StoreUnusable

# One number that no other program takes an advisory lock on.
_LOCK = 7_206_931_118


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def upgrade_sync(connection: Connection, folder: Path) -> None:
    """Bring a connection's schema to the newest revision."""
    config = _config(folder)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(store: Store, folder: Path) -> None:
    """Bring the schema to the newest revision; several gateways starting at once do it one after the other."""

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        upgrade_sync(connection, folder)

    try:
        async with store.transaction() as db:
            await db.run_sync(upgrade)
    except OSError as err:
        raise StoreUnusable(f"the database cannot be reached: {err}") from err


async def at_head(store: Store, folder: Path) -> tuple[str | None, str | None]:
    """The revision of the database and the newest one."""

    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with store.transaction() as db:
        have = await db.run_sync(current)
    return have, ScriptDirectory.from_config(_config(folder)).get_current_head()
