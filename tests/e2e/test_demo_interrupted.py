"""Ctrl-C in the terminal of the demo: it goes to everything in the foreground, and the demo still ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest


class Terminal:
    """A demo in a process group of its own, and all processes that inherited its environment."""

    def __init__(self, folder: Path) -> None:
        self._mark = f"DEMO_TERMINAL={uuid4().hex}"
        self._said = folder / "stderr"
        name, _, value = self._mark.partition("=")
        with self._said.open("wb") as said:
            self.demo = subprocess.Popen(
                [sys.executable, "-m", "gateway", "demo", "--json"],
                env={**os.environ, name: value, "COLUMNS": "200"},
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._said.read_text("utf-8")

    def ctrl_c(self) -> None:
        """Gives back when the demo has taken the signal: two that wait together are one."""
        os.killpg(self.demo.pid, signal.SIGINT)
        while self.demo.poll() is None and self._waits(signal.SIGINT):
            time.sleep(0.001)

    def _waits(self, number: int) -> bool:
        """Source: proc(5), ShdPnd: the signals pending for the process as a whole."""
        status = Path(f"/proc/{self.demo.pid}/status").read_text("ascii", "replace")
        pending = int(status.partition("ShdPnd:\t")[2].split("\n")[0], 16)
        return bool(pending >> (number - 1) & 1)

    def until(self, seen: Callable[[], Any]) -> None:
        while not seen():
            assert self.demo.poll() is None, self.said
            time.sleep(0.02)

    def running(self) -> list[str]:
        """The command lines of what runs."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # ended a moment ago, or another user's
                continue
        return found

    def runs(self, words: str) -> bool:
        return any(words in line for line in self.running())

    def ended(self) -> tuple[int, str]:
        """Exit code and standard output. Nothing is left, and nothing crashed."""
        stdout = self.demo.communicate()[0].decode()
        assert "Traceback" not in self.said
        assert "never retrieved" not in self.said
        assert self.running() == []
        return self.demo.returncode, stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path)
    yield one
    if one.demo.poll() is None:
        one.demo.terminate()
        one.demo.wait()


def test_ctrl_c_while_the_demo_starts_ends_it_with_nothing_to_tell(terminal: Terminal) -> None:
    terminal.until(lambda: terminal.runs("gateway.sim.erps cloud"))
    terminal.ctrl_c()
    assert terminal.ended() == (130, "")


def test_ctrl_c_while_an_erp_is_down_ends_the_traffic_and_the_erps_still_get_what_they_are_owed(
    terminal: Terminal,
) -> None:
    terminal.until(lambda: "gateway at" in terminal.said)
    terminal.until(lambda: not terminal.runs("gateway.sim.erps cloud"))
    terminal.ctrl_c()
    code, stdout = terminal.ended()
    figures = json.loads(stdout.splitlines()[-1])
    assert code == 0, terminal.said
    assert terminal.said.endswith("\n")  # or the figures would stand behind it where both go to one file
    assert figures["requests"] > 0
    assert figures["translated"] > 0
    assert not any(figures[name] for name in ("client_errors", "lost", "duplicated", "diverged"))


def test_a_second_ctrl_c_stops_at_once(terminal: Terminal) -> None:
    terminal.until(lambda: "gateway at" in terminal.said)
    terminal.until(lambda: not terminal.runs("gateway.sim.erps cloud"))
    terminal.ctrl_c()
    terminal.ctrl_c()
    assert terminal.ended() == (130, "")
