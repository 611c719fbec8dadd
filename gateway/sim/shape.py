"""What a simulated history is made of, drawn from its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

LEGACY, CLOUD = "ecc", "s4"
PLANT = "1000"
ENDS_S = 60.0
"""Faults happen in this many first seconds."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One history: its phase and callers, and what goes wrong when. Times are virtual seconds."""

    seed: int
    settle: dict[str, str]
    """ERP -> how a create is settled there: key, reference or none."""
    window_s: dict[str, int]
    """ERP -> how long it remembers a key."""
    phase: str
    keys: int
    each: int
    """Writes of one caller."""
    instances: int
    skew_s: tuple[float, ...]
    """How far each instance's clock is off."""
    fault_rate: float
    crashes: tuple[float, ...]
    outages: tuple[tuple[str, float, float], ...]
    store_outages: tuple[tuple[float, float], ...]
    pauses: tuple[tuple[int, float, float], ...]
    moves: tuple[tuple[float, str], ...]
    movers: int
    follows: bool
    """Whether instances read the ERPs' change feeds."""
    edits: tuple[tuple[float, str, str, str], ...]
    """What people do in the ERPs themselves: when, where, what, and under which account."""


_DUAL = frozenset({"dual_legacy", "dual_cloud", "standby"})
_ONWARD = {
    "legacy": ("dual_legacy",),
    "dual_legacy": ("dual_cloud",),
    "dual_cloud": ("dual_legacy", "standby"),
    "standby": ("dual_legacy", "cloud"),
    "cloud": (),
}


def drawn(seed: int) -> Shape:
    """The shape of a seed's history."""
    dice = random.Random(seed)  # noqa: S311  # a simulation
    calm = dice.random() < 0.1  # noqa: PLR2004  # one in ten knows no fault at all

    def count(most: int) -> int:
        return 0 if calm else dice.randint(0, most)

    phase = dice.choice(("dual_legacy", "dual_legacy", "dual_cloud", "standby", "legacy", "cloud"))
    instances = dice.randint(1, 2)
    shape = Shape(
        seed=seed,
        settle={name: dice.choice(("key", "key", "reference", "reference", "none")) for name in (LEGACY, CLOUD)},
        window_s={name: dice.choice((3600, 3600, 16)) for name in (LEGACY, CLOUD)},
        phase=phase,
        keys=dice.randint(1, 3),
        each=dice.randint(3, 6),
        instances=instances,
        skew_s=tuple(dice.choice((0.0, 0.0, dice.uniform(-600, 600))) for _ in range(instances)),
        fault_rate=0.0 if calm else dice.choice((0.05, 0.1, 0.25, 0.4)),
        crashes=tuple(sorted(dice.uniform(0, ENDS_S) for _ in range(count(3)))),
        outages=tuple(
            (dice.choice((LEGACY, CLOUD)), start := dice.uniform(0, ENDS_S), start + dice.uniform(1, 40))
            for _ in range(count(2))
        ),
        store_outages=tuple((start := dice.uniform(0, ENDS_S), start + dice.uniform(0.5, 6)) for _ in range(count(1))),
        pauses=tuple((dice.randint(0, 1), dice.uniform(0, ENDS_S), dice.uniform(1, 25)) for _ in range(count(1))),
        moves=_moves(dice, phase),
        movers=dice.randint(1, 2),
        follows=dice.random() < 0.5,  # noqa: PLR2004  # every second history
        edits=(),
    )
    return replace(shape, edits=_edits(dice, shape))


def _edits(dice: random.Random, shape: Shape) -> tuple[tuple[float, str, str, str], ...]:
    """People work in an ERP only where both are written all the time: elsewhere nobody follows them."""
    if not shape.follows or not {shape.phase, *(phase for _, phase in shape.moves)} <= _DUAL:
        return ()
    made = (
        (
            dice.uniform(2, ENDS_S),
            dice.choice((LEGACY, CLOUD)),
            dice.choice(("change", "change", "change", "release", "create")),
            # A batch job in the ERP may run under the very account that the gateway has.
            dice.choice(("MUELLER", "GATEWAY")),
        )
        for _ in range(dice.randint(0, 4))
    )
    return tuple(sorted(made))


def _moves(dice: random.Random, phase: str) -> tuple[tuple[float, str], ...]:
    """A way through the phases that the table of moves allows."""
    made: list[tuple[float, str]] = []
    at_s = dice.uniform(2, 15)
    for _ in range(dice.randint(0, 3)):
        if not _ONWARD[phase]:
            break
        phase = dice.choice(_ONWARD[phase])
        made.append((at_s, phase))
        at_s += dice.uniform(4, 15)
    return tuple(made)
