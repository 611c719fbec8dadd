"""Changing what a running gateway serves, and knowing when it does."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.support.gateway import RunningGateway

MOVE = ("    target: cloud\n    wave: wave-1", "    phase: cloud\n    target: cloud\n    wave: wave-1")
BACK = (MOVE[1], MOVE[0])
SWITCH = ("apply", "--unsafe-switch", "--reason", "a test moves plants")
USAGE, GATE, DIFFERENT, STALE, UNREACHABLE = 2, 4, 3, 8, 6


def reset(running: RunningGateway, original: dict[str, str]) -> None:
    """Put the content that the gateway started with in force again."""
    for name, text in original.items():
        (running.deployment.content / name).write_text(text, "utf-8")
    assert running.deployment.cli(*SWITCH).exit_code == 0
    await_applied(running)


def await_applied(running: RunningGateway) -> None:
    """Wait until the gateway serves what its database says."""
    with closing(sqlite3.connect(running.deployment.folder / "gateway.db")) as db:
        (revision,) = db.execute("SELECT revision FROM wave_table").fetchone()
    running.await_revision(revision)
