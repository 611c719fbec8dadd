"""What becomes of a change that is sent twice."""

from __future__ import annotations

from datetime import timedelta

from gateway.core.canonical import Document
from gateway.reads.authoritative import key_of
from gateway.writes.carry import prepared
from tests.integration.manifests.subjects import Subject, refusal, shown_by


async def ready(subject: Subject, object_: str) -> tuple[str, Document]:
    """A document, and a patch to it that says something new."""
    number = await subject.made(object_)
    patch = dict(subject.ways.patch[object_])
    if "planned_end" in patch:
        patch["planned_end"] = (await subject.read(object_, number)).document["planned_end"] + timedelta(days=7)
    return number, patch


@shown_by(__file__, "test_a_change_is_taken_once_under_one_lock")
async def test_a_change_is_taken_once_under_one_lock(subject: Subject, object_: str, verb: str) -> None:
    number, patch = await ready(subject, object_)
    side, rule = subject.side(object_), subject.rule(object_, verb)
    call = prepared(side, verb, patch, await subject.read(object_, number))
    assert call.etag is not None
    await subject.send(side, call, 0, key_of(side, number), rule)
    assert await subject.shows(object_, verb, 0, number, patch)
    assert (await refusal(subject.send(side, call, 0, key_of(side, number), rule))).kind == "stale"


@shown_by(__file__, "test_a_change_without_a_lock_shows_in_the_document")
async def test_a_change_without_a_lock_shows_in_the_document(subject: Subject, object_: str, verb: str) -> None:
    number, patch = await ready(subject, object_)
    side, rule = subject.side(object_), subject.rule(object_, verb)
    assert not await subject.shows(object_, verb, 0, number, patch)
    call = prepared(side, verb, patch, await subject.read(object_, number))
    assert call.etag is None
    await subject.send(side, call, 0, key_of(side, number), rule)
    assert await subject.shows(object_, verb, 0, number, patch)
    # Taken again without a word: only the document tells.
    await subject.send(side, call, 0, key_of(side, number), rule)
    assert await subject.shows(object_, verb, 0, number, patch)
