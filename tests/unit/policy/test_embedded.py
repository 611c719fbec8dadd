"""The embedded engine answers, survives what goes wrong inside it, and tells a no from an outage."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading

import pytest
import regorus
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.bundle import ActiveBundle, check_files, load_bundle
from gateway.policy.cache import DecisionCache
from gateway.policy.embedded import EmbeddedEngine, classify
from gateway.policy.port import Answered, EngineFault, QuestionFault, Undefined
from gateway.policy.question import VERBS, Projector, Question, Subject
from gateway.policy.service import Policy
from tests.unit.policy.model import GRANTS, OBJECTS, PLANTS, POLICIES, document, likely_question, mask, may

FRAGILE = """package shop

default decision := {"allow": false, "reasons": ["no"], "obligations": {}}

decision := {"allow": true, "reasons": [], "obligations": {}} if {
	input.verb == "change"
	startswith(input.version, "v")
}

decision := {"allow": true, "reasons": [], "obligations": {}} if input.verb == "delete"

decision := {"allow": true, "reasons": ["other"], "obligations": {}} if {
	input.verb == "delete"
	input.object == "item"
}
"""


@pytest.fixture(scope="module")
def bundle() -> ActiveBundle:
    return load_bundle(POLICIES)


@pytest.fixture(scope="module")
def fragile() -> ActiveBundle:
    report = check_files({"manifest.yaml": "schema: 1\npackage: shop\n", "shop.rego": FRAGILE})
    assert report.bundle is not None, report.mistakes
    return report.bundle


def asked(bundle: ActiveBundle, verb: str, thing: str = "order", version: str | None = None) -> bytes:
    subject = Subject("u", "c", (), (), "jwt")
    question = Question(subject, "1000", "production", thing, verb, "legacy", version=version)
    return Projector(bundle.manifest).project(question, 0)


async def test_a_builtin_that_fails_on_a_value_is_the_questions_fault(fragile: ActiveBundle) -> None:
    engine = EmbeddedEngine(fragile)
    assert await engine.decide(asked(fragile, "change")) == QuestionFault("policy-builtin-error")


async def test_rules_that_disagree_are_the_questions_fault(fragile: ActiveBundle) -> None:
    engine = EmbeddedEngine(fragile)
    assert await engine.decide(asked(fragile, "delete", "item")) == QuestionFault("policy-conflict")


async def test_after_a_fault_the_engine_answers_as_before(fragile: ActiveBundle) -> None:
    engine = EmbeddedEngine(fragile)
    before = await engine.decide(asked(fragile, "change", version="v1"))
    await engine.decide(asked(fragile, "change"))
    assert engine.replaced == 1
    assert await engine.decide(asked(fragile, "change", version="v1")) == before
    assert isinstance(before, Answered)


async def test_a_question_that_is_no_json_is_an_outage_of_ours(fragile: ActiveBundle) -> None:
    assert await EmbeddedEngine(fragile).decide(b"{") == EngineFault("engine-error")


async def test_a_rule_without_a_value_is_undefined(fragile: ActiveBundle) -> None:
    modules = (("m.rego", 'package shop\n\ndecision := {} if input.verb == "x"\n'),)
    bare = ActiveBundle("r", fragile.manifest, modules, "{}", 1.0)
    assert await EmbeddedEngine(bare).decide(asked(bare, "read")) == Undefined()


async def test_a_panic_is_an_outage_and_the_next_question_is_answered(bundle: ActiveBundle) -> None:
    made: list[EmbeddedEngine] = []
    maker = threading.Thread(target=lambda: made.append(EmbeddedEngine(bundle)))
    maker.start()
    maker.join()
    # An engine used outside its thread is regorus's own way to panic.
    assert await made[0].decide(asked(bundle, "read")) == EngineFault("panic")
    assert isinstance(await made[0].decide(asked(bundle, "read")), Answered)


def test_an_engine_error_collects_no_stack_frames_whatever_the_host_asks_for() -> None:
    program = """
import regorus
import gateway.policy.embedded
engine = regorus.Engine()
try:
    engine.add_policy("a.rego", "package")
except RuntimeError as error:
    print("frames" if "backtrace" in str(error) else "none")
"""
    environment = {"RUST_BACKTRACE": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"


def test_the_engines_words_are_sorted_into_faults() -> None:
    place = "\n--> a.rego:2:1\n"
    assert classify(f"{place}error: could not find function foo") == EngineFault("engine-error")
    assert classify(f"{place}error: var y is unsafe") == EngineFault("engine-error")
    assert classify("EOF while parsing") == EngineFault("engine-error")
    assert classify(f"{place}error: divide by zero") == QuestionFault("policy-builtin-error")


async def test_likely_questions_are_decided_as_an_independent_model_says(bundle: ActiveBundle) -> None:
    policy = Policy(EmbeddedEngine(bundle), bundle.manifest, cache=DecisionCache())
    rng, allowed = random.Random(7), 0
    for _ in range(1500):
        question = likely_question(rng)
        decision = await policy.decide(policy.ask(question, 0))
        assert decision.allow is may(question), question
        if decision.allow:
            allowed += 1
            assert set(decision.obligations.mask) == mask(question), question
        else:
            assert decision.reasons
    assert allowed > 700


QUESTIONS = st.builds(
    lambda roles, plants, plant, domain, thing, verb, seed: Question(
        Subject("u", "c", tuple(roles), tuple(plants), "jwt"),
        plant,
        domain,
        thing,
        verb,
        "legacy",
        document=document(random.Random(seed), thing),
    ),
    roles=st.lists(st.sampled_from([*GRANTS, "*", "ghost", ""]), max_size=4),
    plants=st.lists(st.sampled_from([*PLANTS, "*", ""]), max_size=3),
    plant=st.sampled_from([*PLANTS, "*", ""]),
    domain=st.sampled_from([*OBJECTS, "finance", "*"]),
    thing=st.sampled_from([name for names in OBJECTS.values() for name in names] + ["*", "grants"]),
    verb=st.sampled_from(VERBS),
    seed=st.integers(0, 1000),
)


@settings(max_examples=400, deadline=None)
@given(question=QUESTIONS)
def test_no_question_gets_a_yes_that_the_grants_do_not_hold(question: Question) -> None:
    engine = regorus.Engine()
    loaded = _loaded()
    for file, text in loaded.modules:
        engine.add_policy(file, text)
    engine.add_data_json(loaded.data_json)
    engine.set_input_json(Projector(loaded.manifest).project(question, 0).decode())
    assert json.loads(engine.eval_rule_as_json(loaded.entry))["allow"] is may(question)


_KEPT: list[ActiveBundle] = []


def _loaded() -> ActiveBundle:
    if not _KEPT:
        _KEPT.append(load_bundle(POLICIES))
    return _KEPT[0]
