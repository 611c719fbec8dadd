"""Trying a bundle out: starts the runner in another process and reads what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from gateway.errors import Mistake
from gateway.policy.decision import unfit
from gateway.policy.manifest import MANIFEST, Manifest
from gateway.policy.port import Answered
from gateway.policy.question import Projector, nobody

CPU_LIMIT_S = 20
WALL_LIMIT_S = 120
MAX_COST_US = 5_000.0
SERVER_HINT = "use an OPA server for it (CHANGEOVER_POLICY_ENGINE=opa)"


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one `test_*` rule went. `message` says why it failed."""

    __test__ = False

    name: str
    file: str
    line: int
    passed: bool
    message: str


@dataclass(slots=True)
class Trial:
    """What the other process said. `begun` is the test it was in."""

    mistakes: list[Mistake] = field(default_factory=list)
    tests: list[TestResult] = field(default_factory=list)
    cost_us: float = 0.0
    begun: Mapping[str, Any] | None = None
    ended: bool = False
    probed: Mapping[str, Any] | None = None


def try_out(manifest: Manifest, modules: tuple[tuple[str, str], ...], data_json: str) -> Trial:
    """Parse, check and test the modules in another process."""
    if find_spec("regorus") is None:
        return Trial([Mistake(MANIFEST, 0, 0, f"no embedded engine on this platform; {SERVER_HINT}")])
    return _finish(
        _said(
            {
                "modules": modules,
                "data": data_json,
                "document": manifest.whole_tree(),
                "entry": f"data.{manifest.package}.{manifest.rule}",
                "question": Projector(manifest).project(nobody(), 0).decode(),
                "cpu_s": CPU_LIMIT_S,
            }
        ),
        manifest,
    )


def read_only(modules: tuple[tuple[str, str], ...]) -> list[Mistake]:
    """What is wrong with the modules whatever the manifest and the data say, where those cannot be read."""
    if find_spec("regorus") is None or not modules:
        return []
    return _said({"modules": modules, "read_only": True, "cpu_s": CPU_LIMIT_S}).mistakes


def _said(job: Mapping[str, Any]) -> Trial:
    # A clean environment: a policy's tests have no business with this process's secrets.
    environment = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "RUST_BACKTRACE": "0"}
    command = [sys.executable, "-P", "-m", "gateway.policy.runner"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            input=json.dumps(job),
            capture_output=True,
            text=True,
            env=environment,
            timeout=WALL_LIMIT_S,
            check=False,
        )
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else error.stdout or ""
    return _read_trial(output)


def _read_trial(output: str) -> Trial:
    trial = Trial()
    for line in output.splitlines():
        row = json.loads(line)
        match row.pop("kind"):
            case "mistakes":
                trial.mistakes += [Mistake(*fields) for fields in row["rows"]]
            case "begin":
                trial.begun = row
            case "test":
                trial.begun = None
                trial.tests.append(TestResult(**row))
            case "probe":
                trial.probed = row
            case "end":
                trial.ended = True
    return trial


def _finish(trial: Trial, manifest: Manifest) -> Trial:
    if trial.mistakes:
        return trial
    if not trial.ended:
        where = trial.begun or {"file": MANIFEST, "line": 0, "name": "the bundle"}
        reason = f"{where['name']} did not end within {CPU_LIMIT_S} s of CPU, or broke the engine"
        trial.mistakes.append(Mistake(where["file"], where["line"], 1 if where["line"] else 0, reason))
        return trial
    trial.mistakes += [Mistake(MANIFEST, 0, 0, reason) for reason in _probe_problems(trial, manifest)]
    return trial


def _probe_problems(trial: Trial, manifest: Manifest) -> Iterator[str]:
    entry = f"data.{manifest.package}.{manifest.rule}"
    probed = trial.probed or {}
    if probed.get("answer") is None:
        yield f"{entry} cannot be evaluated: {probed.get('message', '')}"
        return
    trial.cost_us = float(probed["cost_us"])
    if wrong := unfit(Answered(probed["answer"].encode())):
        yield f"{entry} {wrong}"
    if trial.cost_us > MAX_COST_US:
        yield f"an answer takes {trial.cost_us:.0f} us, more than {MAX_COST_US:.0f}; {SERVER_HINT}"
