"""The places at which a test has a gateway killed: in production there are none, and elsewhere only where a file says so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import Settings
from gateway.store.points import POINTS, arm, reached

ALONE = "import asyncio, pathlib, sys; from gateway.store import points as p; p.arm(pathlib.Path(sys.argv[1]));"


@pytest.fixture
def order(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "crash"
    arm(path)
    yield path
    arm(None)


def test_production_refuses_to_be_killed_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="production refuses it"):
        Settings(environment="production", crash_at=tmp_path / "crash")


async def passed(*points: str) -> None:
    for point in points:
        await asyncio.wait_for(reached(point), 5)


def test_without_an_order_every_point_is_passed(order: Path) -> None:
    asyncio.run(passed(*POINTS))
    order.write_text("step.sent 1 KILL")
    asyncio.run(passed(*(point for point in POINTS if point != "step.sent")))


def test_those_who_come_first_wait_for_the_rest(order: Path) -> None:
    async def two() -> bool:
        first = asyncio.create_task(reached("step.sent"))
        await asyncio.sleep(0)
        waits = not first.done()
        await passed("step.sent")
        first.cancel()
        return waits

    order.write_text("step.sent 2 CONT")
    assert asyncio.run(two())
    assert not order.exists()


def test_whoever_completes_the_number_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "crash").write_text("accept.before_commit 2 KILL")
    twice = "[asyncio.run(p.reached('accept.before_commit')) for _ in range(2)]; print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", ALONE + twice, str(tmp_path / "crash")], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (-9, b"")
