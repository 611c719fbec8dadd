"""Tries a bundle in a process of its own, under a CPU limit: a job on stdin, JSON lines on stdout.

Of its own, because a bundle is not trusted until its tests have passed: the engine has no time limit, and a policy that
recurses kills the process it runs in.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import regorus

from gateway.errors import Mistake
from gateway.policy.profile import check_profile, input_shape
from gateway.policy.rule_check import HINT, Shape
from gateway.policy.syntax import Node, head_of, kind_of, name_of, package_of, position

MEMORY_BYTES = 2 * 1024**3
PLACE = re.compile(r"--> (?P<file>.+?):(?P<line>\d+):(?P<column>\d+)")
REASON = re.compile(r"error: (?P<reason>.+)")
ROUNDS = 9
CALLS = 40
CALLED = re.compile(r"the builtin (?P<name>\S*) is ")
TEST = "test_"


def emit(kind: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
    sys.stdout.flush()


def mistake_of(file: str, text: str) -> Mistake:
    """Read the place and the reason out of the engine's message."""
    place, reason = PLACE.search(text), REASON.search(text)
    words = reason["reason"] if reason else "the engine refuses this"
    return (
        Mistake(place["file"], int(place["line"]), int(place["column"]), words) if place else Mistake(file, 0, 0, words)
    )


def parse(modules: list[list[str]]) -> tuple[list[Node], list[Mistake]]:
    """Parse each module alone, so that every syntax error is found."""
    trees: list[Node] = []
    mistakes: list[Mistake] = []
    for file, text in modules:
        engine = regorus.Engine()
        try:
            engine.add_policy(file, text)
            trees += json.loads(engine.get_ast_as_json())
        except RuntimeError as error:
            mistakes.append(mistake_of(file, str(error)))
    return trees, mistakes


def stands_alone(mistake: Mistake) -> bool:
    """Whether a mistake is one whatever stands in files that cannot be read: a builtin without a dot may be a rule in one of them."""
    called = CALLED.match(mistake.reason)
    return HINT in mistake.reason and (called is None or "." in called["name"])


def build(modules: list[list[str]], data_json: str) -> Any:
    engine = regorus.Engine()
    for file, text in modules:
        engine.add_policy(file, text)
    engine.add_data_json(data_json)
    return engine


def tests_in(trees: list[Node]) -> Iterator[tuple[str, str, int]]:
    """Every test's full name, file and line."""
    seen: set[str] = set()
    for tree in trees:
        file, package = tree["source"]["file"], package_of(tree)
        for rule in tree["ast"]["rules"] if file.endswith("_test.rego") else ():
            name = f"data.{package}.{name_of(head_of(rule)[1])}"
            if name.rpartition(".")[2].startswith(TEST) and name not in seen:
                seen.add(name)
                yield name, file, position(kind_of(rule)[1])[0]


def run_tests(engine: Any, trees: list[Node]) -> None:
    for name, file, line in tests_in(trees):
        emit("begin", name=name, file=file, line=line)
        tried = engine.clone()
        tried.set_gather_prints(True)
        tried.set_input_json("{}")
        try:
            passed, message = tried.eval_rule(name) is True, "not true"
        except RuntimeError as error:
            passed, message = False, str(mistake_of(file, str(error)))
        emit("test", name=name, file=file, line=line, passed=passed, message="" if passed else message)


def probe(engine: Any, entry: str, question: str) -> None:
    """Answer the question of a caller who has nothing, and measure what an answer costs.

    The least of several rounds on the wall clock: other processes can only add to it, and CPU clocks tick too coarsely.
    """
    try:
        engine.set_input_json(question)
        answer = engine.eval_rule_as_json(entry)
    except RuntimeError as error:
        emit("probe", answer=None, message=str(mistake_of(entry, str(error))), cost_us=0.0)
        return
    costs = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            engine.set_input_json(question)
            engine.eval_rule_as_json(entry)
        costs.append((time.perf_counter() - start) / CALLS * 1e6)
    emit("probe", answer=answer, message="", cost_us=min(costs))


def main() -> None:
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    trees, mistakes = parse(job["modules"])
    if job.get("read_only") or mistakes:
        mistakes += [m for m in check_profile(trees, Shape({}, {})) if stands_alone(m)]
    else:
        mistakes = check_profile(trees, Shape(input_shape(job["document"]), json.loads(job["data"])))
    if mistakes or job.get("read_only"):
        emit("mistakes", rows=[[m.file, m.line, m.column, m.reason] for m in mistakes])
        emit("end")
        return
    run_tests(build(job["modules"], job["data"]), trees)
    policies = [module for module in job["modules"] if not module[0].endswith("_test.rego")]
    probe(build(policies, job["data"]), job["entry"], job["question"])
    emit("end")


if __name__ == "__main__":
    main()
