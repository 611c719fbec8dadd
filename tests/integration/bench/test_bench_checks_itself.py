"""The bench of writes gives a figure only for writes that ended: real gateway, real sockets, fixed ERPs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.control.content import load, read_folder
from tests.bench import dialect
from tests.bench.answers import FixedErp
from tests.bench.content import Deployment, deployment, environment
from tests.bench.correctness import calls, check_create
from tests.bench.load import Call, ask
from tests.bench.processes import BenchError
from tests.bench.served import Server, created, fixed_erp, gateway, no_case
from tests.bench.writes import checked, drained

FILES = 1024
Dual = tuple[Deployment, dict[str, FixedErp]]


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Dual:
    """A deployment that writes both sides, and what the simulated ERPs answer."""
    place = tmp_path_factory.mktemp("dual")
    made = deployment(place, "dual_legacy")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(place, {}).items():
            if name.startswith("CHANGEOVER_"):
                patch.setenv(name, value)
        fixed = dialect.fixed_answers(load(read_folder(made.folder)))
    return made, fixed


@contextmanager
def started(place: Path, made: Deployment, fixed: dict[str, FixedErp]) -> Iterator[tuple[Server, dict[str, Server]]]:
    """A gateway and the fixed ERPs that are there."""
    mine = os.sched_getaffinity(0)
    try:
        with ExitStack() as stack:
            erps = {name: stack.enter_context(fixed_erp(place / name, erp, FILES)) for name, erp in fixed.items()}
            ports = {name: erp.port for name, erp in erps.items()}
            yield stack.enter_context(gateway(place / "gateway", made, ports)), erps
    finally:
        os.sched_setaffinity(0, mine)


def test_creates_that_ended_at_both_erps_are_counted_and_one_that_the_gateway_did_not_send_is_noticed(
    tmp_path: Path, dual: Dual
) -> None:
    made, fixed = dual
    with started(tmp_path, made, fixed) as (server, erps):
        check_create(server, made, "dual_legacy")
        drained(server)
        assert checked(server, erps) == {"writes": 2, "created": {"ecc": 2, "s4": 2}}
        with pytest.raises(BenchError, match="create: phase"):
            check_create(server, made, "legacy")
        drained(server)
        assert ask(erps["s4"].port, Call("POST", "/", (), b"{}"))[0] == 201
        while created(erps["s4"]) < 4:
            time.sleep(0.05)
        with pytest.raises(BenchError, match=r"documents that the ERPs created: .*'s4': 4}"):
            checked(server, erps)


def test_legs_that_an_erp_does_not_take_are_not_ended_and_an_erp_that_gives_a_number_twice_gives_no_figure(
    tmp_path: Path, dual: Dual
) -> None:
    made, fixed = dual
    _, create = calls(made)
    same = replace(fixed["ecc"], around=(fixed["ecc"].created(b"000000000007"),))
    with started(tmp_path, made, {"ecc": same}) as (server, erps):
        assert ask(server.port, create)[0] == 201
        no_case(server)
        with pytest.raises(BenchError, match="legs that are done"):
            checked(server, erps)
        ask(server.port, create)
        with pytest.raises(BenchError, match="opened a case: crosswalk"):
            no_case(server)
