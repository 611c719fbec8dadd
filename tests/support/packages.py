"""Programs that a real part needs and Debian has: installed as root and only if missing, else named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.parts import PartMissing

INSTALL_S = 300
DEBIAN = Path("/etc/debian_version")
SPIN: Mapping[str, Sequence[str]] = {"spin": ("spin",), "gcc": ("gcc", "libc6-dev")}
NGINX: Mapping[str, Sequence[str]] = {"nginx": ("nginx-light",)}
SYSTEMD: Mapping[str, Sequence[str]] = {"systemd-analyze": ("systemd",)}
WRK: Mapping[str, Sequence[str]] = {"wrk": ("wrk",)}
"""Program -> the packages that it takes."""


def program(name: str) -> str | None:
    """Where a program is, also one that only root has in its PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def need(programs: Mapping[str, Sequence[str]]) -> None:
    """See that programs are here; as root on Debian, install the packages of those that are missing.

    Raises: PartMissing, with what would help.
    """
    missing = [name for name in programs if program(name) is None]
    if not missing:
        return
    packages = [package for name in missing for package in programs[name]]
    wanted = f"{' and '.join(missing)} not installed (Debian: apt-get install {' '.join(packages)})"
    if os.geteuid() != 0 or not DEBIAN.exists() or shutil.which("apt-get") is None:
        raise PartMissing(wanted)
    print(f"installing Debian packages: {' '.join(packages)}", file=sys.stderr, flush=True)
    trouble = _installed(packages)
    if trouble or any(program(name) is None for name in missing):
        raise PartMissing(f"{wanted}; {trouble or 'and is not there afterwards'}")


def _installed(packages: Sequence[str]) -> str:
    """Install packages, with the list fetched again where that helps. Gives: what went wrong; empty if nothing."""
    # Somebody else may be installing: wait for them instead of failing at once.
    locked = ["-o", f"DPkg::Lock::Timeout={INSTALL_S}"]
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *locked, *packages]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (install, ["apt-get", "update"], install):
        try:
            done = subprocess.run(command, env=quiet, capture_output=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            return f"apt-get took longer than {INSTALL_S} s"
        if command is install and done.returncode == 0:
            return ""
    return f"apt-get could not: {done.stderr.decode(errors='replace').strip()[-200:]}"
