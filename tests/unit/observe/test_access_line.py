"""The line of an answered request: the same keys and order as the log's own, and no reason to fail."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest

from gateway.observe.logs import _Access


class Broken(io.BytesIO):
    def write(self, _: object) -> int:
        raise BrokenPipeError


class Counting(io.BytesIO):
    writes = 0

    def write(self, data: object) -> int:
        self.writes += 1
        return super().write(data)  # type: ignore[arg-type]


async def test_requests_answered_in_one_turn_of_the_event_loop_share_one_write() -> None:
    out, access = Counting(), _Access()
    access.set_up(out, logging.INFO)
    for number in range(3):
        access.line({"request_id": f"r-{number}"})
    assert out.writes == 0
    await asyncio.sleep(0)
    assert [json.loads(line)["request_id"] for line in out.getvalue().splitlines()] == ["r-0", "r-1", "r-2"]
    assert out.writes == 1
    access.line({"request_id": "r-3"})
    await asyncio.sleep(0)
    assert out.writes == 2


async def test_a_gateway_that_stops_writes_what_waits() -> None:
    out, access = Counting(), _Access()
    access.set_up(out, logging.INFO)
    access.line({"request_id": "r-1"})
    access.flush()
    assert json.loads(out.getvalue())["request_id"] == "r-1"


def test_a_line_is_written_at_once_with_event_level_and_time_at_its_end() -> None:
    out, access = io.BytesIO(), _Access()
    access.set_up(out, logging.INFO)
    access.line({"request_id": "r-1", "status": 200})
    assert out.getvalue().endswith(b"\n")
    line = json.loads(out.getvalue())
    assert list(line) == ["request_id", "status", "event", "level", "at"]
    assert (line["event"], line["level"], line["at"][-1]) == ("request", "info", "Z")


@pytest.mark.parametrize(("level", "lines"), [(logging.DEBUG, 1), (logging.INFO, 1), (logging.WARNING, 0)])
def test_it_is_an_info_line(level: int, lines: int) -> None:
    out, access = io.BytesIO(), _Access()
    access.set_up(out, level)
    access.line({"status": 200})
    assert out.getvalue().count(b"\n") == lines


def test_a_log_that_cannot_be_written_fails_no_request() -> None:
    access = _Access()
    access.set_up(Broken(), logging.INFO)
    access.line({"status": 200})
    closed = io.BytesIO()
    closed.close()
    access.set_up(closed, logging.INFO)
    access.line({"status": 200})
