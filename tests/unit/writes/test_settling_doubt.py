"""What becomes of a step in doubt where its document can never be said to the ERP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gateway.core.intents import Intent, LegRef, NewCase, StepRecord
from gateway.core.manifests import Rule
from gateway.errors import Invalid
from gateway.store.journal import Claimed
from gateway.writes.doubt import Doubt

SECOND_US = 1_000_000


class Moves:
    """Notes what the journal is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, NewCase | None]] = []

    async def move(self, leg: Claimed, event: str, *, case: NewCase | None = None, **more: Any) -> None:
        self.told.append((event, case))

    async def try_later(self, *_: Any) -> None:
        self.told.append(("doubt", None))


class TooLong:
    """A document whose number this ERP has no room for, as its other ERP gave it."""

    async def prepared(self, *_: Any) -> None:
        raise Invalid("s4 cannot take the document.", errors=[{"path": ["id"], "reason": "longer than 12 characters"}])

    async def body(self, *_: Any) -> dict[str, str]:
        return {"id": "X" * 60}


async def test_a_create_that_began_and_can_never_be_said_there_is_a_persons_and_not_tried_for_ever() -> None:
    intent = Intent("i", "i", "1000", "production", "item", "create", 1, 1, "legacy", "c", 0, "mes", "mes")
    step = StepRecord(0, "in_doubt", "t", 0, 10)
    leg = Claimed(LegRef("i", "cloud", "i", 2), intent, "s4", "settling", False, 5, None, step)  # not authoritative
    rule = Rule(settle="key", key_header="RequestID", dedup_window_s=3600)
    plan = SimpleNamespace(spec=SimpleNamespace(key="id"))
    side = SimpleNamespace(name="s4", translation=SimpleNamespace(plan=plan))
    place: Any = SimpleNamespace(manifest=SimpleNamespace(rule=lambda *_: rule), side=side)
    timing: Any = SimpleNamespace(wall_us=lambda: 20 * SECOND_US, call_s=10.0, deadline_s=lambda: 1.0)
    moves: Any = Moves()
    preparation: Any = TooLong()
    sender: Any = None
    await Doubt(sender, moves, preparation, timing).settle(leg, place)
    reason = "s4 cannot take the document.; id: longer than 12 characters"
    assert moves.told == [("park", NewCase("doubt", reason))]
