"""A real OPA server on a free port, built once with Go where Go is present."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.parts import PartMissing, skip_if_missing

OPA = "github.com/open-policy-agent/opa@v1.20.2"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    """OPA's own server: `CHANGEOVER_OPA` names one, or Go builds the pinned version into the cache folder."""
    with skip_if_missing():
        return _opa()


def _opa() -> Path:
    named = os.environ.get("CHANGEOVER_OPA")
    if named:
        return Path(named)
    built = ROOT / ".cache" / "opa" / "opa"
    if built.exists():
        return built
    go = shutil.which("go")
    if go is None:
        raise PartMissing("needs Go, or CHANGEOVER_OPA, for a real OPA server")
    built.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([go, "install", OPA], env={**os.environ, "GOBIN": str(built.parent)}, check=False)
    if done.returncode != 0:
        raise PartMissing("OPA could not be built here")
    return built


@pytest.fixture
def start_opa(opa_binary: Path, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start an OPA server with these arguments; gives its URL."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, port: int | None = None) -> str:
        port = port or free_port()
        log = (tmp_path / f"opa-{port}.log").open("wb")
        command = [opa_binary, "run", "--server", "--addr", f"127.0.0.1:{port}", "--disable-telemetry", *arguments]
        running.append(subprocess.Popen(command, stdout=log, stderr=log))
        log.close()
        url = f"http://127.0.0.1:{port}"
        wait_for(url, running[-1])
        return url

    yield start
    for process in running:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the OPA server did not start")
