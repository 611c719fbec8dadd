"""Lanes: whatever is accepted, sent, lost, taken over or decided by a person, in any order, no write overtakes another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.intents import (
    ENDED,
    OWNED,
    Accept,
    Accepted,
    Command,
    Done,
    EpochMoved,
    Event,
    Fenced,
    Intent,
    Known,
    LaneMoved,
    LegRef,
    LegRow,
    Move,
    NewCase,
    NewLeg,
    NoSuchMove,
    Replay,
    StepRecord,
    Verdict,
    moved,
)
from gateway.core.lanes import ANY_FENCE, CellNow, LegId, Working, decided
from gateway.core.phases import Side

CELL = ("1000", "production")
SIDES: tuple[Side, Side] = ("legacy", "cloud")
LANES = ("a", "b", "c")
RELEASED = frozenset({"ready", "sending", "settling", "in_doubt"})
BY_ANYBODY: tuple[Event, ...] = ("begin", "advance", "finish", "put_back", "doubt", "park")
BY_THE_LEADER: tuple[Event, ...] = (*BY_ANYBODY, "refuse", "void")
BY_A_PERSON: tuple[Event, ...] = ("reopen", "void", "finish")
STEP = StepRecord(0, "sending", "token", 1, 2)


def intent(id_: str, lane: str, side: Side = "legacy", parents: tuple[str, ...] = (), epoch: int = 1) -> Intent:
    return Intent(
        id=id_, lane=lane, plant=CELL[0], domain=CELL[1], object="production_order", verb="change", epoch=epoch, term=1,
        side=side, content="c", created_us=0, client="mes", subject="mes", parents=parents,
    )  # fmt: skip


def accept(id_: str, lane: str = "a", sides: Sequence[Side] = SIDES, **more: Any) -> Accept:
    """The first side is the authoritative one."""
    legs = tuple(NewLeg(side, f"erp-{side}", starts=side == sides[0]) for side in sides)
    return Accept(intent(id_, lane, sides[0], **more), legs, "me", 0)


class Tables:
    """The journal's tables as dictionaries; each batch loads and locks the lanes that its commands need, and no others."""

    def __init__(self) -> None:
        self.cell = CellNow(1)
        self.legs: dict[LegId, LegRow] = {}
        self.waits: set[tuple[str, Side, str]] = set()
        self.last: dict[str, int] = {}
        self.replays: dict[tuple[str, str], Known] = {}
        self.begun: list[tuple[LegId, StepRecord]] = []

    def open(self) -> Iterator[LegRow]:
        return (leg for leg in self.legs.values() if leg.state not in ENDED)

    def do(self, *commands: Command) -> list[Verdict]:
        w = self._loaded(commands)
        verdicts = [decided(w, command) for command in commands]
        self._save(w)
        return verdicts

    def _loaded(self, commands: Sequence[Command]) -> Working:
        w = Working(cells={CELL: self.cell}, replays=dict(self.replays))
        lanes = {c.lane for c in commands}
        lanes |= {lane for c in commands if isinstance(c, Accept) for lane in c.intent.parents}
        ended = {c.ref.intent for c in commands if isinstance(c, Move)}
        lanes |= {self.legs[waiting, side].lane for waiting, side, on in self.waits if on in ended}
        w.last = {lane: self.last[lane] for lane in lanes if lane in self.last}
        for leg in self.open():
            if leg.lane in lanes:
                row = deepcopy(leg)
                row.waits_for, row.values = set(), {}
                w.enter(row)
                w.cell_of[row.intent] = CELL
        for waiting, side, on in self.waits:
            row_or_none = w.legs.get((waiting, side))
            if row_or_none is not None and row_or_none.state in ("waiting", "parked"):
                row_or_none.waits_for.add(on)
                w.waiters.setdefault((on, side), []).append((waiting, side))
        return w

    def _save(self, w: Working) -> None:
        self.legs |= w.new_legs | w.changed
        self.waits |= set(w.waits)
        self.waits = {row for row in self.waits if (row[2], row[1]) not in w.ended}
        self.last |= w.last
        self.begun += w.new_steps
        self.replays |= {(r.client, r.key): Known(id_, r.fingerprint) for r, id_ in w.new_replays}
        self.replays = {k: v for k, v in self.replays.items() if v.intent not in w.forgotten_replays}

    def take(self, leg: LegRow) -> LegRef:
        """What a claim does: an instance owns the leg under a new fence."""
        leg.state = moved(leg.state, "claim" if leg.state == "ready" else "settle")
        leg.fence += 1
        return LegRef(leg.intent, leg.side, leg.lane, leg.fence)

    def of(self, id_: str, side: Side) -> LegRow:
        return self.legs[id_, side]


def ref(leg: LegRow, fence: int | None = None) -> LegRef:
    return LegRef(leg.intent, leg.side, leg.lane, leg.fence if fence is None else fence)


class Traffic(RuleBasedStateMachine):
    """Clients, instances, ERPs and people at work on three lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.t = Tables()
        self.accepted: dict[str, tuple[Side, ...]] = {}
        self.above: dict[LegId, set[str]] = {}
        self.stale: list[LegRef] = []

    @rule(
        lane=st.sampled_from(LANES),
        sides=st.sampled_from([("legacy",), ("cloud",), ("legacy", "cloud"), ("cloud", "legacy")]),
        parents=st.sets(st.sampled_from(LANES), max_size=2),
        untranslatable=st.booleans(),
    )
    def a_client_writes(self, lane: str, sides: tuple[Side, ...], parents: set[str], untranslatable: bool) -> None:
        id_ = f"i{len(self.accepted)}"
        command = accept(id_, lane, sides, parents=tuple(sorted(parents - {lane})))
        if untranslatable and len(sides) > 1:
            command = command._replace(legs=(command.legs[0], command.legs[1]._replace(parked="cannot say it")))
        for side in sides:
            self.above[id_, side] = {self._last(parent, side) for parent in parents - {lane}} - {""}
        (verdict,) = self.t.do(command)
        assert isinstance(verdict, Accepted)
        self.accepted[id_] = sides

    def _last(self, lane: str, side: Side) -> str:
        found = [leg for leg in self.t.open() if (leg.lane, leg.side) == (lane, side)]
        return max(found, key=lambda leg: leg.lane_seq).intent if found else ""

    @precondition(lambda self: self._in("ready", "in_doubt"))
    @rule(data=st.data())
    def an_instance_claims(self, data: st.DataObject) -> None:
        self.t.take(self._one(data, "ready", "in_doubt"))

    @precondition(lambda self: self._in(*OWNED))
    @rule(data=st.data(), hand_over=st.booleans())
    def an_owner_learns_what_came_of_it(self, data: st.DataObject, hand_over: bool) -> None:
        leg = self._one(data, *OWNED)
        known = [e for e in (BY_THE_LEADER if leg.authoritative else BY_ANYBODY) if _knows(leg, e)]
        event = data.draw(st.sampled_from(known))
        old = ref(leg)
        (verdict,) = self.t.do(Move(old, event, 1, instance="me" if hand_over else None, void_intent=event == "void"))
        assert isinstance(verdict, Done)
        if event not in ("begin", "advance"):
            self.stale.append(old)
        for taken in verdict.released:
            assert self.t.of(taken.intent, taken.side).fence == taken.fence

    @precondition(lambda self: self._in(*OWNED))
    @rule(data=st.data(), begun=st.booleans())
    def an_owner_dies(self, data: st.DataObject, begun: bool) -> None:
        leg = self._one(data, *OWNED)
        self.stale.append(ref(leg))
        leg.state = "in_doubt" if begun or leg.state == "settling" else "ready"
        leg.fence += 1

    @precondition(lambda self: self._taken_since())
    @rule(data=st.data())
    def a_former_owner_wakes_up(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self._taken_since()))
        before = deepcopy(self.t.legs)
        (verdict,) = self.t.do(Move(old, "finish", 1))
        assert isinstance(verdict, Fenced)
        assert self.t.legs == before

    @precondition(lambda self: self._in("parked"))
    @rule(data=st.data())
    def a_person_decides(self, data: st.DataObject) -> None:
        leg = self._one(data, "parked")
        event = data.draw(st.sampled_from(BY_A_PERSON))
        if event == "finish" and leg.held:
            with pytest.raises(NoSuchMove):  # the side in charge may still refuse it
                self.t.do(Move(ref(leg, ANY_FENCE), event, 1))
            return
        self.t.do(Move(ref(leg, ANY_FENCE), event, 1))

    @precondition(lambda self: len(self._in(*OWNED)) > 1)
    @rule()
    def several_end_in_one_transaction(self) -> None:
        legs = self._in(*OWNED)
        self.stale += [ref(leg) for leg in legs]
        for verdict in self.t.do(*(Move(ref(leg), "finish", 1) for leg in legs)):
            assert isinstance(verdict, Done)

    # What holds at any moment

    @invariant()
    def no_lane_has_two_writes_under_way_on_one_side(self) -> None:
        owned = [(leg.lane, leg.side) for leg in self.t.open() if leg.state in OWNED]
        assert len(owned) == len(set(owned))

    @invariant()
    def nothing_goes_before_what_stands_before_it_in_its_lane(self) -> None:
        for leg in self._in(*RELEASED):
            assert not self._before(leg), f"{leg} overtook {self._before(leg)}"

    @invariant()
    def nothing_goes_before_its_parents(self) -> None:
        for leg in self._in(*RELEASED):
            assert not self._parents(leg)

    @invariant()
    def the_other_side_waits_for_the_one_in_charge(self) -> None:
        for leg in self._in(*RELEASED):
            if not leg.authoritative:
                assert self._leader(leg).state == "done"

    @invariant()
    def what_the_side_in_charge_did_not_take_goes_nowhere(self) -> None:
        for leg in self.t.legs.values():
            if not leg.authoritative and self._leader(leg).state in ("refused", "voided"):
                assert leg.state == "voided"

    @invariant()
    def no_leg_is_lost(self) -> None:
        wanted = {(id_, side) for id_, sides in self.accepted.items() for side in sides}
        assert set(self.t.legs) == wanted

    @invariant()
    def whoever_waits_has_a_reason(self) -> None:
        for leg in self._in("waiting"):
            held = not leg.authoritative and self._leader(leg).state not in ENDED
            assert held or self._before(leg) or self._parents(leg), f"{leg} was forgotten"

    def _in(self, *states: str) -> list[LegRow]:
        return sorted((x for x in self.t.open() if x.state in states), key=lambda x: (x.intent, x.side))

    def _one(self, data: st.DataObject, *states: str) -> LegRow:
        chosen: LegRow = data.draw(st.sampled_from(self._in(*states)))
        return chosen

    def _taken_since(self) -> list[LegRef]:
        return [r for r in self.stale if self.t.of(r.intent, r.side).fence != r.fence or self._ended(r)]

    def _ended(self, r: LegRef) -> bool:
        return self.t.of(r.intent, r.side).state in ENDED

    def _before(self, leg: LegRow) -> list[LegRow]:
        place = (leg.lane, leg.side)
        return [x for x in self.t.open() if (x.lane, x.side) == place and x.lane_seq < leg.lane_seq]

    def _parents(self, leg: LegRow) -> list[str]:
        above = self.above[leg.intent, leg.side]
        return [id_ for id_ in above if self.t.of(id_, leg.side).state not in ENDED]

    def _leader(self, leg: LegRow) -> LegRow:
        return self.t.of(leg.intent, self.accepted[leg.intent][0])


def _knows(leg: LegRow, event: Event) -> bool:
    try:
        moved(leg.state, event)
    except NoSuchMove:
        return False
    return True


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_an_event_that_a_state_does_not_know_is_a_fault_of_ours() -> None:
    t = Tables()
    (verdict,) = t.do(accept("i1"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    with pytest.raises(NoSuchMove, match="a leg that is sending knows no reopen"):
        t.do(Move(verdict.started, "reopen", 1))


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
    t = Tables()
    (verdict,) = t.do(accept("i1"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    t.cell = CellNow(1, suspended=True)
    (done,) = t.do(Move(verdict.started, "finish", 1, instance="me"))
    assert done == Done("done", ())
    assert t.of("i1", "cloud").state == "ready"


def test_a_create_begins_on_the_other_side_in_the_transaction_of_its_end_on_the_first() -> None:
    t = Tables()
    (verdict,) = t.do(accept("i1"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    (done,) = t.do(Move(verdict.started, "finish", 1, instance="me", follow=STEP))
    assert done == Done("done", (), ref(t.of("i1", "cloud")))
    assert (t.of("i1", "cloud").state, t.begun) == ("sending", [(("i1", "cloud"), STEP)])


def test_a_leg_that_nobody_takes_over_now_begins_nothing() -> None:
    t = Tables()
    (verdict,) = t.do(accept("i1"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    (done,) = t.do(Move(verdict.started, "finish", 1, follow=STEP))
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
    t = Tables()
    (verdict,) = t.do(accept("i1"))
    assert isinstance(verdict, Accepted)
    assert verdict.started is not None
    move = Move(verdict.started, "park", 5, case=NewCase("doubt", "nothing tells"))
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
