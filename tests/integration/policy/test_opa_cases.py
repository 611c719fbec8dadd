"""OPA's own conformance cases, cut to the embedded profile: each must get the answer its authors wrote down.

They come with OPA's source, into Go's module cache; nothing of them is kept here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import regorus
import yaml

from gateway.policy.profile import check_profile
from gateway.policy.rule_check import LIST, Shape
from gateway.policy.syntax import head_of, name_of, package_of
from tests.integration.policy.conftest import OPA
from tests.support.parts import PartMissing, skip_if_missing

FEWEST = 100


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    with skip_if_missing():
        folder = _from_opa()
    return [case for path in sorted(folder.rglob("*.yaml")) for case in read(path)]


def _from_opa() -> Path:
    go = shutil.which("go")
    if go is None:
        raise PartMissing("needs Go, for OPA's source")
    done = subprocess.run([go, "mod", "download", "-json", OPA], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PartMissing(f"OPA's source could not be fetched: {done.stderr.strip()[-200:]}")
    return Path(json.loads(done.stdout)["Dir"]) / "v1/test/cases/testdata/v1"


def read(path: Path) -> list[dict[str, Any]]:
    return list(yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["cases"])


def shape_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): shape_of(below) for key, below in value.items()}
    return LIST if isinstance(value, list) else None


def inside(cases: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], regorus.Engine, str]]:
    """The cases the profile admits that ask for one rule's value: the case, an engine that holds it, and the rule."""
    for case in cases:
        entry, _, name = case.get("query", "").partition(" = ")
        simple = entry.startswith("data.") and name == "x" and "input_term" not in case
        if not simple or case.get("want_error") or case.get("want_error_code"):
            continue
        engine = regorus.Engine()
        try:
            for number, module in enumerate(case.get("modules") or ()):
                engine.add_policy(f"m{number}.rego", module)
            trees = json.loads(engine.get_ast_as_json())
        except RuntimeError:
            continue
        rules = {f"data.{package_of(tree)}.{name_of(head_of(r)[1])}" for tree in trees for r in tree["ast"]["rules"]}
        if entry in rules and not check_profile(
            trees, Shape(shape_of(case.get("input") or {}), case.get("data") or {})
        ):
            yield case, engine, entry


def answer_of(case: dict[str, Any], engine: regorus.Engine, entry: str) -> Any:
    try:
        engine.add_data_json(json.dumps(case.get("data") or {}))
        engine.set_input_json(json.dumps(case.get("input")))
        answer = engine.eval_rule_as_json(entry)
    except RuntimeError:
        return "an error"
    return [] if answer == '"<undefined>"' else [json.loads(answer)]


def sorted_lists(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((sorted_lists(item) for item in value), key=repr)
    return {key: sorted_lists(below) for key, below in value.items()} if isinstance(value, dict) else value


def test_opas_own_cases_inside_the_profile_get_opas_answers(cases: list[dict[str, Any]]) -> None:
    tried, wrong = 0, []
    for case, engine, entry in inside(cases):
        tried += 1
        wanted = [row["x"] for row in case.get("want_result") or ()]
        answer = answer_of(case, engine, entry)
        strict = answer == "an error" and not case.get("strict_error")
        if sorted_lists(answer) != sorted_lists(wanted) and not (strict and wanted == []):
            wrong.append((case["note"], answer, wanted))
    assert wrong == []
    assert tried > FEWEST
