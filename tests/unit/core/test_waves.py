"""The wave table: what a plan finds, what an apply leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.phases import DECLARABLE, PHASES
from gateway.core.waves import Cell, Plan, WaveTable, applied, difference, mingles, moved

HAMBURG = Cell("1000", "production", "ecc", "s4", target="cloud", wave="wave-1")
MILWAUKEE = Cell("2000", "production", "ecc", "s4")
TABLE = WaveTable(7, {cell.id: cell for cell in (HAMBURG, MILWAUKEE)})

cells = st.builds(
    Cell,
    st.sampled_from(["1000", "2000", "3000"]),
    st.sampled_from(["production", "inventory"]),
    st.sampled_from(["ecc", "tryton"]),
    st.sampled_from(["s4", "d365"]),
    st.sampled_from(DECLARABLE),
    st.sampled_from([None, "cloud"]),
)
declarations = st.lists(cells, max_size=6, unique_by=lambda c: c.id)


def test_a_declaration_that_says_what_runs_changes_nothing() -> None:
    assert difference(TABLE, TABLE.cells.values()) == ()


def test_a_new_plant_is_added_in_the_phase_it_declares() -> None:
    pune = Cell("3000", "production", "ecc", "s4", phase="cloud")
    (change,) = difference(TABLE, [HAMBURG, MILWAUKEE, pune])
    assert (change.kind, change.plant, change.guarded) == ("add", "3000", False)
    assert applied(TABLE, [HAMBURG, MILWAUKEE, pune], [change]).cells["3000", "production"] == pune


def test_a_change_of_phase_is_guarded_because_traffic_moves() -> None:
    (change,) = difference(TABLE, [replace(HAMBURG, phase="cloud"), MILWAUKEE])
    assert (change.kind, change.guarded) == ("phase", True)


def test_another_erp_for_the_side_in_charge_is_guarded_and_for_the_other_side_is_not() -> None:
    (serious,) = difference(TABLE, [replace(HAMBURG, legacy="tryton"), MILWAUKEE])
    (harmless,) = difference(TABLE, [replace(HAMBURG, cloud="d365"), MILWAUKEE])
    assert (serious.guarded, harmless.guarded) == (True, False)


def test_a_plant_that_is_no_longer_declared_is_removed_only_with_permission() -> None:
    (change,) = difference(TABLE, [HAMBURG])
    assert (change.kind, change.plant, change.guarded) == ("remove", "2000", True)


def test_a_move_raises_the_epoch_and_the_term_only_when_another_side_takes_over() -> None:
    dual = moved(HAMBURG, "dual_legacy")
    cloud = moved(dual, "dual_cloud")
    assert [(c.epoch, c.term) for c in (HAMBURG, dual, cloud)] == [(1, 1), (2, 1), (3, 2)]


MINGLING = {
    ("legacy", "dual_legacy"), ("legacy", "dual_cloud"), ("legacy", "standby"), ("legacy", "cloud"), ("cloud", "legacy"),
    ("cloud", "dual_legacy"), ("cloud", "dual_cloud"), ("cloud", "standby"), ("dual_legacy", "dual_cloud"),
    ("dual_legacy", "standby"), ("dual_legacy", "cloud"),
}  # fmt: skip


@pytest.mark.parametrize("before", ["legacy", "dual_legacy", "dual_cloud", "standby", "cloud"])
@pytest.mark.parametrize("after", ["legacy", "dual_legacy", "dual_cloud", "standby", "cloud"])
def test_numbers_of_two_erps_mingle_on_the_way_into_both_and_on_to_the_other_but_never_on_the_way_back(
    before: str, after: str
) -> None:
    assert mingles(replace(HAMBURG, phase=before), replace(HAMBURG, phase=after)) == ((before, after) in MINGLING)


def test_numbers_mingle_in_a_new_cell_that_begins_in_both_and_with_another_erp_behind_one_that_is_in_both() -> None:
    both = replace(HAMBURG, phase="dual_legacy")
    assert (mingles(None, both), mingles(None, HAMBURG)) == (True, False)
    assert (mingles(both, replace(both, cloud="d365")), mingles(HAMBURG, replace(HAMBURG, cloud="d365"))) == (
        True,
        False,
    )


def test_a_plan_made_against_another_revision_has_another_id() -> None:
    changes = difference(TABLE, [HAMBURG])
    assert Plan(7, "abc", changes).id != Plan(8, "abc", changes).id


def test_a_change_of_a_kind_nobody_knows_is_refused() -> None:
    (change,) = difference(TABLE, [HAMBURG])
    with pytest.raises(ValueError, match="no change"):
        applied(TABLE, [HAMBURG], [replace(change, kind="rename")])


@given(declarations, declarations)
def test_after_an_apply_there_is_nothing_left_to_plan(before: list[Cell], after: list[Cell]) -> None:
    running = WaveTable(1, {cell.id: cell for cell in before})
    table = applied(running, after, difference(running, after))
    assert difference(table, after) == ()
    assert table.revision == running.revision + 1
    for id_, cell in table.cells.items():
        was = running.cells.get(id_)
        assert was is None or (cell.epoch > was.epoch) == (cell.phase != was.phase)


def test_every_phase_that_carries_traffic_has_one_side_in_charge() -> None:
    for phase in PHASES.values():
        assert not phase.carries_traffic or (phase.authoritative is not None and phase.writes[0] == phase.authoritative)


def test_a_plant_that_never_moved_refers_to_documents_of_cells_that_did() -> None:
    assert TABLE.one_number
    stock = Cell("1000", "inventory", "ecc", "s4")
    for now in (moved(HAMBURG, "dual_legacy"), replace(HAMBURG, epoch=3)):
        assert not WaveTable(8, {cell.id: cell for cell in (now, stock)}).one_number


def test_numbers_that_were_imported_stay_imported_whatever_is_applied() -> None:
    running = replace(TABLE, numbered=True)
    assert not running.one_number
    assert not applied(running, [HAMBURG], difference(running, [HAMBURG])).one_number
