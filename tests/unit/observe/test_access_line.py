"""The line of an answered request: the same keys and order as the log's own, and no reason to fail."""

from __future__ import annotations

import io
import json
import logging

import pytest

from gateway.observe.logs import _Access


class Broken(io.BytesIO):
    def write(self, _: object) -> int:
        raise BrokenPipeError


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
