"""`make install` where Python cannot make virtual environments, as Debian's without its package cannot, and with another Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
PYTHON = """\
case "$*" in
  *ensurepip*) test -e {machine}/package ;;
  "-m venv "*) mkdir -p "$3/bin" && cp {machine}/bin/in-venv "$3/bin/python" && test ! -e {machine}/full ;;
  *) exec {real} "$@" ;;
esac
"""
"""It leaves what the real one leaves where it fails: a folder with an interpreter and without pip."""
IN_VENV = "test -e {machine}/package && test ! -e {machine}/full"


class Machine(NamedTuple):
    """A folder with the Makefile, and what is first in its PATH. The package is installed where `package` is a file."""

    folder: Path

    def has(self, program: str, script: str) -> None:
        path = self.folder / "bin" / program
        path.write_text("#!/bin/sh\n" + script.format(machine=self.folder, real=sys.executable) + "\n")
        path.chmod(0o755)

    def make_install(self, user: int, *before: str, python: str = "python") -> tuple[int, str]:
        self.has("id", f"echo {user}")
        ran = subprocess.run(
            ["make", *before, "install", f"PYTHON={self.folder}/bin/{python}", f"DEBIAN={self.folder}/Makefile"],
            cwd=self.folder,
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    made.has("python", PYTHON)
    made.has("in-venv", IN_VENV)
    made.has("apt-get", 'echo "$@" >> {machine}/asked; exit 1')
    return made


def test_who_is_not_root_is_told_which_package_is_missing(machine: Machine) -> None:
    code, said = machine.make_install(user=1000)
    assert code != 0
    assert f"apt-get install {PACKAGE}" in said
    assert not machine.venv.exists()
    assert not (machine.folder / "asked").exists()


def test_the_next_run_goes_through_once_the_package_is_there(machine: Machine) -> None:
    assert machine.make_install(user=1000)[0] != 0
    (machine.folder / "package").touch()
    assert machine.make_install(user=1000)[0] == 0
    assert (machine.venv / ".installed").exists()


def test_a_half_made_environment_of_an_earlier_run_is_made_anew(machine: Machine) -> None:
    (machine.venv / "bin").mkdir(parents=True)
    (machine.venv / "bin" / "python").symlink_to("/bin/false")
    (machine.folder / "package").touch()
    assert machine.make_install(user=1000)[0] == 0
    assert (machine.venv / ".installed").exists()


def test_root_on_debian_gets_the_package_and_is_told_so_before(machine: Machine) -> None:
    machine.has("apt-get", 'echo "$@" >> {machine}/asked; touch {machine}/package')
    code, said = machine.make_install(user=0)
    assert code == 0, said
    assert f"installing the Debian package {PACKAGE}" in said
    assert PACKAGE in (machine.folder / "asked").read_text().split()


def test_root_whose_debian_does_not_have_the_package_is_told_what_is_missing(machine: Machine) -> None:
    code, said = machine.make_install(user=0)
    assert code != 0
    assert f"apt-get install {PACKAGE}" in said
    assert not machine.venv.exists()


def test_an_environment_that_could_not_be_finished_does_not_stay(machine: Machine) -> None:
    for name in ("package", "full"):
        (machine.folder / name).touch()
    code, said = machine.make_install(user=1000)
    assert code != 0
    assert "could not make a virtual environment" in said
    assert not machine.venv.exists()
    (machine.folder / "full").unlink()
    assert machine.make_install(user=1000)[0] == 0


def test_another_python_is_taken_where_the_environment_of_the_first_is_cleaned_away(machine: Machine) -> None:
    (machine.folder / "package").touch()
    machine.has("other", PYTHON.replace("bin/in-venv", "bin/in-others-venv"))
    machine.has("in-others-venv", f"{IN_VENV} # made by the other one")
    assert machine.make_install(user=1000)[0] == 0
    assert machine.make_install(user=1000, python="other")[0] == 0
    assert "the other one" not in (machine.venv / "bin" / "python").read_text()
    assert machine.make_install(1000, "clean", python="other")[0] == 0
    assert "the other one" in (machine.venv / "bin" / "python").read_text()
