"""Gateways that are killed or stopped at a named point of the write protocol, and what their journal and both ERPs say after."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg

from gateway.core.canonical.stored import loaded
from gateway.core.phases import SIDES
from tests.e2e.calls import Plant, order
from tests.e2e.moves import ORDER_SETS, awaited
from tests.support.gateway import DUAL, Deployment, RunningGateway, deployment
from tests.support.parts import PartMissing
from tests.support.postgres import Cluster
from tests.support.simulated import Entry, Pair, SimErp

T = TypeVar("T")
PHASES = DUAL
ORDERS = "production-orders"
FINAL = "('done', 'refused', 'voided')"
RELEASED_AT_ONCE = [
    (
        "translators/sap-ecc/production_order.yaml",
        "create: [{do: create}]",
        "create: [{do: create}, {do: call, name: ReleaseOrder, arguments: {ManufacturingOrder: ManufacturingOrder}}]",
    ),
    (
        "translators/sap-s4/production_order.yaml",
        "create: [{do: create}]",
        "create: [{do: create}, {do: call, name: ReleaseOrder, bound: true}]",
    ),
]
"""A new order is released at once: two calls for one write."""
LOSSES = ("commit_then_drop", "drop_before")
"""How an answer is lost: after the ERP committed, and before. Whatever comes when these are used up is answered."""


@dataclass(slots=True)
class Site:
    """One deployment through all its lives: plant 1000 led by the old ERP, plant 2000 by the new one."""

    made: Deployment
    erps: Pair

    @property
    def crash_file(self) -> Path:
        return self.made.folder / "crash"

    def crash_at(self, point: str, standing: int, how: str = "KILL") -> None:
        """Kill (or stop) whichever gateway first has so many at a point. Written whole: a gateway may read at any moment."""
        fresh = self.crash_file.with_suffix(".new")
        fresh.write_text(f"{point} {standing} {how}")
        fresh.replace(self.crash_file)

    def started(self) -> RunningGateway:
        gateway = RunningGateway(self.made, self.made.process())
        gateway.await_start()
        return gateway

    @contextmanager
    def running(self) -> Iterator[RunningGateway]:
        with self.made.running() as gateway:
            yield gateway

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the journal holds, read behind the gateway's back."""
        url = self.made.database_url
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(urlsplit(url).path[1:], timeout=20)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def open_legs(self) -> list[tuple[Any, ...]]:
        """Legs that are neither ended nor in a case."""
        return self.rows(
            f"SELECT intent, side, state, error FROM leg WHERE state NOT IN {FINAL} AND NOT EXISTS (SELECT 1 FROM case_ "  # our own words
            "WHERE case_.intent = leg.intent AND case_.state = 'open')"
        )

    def settled(self, gateway: RunningGateway) -> None:
        """Wait until nothing is owed any more but what a person must decide."""
        try:
            awaited(lambda: not self.open_legs())
        except AssertionError as err:
            told = [f"{e['exc_type']}: {e['exc_value']}" for x in gateway.lines for e in x.get("exception", ())]
            raise AssertionError(f"still owed: {self.open_legs()}; the gateway says {told[-3:]}") from err

    def cases(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT intent, side, kind, reason FROM case_ WHERE state = 'open'")


def dual_site(
    folder: Path, erps: Pair, *, database_url: str = "", edits: Sequence[tuple[str, str, str]] = (), **environment: str
) -> Site:
    """A deployment with both plants in a dual phase and short times: these ERPs work for milliseconds."""
    made = deployment(folder, erps, database_url=database_url)
    made.begin_in(PHASES)
    for name in ("ecc", "s4"):
        path = made.content / f"routes/manifests/{name}.yaml"
        path.write_text(path.read_text("utf-8").replace("max_exec_s: 20", "max_exec_s: 1"), "utf-8")
    for place, old, new in edits:
        made.edit(place, old, new)
    made.environment |= {"CHANGEOVER_WRITE_CALL_S": "3", "CHANGEOVER_CRASH_AT": str(folder / "crash"), **environment}
    return Site(made, erps)


@dataclass(slots=True)
class Order:
    """One request of a client, sent under one key until it is answered. No two have the same quantity."""

    plant: str
    quantity: int
    number: str = ""
    etag: str = ""
    key: str = field(default_factory=lambda: str(uuid4()))

    def sent(self, http: httpx.Client) -> httpx.Response | None:
        """The answer; None where the gateway died before it came."""
        plant = Plant(http, self.plant)
        quantity = {"value": str(self.quantity), "unit": "H87"}
        key = {"Idempotency-Key": self.key}
        try:
            if self.number:
                return plant.change(ORDERS, self.number, {"quantity": quantity}, self.etag, **key)
            return plant.create(ORDERS, order(quantity=quantity), **key)
        except httpx.TransportError:
            return None

    def insisted(self, http: httpx.Client) -> httpx.Response:
        """Sent again and again, as a client does, until the gateway has taken it."""

        def once() -> httpx.Response | None:
            answer = self.sent(http)
            return answer if answer is not None and answer.status_code not in (409, 503, 504) else None

        return awaited(once)

    def changed(self, http: httpx.Client, made: httpx.Response, quantity: int) -> Order:
        """A change of the order that was made, as it is now."""
        number = made.headers["location"].rpartition("/")[2]
        now = Plant(http, self.plant).read(ORDERS, number).raise_for_status()
        return Order(self.plant, quantity, number, now.headers["etag"])


def together(orders: Sequence[Order], send: Callable[[Order], T]) -> list[T]:
    """All at the same time."""
    with ThreadPoolExecutor(max(1, len(orders))) as pool:
        return list(pool.map(send, orders))


def lose_answers(erps: Pair, *methods: str) -> None:
    """Both ERPs lose one answer of each kind for each method; other writes are answered."""
    rules = [{"action": action, "method": method, "match": "Order"} for method in methods for action in LOSSES]
    for erp in (erps.legacy, erps.cloud):
        erp.door.post("/_faults", json=rules).raise_for_status()


Loss = tuple[str, str, str]
"""On which side the answer to which method was lost, and how."""


def each_loss(*methods: str) -> list[Loss]:
    """What `lose_answers` asks for."""
    return [(side, method, action) for side in SIDES for method in methods for action in LOSSES]


def losses_met(erps: Pair) -> Counter[Loss]:
    """How often each loss has happened."""
    met: Counter[Loss] = Counter()
    for side, erp in zip(SIDES, (erps.legacy, erps.cloud), strict=True):
        for rule in erp.door.get("/_faults").json():
            met[side, rule["method"], rule["action"]] += rule["hits"]
    return met


def well_again(erps: Pair) -> None:
    for erp in (erps.legacy, erps.cloud):
        erp.door.delete("/_faults").raise_for_status()


def died(gateway: RunningGateway) -> None:
    """Wait until it was killed, and not ended in another way."""
    try:
        assert gateway.process.wait(60) == -signal.SIGKILL
    finally:
        gateway.stop()


def asleep(gateway: RunningGateway) -> None:
    """Wait until the kernel says that it is stopped: it stopped itself at the point that it was given."""
    stat = Path(f"/proc/{gateway.process.pid}/stat")
    awaited(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")


# The audit


def quantity(entry: Entry) -> int:
    after = entry["after"]
    return int(Decimal(after.get("TotalQuantity") or after["OrderPlannedTotalQty"]))


def effects(erp: SimErp, mark: int, verb: str) -> Counter[int]:
    """How often each quantity was written to order headers: the ERP's own record, whatever it answered."""
    found = [e for e in erp.since(mark, origin="api") if e["verb"] == verb and e["entity"] in ORDER_SETS]
    return Counter(quantity(e) for e in found)


def sides(erps: Pair, mark: tuple[int, int]) -> Iterator[tuple[SimErp, int]]:
    """Each ERP, and where its record stood: the old one's first."""
    return zip((erps.legacy, erps.cloud), mark, strict=True)


def intended(site: Site) -> set[int]:
    """All quantities that the journal has an intent for."""
    found = set()
    for verb, text in site.rows("SELECT verb, document FROM intent WHERE document IS NOT NULL"):
        document = loaded(text)
        found.add(int((document["patch"] if verb == "change" else document)["quantity"]))
    return found


def audited(site: Site, mark: tuple[int, int], orders: Sequence[Order]) -> None:
    """What must hold after any crash, by the ERPs' own records, once every client has its answer."""
    assert site.cases() == []
    wanted = {
        verb: {o.quantity for o in orders if bool(o.number) == (verb == "update")} for verb in ("create", "update")
    }
    for verb, quantities in wanted.items():
        found = [effects(erp, at, verb) for erp, at in sides(site.erps, mark)]
        for side in found:
            assert set(side) <= intended(site), "an effect that nobody intended"
            assert [q for q, times in side.items() if times > 1] == [], "applied twice"
            assert quantities - set(side) == set(), "acknowledged, and not there"
        assert found[0] == found[1], "the two sides differ"


def restarted(cluster: Cluster) -> None:
    """Restart a PostgreSQL of our own as a crash would: no checkpoint, no goodbye to anybody."""
    _pg_ctl(cluster, _data(cluster), "restart", "-m", "immediate")


@contextmanager
def out_of_order(cluster: Cluster) -> Iterator[None]:
    """No database for the time of the block."""
    data = _data(cluster)
    _pg_ctl(cluster, data, "stop", "-m", "immediate")
    try:
        yield
    finally:
        # It starts with the options that it had: they stand in its folder.
        options = (data / "postmaster.opts").read_text().partition('"')[2].strip().replace('"', "")
        _pg_ctl(cluster, data, "start", "-o", options)


@contextmanager
def frozen(cluster: Cluster) -> Iterator[None]:
    """A database that takes connections and statements and says nothing, for the time of the block."""
    first = int((_data(cluster) / "postmaster.pid").read_text().splitlines()[0])
    stopped = [first]
    try:
        os.kill(first, signal.SIGSTOP)  # from now on it starts no other process
        stopped += [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        for pid in stopped[1:]:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _data(cluster: Cluster) -> Path:
    ((folder,),) = cluster.rows(cluster.maintenance_db, "SHOW data_directory")
    return Path(folder)


def _pg_ctl(cluster: Cluster, data: Path, *command: str) -> None:
    if cluster.bin_dir is None:
        raise PartMissing("a PostgreSQL that was given cannot be restarted")
    identity: dict[str, Any] = {"user": data.owner(), "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(
        [cluster.bin_dir / "pg_ctl", "-D", data, "-w", "-l", data.parent / "log", *command],
        env={"LC_ALL": "C"}, cwd=data.parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=True, **identity,
    )  # fmt: skip
