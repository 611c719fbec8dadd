"""Each call of a verb leaves a state by which it is known: the one before it does not show it yet."""

from __future__ import annotations

from gateway.reads.authoritative import key_of
from gateway.writes.carry import prepared, steps_of
from tests.integration.manifests.subjects import Subject, entries, shown_by

FIRST = {"start": ("release",), "complete": ("release", "start")}
"""What must have been done before a verb."""


@shown_by(__file__, "test_each_call_shows_in_the_state")
async def test_each_call_shows_in_the_state(subject: Subject, object_: str, verb: str) -> None:
    number = await subject.made(object_)
    for before in FIRST.get(verb, ()):
        await subject.carried_out(object_, before, number)
    side, rule = subject.side(object_), subject.rule(object_, verb)
    call = prepared(side, verb, None, await subject.read(object_, number))
    for step in range(len(call.steps)):
        assert not await subject.shows(object_, verb, step, number)
        await subject.send(side, call, step, key_of(side, number), rule)
        assert await subject.shows(object_, verb, step, number)


@entries(lambda verb, rule: verb == "create" and bool(rule.steps))
async def test_each_call_after_a_create_shows_in_the_state(subject: Subject, object_: str, verb: str) -> None:
    document = await subject.document(object_)
    side, rule = subject.side(object_), subject.rule(object_, verb)
    call = prepared(side, verb, document, None)
    made = await subject.send(side, call, 0, {}, rule)
    number = str((made.key or {})["id"])
    for step in range(1, len(call.steps)):
        assert not await subject.shows(object_, verb, step, number)
        await subject.send(side, call, step, made.key or {}, rule)
        assert await subject.shows(object_, verb, step, number)


@entries(lambda verb, rule: bool(rule.steps))
async def test_the_calls_of_a_manifest_are_those_of_the_dialect(subject: Subject, object_: str, verb: str) -> None:
    called = {step.name for step in steps_of(subject.side(object_), verb) if step.do == "call"}
    assert set(subject.rule(object_, verb).steps) == called
