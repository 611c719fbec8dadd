"""The real parts, each started once for a run on a free port and stopped at its end, and a new store on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.settings import shipped
from gateway.store.engine import Store
from gateway.store.schema import migrate
from gateway.store.sql import Database
from tests.support.databases import KINDS, new_database
from tests.support.mocksap import MockSap, mock_sap
from tests.support.parts import skip_if_missing
from tests.support.postgres import Cluster, throwaway_postgres
from tests.support.tryton import TrytonServer, tryton_clone
from tests.support.tryton_base import restore_base


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of our own; make a database in it per test."""
    with skip_if_missing(), throwaway_postgres() as cluster:
        yield cluster


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty database: SQLite, then PostgreSQL."""
    with new_database(request, tmp_path) as made:
        yield made


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A store of the newest schema in it."""
    made = Store(url)
    await migrate(made, shipped() / "migrations")
    yield made
    await made.close()


@pytest.fixture
async def database(store: Store) -> AsyncIterator[Database]:
    """The journal's way into the store."""
    made = store.journal_database()
    yield made
    await made.close()


@pytest.fixture(scope="session")
def tryton_base(postgres: Cluster) -> str:
    """The prepared ERP as a template: clone it, never serve it."""
    with skip_if_missing():
        return restore_base(postgres)


@pytest.fixture(scope="session")
def tryton_legacy(postgres: Cluster, tryton_base: str) -> Iterator[TrytonServer]:
    """The old ERP: Tryton, called by JSON-RPC."""
    with skip_if_missing(), tryton_clone(postgres, tryton_base, "legacy") as server:
        yield server


@pytest.fixture(scope="session")
def tryton_cloud(postgres: Cluster, tryton_base: str) -> Iterator[TrytonServer]:
    """The new ERP: another Tryton with its own database, called by REST."""
    with skip_if_missing(), tryton_clone(postgres, tryton_base, "cloud") as server:
        yield server


@pytest.fixture(scope="session")
def mocksap_v2() -> Iterator[MockSap]:
    """mock-sap as an old SAP: OData V2, BAPI, IDoc."""
    with skip_if_missing(), mock_sap(seed=1) as server:
        yield server


@pytest.fixture(scope="session")
def mocksap_v4() -> Iterator[MockSap]:
    """mock-sap as a new SAP: OData V4, with rows of its own."""
    with skip_if_missing(), mock_sap(seed=2) as server:
        yield server
