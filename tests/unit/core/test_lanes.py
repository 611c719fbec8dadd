"""Lanes: whatever is accepted, sent, lost, taken over or decided by a person, in any order, no write overtakes another."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.intents import (
    ENDED,
    OWNED,
    Accepted,
    Done,
    Event,
    Fenced,
    LegRef,
    LegRow,
    Move,
    NoSuchMove,
    moved,
)
from gateway.core.lanes import ANY_FENCE, LegId
from gateway.core.phases import Side
from tests.support.lane_tables import Tables, accept, ref

LANES = ("a", "b", "c")
RELEASED = frozenset({"ready", "sending", "settling", "in_doubt"})
BY_ANYBODY: tuple[Event, ...] = ("begin", "advance", "finish", "put_back", "doubt", "park")
BY_THE_LEADER: tuple[Event, ...] = (*BY_ANYBODY, "refuse", "void")
BY_A_PERSON: tuple[Event, ...] = ("reopen", "void", "finish")


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
