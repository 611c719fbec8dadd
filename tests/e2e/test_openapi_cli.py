"""Whoever runs schemathesis against a gateway finds that the descriptions are true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway

SETTINGS = """[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429, "5xx"]
"""
"""As docs/how-to/clients-and-policies.md has it. 422: what an ERP, or a plant's dialect, refuses of a document that is written well."""
UNMET = {"v1": ("--exclude-checks", "positive_data_acceptance"), "v2": ()}
"""Version 1 writes quantities as JSON numbers, and takes as many digits as an ERP keeps. No schema can say that of binary numbers in a way
that all validators read alike, so some of the tester's numbers are 400."""


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_schemathesis_finds_nothing_in_a_version(gateway: RunningGateway, version: str, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    run = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "run", f"{gateway.base_url}/openapi/{version}.json",
            "-H", f"X-API-Key: {gateway.deployment.keys['admin']}", "--seed", "11", "--max-examples", "1", "--workers", "1",
            *UNMET[version],
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
