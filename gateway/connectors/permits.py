"""The budgets of all ERPs in this process: whoever finds no permit waits in line, until its turn or its deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.connectors.port import Limits
from gateway.core.budget import Admission, Budget, Priority, Seat, share
from gateway.errors import ErpBusy, Overloaded


@dataclass(frozen=True, slots=True)
class Usage:
    """What one ERP's budget is spent on, by priority; `share` is this instance's part of it."""

    share: Budget
    in_use: dict[str, int]
    waiting: dict[str, int]


class Permits:
    """The permits of one ERP."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self._seat, self._declared = Seat(), budget_of(limits)
        self._admission: Admission[asyncio.Future[None]] = Admission(self._declared, limits.waiting)
        self._timer: asyncio.TimerHandle | None = None
        # What every call to the ERP passes, without a detour.
        self.enter = self._admission.enter

    def declare(self, limits: Limits) -> None:
        """Another budget from now on."""
        self._declared, self._admission.waiting_most = budget_of(limits), limits.waiting
        self._resize()

    def seat(self, seat: Seat) -> None:
        """The place of this instance among the living changed, and with it its share."""
        if seat != self._seat:
            self._seat = seat
            self._resize()

    def _resize(self) -> None:
        self._admission.resize(share(self._declared, self._seat))
        if self._admission.waiting:
            self._call()

    async def wait(self, priority: Priority, deadline_s: float) -> None:
        """Wait for a permit. Raises: Overloaded: the line is full, or the time is up. ErpBusy: the ERP asked to be left alone."""
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._admission.queue(priority, ticket):
            raise Overloaded(f"too many calls wait for {self.name}", erp=self.name, retry_after_s=1)
        self._call()
        try:
            async with asyncio.timeout_at(deadline_s):
                await ticket
        except BaseException as err:
            self._left(priority, ticket)
            if isinstance(err, TimeoutError):
                raise Overloaded(f"no room towards {self.name} in time", erp=self.name, retry_after_s=1) from err
            raise

    def _left(self, priority: Priority, ticket: asyncio.Future[None]) -> None:
        if ticket.done() and not ticket.cancelled() and ticket.exception() is None:
            self.leave(priority)  # its turn came as it went
        else:
            self._admission.withdraw(priority, ticket)

    def leave(self, priority: Priority) -> None:
        """Give a permit back."""
        self._admission.leave(priority)
        if self._admission.waiting:
            self._call()

    def _call(self) -> None:
        """Call up all whose turn it is."""
        now_s = _now()
        while (next_ := self._admission.called(now_s)) is not None:
            priority, ticket = next_
            if ticket.done():
                self._admission.leave(priority)
            else:
                ticket.set_result(None)
        self._look_again(self._admission.wait_s(now_s))

    def _look_again(self, wait_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait_s, self._call) if wait_s is not None else None

    def pause(self, for_s: float) -> None:
        """The ERP asked to be left alone: whoever waits is sent away, with the time to come back."""
        for ticket in self._admission.pause(_now() + for_s):
            if not ticket.done():
                ticket.set_exception(self.busy())

    def busy(self) -> ErpBusy:
        """What to tell those who come while the ERP wants to be left alone."""
        wait = round(self.paused_s(_now()), 1)
        return ErpBusy(f"{self.name} asked to be left alone", erp=self.name, retry_after_s=wait)

    def paused_s(self, now_s: float) -> float:
        """For how long the ERP still wants to be left alone."""
        return max(0.0, self._admission.paused_until_s - now_s)

    def room_behind(self, now_s: float) -> int:
        """How many more calls that nobody waits for may go."""
        return self._admission.room_behind(now_s)

    @property
    def usage(self) -> Usage:
        admission = self._admission
        in_use = {p.name.lower(): admission.in_use[p] for p in Priority}
        return Usage(admission.budget, in_use, {p.name.lower(): admission.in_line(p) for p in Priority})


def budget_of(limits: Limits) -> Budget:
    """What an ERP's declaration allows all instances together."""
    return Budget(limits.concurrency, limits.calls_per_s, limits.calls_burst)


class Budgets:
    """One budget for each ERP, however often the connector to it is made anew."""

    def __init__(self) -> None:
        self._permits: dict[str, Permits] = {}
        self._seat = Seat()

    def of(self, name: str, limits: Limits) -> Permits:
        """The permits of an ERP, as it is declared now."""
        if name not in self._permits:
            self._permits[name] = Permits(name, limits)
            self._permits[name].seat(self._seat)
        else:
            self._permits[name].declare(limits)
        return self._permits[name]

    def seat(self, seat: Seat) -> None:
        """Share all budgets out anew."""
        self._seat = seat
        for permits in self._permits.values():
            permits.seat(seat)


def _now() -> float:
    return asyncio.get_running_loop().time()
