"""What a manifest says of an ERP beside doubt: its change feed, what it makes by itself, and that each entry names its test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module

import pytest

from gateway.core.filters import Compare
from gateway.reads.authoritative import key_of, search
from gateway.writes.carry import prepared
from tests.integration.manifests.subjects import Subject, deadline_s, entries, manifests
from tests.integration.manifests.test_changes import ready
from tests.support.simulated import Pair

FEEDS = [(manifest.manifest, object_) for manifest in manifests() for object_ in manifest.delta_feed]


@pytest.mark.parametrize(("name", "object_"), FEEDS, ids=["-".join(feed) for feed in FEEDS])
async def test_a_changed_document_is_in_the_feed(subject: Subject, object_: str) -> None:
    changed_at = subject.manifest.delta_feed[object_]
    if "change" in subject.manifest.objects.get(object_, {}):
        number, patch = await ready(subject, object_)
        before = (await subject.read(object_, number)).document.get(changed_at)
        await _changed(subject, object_, number, patch)
    else:  # it is posted once and never changed
        number, before = await subject.made(object_), None
    at = (await subject.read(object_, number)).document[changed_at]
    assert before is None or before <= at
    assert number in await _since(subject, object_, changed_at, at)
    later = timedelta(seconds=1) if isinstance(at, datetime) and object_ != "confirmation" else timedelta(days=1)
    assert number not in await _since(subject, object_, changed_at, at + later)


async def _changed(subject: Subject, object_: str, number: str, patch: dict[str, object]) -> None:
    side = subject.side(object_)
    call = prepared(side, "change", patch, await subject.read(object_, number))
    await subject.send(side, call, 0, key_of(side, number), subject.rule(object_, "change"))


async def _since(subject: Subject, object_: str, changed_at: str, moment: object) -> list[str]:
    where = Compare(changed_at, "ge", moment)
    page = await search(subject.side(object_), where, (), 200, None, deadline_s())
    return [str(document["id"]) for document in page.documents]


@entries(lambda verb, rule: bool(rule.derives))
async def test_what_a_manifest_says_an_erp_derives_is_there_afterwards(
    subject: Subject, name: str, object_: str, verb: str, sims: Pair
) -> None:
    erp = sims.legacy if name == "ecc" else sims.cloud
    document, mark = await subject.document(object_), erp.length
    await subject.made(object_, document)
    made = {entry["entity"] for entry in erp.since(mark) if entry["verb"] == "create"}
    assert subject.rule(object_, verb).derives == ["movement"]
    assert any("MaterialDocument" in entity for entity in made)


def test_every_entry_names_the_test_that_shows_it() -> None:
    for manifest in manifests():
        for object_, verbs in manifest.objects.items():
            for verb, rule in verbs.items():
                assert rule.shown_by is not None, (manifest.manifest, object_, verb)
                file, _, test = rule.shown_by.partition("::")
                found: Callable[..., object] = getattr(import_module(f"tests.integration.manifests.{file[:-3]}"), test)
                assert found is not None
