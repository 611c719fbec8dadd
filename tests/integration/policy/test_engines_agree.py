"""Inside the embedded profile both engines answer alike: piece by piece, and on the reference bundle."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import regorus

from gateway.policy.bundle import ActiveBundle, load_bundle
from gateway.policy.embedded import EmbeddedEngine
from gateway.policy.opa_server import OpaServer, OpaServerEngine
from gateway.policy.port import Answered
from gateway.policy.profile import check_profile
from gateway.policy.question import Projector
from gateway.policy.rule_check import LIST, MAYBE_LIST, Shape
from tests.integration.policy.constructs import DATA, HELPERS, INPUT, INSIDE, OUTSIDE, rules
from tests.unit.policy.model import POLICIES, likely_question, may

FAILED = "an error"


@pytest.fixture(scope="module")
def bundle() -> ActiveBundle:
    return load_bundle(POLICIES)


def shape_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape_of(below) for key, below in value.items()}
    return LIST if isinstance(value, list) else None


SHAPE = Shape(shape_of(INPUT) | {"nul": MAYBE_LIST}, DATA)


def module_of(rule: str) -> str:
    return f"package t\n{rule}\n{HELPERS}"


def mistakes_of(source: str) -> list[Any]:
    engine = regorus.Engine()
    engine.add_policy("r.rego", source)
    return check_profile(json.loads(engine.get_ast_as_json()), SHAPE)


def by_regorus(source: str) -> Any:
    engine = regorus.Engine()
    try:
        engine.add_policy("r.rego", source)
        engine.add_data_json(json.dumps(DATA))
        engine.set_input_json(json.dumps(INPUT))
        answer = engine.eval_rule_as_json("data.t.r")
    except RuntimeError:
        return FAILED
    return None if answer == '"<undefined>"' else [json.loads(answer)]


def by_opa(http: httpx.Client, source: str) -> Any:
    put = http.put("/v1/policies/r", content=source.encode(), headers={"Content-Type": "text/plain"})
    if put.status_code != 200:
        return FAILED
    asked = http.post("/v1/data/t/r", params={"strict-builtin-errors": "true"}, json={"input": INPUT})
    if asked.status_code != 200:
        return FAILED
    body = asked.json()
    return [body["result"]] if "result" in body else None


@pytest.mark.parametrize("rule", rules(INSIDE))
def test_a_construct_the_profile_admits_is_admitted(rule: str) -> None:
    assert mistakes_of(module_of(rule)) == []


@pytest.mark.parametrize("rule", rules(OUTSIDE))
def test_a_construct_the_engines_differ_in_is_refused_with_its_place(rule: str) -> None:
    mistakes = mistakes_of(module_of(rule))
    assert mistakes
    assert all(m.file == "r.rego" and m.line == 2 and m.column > 0 for m in mistakes)


def test_every_admitted_construct_has_one_answer_in_both_engines(start_opa: Callable[..., str]) -> None:
    with httpx.Client(base_url=start_opa()) as http:
        http.put("/v1/data", json=DATA)
        different = [
            (rule, opa, ours)
            for rule in rules(INSIDE)
            if (opa := by_opa(http, module_of(rule))) != (ours := by_regorus(module_of(rule)))
        ]
    assert different == []


def test_the_known_differences_are_still_there_and_so_still_need_refusing(start_opa: Callable[..., str]) -> None:
    with httpx.Client(base_url=start_opa()) as http:
        http.put("/v1/data", json=DATA)
        differing = [rule for rule in rules(OUTSIDE) if by_opa(http, module_of(rule)) != by_regorus(module_of(rule))]
    for rule in ("r if { not f(data.d.none) }", 'r if { not "x" in data.d.none }', "r := 0.1 + 0.2"):
        assert rule in differing


async def test_both_engines_decide_alike_on_the_reference_bundle(
    bundle: ActiveBundle, start_opa: Callable[..., str]
) -> None:
    server = OpaServer(start_opa("--bundle", str(POLICIES)), timeout_s=10)
    embedded, opa = EmbeddedEngine(bundle), OpaServerEngine(server, bundle.manifest)
    projector, rng = Projector(bundle.manifest), random.Random(20)
    allowed = 0
    try:
        for _ in range(700):
            question = likely_question(rng)
            asked = projector.project(question, 0)
            ours, theirs = await embedded.decide(asked), await opa.decide(asked)
            assert isinstance(ours, Answered)
            assert isinstance(theirs, Answered)
            assert json.loads(ours.answer_json) == json.loads(theirs.answer_json), asked
            assert json.loads(ours.answer_json)["allow"] is may(question)
            allowed += may(question)
    finally:
        await opa.close()
    assert allowed > 350
