"""How old a step is when it is sent again: what an ERP may remember is as old as its first sending that may have taken effect."""

from __future__ import annotations

import pytest

from gateway.core.intents import Intent, LegRef, StepRecord, StepState
from gateway.core.manifests import Rule
from gateway.core.settling import US, Target, settlement
from gateway.store.journal import Claimed
from gateway.writes.asked import sent_since, unsent

RULE = Rule(settle="key", key_header="Repeatability-Request-ID", dedup_window_s=3600, max_exec_s=60)
WEEK_US = 7 * 24 * 3600 * US


def leg(step: StepRecord | None) -> Claimed:
    intent = Intent("i", "i", "1000", "production", "production_order", "create", 1, 1, "legacy", "c", 0, "mes", "mes")
    return Claimed(LegRef("i", "cloud", "i", 3), intent, "s4", "sending", False, 5, None, step)


def begun(at_us: int, number: int = 0, state: StepState = "sending") -> StepRecord:
    return StepRecord(number, state, "t", at_us, at_us)


def test_a_write_that_waited_a_week_for_its_erp_and_whose_answer_is_lost_then_is_sent_again_and_asks_nobody() -> None:
    record = sent_since(leg(begun(0, state="not_sent")), begun(WEEK_US))
    assert record.sent_us == WEEK_US
    assert settlement(RULE, record, WEEK_US + 30 * US, 10, Target(new=True)).do == "resend"


@pytest.mark.parametrize("state", ["sending", "in_doubt", "turned_away"])
def test_a_write_that_may_have_arrived_a_week_ago_is_a_persons(state: StepState) -> None:
    record = sent_since(leg(begun(0, state=state)), begun(WEEK_US))
    assert record.sent_us == 0
    assert settlement(RULE, record, WEEK_US + 30 * US, 10, Target(new=True)).do == "ask"


def test_a_first_step_and_one_after_another_are_new() -> None:
    assert sent_since(leg(None), begun(5)) == begun(5)
    assert sent_since(leg(begun(1, state="done")), begun(5, number=1)) == begun(5, number=1)


def test_what_was_turned_away_once_stays_so_though_its_next_sending_reached_nobody() -> None:
    """A gateway before the ERP may turn away what the ERP has taken: the ERP's memory of it begins then."""
    away = unsent(leg(None), begun(0), "503 of a proxy", answered=True)
    assert away.state == "turned_away"
    again = unsent(leg(away), sent_since(leg(away), begun(WEEK_US)), "no connection", answered=False)
    assert (again.state, again.sent_us) == ("turned_away", 0)
    assert unsent(leg(None), begun(0), "no connection", answered=False).state == "not_sent"
    assert unsent(leg(away._replace(number=0)), begun(5, number=1), "no connection", answered=False).state == "not_sent"
