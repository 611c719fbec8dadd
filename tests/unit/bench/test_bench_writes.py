"""The bench of writes: its fixed answers, its journal, its sums and its report."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.bench.__main__ import main
from tests.bench.answers import FixedErp
from tests.bench.backlog import backlog
from tests.bench.processes import BenchError
from tests.bench.report import lines, verdict
from tests.bench.writes import Way, summary


def test_an_answer_that_is_not_the_erps_byte_for_byte_is_noticed() -> None:
    erp = FixedErp(b"", (b"<", b"=", b">"), {})
    one, other = b"000000000001", b"000000000002"
    assert erp.number_in(erp.created(one)) == one
    wrong = (erp.created(one) + b" ", b"<%b=%b>" % (one, other), erp.created(b"12"), erp.created(b"x" * 12))
    for body in wrong:
        with pytest.raises(BenchError, match="not the ERP's answer"):
            erp.number_in(body)


def test_a_backlog_is_ended_and_claimed(tmp_path: Path) -> None:
    found = asyncio.run(backlog(tmp_path / "backlog.db", 2000, drain_s=0.01, claim_s=0.01))
    assert found["legs"] == 2000
    assert 256 <= found["ended"] < 2000
    assert found["claimed_per_s"] > 0


def _round(rate: float) -> dict[str, float]:
    return {"writes_per_s": rate, "answered_per_s": 2 * rate, "drain_s": 1.0, "cpu_us": 900.0, "busy": 0.9}


def test_the_rate_of_writes_is_the_median_of_the_rounds_and_is_held_against_the_goal() -> None:
    way = Way("dual_legacy", ("ecc", "s4"), 350)
    found = summary(way, [_round(400.0), _round(340.0), _round(349.0)])
    assert found["writes_per_s"] == {"median": 349.0, "min": 340.0, "max": 400.0}
    reached = verdict({"writes": {"dual_legacy": found}})
    assert (reached["350 writes/s with 2 legs"], reached["700 writes/s with 1 leg"]) == (False, None)


def test_what_was_not_asked_for_is_not_in_the_report() -> None:
    facts: dict[str, Any] = dict.fromkeys(
        ("cpu", "cores", "kernel", "python", "nginx", "load_client", "at", "revision"), "?"
    )
    facts |= {"separate_cores": True, "load_before": 0.0, "stolen": 0.0}
    row = summary(Way("legacy", ("ecc",), 700), [_round(701.0)]) | {"writes": 701}
    told = "\n".join(lines({"facts": facts, "noise": None, "skipped": {}, "writes": {"legacy": row}}))
    assert "legacy, one leg ended" in told
    assert "reached      700 writes/s with 1 leg" in told
    assert "Latency" not in told


def test_a_part_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "cpu,speed"])
    assert "no such part: speed" in capsys.readouterr().err
