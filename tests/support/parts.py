"""What every real part of the tests has in common: a free port, a wait, and a clear word when it is not there."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest


class PartMissing(Exception):
    """A real part cannot be started here; the text says why and what would help."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], *, within_s: float, what: str, every_s: float = 0.05) -> None:
    """Ask `ready` until it says yes.

    Raises: PartMissing when `within_s` have passed.
    """
    give_up_at_s = time.monotonic() + within_s
    while not ready():
        if time.monotonic() > give_up_at_s:
            raise PartMissing(f"{what} was not ready within {within_s:g} s")
        time.sleep(every_s)


def stop_process(process: subprocess.Popen[bytes], *, within_s: float = 10) -> None:
    """End one child process: ask first, insist later."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def skip_if_missing() -> Iterator[None]:
    """Turn a missing part into a skipped test; with CI=true into a failed one, because there it can be installed."""
    try:
        yield
    except PartMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"a real part is missing in CI: {missing}", pytrace=False)
        pytest.skip(str(missing))
