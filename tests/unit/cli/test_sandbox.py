"""The sandbox as a new user meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.demo import sandbox
from gateway.cli.demo.processes import Demo
from gateway.cli.main import app


def test_keys_and_addresses_are_there_before_anything_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits until the gateway is ready, as the README does, reads them in the next moment."""
    seen = []

    @asynccontextmanager
    async def started(demo: Demo, folder: Path) -> AsyncIterator[None]:
        seen.append((folder / "env").read_text("utf-8"))
        raise RuntimeError("far enough")
        yield

    monkeypatch.setattr(sandbox, "running", started)
    ran = CliRunner().invoke(app, ["sandbox", "--folder", str(tmp_path), "--port", "18080", "--admin-port", "18081"])
    assert ran.exit_code == 1
    (text,) = seen
    assert "export KEY_MES=" in text
    assert "export GATEWAY=http://127.0.0.1:18080\n" in text
