"""What a feed's record is, decided by content alone; and a sweep that misses no record, whatever moves meanwhile."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core import feeds
from gateway.core.feeds import DAY, SECOND, Effect, Expected, Sweep

FIELDS = ("quantity", "recipient", "planner", "priority")
RELEASED = {"release": {"status": ["released", "started"]}}
VALUES = st.one_of(st.none(), st.text("ABC", max_size=2), st.decimals(0, 9, places=2))
DOCUMENTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1)
WHOLE = st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUES))
CHANGES = st.lists(DOCUMENTS, max_size=4)


def effects(changes: list[dict[str, Any]], first: int = 2) -> list[Effect]:
    return [Effect(seq, "change", patch) for seq, patch in enumerate(changes, first)]


def said(document: dict[str, Any], changes: list[dict[str, Any]]) -> dict[str, Any]:
    """What an ERP shows after these writes."""
    for patch in changes:
        document = {**document, **patch}
    return document


@settings(deadline=None)
@given(WHOLE, CHANGES)
def test_what_our_own_writes_left_behind_is_never_an_edit(made: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    known = feeds.expected(None, [Effect(1, "create", made), *effects(changes)], {})
    d = feeds.difference(said(made, changes), known, FIELDS, {})
    assert (d.edited, d.unknown, d.called) == ({}, {}, ())


@settings(deadline=None)
@given(WHOLE, CHANGES, DOCUMENTS)
def test_any_other_value_is_an_edit_of_just_the_fields_that_differ(
    made: dict[str, Any], changes: list[dict[str, Any]], edit: dict[str, Any]
) -> None:
    before = said(made, changes)
    known = feeds.expected(None, [Effect(1, "create", made), *effects(changes)], {})
    d = feeds.difference({**before, **edit}, known, FIELDS, {})
    assert d.edited == {name: value for name, value in edit.items() if value != before[name]}
    assert d.before == {name: before[name] for name in d.edited}


@settings(deadline=None)
@given(WHOLE, CHANGES, DOCUMENTS)
def test_an_edit_that_was_carried_over_is_no_edit_the_next_time_on_either_side(
    made: dict[str, Any], changes: list[dict[str, Any]], edit: dict[str, Any]
) -> None:
    now = {**said(made, changes), **edit}
    for here in (True, False):
        carried = Effect(9, "change", edit, here=here)
        known = feeds.expected(None, [Effect(1, "create", made), *effects(changes), carried], {})
        assert feeds.difference(now, known, FIELDS, {}).edited == {}


@settings(deadline=None)
@given(WHOLE, CHANGES, st.integers(0, 4))
def test_it_does_not_matter_when_somebody_looked_in_between(
    made: dict[str, Any], changes: list[dict[str, Any]], looked: int
) -> None:
    image = said(made, changes[:looked])
    known = feeds.expected(image, effects(changes[looked:]), {})
    assert feeds.difference(said(made, changes), known, FIELDS, {}).edited == {}


def test_however_a_number_is_written_it_is_the_same_number() -> None:
    known = feeds.expected({"quantity": Decimal("10")}, [], {})
    assert feeds.difference({"quantity": Decimal("10.000")}, known, FIELDS, {}).edited == {}


def test_a_field_that_only_the_erp_sets_is_nobody_s_edit() -> None:
    known = feeds.expected({"quantity": 1, "confirmed_yield": 0}, [], {})
    assert feeds.difference({"quantity": 1, "confirmed_yield": 5}, known, {"quantity"}, {}).edited == {}


def test_what_the_erp_answered_to_a_create_counts_also_for_fields_that_nobody_sent() -> None:
    made = Effect(1, "create", {"quantity": 5}, shown={"quantity": 5, "recipient": None})
    known = feeds.expected(None, [made], {})
    assert feeds.difference({"quantity": 5, "recipient": "GATE"}, known, FIELDS, {}).edited == {"recipient": "GATE"}


AT_ONCE = frozenset({"release"})


@pytest.mark.parametrize(
    ("image", "done", "now", "called"),
    [
        ({"status": "created"}, [], "released", ("release",)),
        ({"status": "created"}, [], "started", ("release",)),  # a confirmation followed at once
        ({"status": "created"}, [], "created", ()),
        ({"status": "released"}, [], "started", ()),  # derived from a confirmation
        ({"status": "created"}, [Effect(2, "release")], "released", ()),  # our own
        (None, [Effect(1, "create", {"quantity": 1})], "released", ("release",)),  # made by us, released by hand
        (None, [Effect(1, "create", {}), Effect(2, "release")], "released", ()),
        (
            None,
            [Effect(1, "create", {}, {"status": "created"}, along=AT_ONCE)],
            "released",
            (),
        ),  # released as it was made
        (None, [Effect(1, "create", {}, along=AT_ONCE)], "released", ()),
        (None, [Effect(2, "change", {"quantity": 1})], "released", ()),  # it may have been so for years
    ],
)
def test_a_release_by_hand_shows_in_the_state_alone(
    image: dict[str, Any] | None, done: list[Effect], now: str, called: tuple[str, ...]
) -> None:
    known = feeds.expected(image, done, RELEASED)
    assert feeds.difference({"quantity": 1, "status": now}, known, {"quantity"}, RELEASED).called == called


def test_where_nobody_knows_what_stood_there_the_other_erp_says_it() -> None:
    d = feeds.difference({"quantity": 7, "planner": "P"}, Expected({}, whole=False), FIELDS, {})
    assert d.edited == {}
    found = feeds.against({"quantity": 5, "planner": "P"}, d)
    assert (found.edited, found.before) == ({"quantity": 7}, {"quantity": 5})


PARTS = {"components": ("item", "quantity")}
ROWS = st.lists(
    st.fixed_dictionaries({"item": st.sampled_from("ABC"), "quantity": st.decimals(0, 9, places=2)}), max_size=4
)


@settings(deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_rows_in_another_order_are_the_same_lines(rows: list[dict[str, Any]], dice: Random) -> None:
    mixed = [row | {"withdrawn_quantity": Decimal(dice.randint(0, 9))} for row in dice.sample(rows, len(rows))]
    known = Expected({"components": rows}, whole=True)
    assert feeds.difference({"components": mixed}, known, (), {}, PARTS).nothing


@settings(deadline=None)
@given(ROWS, ROWS)
def test_lines_that_changed_alone_are_an_edit_until_somebody_changes_the_others_alike(
    rows: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    d = feeds.difference({"components": rows}, Expected({"components": others}, whole=True), (), {}, PARTS)
    assert d.nothing == (Counter(map(_row, rows)) == Counter(map(_row, others)))
    assert d.nothing or not feeds.settled_there(d, {"components": others})
    assert d.nothing or feeds.settled_there(d, {"components": rows})


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["item"], row["quantity"]


def test_lines_that_changed_with_their_document_followed_it() -> None:
    known = Expected({"quantity": 1, "components": [{"item": "A"}]}, whole=True)
    d = feeds.difference({"quantity": 2, "components": [{"item": "B"}]}, known, {"quantity"}, {}, PARTS)
    assert (d.edited, d.lines) == ({"quantity": 2}, {})


@pytest.mark.parametrize("here", [False, True])
def test_after_a_write_lines_are_known_again_when_somebody_has_looked(here: bool) -> None:
    image = {"quantity": 1, "components": [{"item": "A", "quantity": 1}]}
    now = {"quantity": 2, "components": [{"item": "A", "quantity": 2}]}
    known = feeds.expected(image, [Effect(2, "change", {"quantity": 2}, here=here)], {}, PARTS)
    d = feeds.difference(now, known, {"quantity"}, {}, PARTS)
    assert (d.nothing, d.unseen) == (True, ("components",))
    assert feeds.kept(now, {"quantity"}, {}, PARTS) == now


def test_what_both_erps_say_already_is_carried_nowhere() -> None:
    d = feeds.difference({"quantity": 7}, Expected({"quantity": 5}, whole=True), FIELDS, {})
    assert feeds.settled_there(d, {"quantity": 7, "planner": "X"})
    assert not feeds.settled_there(d, {"quantity": 5})
    assert not feeds.settled_there(d, {})


def movement(**line: Any) -> dict[str, Any]:
    return {"id": "49/2026", "lines": [{"item": "A", "quantity": 1, **line}]}


def test_a_movement_that_names_an_order_is_the_erp_s_own_consequence() -> None:
    assert feeds.derived("movement", movement(order="100"), {"movement"})
    assert not feeds.derived("movement", movement(), {"movement"})  # a transfer by hand
    assert not feeds.derived("movement", movement(order="100"), frozenset())
    assert not feeds.derived("production_order", {"id": "1", "item": "A"}, {"movement"})


# The sweep

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


class Erp:
    """Rows in the order of their moment, as an ERP lists them; its places count rows."""

    def __init__(self, moments: list[int], page: int) -> None:
        self.rows = [(START + timedelta(milliseconds=m), f"{n}") for n, m in enumerate(moments)]
        self.page = page

    def ask(self, sweep: Sweep) -> tuple[list[tuple[datetime, str]], str | None]:
        found = sorted(row for row in self.rows if row[0] >= sweep.since)
        skip = int(sweep.place or 0)
        end = skip + self.page
        return found[skip:end], str(end) if len(found) > end else None

    def touch(self, name: str, at: datetime) -> None:
        self.rows = [(at if key == name else moment, key) for moment, key in self.rows]


def swept(erp: Erp, sweep: Sweep | None, between: Any = lambda: None) -> set[str]:
    seen: set[str] = set()
    for _ in range(500):
        if sweep is None:
            return seen
        rows, place = erp.ask(sweep)
        seen |= {key for _, key in rows}
        between()
        sweep = feeds.onward(sweep, max((moment for moment, _ in rows), default=None), place, SECOND)
    raise AssertionError("the sweep never ended")


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=40), st.integers(1, 7))
def test_a_sweep_sees_every_row_also_where_many_changed_at_one_moment(moments: list[int], page: int) -> None:
    erp = Erp(moments, page)
    assert swept(erp, feeds.started(START, 60, SECOND)) == {key for _, key in erp.rows}


@settings(deadline=None)
@given(st.lists(st.integers(0, 60_000), min_size=2, max_size=40, unique=True), st.integers(2, 7), st.randoms())
def test_rows_that_move_to_the_end_while_pages_are_read_push_no_other_row_out_of_sight(
    moments: list[int], page: int, dice: Any
) -> None:
    erp = Erp([m - m % 1000 + 1 for m in {m // 1000 * 1000 for m in moments}], page)  # at most one a second
    every = {key for _, key in erp.rows}
    moved = iter(range(12))

    def between() -> None:
        if (n := next(moved, None)) is not None:
            erp.touch(dice.choice(sorted(every)), START + timedelta(minutes=5, seconds=n))

    assert swept(erp, feeds.started(START, 60, SECOND), between) == every


@settings(deadline=None)
@given(st.floats(0, 10_000), st.floats(0, 3600))
def test_a_transaction_that_commits_late_is_within_the_window_that_is_read_again(
    late_s: float, overlap_s: float
) -> None:
    cursor = START + timedelta(seconds=20_000)
    began = cursor - timedelta(seconds=min(late_s, overlap_s))
    assert feeds.started(cursor, overlap_s, SECOND).since <= began


def test_a_feed_that_knows_days_only_reads_whole_days_again() -> None:
    sweep = feeds.started(date(2026, 11, 22), 60, DAY)
    assert sweep.since == date(2026, 11, 21)
    assert feeds.onward(sweep, date(2026, 11, 22), "200", DAY) == Sweep(date(2026, 11, 22))
    assert feeds.onward(Sweep(date(2026, 11, 22)), date(2026, 11, 22), "200", DAY) == Sweep(date(2026, 11, 22), "200")


@settings(deadline=None)
@given(st.one_of(st.dates(), st.datetimes(timezones=st.just(UTC))))
def test_a_cursor_is_the_same_after_the_store_had_it(moment: Any) -> None:
    assert feeds.moment_of(feeds.text_of(moment)) == moment


def test_an_order_that_was_released_and_is_not_any_more_was_taken_back() -> None:
    """Also where our own release was seen once; one that we released and nobody has looked at since shows nothing yet."""
    seen = feeds.expected({"status": "released"}, [], RELEASED)
    back = feeds.difference({"status": "created"}, seen, (), RELEASED)
    assert (back.undone, back.called, back.nothing) == (("status",), (), False)
    assert feeds.difference({"status": "started"}, seen, (), RELEASED).nothing
    unseen = feeds.expected({"status": "created"}, [Effect(2, "release")], RELEASED)
    assert feeds.difference({"status": "created"}, unseen, (), RELEASED).nothing


def test_an_order_that_was_cancelled_was_not_taken_back() -> None:
    verbs = {**RELEASED, "cancel": {"status": ["cancelled"]}}
    d = feeds.difference({"status": "cancelled"}, feeds.expected({"status": "released"}, [], verbs), (), verbs)
    assert (d.called, d.undone) == (("cancel",), ())


def test_a_record_that_was_read_before_our_own_release_is_not_remembered() -> None:
    """Remembered as what was there after it, the release would look like a person's at the next look."""
    known = feeds.expected({"status": "created"}, [Effect(2, "release"), Effect(3, "change", {})], RELEASED)
    assert not feeds.up_to_date({"status": "created"}, known, RELEASED)
    assert feeds.up_to_date({"status": "started"}, known, RELEASED)
    assert feeds.up_to_date({"status": "created"}, feeds.expected({"status": "created"}, [], RELEASED), RELEASED)
