"""Decisions are kept by revision and question, as many as fit; what was no answer is never kept."""

from __future__ import annotations

import pytest

from gateway.errors import PolicyUnavailable
from gateway.policy.cache import DecisionCache
from gateway.policy.decision import deny
from gateway.policy.manifest import Manifest
from gateway.policy.port import Answered, EngineFault, Outcome, QuestionFault, Undefined
from gateway.policy.service import Policy

YES = Answered(b'{"allow": true, "reasons": [], "obligations": {}}')
MANIFEST = Manifest.model_validate({"schema": 1, "obligations": ["mask", "row_filter"]})


class Scripted:
    """An engine that says what it is told to."""

    def __init__(self, outcome: Outcome, revision: str = "r1", *, cacheable: bool = True) -> None:
        self.outcome, self.revision, self.cacheable, self.asked = outcome, revision, cacheable, 0

    async def decide(self, question_json: bytes) -> Outcome:
        self.asked += 1
        return self.outcome

    async def close(self) -> None:
        pass


def test_the_least_recently_used_goes_first() -> None:
    cache = DecisionCache(2)
    for question in (b"1", b"2"):
        cache.put(question, deny("x", "r"))
    assert cache.get("r", b"1")
    cache.put(b"3", deny("x", "r"))
    assert cache.get("r", b"2") is None
    assert cache.get("r", b"1")
    assert (len(cache), cache.hits, cache.misses) == (2, 2, 1)


async def test_a_question_is_put_to_the_engine_once() -> None:
    engine = Scripted(YES)
    policy = Policy(engine, MANIFEST, cache=DecisionCache())
    assert (await policy.decide(b"q")).allow
    assert (await policy.decide(b"q")).allow
    assert engine.asked == 1


async def test_a_new_revision_asks_again() -> None:
    engine = Scripted(YES)
    policy = Policy(engine, MANIFEST, cache=DecisionCache())
    await policy.decide(b"q")
    engine.revision, engine.outcome = "r2", Answered(b'{"allow": false, "reasons": ["no"], "obligations": {}}')
    assert not (await policy.decide(b"q")).allow


async def test_an_outage_is_not_kept() -> None:
    engine = Scripted(EngineFault("panic"))
    cache = DecisionCache()
    policy = Policy(engine, MANIFEST, cache=cache)
    with pytest.raises(PolicyUnavailable):
        await policy.decide(b"q")
    engine.outcome = YES
    assert (await policy.decide(b"q")).allow


async def test_a_fault_of_the_question_is_a_no_that_is_not_kept() -> None:
    cache = DecisionCache()
    policy = Policy(Scripted(QuestionFault("policy-conflict")), MANIFEST, cache=cache)
    assert (await policy.decide(b"q")).reasons == ("policy-conflict",)
    assert len(cache) == 0


async def test_an_engine_whose_policy_may_change_is_asked_each_time() -> None:
    engine = Scripted(YES, cacheable=False)
    policy = Policy(engine, MANIFEST, cache=DecisionCache())
    await policy.decide(b"q")
    await policy.decide(b"q")
    assert engine.asked == 2


@pytest.mark.parametrize("obligation", ['"row_filter": {"plant": ["1"]}', '"rate_class": "x"'])
async def test_an_obligation_that_is_not_enforceable_or_not_declared_is_a_no(obligation: str) -> None:
    answer = Answered(f'{{"allow": true, "reasons": [], "obligations": {{{obligation}}}}}'.encode())
    decision = await Policy(Scripted(answer), MANIFEST, cache=DecisionCache()).decide(b"q")
    assert not decision.allow
    assert decision.reasons[0].startswith("obligation-not-enforceable:")


NO = Answered(b'{"allow": false, "reasons": ["no"], "obligations": {}}')


def untried(engine: Scripted) -> Policy:
    return Policy(engine, MANIFEST, cache=DecisionCache(), tried=False)


@pytest.mark.parametrize(
    ("outcome", "wrong"),
    [
        (YES, "allows a caller who has no role and no plant"),
        (Answered(b'{"allow": true, "reasons": [], "obligations": {"step_up": true}}'), "allows a caller"),
        (Undefined(), "policy-undefined"),
        (QuestionFault("policy-builtin-error"), "policy-builtin-error"),
        (Answered(b"true"), "does not answer"),
        (EngineFault("timeout"), "cannot be asked: timeout"),
    ],
)
async def test_a_server_answers_nobody_before_it_has_said_no_to_a_caller_who_has_nothing(
    outcome: Outcome, wrong: str
) -> None:
    engine = Scripted(outcome, cacheable=False)
    policy = untried(engine)
    await policy.probe()
    assert policy.trouble is not None
    assert wrong in policy.trouble
    engine.outcome = YES
    with pytest.raises(PolicyUnavailable):
        await policy.decide(b"q")
    engine.outcome = NO
    await policy.probe()
    assert policy.trouble is None
    engine.outcome = YES
    assert (await policy.decide(b"q")).allow


async def test_a_server_that_begins_to_let_everyone_in_is_asked_no_more_and_one_that_is_away_is_asked_again() -> None:
    engine = Scripted(NO, cacheable=False)
    policy = untried(engine)
    await policy.probe()
    engine.outcome = EngineFault("unreachable")
    await policy.probe()
    assert policy.trouble == "the policy engine cannot be asked: unreachable"
    engine.outcome = YES
    assert (await policy.decide(b"q")).allow
    await policy.probe()
    with pytest.raises(PolicyUnavailable):
        await policy.decide(b"q")
