"""What the operator's commands share: the store with its journal, the content a write was accepted with, who acts and why."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from gateway.cli.output import Exit, fail
from gateway.control.cases import ACTOR_CHARS, Acting, Cases
from gateway.control.content import Content, load, unpack
from gateway.errors import Broken, StoreUnusable
from gateway.settings import settings, shipped
from gateway.store.engine import Store
from gateway.store.journal import Journal
from gateway.store.schema import migrate
from gateway.store.sql import Database, StoreDown
from gateway.store.waves import files_of, running

T = TypeVar("T")
Reason = Annotated[str, typer.Option("--reason", help="why; stands in the audit")]
Actor = Annotated[str | None, typer.Option("--actor", help="who decides; default: who is logged in")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done and do nothing")]


def now_us() -> int:
    """The time of day."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Desk:
    """An opened store, with what an operator works on."""

    store: Store
    database: Database
    journal: Journal

    @property
    def cases(self) -> Cases:
        return Cases(self.journal, self.content_of, now_us)

    async def content_of(self, revision: str) -> Content:
        """An archived content. Raises: Broken: it is in no archive."""
        blob = await files_of(self.store, revision)
        if blob is None:
            raise Broken(f"The archive has no content {revision}.")
        return await asyncio.to_thread(load, unpack(blob), try_policies=False)  # nobody is let in or kept out here

    async def content(self) -> Content:
        """The content in force. Raises: Broken: nothing was ever applied."""
        now = await running(self.store)
        if now is None:
            raise Broken("Nothing is applied yet: `changeover apply`, or start a gateway once.")
        return await self.content_of(now.content)


def at_desk(database_url: str | None, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Open the store beside whatever gateway serves from it, bring its schema up, do the work, close it."""

    async def go() -> T:
        store = Store(settings(database_url=database_url).database_url)
        try:
            if not store.exists:
                raise StoreUnusable(f"there is no database {store.url.database}: a gateway makes it at its first start")
            await migrate(store, shipped() / "migrations")
            database = store.journal_database()
            try:
                return await work(Desk(store, database, Journal(database)))
            finally:
                await database.close()
        finally:
            await store.close()

    try:
        return asyncio.run(go())
    except StoreDown as err:
        fail(f"store: {err}", Exit.UNREACHABLE)


def acting(actor: str | None, reason: str) -> Acting:
    """Who acts through a command, and why."""
    if not reason.strip():
        fail("--reason must say something: it stands in the audit", Exit.USAGE)
    if actor and not 0 < len(actor.strip()) <= ACTOR_CHARS:
        fail(f"--actor is a name of at most {ACTOR_CHARS} characters: it stands in the audit", Exit.USAGE)
    return Acting(actor.strip() if actor else logged_in(), reason.strip(), "cli")


def logged_in() -> str:
    """Who is logged in: a number, where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
