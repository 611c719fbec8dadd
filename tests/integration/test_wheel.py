"""What a customer installs: one package, everything inside it, nothing beside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_nothing_but_the_package_lands_in_site_packages(installed: Path) -> None:
    assert {p.name for p in installed.iterdir() if not p.name.endswith(".dist-info")} == {"gateway"}


def test_the_reference_deployment_and_the_schema_travel_inside(installed: Path) -> None:
    content = installed / "gateway" / "_content"
    for name in ("routes/waves.yaml", "translators/sap-ecc/dialect.yaml", "policies/authz.rego", "migrations/env.py"):
        assert (content / name).is_file(), name


def test_the_installed_gateway_gives_a_deployment_that_it_finds_sound(installed: Path, tmp_path: Path) -> None:
    for arguments in (["init", "mine"], ["plan", "--content", "mine", "--database", "sqlite:///x.db", "-o", "json"]):
        ran = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(installed), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
    assert '"kind": "add"' in ran.stdout
