"""The sandbox as a new user meets it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.demo import processes, sandbox
from gateway.cli.demo.processes import Demo
from gateway.cli.main import app
from gateway.settings import shipped


def test_keys_and_addresses_are_there_before_anything_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits until the gateway is ready, as the README does, reads them in the next moment."""
    seen = []

    @asynccontextmanager
    async def started(demo: Demo) -> AsyncIterator[None]:
        seen.append((demo.content.parent / "env").read_text("utf-8"))
        raise RuntimeError("far enough")
        yield

    monkeypatch.setattr(sandbox, "running", started)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        port, admin = (str(each.getsockname()[1]) for each in (one, other))
    ran = CliRunner().invoke(app, ["sandbox", "--folder", str(tmp_path), "--port", port, "--admin-port", admin])
    assert ran.exit_code == 1
    (text,) = seen
    assert "export KEY_MES=" in text
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    assert f"export GATEWAY=http://127.0.0.1:{port}\n" in text


def test_a_second_sandbox_on_the_same_port_says_so_and_leaves_the_first_ones_keys_alone(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("export KEY_MES=of-the-first\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = CliRunner().invoke(app, ["sandbox", "--folder", str(tmp_path), "--port", str(port)])
    assert ran.exit_code == 1
    assert f"port {port} cannot be had: Address already in use" in " ".join(ran.output.split())
    assert (tmp_path / "env").read_text() == "export KEY_MES=of-the-first\n"


def test_the_gateway_gets_the_ports_it_was_given_also_those_that_urls_leave_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_bound", lambda _: socket.socket())
    gateway = processes.prepared(tmp_path, (80, 8081)).processes[-1]
    assert gateway.command[-4:] == ["--port", "80", "--admin-port", "8081"]


def test_a_dialect_that_is_edited_in_the_sandbox_is_held_to_what_real_systems_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_bound", lambda _: socket.socket())
    content = processes.prepared(tmp_path, (8080, 8081)).content
    recorded = {path.relative_to(content) for path in (content / "translators/recorded").rglob("*.*")}
    assert recorded == {p.relative_to(shipped()) for p in (shipped() / "translators/recorded").rglob("*.*")}
    assert recorded
