"""What becomes of a create that is sent twice: why each manifest settles it as it does."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

from tests.integration.manifests.subjects import Subject, entries, refusal, shown_by

HEADERS = ("RequestID", "Repeatability-Request-ID", "Idempotency-Key")
NUMBERS = map(str, count(4_700_000_001))


@shown_by(__file__, "test_a_create_is_found_by_the_id_it_carries")
async def test_a_create_is_found_by_the_id_it_carries(subject: Subject, object_: str, verb: str) -> None:
    document, token = await subject.document(object_), uuid4().hex
    made = await subject.create(object_, document, token)
    (found,) = await subject.by_token(object_, token)
    assert subject.key_in(object_, found) == dict(made.key or {})
    assert await subject.by_token(object_, uuid4().hex) == []
    # The ERP itself would make it again: so nobody sends it before it has looked.
    again = await subject.create(object_, document, token)
    assert again.key != made.key
    assert len(await subject.by_token(object_, token)) == 2


@shown_by(__file__, "test_the_same_key_makes_one_document")
async def test_the_same_key_makes_one_document(subject: Subject, object_: str, verb: str) -> None:
    document, token = await subject.document(object_), uuid4().hex
    before = subject.truth.rows(object_)
    first, second = [await subject.create(object_, document, token) for _ in range(2)]
    assert first.key == second.key
    assert subject.truth.rows(object_) == before + 1


@shown_by(__file__, "test_a_number_of_ours_is_taken_once")
async def test_a_number_of_ours_is_taken_once(subject: Subject, object_: str, verb: str) -> None:
    """The second is refused, and the document shows whether it is the one that was sent."""
    document = await subject.document(object_)
    document |= {"id": document["id"] if object_ == "item" else next(NUMBERS)}
    before = subject.truth.rows(object_)
    await subject.create(object_, document, uuid4().hex)
    assert subject.truth.rows(object_) == before + 1
    assert (await refusal(subject.create(object_, document, uuid4().hex))).kind in ("conflict", "invalid")
    assert await subject.shows(object_, "create", 0, document["id"], document)
    other = {**document, **subject.ways.patch[object_]}
    await refusal(subject.create(object_, other, uuid4().hex))
    assert not await subject.shows(object_, "create", 0, document["id"], other)
    assert subject.truth.rows(object_) == before + 1


@shown_by(__file__, "test_nothing_tells_a_create_sent_twice_from_two")
async def test_nothing_tells_a_create_sent_twice_from_two(subject: Subject, object_: str, verb: str) -> None:
    document, before = await subject.document(object_), subject.truth.rows(object_)
    for tries, header in enumerate(HEADERS, 1):
        key = {header: str(uuid4())}
        first, second = [await subject.create(object_, document, "", **key) for _ in range(2)]
        assert first.key != second.key
        assert subject.truth.rows(object_) == before + 2 * tries


@entries(lambda verb, rule: rule.external_number is not None)
async def test_an_erp_keeps_the_number_that_it_is_given(subject: Subject, object_: str, verb: str) -> None:
    document = await subject.document(object_)
    document |= {"id": document["id"] if object_ == "item" else next(NUMBERS)}
    assert await subject.made(object_, document) == document["id"]
    assert (await subject.read(object_, document["id"])).document["id"] == document["id"]


@entries(lambda verb, rule: verb == "create" and rule.atomic_document)
async def test_of_a_document_with_a_bad_line_nothing_is_kept(subject: Subject, object_: str, verb: str) -> None:
    if object_ in subject.ways.spoil:
        document, before = subject.ways.spoil[object_](await subject.document(object_)), subject.truth.rows(object_)
        await refusal(subject.create(object_, document, uuid4().hex))
        assert subject.truth.rows(object_) == before
