"""An event loop in virtual time: nothing waits, the clock jumps to the next timer. No thread and no socket runs in it."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class Deadlock(Exception):
    """Every task waits for something that will never come."""


class _Jump(selectors.SelectSelector):
    """A selector that never waits: it moves the loop's clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualLoop | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock("nothing is scheduled, and the world has not ended")
        if timeout > 0 and self.loop is not None:
            self.loop.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0
        selector = _Jump()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self.now_s
