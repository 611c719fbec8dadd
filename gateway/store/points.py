"""Named places of the write protocol at which a test may have this process killed or stopped. Elsewhere they do nothing.

A file that the setting `crash_at` names, which production refuses, says where: `POINT COUNT SIGNAL`, such as
`step.sent 6 KILL`. Whoever reaches the point waits there until so many stand at it; then the process gets the signal.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

INSIDE = ("accept.before_commit", "outcome.before_commit")
"""Within a transaction: nobody waits there, the count is of those who came by."""
POINTS = (
    *INSIDE,
    "accept.after_commit",
    "step.begun",  # journalled; whether it may still be sent is not looked at yet
    "step.checked",  # it may be sent, and is not yet at the socket
    "step.sent",  # the ERP's answer is here, or known to be lost; the journal does not know it
    "step.between",  # this step is done, the next is begun and not sent
    "outcome.after_commit",  # the journal knows, neither the caller nor the other leg does
    "other.claimed",
    "settle.begun",
)


class _Watch:
    """Looks at the file each time a point is reached."""

    def __init__(self, order: Path) -> None:
        self._order = order
        self._standing = 0

    async def reached(self, name: str) -> None:
        try:
            point, count, what = self._order.read_text("ascii").split()
        except OSError:
            return
        if point != name:
            return
        self._standing += 1
        if self._standing >= int(count):
            self._standing = 0
            self._order.unlink()
            os.kill(os.getpid(), signal.Signals[f"SIG{what}"])
        elif name not in INSIDE:
            await asyncio.Event().wait()


_watch: _Watch | None = None


def arm(order: Path | None) -> None:
    """Look at this file from now on; None: at nothing."""
    global _watch  # noqa: PLW0603  # one process, one death
    _watch = _Watch(order) if order is not None else None


async def reached(name: str) -> None:
    """The protocol is at this point."""
    if _watch is not None:
        await _watch.reached(name)
