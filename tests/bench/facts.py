"""What a figure is worth: the machine, its load, and the versions of everything that took part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import nginx
from tests.bench.content import REPOSITORY
from tests.bench.load import wrk_missing
from tests.bench.processes import cores

NOISY_LOAD = 1.0
"""A load average above this, before the run, means that others use the machine: figures, but no verdict."""
NOISY_STEAL = 0.02
_PACKAGES = ("uvicorn", "uvloop", "httptools", "aiohttp", "orjson", "joserfc", "prometheus-client", "celine-regorus")


def facts() -> dict[str, Any]:
    gateway_core, other_core = cores()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _said(["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]),
        "cores": len(os.sched_getaffinity(0)),
        "separate_cores": gateway_core != other_core,
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "versions": {name: version(name) for name in _PACKAGES},
        "nginx": None if nginx.missing() else _said([nginx.binary(), "-v"]),
        "load_client": "our own (Python)" if wrk_missing() else _said(["wrk", "-v"]).partition(" [")[0],
    }


def cpu_times() -> tuple[int, int]:
    """All ticks of the machine, and those a hypervisor took."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks), ticks[7]


def stolen(before: tuple[int, int], after: tuple[int, int]) -> float:
    return (after[1] - before[1]) / max(1, after[0] - before[0])


def noisy(load_before: float, steal: float) -> str | None:
    """Why no verdict may be read from this run, if so."""
    if load_before > NOISY_LOAD:
        return f"the load average was {load_before:.1f} before the run"
    if steal > NOISY_STEAL:
        return f"the hypervisor took {steal:.0%} of the time"
    return None


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _said(command: list[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return (run.stdout + run.stderr).strip().splitlines()[0] if run.stdout or run.stderr else ""
