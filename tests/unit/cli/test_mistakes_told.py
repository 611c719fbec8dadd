"""Mistakes in content as another program reads them: an editor, or the job that checks a change."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.settings import shipped

LONG = "-".join(["a-field-that-nobody-knows"] * 9)
PLACED = re.compile(r"translators/sap-ecc/[a-z_]+\.yaml:\d+:\d+: \S.*")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """Content with a long mistake in two files."""
    for top in ("routes", "policies", "translators"):
        shutil.copytree(shipped() / top, tmp_path / top, ignore=shutil.ignore_patterns("recorded"))
    for name in ("item", "receipt"):
        path = tmp_path / f"translators/sap-ecc/{name}.yaml"
        path.write_text(path.read_text("utf-8").replace("\nfields:\n", f"\nfields:\n  {LONG}: {LONG}\n"), "utf-8")
    return tmp_path


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_a_mistake_is_one_line_however_narrow_the_window_was(wrong: Path, command: str) -> None:
    done = CliRunner(env={"COLUMNS": "40"}).invoke(app, [command, "--content", str(wrong)])
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert all(PLACED.fullmatch(line) and LONG in line for line in lines)


def test_the_doctors_table_keeps_a_mistake_on_one_line_too(wrong: Path) -> None:
    done = CliRunner(env={"COLUMNS": "40"}).invoke(app, ["doctor", "--content", str(wrong)])
    assert done.exit_code == 1
    assert len([line for line in done.stdout.splitlines() if PLACED.search(line) and LONG in line]) == 2


def test_what_a_parser_says_in_several_lines_is_told_in_one(wrong: Path) -> None:
    (wrong / "routes/waves.yaml").write_text("cells: \x00\n", "utf-8")
    done = CliRunner().invoke(app, ["plan", "--content", str(wrong)])
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("routes/waves.yaml: not YAML: ")]
    assert "position" in said


def test_a_mistake_is_told_in_our_words_alone(wrong: Path) -> None:
    waves = wrong / "routes/waves.yaml"
    waves.write_text(waves.read_text("utf-8").replace("production", "prodction", 1), "utf-8")
    done = CliRunner().invoke(app, ["plan", "--content", str(wrong)])
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("routes/waves.yaml:")]
    assert re.fullmatch(
        r"routes/waves\.yaml:\d+:\d+: cells\.\d+: no domain 'prodction'; there are production, .*", said
    )
