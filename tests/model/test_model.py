"""The write protocol, searched by spin: what holds in every history, and what goes wrong when one rule is left out."""

from __future__ import annotations

import functools

import pytest

from tests.model import run
from tests.model.run import CLEAN, INVARIANTS, LIMITS, MUTANTS, REACHED, Kind, Outcome, Search
from tests.support.packages import SPIN, need
from tests.support.parts import skip_if_missing

SMALL = [each for each in CLEAN if not each.only_full]

# The specification's list; a mutant may have several searches, and the model may have mutants of its own.
SPECIFIED = {
    "no-journal", "ack-before-journal", "no-erp-key", "no-lane", "no-epoch-check", "no-drain", "lookup-without-quiesce",
    "resend-after-window", "replay-rerouted", "relay-without-fence", "watermark-before-fence", "cancel-after-commit",
    "stale-instance-not-fenced", "mirror-derived", "echo-by-user", "step-not-journalled",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    with skip_if_missing():
        need(SPIN)


@functools.cache
def outcome(what: str) -> Outcome:
    """One search for all tests that ask for it."""
    return run.search(next(each for each in run.ALL if each.name == what))


def in_words(what: Search) -> str:
    return f"{what.name}: {what.sentence}"


@pytest.mark.parametrize("what", SMALL, ids=in_words)
def test_every_history_is_searched_and_none_breaks_a_promise_when(what: Search) -> None:
    found = outcome(what.name)
    assert found.trouble == "", f"{found.verdict}: {found.trouble}"
    assert found.states > 1000, "a search this small has not searched the protocol"


@pytest.mark.parametrize("what", MUTANTS, ids=in_words)
def test_leaving_one_rule_out_is_noticed(what: Search) -> None:
    assert outcome(what.name).trouble == ""


@pytest.mark.parametrize("what", REACHED, ids=in_words)
def test_the_search_really_meets(what: Search) -> None:
    assert outcome(what.name).trouble == ""


@pytest.mark.parametrize("what", LIMITS, ids=in_words)
def test_a_limit_that_no_gateway_can_remove_is_where_we_say_it_is(what: Search) -> None:
    assert outcome(what.name).trouble == ""


def holds(invariant: str) -> None:
    """Nothing broke it in any clean search, and its check is alive: it caught a mutant."""
    asked = [each for each in SMALL if each.caught_by in ("", invariant)]
    assert [each.name for each in asked if outcome(each.name).trouble] == []
    killed = [each for each in MUTANTS if each.caught_by == invariant]
    assert any(outcome(each.name).trouble == "" for each in killed)


def test_no_erp_ever_holds_a_write_that_our_journal_does_not_know() -> None:
    holds("J0")


def test_what_we_told_you_is_kept_stands_in_both_erps_or_in_an_open_case() -> None:
    holds("I1")


def test_nothing_is_ever_booked_twice_in_one_erp() -> None:
    holds("I2")


def test_a_change_never_comes_before_its_document_and_both_erps_end_alike() -> None:
    holds("I3")


def test_at_any_time_exactly_one_erp_decides() -> None:
    holds("I4")


def test_on_the_morning_after_the_move_everything_you_were_promised_is_in_the_new_erp() -> None:
    holds("I5")


def test_pressing_save_twice_gives_the_same_answer_twice() -> None:
    holds("C1")


def test_once_the_trouble_is_over_every_write_ends_and_every_move_ends_or_is_called_off() -> None:
    holds("L1")


def test_every_mutant_of_the_specification_and_every_invariant_has_its_search() -> None:
    assert {each.name.partition(":")[0] for each in MUTANTS} >= SPECIFIED
    assert {each.caught_by for each in MUTANTS} == set(INVARIANTS)


def test_a_search_that_ran_out_of_depth_time_or_memory_is_not_called_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    key = SMALL[0]
    hurried = Search("hurried", Kind.CLEAN, "", key.defines, within_s=0.01)
    narrow = Search("narrow", Kind.CLEAN, "", key.defines, memory_mb=20)
    assert "longer than" in run.search(hurried).trouble
    assert run.search(narrow).trouble != ""
    monkeypatch.setattr(run, "DEPTH", 45)
    assert "depth truncated" in run.search(key).trouble


def test_a_mutant_that_nothing_catches_and_an_event_that_never_happens_fail() -> None:
    harmless = Search("harmless", Kind.MUTANT, "", {"MAX_CRASH": 0, "MAX_TIMEOUT": 0}, "I2")
    never = Search("never", Kind.REACHED, "", {"MAX_CRASH": 0, "MAX_TIMEOUT": 0, "REACH": "crashes == 1"}, "reach")
    assert run.search(harmless).trouble == "the mutant survives"
    assert run.search(never).trouble == "the event is never met"


def test_the_readme_names_every_search() -> None:
    rows = run.README.read_text().partition(run.TABLE_BEGINS)[2].partition(run.TABLE_ENDS)[0]
    assert [each.name for each in run.ALL if f"| `{each.name}` |" not in rows] == []
