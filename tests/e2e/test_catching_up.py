"""An ERP comes back after an outage: it is asked for no more than was declared, people go first, and all it is owed arrives."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import ORDER_SETS, awaited, declare, open_legs, orders
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import Pair
from tests.support.witness import Call, witness, witnessed_pair

OWED, PEOPLE, READS = 300, 12, 150
AT_ONCE, OF_THEM_OWED = 3, 2
LIMITS = {"concurrency": AT_ONCE, "call_timeout_s": 20, "breaker_open_s": 1}


@pytest.fixture
def pair() -> Iterator[Pair]:
    with witnessed_pair() as both:
        yield both


@pytest.fixture
def own(pair: Pair, tmp_path: Path) -> Deployment:
    """Plant 1000 is led by the old ERP and owes the new one, which may get three calls at once. Plant 3000 lives in the new one."""
    own = deployment(tmp_path, pair)
    declare(own, "legacy", "dual_legacy")
    own.set("routes/erps/s4.yaml", limits=LIMITS)
    return own


def tried(own: Deployment) -> int:
    """How often legs to the new ERP were tried."""
    with closing(sqlite3.connect(own.folder / "gateway.db")) as db:
        return int(db.execute("SELECT SUM(attempts) FROM leg WHERE erp = 's4'").fetchone()[0])


def is_owed(word: str) -> bool:
    """Whether a call is one of the catch-up: clients only read."""
    return word.startswith("POST") and word.endswith(ORDER_SETS)


def read_until(running: RunningGateway, keys: list[str], enough: Event) -> None:
    plant = Plant(running.client("admin"), "3000")
    for key in cycle(keys):
        good(plant.read("production-orders", key))
        if enough.is_set():
            return


def while_both_wanted(calls: list[Call], reads: int) -> Counter[bool]:
    """What the ERP was asked between the first and the last read: owed or not."""
    at = [n for n, call in enumerate(calls) if call.method == "GET" and any(s in call.path for s in ORDER_SETS)]
    between = calls[at[0] : at[reads - 1]]
    return Counter(is_owed(call.word) for call in between if not call.path.endswith(("token", "/")))


def test_people_go_first_while_an_erp_catches_up_and_it_never_gets_more_than_it_may(
    own: Deployment, pair: Pair
) -> None:
    cloud, mark = witness(pair.cloud), pair.cloud.length
    with own.running() as running, ThreadPoolExecutor(PEOPLE) as pool:
        plants = [Plant(running.client("admin"), "1000") for _ in range(PEOPLE)]
        keys = [row["id"] for row in Plant(running.client("admin"), "3000").rows("production-orders")]
        with pair.cloud.fault("drop_before", count=0):
            answers = pool.map(lambda n: plants[n % PEOPLE].ordered(reference=f"MES-{n}"), range(OWED))
            assert Counter(a.status_code for a in answers) == {201: OWED}
            assert open_legs(own) == OWED
            assert tried(own) < OWED, "an ERP that does not answer is tried by few, not by all"
        cloud.calls.clear()
        cloud.work_s = 0.05
        awaited(lambda: any(is_owed(call.word) for call in cloud.calls))
        # Until the first of them is answered, the ERP is left alone but for it.
        awaited(lambda: 'changeover_erp_breaker_open{erp="s4"} 0.0' in running.admin("/metrics").text)
        enough = Event()
        people = [pool.submit(read_until, running, keys, enough) for _ in range(PEOPLE)]
        awaited(lambda: sum(call.method == "GET" for call in cloud.calls) > READS or any(p.done() for p in people))
        assert open_legs(own) > 0, "the backlog was gone before anybody could compete with it"
        enough.set()
        for each in people:
            each.result()
        met = while_both_wanted(list(cloud.calls), READS)
        cloud.work_s = 0.0
        awaited(lambda: open_legs(own) == 0)
    assert cloud.most <= AT_ONCE
    assert max(sum(map(is_owed, call.under_way)) for call in cloud.calls) <= OF_THEM_OWED
    assert 0 < met[True] < met[False] / 4, met
    assert len(orders(pair.cloud, mark)) == OWED
