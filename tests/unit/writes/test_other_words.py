"""What was said to an ERP before its dialect was corrected, as the corrected one reads it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.control.content import read_folder
from gateway.core.canonical import OBJECTS, Document
from gateway.core.canonical.stored import dumped
from gateway.core.feeds import NOTHING_KNOWN
from gateway.dialects.compile import Translation
from gateway.dialects.library import load_dialects
from gateway.protocols.port import NativeDocument
from gateway.settings import shipped
from gateway.store.feeds import Done, FeedId, Line
from gateway.writes.carry import reworded
from gateway.writes.feed import _number
from gateway.writes.post_image import PostImages

FILE = "sap-s4/production_order.yaml"
NOW: Document = {
    "id": "1",
    "plant": "1000",
    "item": "PUMP-100",
    "quantity": Decimal(5),
    "unit": "C62",
    "status": "released",
}


@cache
def dialect(*edits: tuple[str, str]) -> Translation:
    files = {
        n.removeprefix("translators/"): t for n, t in read_folder(shipped()).items() if n.startswith("translators/")
    }
    for old, new in edits:
        assert old in files[FILE]
        files[FILE] = files[FILE].replace(old, new)
    made = load_dialects(files, {"1000": None})["sap-s4"].of("production_order", "1000")
    assert made is not None
    return made


CROSSED = (
    ("planner: {to: MRPController,", "planner: {to: ProductionSupervisor,"),
    ("supervisor: {to: ProductionSupervisor,", "supervisor: {to: MRPController,"),
)
WIDE = 'planner: {to: MRPController, codec: "text(blank=true, max=3)"}'
NARROW = ((WIDE, 'planner: {to: MRPController, values: {K1: "101"}}'),)


def test_two_fields_that_were_crossed_change_places() -> None:
    said = {"planner": "P01", "supervisor": None, "quantity": Decimal(7)}
    assert reworded(dialect(), dialect(*CROSSED), said, NOW) == {
        "supervisor": "P01",
        "planner": None,
        "quantity": Decimal(7),
    }


def test_a_state_that_is_kept_in_flags_is_read_again_too() -> None:
    assert reworded(dialect(), dialect(*CROSSED), {"status": "started"}, NOW) == {"status": "started"}


def test_a_field_that_kept_its_words_stays_and_no_other_comes_along() -> None:
    assert reworded(dialect(), dialect(*CROSSED), {"recipient": "GATE 3"}, NOW) == {"recipient": "GATE 3"}


def test_a_field_that_had_no_word_for_what_stands_there_now_is_read_as_it_was() -> None:
    assert reworded(dialect(*NARROW), dialect(), {"planner": "K1"}, NOW | {"planner": "P01"}) == {"planner": "101"}


def test_what_the_new_dialect_cannot_read_is_left_out_and_the_rest_is_known() -> None:
    said = {"planner": "P01", "recipient": "GATE 3"}
    assert reworded(dialect(), dialect(*NARROW), said, NOW) == {"recipient": "GATE 3"}


async def test_where_a_content_is_in_no_archive_any_more_nothing_is_known() -> None:
    class Nobody:
        async def spoken(self, feed: FeedId, content: str) -> None:
            return None

    nothing: Any = None
    images = PostImages(nothing, Nobody())
    feed: Any = SimpleNamespace(id=("s4", "production_order", "1000"), content="new", evidence={})
    line = Line("1", "c", named=True, image={"quantity": 1}, content="old", seq=1)
    assert await images.expected(feed, line, NOW) == NOTHING_KNOWN


@pytest.mark.parametrize(("words", "known"), [(dialect, {"planner"}), (lambda: dialect(*NARROW), set())])
async def test_what_an_erp_answered_and_the_new_dialect_cannot_read_explains_nothing_and_is_no_fault(
    words: Callable[[], Translation], known: set[str]
) -> None:
    answered = {"ProductionOrder": "50000001", "Material": "PUMP-100", "MRPController": "P01"}
    created = Done(1, "create", None, dumped(answered), edit=False, here=True, content="old")
    feed: Any = SimpleNamespace(
        id=("s4", "production_order", "1000"), content="new", evidence={}, lines={},
        source=SimpleNamespace(side=SimpleNamespace(name="s4", plant="1000", translation=words())),
    )  # fmt: skip
    nothing: Any = None
    line = Line("50000001", "c", named=True, image=None, content=None, seq=0, done=(created,))
    expected = await PostImages(nothing, nothing).expected(feed, line, NOW)
    assert expected.whole
    assert known <= expected.fields.keys()
    assert bool(expected.fields) == bool(known)


@pytest.mark.parametrize(
    ("native", "number"),
    [({"ProductionOrder": "50000001", "ProductionUnit": "ZZ"}, "50000001"), ({"ProductionOrder": 5}, None), ({}, None)],
)
def test_a_document_that_cannot_be_read_is_known_by_its_number_where_that_can_be(
    native: NativeDocument, number: str | None
) -> None:
    side = SimpleNamespace(translation=dialect())
    feed: Any = SimpleNamespace(source=SimpleNamespace(side=side), spec=OBJECTS["production_order"])
    assert _number(feed, native) == number
