"""A gateway that slept past its lease makes a document after all: whatever the others came to meanwhile, a person hears of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.moves import awaited
from tests.integration.writes.test_stop import (
    AFTER_IT,
    ANSWERED,
    NOTHING_TELLS,
    Two,
    asked,
    said_no,
    sleeping,
    woke_too_late,
)
from tests.support.crashes import Order, asleep, dual_site, effects
from tests.support.postgres import Cluster
from tests.support.simulated import Pair


@pytest.mark.parametrize("settle", ["reference", "none"])
def test_a_sleeper_that_wakes_up_while_the_second_copy_is_under_way_leaves_a_case(
    erps: Pair, postgres: Cluster, tmp_path: Path, numbers: Iterator[int], settle: str
) -> None:
    edits = NOTHING_TELLS if settle == "none" else []
    site = dual_site(
        tmp_path, erps, database_url=postgres.create(f"late_{settle}"), edits=edits, CHANGEOVER_LEASE_S="6"
    )
    two = Two(site)
    request, mark = Order("1000", next(numbers)), erps.legacy.length
    with ThreadPoolExecutor(4) as pool:
        with sleeping(two, pool, request, AFTER_IT):
            site.crash_at(ANSWERED, 1, "STOP")  # the second gateway, when it sends its copy
            if settle == "none":
                awaited(lambda: asked(site, [request]))
                said_no(site, request)
            asleep(two.second)
            assert effects(erps.legacy, mark, "create")[request.quantity] == 1
        woke_too_late(two)
        two.second.process.send_signal(signal.SIGCONT)
        site.settled(two.second)
    made = effects(erps.legacy, mark, "create")[request.quantity]
    cases = site.rows("SELECT side, kind, state, reason FROM case_")
    legs = site.rows("SELECT side, state FROM leg")
    two.stop()
    assert made == 2
    assert [kind for _, kind, state, _ in cases if state == "open"] == ["late-call"], (made, cases, legs)


def test_a_sleeper_whose_late_call_takes_effect_after_the_second_copy_was_refused_leaves_a_case(
    erps: Pair, postgres: Cluster, tmp_path: Path, numbers: Iterator[int]
) -> None:
    site = dual_site(tmp_path, erps, database_url=postgres.create("late_refused"), CHANGEOVER_LEASE_S="1")
    two = Two(site)
    request, mark = Order("1000", next(numbers)), erps.legacy.length
    refusal = {"status": 400, "code": "CO/100", "message": "The plant is closed"}
    with ThreadPoolExecutor(4) as pool:
        with (
            sleeping(two, pool, request, AFTER_IT),
            erps.legacy.fault("status", method="POST", match="Order", **refusal),
        ):
            site.settled(two.second)
        woke_too_late(two)
    made = effects(erps.legacy, mark, "create")[request.quantity]
    cases = site.rows("SELECT side, kind, state, reason FROM case_")
    legs = site.rows("SELECT side, state, error FROM leg")
    two.stop()
    assert made == 1
    assert [kind for _, kind, state, _ in cases if state == "open"], (made, cases, legs)
