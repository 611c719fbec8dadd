"""Puts together what a process serves with, each part from the settings and the parts below it."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Iterable

from gateway.connectors.registry import Connectors
from gateway.edge.limits import EdgeLimits
from gateway.pipeline.exchange import Clock
from gateway.places import Places
from gateway.policy.bundle import ActiveBundle
from gateway.policy.cache import DecisionCache
from gateway.policy.service import Policy
from gateway.settings import Settings
from gateway.store.crosswalk import Crosswalk
from gateway.store.derived import DerivedBook
from gateway.store.engine import Store
from gateway.store.feeds import FeedBook
from gateway.store.journal import Journal
from gateway.store.sql import machine_us
from gateway.writes.derived import Comparison
from gateway.writes.engine import Writes
from gateway.writes.feed import Feeds
from gateway.writes.feed_plan import Feed
from gateway.writes.feed_state import FeedLimits
from gateway.writes.noticed import Reader
from gateway.writes.place import StoreClock, Timing
from gateway.writes.relay import RelayLimits

CLOCK = Clock(time.time, time.monotonic, lambda: os.urandom(16).hex())


def boot_s() -> float:
    """A clock that counts suspended time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def operation_id() -> str:
    """A new operation's id: 12 hexadecimal digits of milliseconds and 20 of chance, so that ids rise with time."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def edge_limits(settings: Settings) -> EdgeLimits:
    """The limits of the data port."""
    return EdgeLimits(
        max_header_bytes=settings.max_header_bytes,
        header_timeout_s=settings.header_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        max_connections_per_ip=settings.max_connections_per_ip,
        hosts=frozenset(h.lower() for h in settings.hosts) if settings.hosts else None,
    )


def policy_of(settings: Settings, bundle: ActiveBundle, cache: DecisionCache) -> Policy:
    """The policy of a bundle, behind the engine that the settings name."""
    if not settings.embedded_policies:
        from gateway.policy.opa_server import OpaServer, OpaServerEngine  # noqa: PLC0415  # slow, and for few only

        server = OpaServerEngine(OpaServer(settings.opa_url, settings.opa_timeout_s), bundle.manifest)
        return Policy(server, bundle.manifest, cache=cache, tried=False)
    from gateway.policy.embedded import EmbeddedEngine  # noqa: PLC0415  # its wheel is not there on every platform

    return Policy(EmbeddedEngine(bundle), bundle.manifest, cache=cache)


def write_engine(settings: Settings, store: Store, places: Places, connectors: Connectors) -> Writes:
    """The write engine of this process, under a name that no other start of it ever had. Called where its event loop runs."""
    database = store.journal_database()
    timing = Timing(
        call_s=settings.write_call_s,
        wall_us=StoreClock(machine_us),
        steady_s=asyncio.get_running_loop().time,
        boot_s=boot_s,
        chance=random.random,
    )
    writes = Writes(
        Journal(database, writers=1 if store.is_sqlite else 3),
        Crosswalk(database),
        places,
        timing,
        f"{socket.gethostname()[:40]}-{CLOCK.new_id()[:12]}",
        operation_id,
        lambda: connectors,
        RelayLimits(lease_s=settings.lease_s),
        alone=store.is_sqlite,
    )
    writes.relay.room = connectors.room_behind
    return writes


def feed_reader(settings: Settings, writes: Writes, places: Places, wanted: Callable[[], Iterable[Feed]]) -> Feeds:
    """What notices the edits that people make in the ERPs themselves."""
    database, timing = writes.journal.database, writes.timing
    comparison = Comparison(writes.crosswalk, DerivedBook(database), timing, settings.derived_settle_s)
    reader = Reader(
        writes.journal, writes.crosswalk, FeedBook(database), places, timing, writes.instance, operation_id,
        comparison=comparison,
    )  # fmt: skip
    return Feeds(reader, wanted, FeedLimits(settings.feed_poll_s, settings.feed_overlap_s))
