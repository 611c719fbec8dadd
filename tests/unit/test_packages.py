"""What the tests and the bench may put on a machine: Debian packages, as root, if missing. Nothing else, and never unsaid."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.packages import need
from tests.support.parts import PartMissing

ROUTER = {"router-of-the-plant": ("plant-router", "plant-tables")}
Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A Debian with an apt-get that writes down what it is asked for, and then does as it is told."""
    asked, programs = tmp_path / "asked", tmp_path / "bin"
    programs.mkdir()

    def made(does: str = "", *, root: bool = True) -> Path:
        script = f'#!/bin/sh\necho apt-get "$@" >> {asked}\n{does.format(bin=programs)}\n'
        (programs / "apt-get").write_text(script)
        (programs / "apt-get").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(packages, "DEBIAN", programs)
        return asked

    return made


PUTS_IT_THERE = "printf '' > {bin}/router-of-the-plant; chmod +x {bin}/router-of-the-plant"


def test_a_program_that_is_there_is_not_installed(machine: Machine) -> None:
    asked = machine()
    need({"sh": ("dash",)})
    assert not asked.exists()


def test_root_gets_the_packages_of_what_is_missing_and_is_told_before(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = machine(PUTS_IT_THERE)
    need({"sh": ("dash",), **ROUTER})
    (install,) = asked.read_text().splitlines()
    assert install.startswith("apt-get install --yes --no-install-recommends ")
    assert install.endswith(" plant-router plant-tables")
    assert capsys.readouterr().err == "installing Debian packages: plant-router plant-tables\n"


def test_whoever_is_not_root_is_told_what_to_install(machine: Machine) -> None:
    asked = machine(PUTS_IT_THERE, root=False)
    with pytest.raises(PartMissing, match=r"not installed \(Debian: apt-get install plant-router plant-tables\)"):
        need(ROUTER)
    assert not asked.exists()


def test_nothing_is_installed_on_a_machine_that_is_no_debian(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machine(PUTS_IT_THERE)
    monkeypatch.setattr(packages, "DEBIAN", Path("/nowhere/debian_version"))
    with pytest.raises(PartMissing, match="not installed"):
        need(ROUTER)
    assert not asked.exists()


def test_the_list_of_packages_is_fetched_where_a_package_was_not_found(machine: Machine) -> None:
    asked = machine('if [ "$1" = update ]; then : > {bin}/fresh; fi; [ -e {bin}/fresh ] || exit 100; ' + PUTS_IT_THERE)
    need(ROUTER)
    assert [line.split()[1] for line in asked.read_text().splitlines()] == ["install", "update", "install"]


def test_what_apt_says_is_told_where_it_cannot(machine: Machine) -> None:
    machine("echo 'E: no space left' >&2; exit 100")
    with pytest.raises(PartMissing, match="apt-get could not: E: no space left"):
        need(ROUTER)
    machine("exit 0")
    with pytest.raises(PartMissing, match="is not there afterwards"):
        need(ROUTER)
