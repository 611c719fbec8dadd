"""The write protocol, played in virtual time with everything that goes wrong, and judged by the ERPs' own records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.progress import Progress

from gateway.cli.output import Exit
from gateway.sim import histories
from gateway.sim.histories import NOT_YET, play
from gateway.sim.mutants import MUTANTS
from gateway.sim.shape import drawn

HISTORIES = int(os.environ.get("CHANGEOVER_SIM_HISTORIES", "2000"))
JOBS = os.cpu_count() or 1


@pytest.fixture(scope="module")
def report() -> Iterator[histories.Report]:
    """All histories of this run, played once."""
    with Progress(console=Console(stderr=True)) as bars:
        bar = bars.add_task("histories", total=HISTORIES)
        yield play(range(1, HISTORIES + 1), None, JOBS, lambda: bars.advance(bar))


def test_no_history_loses_doubles_or_reorders_a_write(report: histories.Report) -> None:
    print(json.dumps(report.as_json()))
    assert report.histories == HISTORIES
    assert report.violations == 0, f"seed {report.first_seed}: {report.first}"


def test_every_failure_of_the_table_that_can_happen_did_happen(report: histories.Report) -> None:
    assert report.missing == []
    assert not any(report.occurred[name] for name in NOT_YET)


def test_nearly_all_writes_are_acknowledged_so_the_histories_are_not_empty(report: histories.Report) -> None:
    assert report.acknowledged > report.operations * 0.75
    assert report.operations > report.histories * 5


@pytest.mark.parametrize("name", MUTANTS)
def test_a_protocol_without_one_of_its_parts_is_caught(name: str) -> None:
    """Within 1,000 histories; most fall in the first ones."""
    caught = play(range(1, 1001), name, JOBS, lambda: None, until_caught=True)
    print(f"{name}: seed {caught.first_seed}: {caught.first[:1]}")
    assert caught.violations == 1, MUTANTS[name].missing


def test_the_same_seed_is_the_same_history_in_every_process() -> None:
    code = "from gateway.sim.histories import history; print(*[history(s).trace for s in (2, 3, 5, 8, 13)])"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_another_seed_is_another_history() -> None:
    assert len({drawn(seed) != drawn(seed + 1) for seed in range(50)}) == 1
    assert histories.history(2).trace != histories.history(3).trace


def test_all_mutants_are_tried_by_one_command_and_one_that_is_not_caught_fails_it() -> None:
    command = ["-m", "gateway", "sim", "--mutant", "all", "--histories", "1", "--jobs", "1", "--json"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1])["mutants"]
    assert found.keys() == MUTANTS.keys()
    assert set(found.values()) == {1, None}
    assert done.returncode == Exit.GATE
