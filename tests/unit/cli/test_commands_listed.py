"""The list of commands is told without importing them, so it must say what they say of themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli.main import COMMANDS, app


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says(name: str) -> None:
    root = get_command(app)
    command = root.get_command(typer.Context(root), name)  # type: ignore[attr-defined]
    said = " ".join((command.help or "").split())
    assert command.name == name
    assert said.startswith(COMMANDS[name][1])


def test_the_list_names_every_command_and_a_wrong_name_is_told() -> None:
    listed = CliRunner().invoke(app, ["--help"]).output
    assert all(f"│ {name} " in listed for name in COMMANDS)
    wrong = CliRunner().invoke(app, ["plna"])
    assert wrong.exit_code == 2
    assert "Did you mean 'plan'?" in " ".join(wrong.output.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_offers_to_change_the_shell_of_whoever_calls_it(name: str) -> None:
    assert "--install-completion" not in CliRunner().invoke(app, [name, "--help"]).output


def test_who_only_asks_for_the_list_does_not_wait_for_the_gateway_to_load() -> None:
    code = "import sys; from gateway.cli import main; sys.argv = ['changeover', '--help']\ntry: main()\nexcept SystemExit: pass\n"
    code += "print([m for m in ('sqlalchemy', 'gateway.app', 'uvloop') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
