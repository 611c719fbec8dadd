"""Plays many histories, on all cores, and says what they came to."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.sim import contents
from gateway.sim.mutants import MUTANTS
from gateway.sim.shape import drawn
from gateway.sim.world import History, played

FAILURES = tuple(f"F{n}" for n in range(1, 29))
NOT_YET = {
    "F23": "the way back from a final move is refused by the table of moves, which comes with flips",
    "F28": "needs the backfill",
}
"""Rows of the failure table that no history can meet yet, and why."""


@dataclass(slots=True)
class Report:
    """What a run came to."""

    histories: int = 0
    operations: int = 0
    acknowledged: int = 0
    cases: int = 0
    violations: int = 0
    first_seed: int | None = None
    first: tuple[str, ...] = ()
    faults: Counter[str] = field(default_factory=Counter)
    occurred: Counter[str] = field(default_factory=Counter)

    def add(self, history: History) -> None:
        self.histories += 1
        self.operations += history.operations
        self.acknowledged += history.acknowledged
        self.cases += history.open_cases
        self.faults.update(history.faults)
        self.occurred.update(history.occurred)
        if history.violations:
            self.violations += 1
            if self.first_seed is None or history.seed < self.first_seed:
                self.first_seed, self.first = history.seed, history.violations

    @property
    def missing(self) -> list[str]:
        """Failures that can occur and did not."""
        return [name for name in FAILURES if name not in NOT_YET and not self.occurred[name]]

    def as_json(self) -> dict[str, Any]:
        return {
            "histories": self.histories,
            "operations": self.operations,
            "acknowledged": self.acknowledged,
            "open_cases": self.cases,
            "faults": dict(sorted((k, v) for k, v in self.faults.items() if v)),
            "occurred": {name: self.occurred[name] for name in FAILURES},
            "not_yet": NOT_YET,
            "violations": self.violations,
            "first_seed": self.first_seed,
            "first": list(self.first),
        }


def history(seed: int, mutant: str | None = None) -> History:
    """Play one seed."""
    shape = drawn(seed)
    if mutant is None:
        return played(contents.of(shape), shape)
    with MUTANTS[mutant].applied() as make:
        return played(contents.of(shape), shape, make)


def _one(work: tuple[int, str | None]) -> History:
    return history(*work)


def play(
    seeds: Iterable[int], mutant: str | None, jobs: int, step: Callable[[], None], *, until_caught: bool = False
) -> Report:
    """Play the seeds in order.

    Takes: `jobs`, how many processes; `step`, called after each history; `until_caught`, to stop at the first violation.
    """
    report = Report()
    for each in _histories(((seed, mutant) for seed in seeds), jobs):
        report.add(each)
        step()
        if until_caught and report.violations:
            break
    return report


def _histories(work: Iterable[tuple[int, str | None]], jobs: int) -> Iterator[History]:
    if jobs == 1:
        yield from map(_one, work)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_one, work, chunksize=4)
