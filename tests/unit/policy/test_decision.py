"""An outcome becomes a yes, a no or an outage, and never another than it should."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Denied, PolicyUnavailable
from gateway.policy.decision import OBLIGATIONS, answer_schema, deny, judge
from gateway.policy.port import Answered, EngineFault, QuestionFault, Undefined

ENFORCEABLE = frozenset({"mask", "rate_class", "log"})
YES: dict[str, Any] = {"allow": True, "reasons": [], "obligations": {}}


def answered(**changes: Any) -> Answered:
    return Answered(json.dumps(YES | changes).encode())


def obliged(**obligations: Any) -> Answered:
    return answered(obligations=obligations)


@pytest.mark.parametrize(
    ("outcome", "allow", "reasons"),
    [
        (answered(), True, ()),
        (answered(reasons=["b", "a", "a"]), True, ("a", "b")),
        (obliged(mask=["lines[].price"], rate_class="partner", log="full"), True, ()),
        (obliged(row_filter=None, step_up=False, region=None, log="normal"), True, ()),
        (answered(allow=False, reasons=["no-grant"]), False, ("no-grant",)),
        (answered(allow=False), False, ("denied",)),
        (Undefined(), False, ("policy-undefined",)),
        (QuestionFault("policy-builtin-error"), False, ("policy-builtin-error",)),
        (QuestionFault("policy-conflict"), False, ("policy-conflict",)),
        (obliged(row_filter={"plant": ["1000"]}), False, ("obligation-not-enforceable:row_filter",)),
        (obliged(row_filter={}), False, ("obligation-not-enforceable:row_filter",)),
        (obliged(step_up=True), False, ("obligation-not-enforceable:step_up",)),
        (obliged(region="eu"), False, ("obligation-not-enforceable:region",)),
        *(
            (bad, False, ("policy-answer-malformed",))
            for bad in (
                answered(allow="true"),
                answered(allow=1),
                answered(allow=None),
                answered(reasons="no"),
                answered(reasons=[1]),
                answered(extra=1),
                answered(obligations=None),
                answered(obligations=[]),
                obliged(masks=["price"]),
                obliged(mask=["lines[0].price"]),
                obliged(mask="price"),
                obliged(log="none"),
                obliged(step_up=1),
                Answered(b'{"allow": true}'),
                Answered(b'{"allow": true, "reasons": []}'),
                Answered(b"true"),
                Answered(b'"<undefined>"'),
                Answered(b"null"),
                Answered(b"{"),
                Answered(b"[" * 100_000),
            )
        ),
    ],
)
def test_an_outcome_is_judged(outcome: Any, allow: bool, reasons: tuple[str, ...]) -> None:
    decision = judge(outcome, enforceable=ENFORCEABLE, revision="r1")
    assert decision.allow is allow
    assert decision.reasons == reasons
    assert decision.revision == "r1"


def test_an_engine_that_did_not_run_is_an_outage_and_not_a_no() -> None:
    with pytest.raises(PolicyUnavailable) as caught:
        judge(EngineFault("panic"), enforceable=ENFORCEABLE, revision="r1")
    assert caught.value.extra == {"reason": "panic"}


def test_a_no_is_raised_with_its_reasons() -> None:
    with pytest.raises(Denied) as caught:
        deny("no-grant", "r1").require()
    assert caught.value.extra == {"reasons": ["no-grant"]}


def test_a_yes_passes() -> None:
    decision = judge(answered(), enforceable=ENFORCEABLE, revision="r1")
    assert decision.require() is decision


def test_the_schema_names_every_obligation() -> None:
    assert set(answer_schema()["$defs"]["Obligations"]["properties"]) == set(OBLIGATIONS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["allow", "reasons", "obligations", "mask", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON)
def test_only_a_whole_answer_that_says_true_is_a_yes(value: Any) -> None:
    decision = judge(Answered(json.dumps(value).encode()), enforceable=ENFORCEABLE, revision="r")
    if decision.allow:
        assert value["allow"] is True
        assert set(value) == {"allow", "reasons", "obligations"}
