"""A new, empty database of the kind that a test asks for, and what its audit holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.store.audit import Asked, audit
from gateway.store.engine import Store
from gateway.store.waves import AuditEntry
from tests.support.postgres import Cluster

KINDS = ("sqlite", "postgresql")


@contextmanager
def new_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Its URL. Takes: a request whose parameter is one of `KINDS`; PostgreSQL is the fixture `postgres`."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    name = f"test_{abs(hash(folder)) % 10**9}"
    yield cluster.create(name)
    cluster.drop(name)


async def audited(store: Store, limit: int) -> list[AuditEntry]:
    """The newest rows of the audit, as they were written."""
    database = store.journal_database()
    try:
        lines = await audit(database, Asked(limit=limit))
    finally:
        await database.close()
    return [AuditEntry(line.at_us, line.actor, line.action, line.reason, line.detail) for line in lines]
