"""The bench's own parts: what it sums up, what it notices, and its load on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench import facts, measure
from tests.bench.answers import differences, exact
from tests.bench.load import Call, Connection, ask, in_flight, open_loop
from tests.bench.processes import BenchError, cpu_s, free_port, listens, memory_kb, running, wait_for
from tests.bench.report import verdict

GET = Call("GET", "/", ())
TEXTS = [
    "ZZExternalReference", "ManufacturingOrderType", "ProductionPlant", "Material", "MRPController",
    "ProductionSupervisor", "StorageLocation", "CompanyCode", "ManufacturingOrderImportance",
]  # fmt: skip


@contextmanager
def erp(place: Path, delay_ms: int) -> Iterator[int]:
    """The slow fixed ERP in a process of its own."""
    (place / "read.json").write_bytes(b'{"d":{}}')
    (place / "created.json").write_bytes(b'{"d":{"new":"@number@","again":"@number@"}}')
    port, log = free_port(), place / "log"
    files = [str(place / "read.json"), str(place / "created.json")]
    command = [sys.executable, "-m", "tests.bench.upstream", str(port), str(delay_ms), *files]
    core = min(os.sched_getaffinity(0))
    with running(command, core=core, log=log, cwd=Path(__file__).resolve().parents[3]) as process:
        wait_for(lambda: listens(port), process, log)
        yield port


@asynccontextmanager
async def answering(status: int) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n" % status)
        await asyncio.sleep(0.01)
        writer.write(b"{}")  # the body comes in a segment of its own
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_the_ratio_is_the_median_of_the_rounds_ratios_and_not_the_ratio_of_the_medians() -> None:
    figure = {"requests_per_s": 1.0, "busy": 1.0}
    pairs = [(10.0, 100.0), (20.0, 100.0), (40.0, 1000.0)]
    rounds = [{"nginx": figure | {"cpu_us": n}, "gateway": figure | {"cpu_us": g}} for n, g in pairs]
    assert measure.cpu_summary(rounds)["ratio"] == {"median": 10.0, "min": 5.0, "max": 25.0}


def test_percentiles_are_of_the_sorted_samples() -> None:
    samples = [float(n) for n in range(1, 101)]
    assert [measure.percentile(samples, p) for p in (50, 99, 100)] == [51.0, 100.0, 100.0]


def test_a_busy_machine_or_a_greedy_hypervisor_is_said_to_be_noisy() -> None:
    assert facts.noisy(0.2, 0.0) is None
    assert facts.noisy(3.0, 0.0)
    assert facts.noisy(0.2, 0.5)


def _found(ratio: float) -> dict[str, Any]:
    flight = {"calls": 2000, "errors": 0, "kb_each": 30.0}
    return {"cpu": {"GET": {"ratio": {"median": ratio}}}, "latency": {}, "in_flight": {"gateway": flight}}


def test_slowness_is_a_verdict_and_what_was_not_measured_has_none() -> None:
    assert list(verdict(_found(26)).values())[:4] == [False, None, True, True]
    assert list(verdict(_found(24)).values())[:4] == [True, None, True, True]
    assert set(verdict({}).values()) == {None}


def test_a_field_that_is_shown_wrongly_is_named() -> None:
    native = _native()
    shown = {"id": "7", "quantity": {"value": "34.9", "unit": "H87"}, "operations": [], "components": []}
    found = differences(shown, native)
    assert "quantity.value: '34.9' instead of Decimal('35.000')" in found
    assert "operations: not 2 rows" in found
    assert not [flaw for flaw in found if flaw.startswith("id:")]


def _native() -> dict[str, Any]:
    moments = {f"MfgOrderPlanned{end}Date": "/Date(1796169600000)/" for end in ("Start", "End")}
    times = {f"MfgOrderPlanned{end}Time": "PT06H00M00S" for end in ("Start", "End")}
    texts = dict.fromkeys(TEXTS, "x")
    operation = {"ManufacturingOrderOperation": "0020", "WorkCenter": "A", "MfgOrderOperationText": "t"}
    component = {
        "ReservationItem": "0002", "Material": "M", "RequiredQuantity": "70.000", "ManufacturingOrderOperation": "0020",
        "MatlCompIsMarkedForBackflush": True,
    }  # fmt: skip
    return {
        **moments, **times, **texts, "ManufacturingOrder": "000000000007", "TotalQuantity": "35.000",
        "ProductionUnit": "ST", "MfgOrderConfirmedYieldQty": "0.000", "OrderIsReleased": True, "OrderIsLocked": False,
        "to_ProductionOrderOperation": [operation] * 2, "to_ProductionOrderComponent": [component] * 2,
    }  # fmt: skip


def test_numbers_are_compared_with_all_their_digits() -> None:
    assert str(exact(b"[1.10]")[0]) == "1.10"


async def test_an_answer_in_two_segments_is_read_to_its_end() -> None:
    async with answering(200) as port:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        status, whole = await connection.send(GET.wire())
        connection.transport.close()
    assert (status, whole[-2:]) == (200, b"{}")


def test_the_fixed_erp_answers_reads_and_creates_and_counts_what_it_holds(tmp_path: Path) -> None:
    with erp(tmp_path, delay_ms=300) as port:
        done = in_flight(port, GET, 20, 0, lambda: None)
        created = [ask(port, Call("POST", "/", (), b'{"a":1}')) for _ in range(2)]
        peak, count = (ask(port, Call("GET", path, ()))[2] for path in ("/peak", "/created"))
    assert (done.answered, done.errors, done.peak, peak) == (20, 0, 20, b"20")
    numbers = ["000000000001", "000000000002"]
    assert [(c[0], json.loads(c[2])) for c in created] == [(201, {"d": {"new": n, "again": n}}) for n in numbers]
    assert count == b"2"


def test_latency_counts_from_the_intended_moment(tmp_path: Path) -> None:
    with erp(tmp_path, delay_ms=50) as port:
        taken_ms, errors = open_loop(port, GET, rate_per_s=100, seconds=0.3)
    assert (len(taken_ms), errors) == (30, 0)
    assert taken_ms == sorted(taken_ms)
    assert taken_ms[0] >= 49  # never less than the ERP took


async def test_an_error_in_flight_gives_no_figure() -> None:
    async with answering(503) as port:
        done = await asyncio.to_thread(in_flight, port, GET, 2, 0, lambda: None)
    assert (done.answered, done.errors) == (0, 2)
    assert "503" in done.first_error or "{}" in done.first_error


def test_cpu_and_memory_of_a_process_are_read(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "x = bytearray(30_000_000)\nwhile True: sum(range(1000))"]
    with running(command, core=min(os.sched_getaffinity(0)), log=tmp_path / "log") as process:
        end = time.monotonic() + 30
        while cpu_s(process.pid) < 0.2 and time.monotonic() < end:
            time.sleep(0.05)
        rss_kb, pss_kb = memory_kb(process.pid)
        assert cpu_s(process.pid) >= 0.2
    assert rss_kb > 30_000
    assert 0 < pss_kb <= rss_kb


def test_a_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "raise SystemExit('no room')"]
    core = min(os.sched_getaffinity(0))
    with running(command, core=core, log=log) as process, pytest.raises(BenchError, match="no room"):
        wait_for(lambda: False, process, log)
