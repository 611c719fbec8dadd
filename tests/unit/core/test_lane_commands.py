"""What the journal answers to one command or one batch: accepted, released, begun on the other side, refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.intents import (
    Accept,
    Accepted,
    Done,
    EpochMoved,
    Known,
    LaneMoved,
    LegRef,
    Move,
    NewCase,
    NewLeg,
    NoSuchMove,
    Replay,
    StepRecord,
)
from gateway.core.lanes import ANY_FENCE, CellNow, Working, decided
from tests.support.lane_tables import CELL, Tables, accept, intent, ref

STEP = StepRecord(0, "sending", "token", 1, 2)


def begun() -> tuple[Tables, LegRef]:
    """A write with two legs whose first is being sent."""
    t = Tables()
    (verdict,) = t.do(accept("i1"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    return t, verdict.started


def test_an_event_that_a_state_does_not_know_is_a_fault_of_ours() -> None:
    t, leg = begun()
    with pytest.raises(NoSuchMove, match="a leg that is sending knows no reopen"):
        t.do(Move(leg, "reopen", 1))


def test_two_first_writes_to_a_lane_in_one_batch_get_their_places_and_only_one_starts() -> None:
    first, second = Tables().do(accept("i1"), accept("i2"))
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.intent.lane_seq, second.intent.lane_seq) == (1, 2)
    assert (first.started is not None, second.started) == (True, None)


def test_a_write_routed_by_an_old_epoch_is_not_taken_and_its_batch_mates_are() -> None:
    t = Tables()
    old, good = t.do(accept("i1", epoch=0), accept("i2"))
    assert old == EpochMoved(*CELL)
    assert isinstance(good, Accepted)
    assert good.intent.lane_seq == 1
    assert {id_ for id_, _ in t.legs} == {"i2"}


def test_a_key_used_twice_in_one_batch_is_one_write() -> None:
    t = Tables()
    replay = Replay("mes", "k", "f", 10)
    first, second = t.do(*(accept(id_)._replace(replay=replay) for id_ in ("i1", "i2")))
    assert isinstance(first, Accepted)
    assert second == Known("i1", "f")


def test_a_write_that_was_never_sent_frees_its_key() -> None:
    t = Tables()
    (verdict,) = t.do(accept("i1")._replace(replay=Replay("mes", "k", "f", 10)))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    t.do(Move(verdict.started, "void", 1, void_intent=True))
    assert t.replays == {}


def test_the_other_side_of_a_suspended_cell_is_released_and_not_handed_over() -> None:
    t, leg = begun()
    t.cell = CellNow(1, suspended=True)
    (done,) = t.do(Move(leg, "finish", 1, instance="me"))
    assert done == Done("done", ())
    assert t.of("i1", "cloud").state == "ready"


def test_a_create_begins_on_the_other_side_in_the_transaction_of_its_end_on_the_first() -> None:
    t, leg = begun()
    (done,) = t.do(Move(leg, "finish", 1, instance="me", follow=STEP))
    assert done == Done("done", (), ref(t.of("i1", "cloud")))
    assert (t.of("i1", "cloud").state, t.begun) == ("sending", [(("i1", "cloud"), STEP)])


def test_a_leg_that_nobody_takes_over_now_begins_nothing() -> None:
    t, leg = begun()
    (done,) = t.do(Move(leg, "finish", 1, follow=STEP))
    assert done == Done("done", ())
    assert (t.of("i1", "cloud").state, t.begun) == ("ready", [])


def test_a_leg_that_a_person_mended_meanwhile_is_read_anew_and_not_begun_as_it_was_accepted() -> None:
    t = Tables()
    both = accept("i1")
    (verdict,) = t.do(both._replace(legs=(both.legs[0], both.legs[1]._replace(parked="cannot say it"))))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    t.do(Move(ref(t.of("i1", "cloud"), ANY_FENCE), "reopen", 1, repaired="another document"))
    (done,) = t.do(Move(verdict.started, "finish", 2, instance="me", follow=STEP))
    assert done == Done("done", (ref(t.of("i1", "cloud")),))
    assert t.begun == []


def test_the_next_write_of_the_lane_is_handed_over_beside_the_leg_that_begins() -> None:
    t = Tables()
    (verdict, _) = t.do(accept("i1"), accept("i2"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    (done,) = t.do(Move(verdict.started, "finish", 1, instance="me", follow=STEP))
    assert isinstance(done, Done)
    assert done.begun == ref(t.of("i1", "cloud"))
    assert done.released == (ref(t.of("i2", "legacy")),)


def test_a_case_opened_with_a_move_names_its_leg() -> None:
    t, leg = begun()
    move = Move(leg, "park", 5, case=NewCase("doubt", "nothing tells"))
    w = t._loaded([move])
    decided(w, move)
    assert w.cases == [(("i1", "legacy"), NewCase("doubt", "nothing tells"), 5)]


def edited(id_: str, **more: Any) -> Accept:
    """Somebody's edit in the legacy ERP."""
    legs = (NewLeg("legacy", "erp-legacy", there=True), NewLeg("cloud", "erp-cloud"))
    return Accept(intent(id_, "a")._replace(origin="erp"), legs, "me", 0, **more)


def test_an_edit_made_in_an_erp_is_done_there_and_owed_to_the_other_at_its_place_in_the_lane() -> None:
    w = Working(cells={CELL: CellNow(1)})
    decided(w, accept("1"))
    decided(w, edited("2"))
    assert w.new_legs["2", "legacy"].state == "done"
    assert w.new_legs["2", "legacy"].values["ended_us"] == 0
    owed = w.legs["2", "cloud"]
    assert (owed.state, owed.held, owed.authoritative) == ("waiting", False, False)  # behind the client's write


def test_an_edit_with_nothing_before_it_goes_at_once() -> None:
    w = Working(cells={CELL: CellNow(1)})
    decided(w, edited("1"))
    assert w.legs["1", "cloud"].state == "ready"


def test_an_edit_that_was_read_before_somebody_wrote_is_not_taken() -> None:
    w = Working(cells={CELL: CellNow(1)}, last={"a": 4})
    assert decided(w, edited("1", expects=3)) == LaneMoved("a")
    assert not w.intents
    assert isinstance(decided(w, edited("1", expects=4)), Accepted)


def test_an_edit_that_the_other_erp_can_never_take_is_a_case_at_once() -> None:
    w = Working(cells={CELL: CellNow(1)})
    command = edited("1")
    decided(w, command._replace(legs=(command.legs[0], command.legs[1]._replace(parked="no such field"))))
    assert [(id_, case.kind) for id_, case, _ in w.cases] == [(("1", "cloud"), "direct-edit")]
