"""What goes wrong in a simulated world, and when: all of it from one pair of dice."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gateway.core.settling import US
from gateway.protocols.port import HttpCall
from gateway.sim.seams import Life
from gateway.sim.shape import LEGACY, Shape

LEASE_S = 3.0
CRASH_AT_SEAM, NAP_AT_SEAM, REFUSED_AGAIN = 0.003, 0.003, 0.2
START = datetime(2027, 1, 16, 6, tzinfo=UTC)


class Dice:
    """The fate of one history. `quiet` ends all faults; `crash` and `in_charge` (an ERP's name) are the world's."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.dice = random.Random(shape.seed * 7919 + 1)  # noqa: S311  # a simulation
        self.faults: Counter[str] = Counter()
        self.quiet = False
        self.crash: Callable[[Life, str], None] = lambda life, place: None
        self.in_charge: Callable[[], str] = lambda: LEGACY
        self._traced = hashlib.sha256()
        self.found: list[str] = []
        """What must not be, seen while it happened."""
        self._keys: set[str] = set()
        """Every key that a call was sent under."""
        self._bodies: dict[tuple[str, str], bytes | None] = {}
        """What was sent to an ERP under a key."""
        self._left = 0
        self._under_way: defaultdict[str, set[int]] = defaultdict(set)

    def between(self, least: float, most: float) -> float:
        return self.dice.uniform(least, most)

    def trace(self, text: str) -> None:
        self._traced.update(f"{self.now_s():.6f} {text}\n".encode())

    def later(self, delay_s: float, work: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, work)

    def now_s(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    def clock(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.now_s())

    def traced(self) -> str:
        """The hash of all that was traced: two histories with the same one are the same."""
        return self._traced.hexdigest()

    def wall_us(self) -> int:
        return int((START.timestamp() + self.now_s()) * US)

    def store_fault(self) -> str | None:
        if self.quiet or not any(start <= self.now_s() < end for start, end in self._shape.store_outages):
            return None
        fault = self.dice.choice(("down", "down", "down", "unsure"))
        self.faults[f"store-{fault}"] += 1
        return fault

    def wire_fault(self, erp: str, call: HttpCall) -> str | None:
        if self.quiet or not self._shape.fault_rate:
            return None
        if self._again(call) and self.dice.random() < REFUSED_AGAIN:
            self.faults["refused-again"] += 1
            return "refused"
        if self.dice.random() >= self._shape.fault_rate:
            return None
        kinds = ["not-sent", "lost", "drop", "late", "late-drop", "slow", "busy"]
        if call.method == "POST" and "sap/" in call.target:
            kinds.append("refused")
        if _known_again(call):
            kinds.append("duplicate")
        if not self._shape.whole and b"MOTOR-50" in (call.body or b""):
            kinds += ["fewer-lines"] * 3
        fault = self.dice.choice(kinds)
        self.faults[fault] += 1
        return fault

    def sent(self, erp: str, call: HttpCall) -> int:
        """A call leaves. M1: nothing is sent under one key with two payloads. Gives: its place among all calls."""
        key = call.headers.get("Repeatability-Request-ID")
        if key is not None and self._bodies.setdefault((erp, key), call.body) != call.body:
            self.found.append(
                f"M1 {erp} was sent {call.body!r} under a key that was sent with {self._bodies[erp, key]!r}"
            )
        self._left += 1
        if call.method != "GET":
            self._under_way[erp].add(self._left)
        return self._left

    def arrives(self, erp: str, place: int) -> None:
        """The ERP begins to work on a call, or never hears of it. What left before it may still be on its way."""
        under_way = self._under_way[erp]
        if place in under_way:
            under_way.remove(place)
            self.faults["reorder"] += any(other < place for other in under_way)

    def _again(self, call: HttpCall) -> bool:
        """Whether a call under this key left before: what stands before an ERP may refuse what the ERP already did."""
        key = call.headers.get("Repeatability-Request-ID")
        again = key in self._keys
        if key is not None:
            self._keys.add(key)
        return again

    def erp_down(self, erp: str) -> bool:
        down = not self.quiet and any(
            erp == name and start <= self.now_s() < end for name, start, end in self._shape.outages
        )
        self.faults[f"down-{'authoritative' if erp == self.in_charge() else 'other'}"] += down
        return down

    def dies(self, life: Life, place: str) -> None:
        if not self.quiet and self._shape.fault_rate and self.dice.random() < CRASH_AT_SEAM:
            self.crash(life, place)

    def naps(self, life: Life, often: float = NAP_AT_SEAM) -> None:
        """Now and then an instance stops for longer than its lease, and knows nothing of it when it goes on."""
        if not self.quiet and self._shape.fault_rate and self.dice.random() < often:
            self.faults["nap"] += 1
            life.asleep_until_s = self.now_s() + self.between(LEASE_S, 10 * LEASE_S)


def _known_again(call: HttpCall) -> bool:
    """Whether an ERP knows a second copy of a call: what stands before it may deliver such a one twice."""
    return not {"Repeatability-Request-ID", "If-Match"}.isdisjoint(call.headers)
