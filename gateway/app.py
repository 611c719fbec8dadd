"""The composition root: settings in, a running gateway out. The only place that knows all rooms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import httpx

from gateway.assembly import boot_s, feed_reader, policy_of, write_engine
from gateway.connectors.registry import Connectors
from gateway.control import waves
from gateway.control.callers import authenticator_of
from gateway.control.content import Content, load, load_folder, unpack
from gateway.core.budget import Seat, seated
from gateway.core.rates import RateClass, RateCounters
from gateway.core.waves import WaveTable
from gateway.edge.tokens import TokenVerifier
from gateway.errors import ContentError, Mistake, SecretMissing, StoreUnusable
from gateway.observe.key_alarm import tell_keys
from gateway.observe.logs import log
from gateway.observe.metrics import Metrics
from gateway.pipeline.exchange import InForce, never
from gateway.places import Places
from gateway.policy.cache import DecisionCache
from gateway.policy.manifest import MANIFEST
from gateway.policy.service import Policy
from gateway.reads.beside import RememberedBeside
from gateway.reads.numbers import RememberedNumbers
from gateway.settings import Settings, shipped
from gateway.store.beside import BesideBook
from gateway.store.engine import Store
from gateway.store.points import arm
from gateway.store.schema import migrate
from gateway.store.upkeep import demanded
from gateway.store.waves import Running, files_of, revision, running
from gateway.writes.engine import Writes
from gateway.writes.feed import Feeds
from gateway.writes.feed_plan import Feed, feeds_of
from gateway.writes.relay import OWN_PART

_READ_PART = 0.95  # of a lease: a read that begins before its end harms nobody; clocks may differ by the rest


@dataclass(slots=True)
class Vouched:
    """When somebody last began to look, and found that a table is in force: by the clock that counts suspended time."""

    boot_s: float = 0.0


class Gateway:
    """What is in force, and how it changes: a new table or content is built beside the old one and swapped in whole."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.metrics = Metrics()
        self.draining = False
        self.trouble: dict[str, str] = {}
        self._http = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=5)
        self._in_force: InForce | None = None
        self._tokens: TokenVerifier | None = None
        self._connectors = Connectors()
        self._seat: Seat | None = None
        self._vouched = Vouched()
        self._refreshing = asyncio.Lock()
        self._decisions = DecisionCache()
        self._tasks: list[asyncio.Task[None]] = []
        self._writes: Writes | None = None
        self._feeds: Feeds | None = None
        self._places = Places(store, self._connectors, lambda: self._in_force)

    @property
    def in_force(self) -> InForce:
        if self._in_force is None:
            raise RuntimeError("the gateway has not started")
        return self._in_force

    @property
    def ready(self) -> bool:
        return self._in_force is not None and not self.draining and self._in_force.policy.trouble is None

    async def start(self) -> None:
        """Bring the schema up, activate content where there is none, and serve what is active.

        Raises: StoreUnusable, ContentError, SecretMissing, Guarded, NumbersUnfit, StalePlan.
        """
        self.store.own()
        await migrate(self.store, shipped() / "migrations")
        began_boot_s = boot_s()
        now = await running(self.store)
        if now is None:
            embedded = self.settings.embedded_policies
            files, content = await asyncio.to_thread(
                load_folder, self.settings.content or shipped(), try_policies=embedded
            )
            await waves.apply(
                self.store, content, files, actor="serve", reason="first start", now_us=time.time_ns() // 1000
            )
            now = await running(self.store)
        if now is None:
            raise StoreUnusable("the store gave nothing back after the first apply")
        arm(self.settings.crash_at)
        self._writes = write_engine(self.settings, self.store, self._places, self._connectors)
        await self._swap(now, began_boot_s)
        await self._writes.relay.start()
        await self._reconciled()  # before the first look at any feed
        self._feeds = feed_reader(self.settings, self._writes, self._places, self._wanted_feeds)
        self._feeds.start()
        await self._look()
        self._tasks.append(asyncio.create_task(self._follow()))
        if not self.settings.embedded_policies:
            self._tasks.append(asyncio.create_task(self._probe()))

    async def stop(self) -> None:
        self.draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._feeds is not None:
            await self._feeds.stop()
        if self._writes is not None:
            await self._writes.relay.stop(self.settings.drain_s)
        await self._connectors.close()
        if self._in_force is not None:
            await self._in_force.policy.close()
        await self._http.aclose()
        await self.store.close()

    async def _follow(self) -> None:
        """Look at the store now and then; whatever goes wrong, what serves goes on serving and says so."""
        while True:
            await asyncio.sleep(min(self.settings.follow_s, self.settings.lease_s / 3))
            tell_keys(self.trouble, self._tokens.keys() if self._tokens is not None else {})
            try:
                await self._look()
                if "reconciliation" in self.trouble:
                    await self._reconciled()
                self.trouble.pop("store", None)
            except Exception as err:  # any trouble of the store is a reason to report, not to stop
                self.trouble["store"] = f"{type(err).__name__}: {err}"
                log.error("store.unreachable", reason=str(err))

    async def _probe(self) -> None:
        """Ask the OPA server now and then for a caller who has nothing: its bundle changes without a word to us."""
        while True:
            await asyncio.sleep(self.settings.follow_s)
            policy = self.in_force.policy
            before = policy.trouble
            await policy.probe()
            if policy.trouble != before:
                log.warning("policy.probed", trouble=policy.trouble)

    async def _loaded(self, files: Mapping[str, str]) -> Content:
        return await asyncio.to_thread(load, files, try_policies=self.settings.embedded_policies)

    async def _look(self) -> None:
        """Take up what the store says: the table, the content, and this instance's place among the living."""
        began_boot_s = boot_s()
        found = await revision(self.store)
        if found is not None and found != (self.in_force.table.revision, self.in_force.content.revision):
            try:
                await self.refreshed()
            except (ContentError, SecretMissing) as err:
                self.trouble["content"] = str(err)
                log.error("content.refused", reason=str(err))
        self._vouched.boot_s = max(began_boot_s, self._vouched.boot_s)
        if self._writes is not None and not self.store.is_sqlite:
            self._seat = seated(self._seat, self._writes.instance, await self._writes.journal.living())
            self._connectors.seat(self._seat)

    async def _reconciled(self) -> None:
        """Whether a restored store still demands a reconciliation: said, and no reason to be unready; reads and writes are sound."""
        if (wanted := await demanded(self.store)) is not None:
            self.trouble["reconciliation"] = wanted
        else:
            self.trouble.pop("reconciliation", None)

    async def refreshed(self, than: int | None = None) -> InForce:
        """What the store says now, at once and not at the next look.

        Takes: `than`, the revision of a table that turned out to be old. A move turns away many writes at one moment: one of
        them looks, and the others take what it found.
        """
        async with self._refreshing:
            if than is None or self.in_force.table.revision <= than:
                await self._refresh()
            return self.in_force

    async def _refresh(self) -> None:
        began_boot_s = boot_s()
        now = await running(self.store)
        if now is not None and (now.table.revision, now.content) != (
            self.in_force.table.revision,
            self.in_force.content.revision,
        ):
            await self._swap(now, began_boot_s)

    async def _swap(self, now: Running, began_boot_s: float) -> None:
        """Build what `now` says and put it in force with one assignment. Takes: when somebody began to read it."""
        old = self._in_force
        if old is not None and old.content.revision == now.content:
            self._put(replace(old, table=now.table, numbers=self._numbers()), began_boot_s)
            self.trouble.pop("content", None)
            return
        blob = await files_of(self.store, now.content)
        if blob is None:
            raise StoreUnusable(f"the archive has no content {now.content}")
        made = self._built(await self._loaded(unpack(blob)), now.table)
        if not self.settings.embedded_policies:
            await _fit(made.policy, serving=old is not None)
        self._put(made, began_boot_s)
        self.trouble.pop("content", None)
        if old is not None:
            # Requests that hold the old one still ask its policy: let them finish first.
            asyncio.get_running_loop().call_later(60, lambda: asyncio.ensure_future(old.policy.close()))

    def _put(self, made: InForce, began_boot_s: float) -> None:
        # Each table has its own: a request that holds the one before is not vouched for by a look that found the next.
        self._vouched = vouched = Vouched(began_boot_s)
        overdue_s = never if self.store.is_sqlite else partial(self._overdue_s, vouched)
        self._in_force = replace(made, overdue_s=overdue_s)
        self.metrics.table_revision.set(made.table.revision)
        self.metrics.cells.clear()
        for cell in made.table.cells.values():
            self.metrics.cells.labels(cell.phase).inc()
        log.info("table.in_force", revision=made.table.revision, content=made.content.revision)

    def _built(self, content: Content, table: WaveTable) -> InForce:
        erps = {name: self._places.path(erp, content.dialects[erp.dialect]) for name, erp in content.erps.items()}
        authenticator = authenticator_of(content.clients, self._http)
        self._tokens = authenticator.tokens
        return InForce(
            content=content,
            table=table,
            policy=policy_of(self.settings, content.bundle, self._decisions),
            authenticator=authenticator,
            erps=erps,
            rates=RateCounters({n: RateClass(r.per_s, r.burst) for n, r in content.clients.rate_classes.items()}),
            public_url=self.settings.public_url.rstrip("/"),
            writes=self._writes,
            numbers=self._numbers(),
            beside=self._beside(),
        )

    def _numbers(self) -> RememberedNumbers | None:
        """New with each table: which of its numbers a document goes by may be another afterwards."""
        return None if self._writes is None else RememberedNumbers(self._writes.crosswalk, self._writes.timing.steady_s)

    def _beside(self) -> RememberedBeside | None:
        """New with each content: what is kept beside an ERP is its dialect's to say."""
        if self._writes is None:
            return None
        return RememberedBeside(BesideBook(self._writes.journal.database), self._writes.timing.steady_s)

    def overdue_s(self) -> float:
        """For how long this instance has had no lease: nobody waits for it any more before a plant is moved."""
        return self._overdue_s(self._vouched)

    def _overdue_s(self, vouched: Vouched) -> float:
        """The same of one table.

        Whoever slept through its lease has a new one before it has looked at the table again: only both together count.
        """
        if self._writes is None:
            return 0.0
        lease_s, lease = self.settings.lease_s, self._writes.delivery.lease
        known_s = min(lease.until_boot_s - lease_s * OWN_PART, vouched.boot_s)
        return boot_s() - known_s - lease_s * _READ_PART

    def _wanted_feeds(self) -> Iterator[Feed]:
        if "reconciliation" in self.trouble:
            return  # a restored store does not know the last writes: they would look like people's edits
        made = self.in_force
        for _, cell in sorted(made.table.cells.items()):
            yield from feeds_of(cell, made.content.revision, partial(self._places.fed, made, cell))

    async def content_of(self, revision_: str) -> Content:
        """The content that an intent was accepted with. Raises: Broken: it is in no archive."""
        return await self._places.content_of(revision_)

    async def metrics_text(self) -> bytes:
        """The exposition, with what connectors and the decision cache count copied in."""
        self.metrics.erps.calls(
            {name: (made.gauge, made.guard.usage) for name, made in self._connectors.by_name().items()}
        )
        if self._tokens is not None:
            self.metrics.token_hits.set(self._tokens.hits)
            self.metrics.token_misses.set(self._tokens.misses)
            self.metrics.keys({name: (keys.last_error, keys.age_s) for name, keys in self._tokens.keys().items()})
        if self._feeds is not None:
            self.metrics.erps.feeds(self._feeds.lag_s(), self._feeds.gauge.seen)
            self.metrics.erps.derived(self._feeds.derived)
        self.metrics.policy_hits.set(self._decisions.hits)
        self.metrics.policy_misses.set(self._decisions.misses)
        return await self.metrics.text()

    def report(self) -> dict[str, object]:
        """Why the gateway is ready or not, and how its ERPs are."""
        reasons = dict(self.trouble)
        if self.draining:
            reasons["draining"] = "the instance shuts down"
        if not self.store.is_sqlite and self.ready and (overdue_s := self.overdue_s()) > 0:
            reasons["lease"] = f"lost {round(overdue_s)} s ago: only contracts with stale_reads_s are read"
        made = self._in_force
        if made is not None and made.policy.trouble is not None:
            reasons["policy"] = made.policy.trouble
        return {
            "ready": self.ready,
            "reasons": reasons,
            "table_revision": made.table.revision if made else None,
            "content": made.content.revision if made else None,
            "policy": made.policy.revision if made else None,
            "erps": {name: dict(connector.guard.state) for name, connector in self._connectors.by_name().items()},
            "feeds": self._feeds.state if self._feeds is not None else {},
        }


async def _fit(policy: Policy, *, serving: bool) -> None:
    """Ask the OPA server whether it knows this policy. Raises: ContentError: it does not, and another one serves meanwhile."""
    await policy.probe()
    if policy.trouble is not None:
        log.error("policy.probed", trouble=policy.trouble)
    if serving and policy.fit is False:
        await policy.close()
        raise ContentError([Mistake(f"policies/{MANIFEST}", 0, 0, f"the OPA server's {policy.trouble}")])
