"""Ctrl-C in a terminal: once, what is under way comes to its end; twice, everything ends at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Whether somebody wants the end."""

    def __init__(self, at_once: Callable[[], None]) -> None:
        self._at_once = at_once
        self._pressed, self._again = asyncio.Event(), False
        self._whole = asyncio.current_task()

    def press(self) -> None:
        if self._pressed.is_set() and not self._again and self._whole is not None:
            self._again = True
            self._at_once()
            self._whole.cancel()
        self._pressed.set()

    async def until(self, work: Coroutine[Any, Any, None]) -> bool:
        """Work until it is done or somebody wants the end. Gives: whether it was done. Raises: what the work raises."""
        working, pressed = asyncio.create_task(work), asyncio.create_task(self._pressed.wait())
        try:
            await asyncio.wait((working, pressed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, pressed):
                task.cancel()
            await asyncio.gather(working, pressed, return_exceptions=True)
        if working.cancelled():
            return False
        working.result()
        return True


async def for_ever() -> None:
    """Work that ends with an interrupt only."""
    await asyncio.Event().wait()


@contextmanager
def interruptible(at_once: Callable[[], None]) -> Iterator[Interrupt]:
    """Take the signals that end a program. Takes: `at_once`, what the second one does before all is cancelled."""
    interrupt, loop = Interrupt(at_once), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt.press)
    try:
        yield interrupt
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
