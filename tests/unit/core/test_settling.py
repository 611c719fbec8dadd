"""How doubt about a step ends, and when a document shows what was sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.core.intents import StepRecord
from gateway.core.manifests import Rule
from gateway.core.settling import US, Target, holds, refusal_settles, settlement, shows

NEW, THERE = Target(new=True), Target(new=False, tells=True)
REFERENCE = Rule(settle="reference", lookup_by="reference")
CONDITIONAL = Rule(settle="conditional")
KEY = Rule(settle="key", key_header="RequestID", dedup_window_s=200, max_exec_s=20)


def ends(rule: Rule, target: Target, *, now_s: int = 100, etag: str | None = None) -> str:
    """What is done about a step that was sent at second 10 and can take effect until second 50."""
    step = StepRecord(0, "in_doubt", "token", 10 * US, 50 * US, etag=etag)
    return settlement(rule, step, now_s * US, 5.0, target).do


@pytest.mark.parametrize(
    ("rule", "target", "etag", "done"),
    [
        (REFERENCE, NEW, None, "lookup"),
        (REFERENCE, Target(new=True, marked=False), None, "ask"),
        (REFERENCE, THERE, None, "compare"),  # a later call of the same write: its own effect tells
        (REFERENCE, Target(new=False), None, "ask"),
        (CONDITIONAL, Target(new=True, named=True), None, "resend"),
        (CONDITIONAL, NEW, None, "ask"),
        (CONDITIONAL, THERE, "W/1", "resend"),
        (CONDITIONAL, THERE, None, "compare"),
        (CONDITIONAL, Target(new=False), None, "ask"),
        (Rule(), THERE, "W/1", "ask"),
    ],
)
def test_the_manifest_and_what_the_step_was_for_decide(rule: Rule, target: Target, etag: str | None, done: str) -> None:
    assert ends(rule, target, etag=etag) == done


@pytest.mark.parametrize(("rule", "target"), [(REFERENCE, NEW), (REFERENCE, THERE), (CONDITIONAL, THERE)])
def test_nobody_looks_before_the_call_can_take_effect_no_more(rule: Rule, target: Target) -> None:
    assert ends(rule, target, now_s=49) == "wait"


def test_a_key_is_sent_again_only_while_the_erp_remembers_it() -> None:
    assert ends(KEY, NEW, now_s=184) == "resend"
    assert ends(KEY, NEW, now_s=186) == "ask"


@pytest.mark.parametrize(
    ("rule", "target", "settles"),
    [
        (KEY, NEW, False),  # what refuses it may stand before the ERP, which made the document long ago
        (KEY, Target(new=False), False),
        (KEY, THERE, True),
        (REFERENCE, NEW, True),  # it was searched for before it was sent again
        (CONDITIONAL, Target(new=True, named=True), True),
    ],
)
def test_a_no_to_the_second_copy_counts_only_where_something_shows_that_the_first_did_nothing(
    rule: Rule, target: Target, settles: bool
) -> None:
    assert refusal_settles(rule, target) is settles


def test_rows_hold_what_was_sent_although_the_erp_shows_more_of_them() -> None:
    sent = {"lines": [{"item": "A", "quantity": Decimal("5")}]}
    assert holds(sent, {"lines": [{"item": "A", "quantity": Decimal("5.000"), "closed": False}]})
    assert not holds(sent, {"lines": [{"item": "B", "quantity": Decimal("5.000")}]})
    assert not holds(sent, {"lines": []})


def test_nothing_asked_for_is_held_by_nothing() -> None:
    assert not holds({}, {"item": "A"})
    assert not shows({}, {"state": "done"})
    assert shows({"state": ["done"]}, {"state": "done"})
