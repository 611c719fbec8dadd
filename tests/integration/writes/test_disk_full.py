"""A disk that is full refuses writes with a word about it, tells no lie, and hinders no reader."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.calls import Plant, good, refused
from tests.support.crashes import ORDERS, PHASES, Order, audited, dual_site
from tests.support.gateway import RunningGateway
from tests.support.simulated import Pair

DISK = "24m"
Full = Callable[[RunningGateway], None]
Fix = tuple[Path, Full, Full]


def small_disk(folder: Path) -> Iterator[Fix]:
    """A disk of its own that a file can fill."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a disk needs root")
    filler = folder / "filler"

    def fill(_: RunningGateway) -> None:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"0" * 4096):
                pass

    yield folder, fill, lambda _: filler.unlink()
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def limited_files(folder: Path) -> Iterator[Fix]:
    """No file of the gateway may grow beyond what its log is now."""

    def fill(gateway: RunningGateway) -> None:
        size = max(path.stat().st_size for path in folder.glob("gateway.db*"))
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def free(gateway: RunningGateway) -> None:
        limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, limit)

    yield folder, fill, free


@pytest.fixture(params=[small_disk, limited_files])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fix]:
    folder = tmp_path / "disk"
    folder.mkdir()
    yield from request.param(folder)


def test_a_full_disk_refuses_writes_and_answers_reads_until_there_is_space_again(
    disk: Fix, erps: Pair, tmp_path: Path, numbers: Iterator[int]
) -> None:
    folder, fill, free = disk
    site = dual_site(tmp_path, erps, database_url=f"sqlite:///{folder}/gateway.db")
    mark = erps.mark()
    with site.running() as gateway:
        http = gateway.client("admin")
        plant = Plant(http, "1000")
        first = Order("1000", next(numbers))
        key = good(first.insisted(http), 201)["id"]
        fill(gateway)
        # What the log file has room for is still taken: by and by there is none.
        orders = [first]
        while (answer := (last := Order("1000", next(numbers))).sent(http)) is not None and answer.status_code != 503:
            assert answer.status_code in (201, 202), answer.text
            orders.append(last)
        assert answer is not None
        refused(answer, 503, "journal-unavailable")
        assert answer.headers["retry-after"]
        before = erps.mark()
        for code in PHASES:
            refused_one = Order(code, next(numbers))
            told = refused_one.sent(http)
            assert told is not None
            refused(told, 503, "journal-unavailable")
        good(plant.read(ORDERS, key))
        good(plant.listed(ORDERS, limit=1))
        assert not erps.since(before).sent
        free(gateway)
        orders.append(last)
        last.insisted(http)
        site.settled(gateway)
        audited(site, mark, orders)
