"""The two simulated ERPs of a test, on sockets, and what their truth logs say happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.sim.erps import ErpApp, ErpConfig, cloud_app, legacy_app, running

SECRET = "pw"  # of the gateway's service accounts
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SimErp:
    """One simulated ERP: its address, and its back door."""

    app: ErpApp
    url: str
    door: httpx.Client

    @property
    def length(self) -> int:
        """How many changes were ever committed."""
        return len(self.app.erp.truth)

    def since(self, seq: int, *, entity: str = "", origin: str = "") -> list[Entry]:
        """The changes committed after a point, whatever the ERP answered."""
        found = self.door.get("/_truth", params={"since": seq}).raise_for_status().json()
        return [e for e in found if (not entity or e["entity"] == entity) and (not origin or e["origin"] == origin)]

    @contextmanager
    def fault(self, action: str, **rule: Any) -> Iterator[None]:
        """Misbehave for the time of the block."""
        self.door.post("/_faults", json={"action": action, **rule}).raise_for_status()
        try:
            yield
        finally:
            self.door.delete("/_faults").raise_for_status()

    @contextmanager
    def locked(self, entity: str, **key: str) -> Iterator[None]:
        """Somebody has the document open for the time of the block."""
        self.door.post("/_locks", json={"entity": entity, "key": key}).raise_for_status()
        try:
            yield
        finally:
            self.door.delete("/_locks").raise_for_status()

    def screen(self, entity: str, **more: Any) -> Entry:
        """Somebody works in the ERP itself."""
        found: Entry = self.door.post("/_screen", json={"entity": entity, **more}).raise_for_status().json()
        return found


@dataclass(frozen=True, slots=True)
class Changes:
    """What both ERPs committed since a point."""

    legacy: list[Entry]
    cloud: list[Entry]

    @property
    def sent(self) -> list[Entry]:
        """What callers asked for, without what an ERP derived from it."""
        return [e for e in (*self.legacy, *self.cloud) if e["origin"] == "api"]


@dataclass(frozen=True, slots=True)
class Pair:
    """The old and the new ERP."""

    legacy: SimErp
    cloud: SimErp

    def mark(self) -> tuple[int, int]:
        return self.legacy.length, self.cloud.length

    def since(self, mark: tuple[int, int], **only: str) -> Changes:
        return Changes(self.legacy.since(mark[0], **only), self.cloud.since(mark[1], **only))

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Fail where either ERP committed anything during the block."""
        mark = self.mark()
        yield
        assert self.since(mark) == Changes([], [])


@contextmanager
def simulated(app: ErpApp) -> Iterator[SimErp]:
    """Start one ERP."""
    with running(app) as url, httpx.Client(base_url=url) as door:
        yield SimErp(app, url, door)


@contextmanager
def simulated_pair(
    *, legacy: Mapping[str, Any] | None = None, cloud: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[Pair]:
    """Start both ERPs as the reference deployment expects them. Takes: settings of both, and what one of them has otherwise."""
    old = legacy_app(ErpConfig(users={"GATEWAY": SECRET}, **settings, **(legacy or {})))
    new = cloud_app(ErpConfig(clients={"gateway": SECRET}, **settings, **(cloud or {})))
    with simulated(old) as one, simulated(new) as other:
        yield Pair(one, other)
