"""A new, empty database of the kind that a test asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
