"""What a change feed makes of a record that changed before anybody looked at the feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from gateway.store.feeds import Line, Looked
from gateway.writes.noticed import Reader, Record

BEGUN = datetime(2026, 11, 22, 6, 0, 32, tzinfo=UTC)
ID = ("ecc", "production_order", "1000")


class Book:
    """A store that never heard of any document."""

    async def lines(self, _: Any, keys: list[str], *__: Any) -> dict[str, Line]:
        return {key: Line(key, key * 4, named=False, image=None, content=None, seq=0) for key in keys}


class Journal:
    """Nothing may be journalled here."""

    async def do(self, command: Any) -> None:
        raise AssertionError(command)


def feed() -> Any:
    side = SimpleNamespace(name="ecc")
    return SimpleNamespace(
        id=ID, source=SimpleNamespace(side=side), target=SimpleNamespace(side=SimpleNamespace(name="s4")), leads=True,
        same_numbers=False, changed_at="changed_at", spec=SimpleNamespace(name="production_order"),
        tracked=frozenset({"quantity"}), evidence={}, lines={}, derives=(), content="c",
    )  # fmt: skip


async def test_an_old_order_that_a_later_look_lists_was_not_made_by_a_person_just_now() -> None:
    nothing: Any = None
    book: Any = Book()
    journal: Any = Journal()
    reader = Reader(journal, nothing, book, nothing, nothing, "a", lambda: "i")
    old = Record("1000000", {"changed_at": BEGUN - timedelta(seconds=32), "quantity": 10})
    looked = Looked(None, complete=False)
    verdicts = await reader.judged(feed(), [old], looked, BEGUN - timedelta(seconds=20))
    assert verdicts == {"1000000": "before"}
    assert [(image.canonical, image.fields["quantity"]) for image in looked.images] == [("1000000" * 4, 10)]
    assert looked.edits == 0
