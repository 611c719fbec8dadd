"""What a simulated history is made of, drawn from its seed, and what its ERPs can do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.core.manifests import Manifest, Rule
from gateway.sim.seams import EXEC_S

LEGACY, CLOUD = "ecc", "s4"
PLANT = "1000"
DOMAIN, STOCK = "production", "inventory"
BEFORE, CORRECTED = "before", "corrected"
"""The two content revisions of a world."""
ENDS_S = 60.0
"""Faults happen in this many first seconds."""
CORRECTS, AT_ONCE, IN_PARTS = 0.3, 0.25, 0.2
"""In so many histories the content is corrected, in so many an order is made in two steps, and in so many an ERP may lose lines."""


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
    corrected_at_s: float | None = None
    """When the corrected content comes into force; None: never."""
    at_once: bool = False
    """Whether orders are released as they are made, by a second step of the same write."""
    whole: bool = True
    """Whether the ERPs take a document with all its lines or not at all."""


_RELEASED = ["released", "started", "confirmed", "delivered", "completed", "closed"]
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
    edits = _edits(dice, shape)
    corrected_at_s = dice.uniform(2, ENDS_S) if not calm and dice.random() < CORRECTS else None
    at_once, whole = dice.random() < AT_ONCE, dice.random() >= IN_PARTS
    edits = tuple(sorted((*edits, *_edited_lines(dice, shape))))
    return replace(shape, edits=edits, corrected_at_s=corrected_at_s, at_once=at_once, whole=whole)


def _edits(dice: random.Random, shape: Shape) -> tuple[tuple[float, str, str, str], ...]:
    if not _followed(shape):
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


def _edited_lines(dice: random.Random, shape: Shape) -> Iterator[tuple[float, str, str, str]]:
    for _ in range(dice.randint(0, 2) if _followed(shape) else 0):
        yield dice.uniform(2, ENDS_S), dice.choice((LEGACY, CLOUD)), "parts", dice.choice(("MUELLER", "GATEWAY"))


def _followed(shape: Shape) -> bool:
    """People work in an ERP only where both are written all the time: elsewhere nobody follows them."""
    return shape.follows and {shape.phase, *(phase for _, phase in shape.moves)} <= _DUAL


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


def manifest(name: str, shape: Shape) -> Manifest:
    """What the ERP of this history can do."""
    settle, window_s = shape.settle[name], float(shape.window_s[name])
    keyed = Rule(settle="key", key_header="Repeatability-Request-ID", dedup_window_s=window_s, max_exec_s=EXEC_S)
    field_ = "ZZGatewayId" if name == LEGACY else "YY1_GatewayId_ORD"
    found = Rule(settle="reference", lookup_by=field_, max_exec_s=EXEC_S)
    nothing = Rule(settle="none", max_exec_s=EXEC_S)
    derives = {"derives": ["movement"]}
    steps = {"ReleaseOrder": {"OrderIsReleased": ["True"]}} if shape.at_once else {}
    made = {"steps": steps, "atomic_document": shape.whole}
    rules = {
        "create": {"key": keyed, "reference": found}.get(settle, nothing).model_copy(update=made),
        "change": Rule(settle="conditional", max_exec_s=EXEC_S),
        "release": Rule(settle="conditional", max_exec_s=EXEC_S, evidence={"status": _RELEASED}),
    }
    confirmed = (keyed if settle == "key" else nothing).model_copy(update=derives)
    objects = {"production_order": rules, "confirmation": {"create": confirmed}}
    followed = {"production_order": "changed_at", "movement": "posting_date"}
    return Manifest(manifest=name, same_numbers=["item"], delta_feed=followed, objects=objects)
