"""An ERP as the write engine meets it: its dialect, its connector, its manifest, and documents that it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from gateway.core.canonical import Document
from gateway.core.filters import Compare
from gateway.core.manifests import Manifest, Rule
from gateway.dialects.library import Dialect
from gateway.pipeline.exchange import ErpPath
from gateway.protocols.port import Answer, ErpRefusal, NativeDocument, NativeKey, Query, StepCall
from gateway.reads.authoritative import ErpSide, Found, find, key_of
from gateway.settings import shipped
from gateway.writes.carry import Prepared, number_of, prepared, shown, step_call
from tests.support.erp_contract import Json, Truth

CALL_S = 20.0
Entry = tuple[str, str, str]
"""Manifest, object, verb."""


def manifests() -> Iterator[Manifest]:
    """Those of the reference deployment and those of the ERPs of the tests."""
    for path in sorted((shipped() / "routes/manifests").iterdir()):
        yield Manifest.model_validate(yaml.safe_load(path.read_text("utf-8")))


def entries(wanted: Callable[[str, Rule], bool]) -> pytest.MarkDecorator:
    """Run a test for every manifest's entry of which it is true."""
    found: list[Entry] = [
        (manifest.manifest, object_, verb)
        for manifest in manifests()
        for object_, verbs in manifest.objects.items()
        for verb, rule in verbs.items()
        if wanted(verb, rule)
    ]
    return pytest.mark.parametrize(("name", "object_", "verb"), found, ids=["-".join(entry) for entry in found])


def shown_by(file: str, test: str) -> pytest.MarkDecorator:
    """Run a test for the entries that say they are shown by it."""
    return entries(lambda _, rule: rule.shown_by == f"{Path(file).name}::{test}")


@dataclass(frozen=True, slots=True)
class Ways:
    """How documents of one site are made: samples in the words of the API, what they need first, and how to spoil them."""

    new: Mapping[str, Callable[[str], Json]]
    patch: Mapping[str, Document]
    spoil: Mapping[str, Callable[[Document], Document]] = field(default_factory=dict)
    mark: Mapping[str, str] = field(default_factory=dict)
    """The field in which a document can say whose it is, where its own id says nothing of that."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One ERP, one manifest."""

    path: ErpPath
    manifest: Manifest
    plant: str
    client: Dialect
    ways: Ways
    truth: Truth

    def side(self, object_: str) -> ErpSide:
        plant = "*" if object_ == "item" else self.plant
        found = self.path.of(object_, plant)
        assert found is not None
        return ErpSide(self.path.name, self.path.connector, found[0], found[1], plant, "legacy", 1)

    def rule(self, object_: str, verb: str) -> Rule:
        return self.manifest.rule(object_, verb)

    async def document(self, object_: str) -> Document:
        """A new document that nobody has made yet, in canonical form; what it is about is made first."""
        tag = f"T{uuid4().hex[:8].upper()}"
        client = self.client.of(object_, self.plant)
        assert client is not None
        document: Document = client.decode_strict(self.ways.new[object_](tag))
        if object_ != "item":
            document["plant"] = self.plant
        if (lookup := self.rule(object_, "create").lookup_by) == "reference":
            document.pop(lookup, None)
        if object_ == "confirmation":
            document["order"] = await self.released("production_order")
        if object_ == "receipt":
            number = await self.released("purchase_order")
            document["lines"] = [
                {**row, "purchase_order": number, "purchase_order_line": "10"} for row in document["lines"]
            ]
        return document

    async def released(self, object_: str) -> str:
        number = await self.made(object_)
        if "release" in self.manifest.objects[object_]:
            await self.carried_out(object_, "release", number)
        return number

    async def made(self, object_: str, document: Document | None = None) -> str:
        """A document made with all its steps. Gives: its number."""
        document = document or await self.document(object_)
        side, rule = self.side(object_), self.rule(object_, "create")
        ready, key = prepared(side, "create", document, None), {}
        for number in range(len(ready.steps)):
            answer = await self.send(side, ready, number, key, rule)
            key = answer.key or key
        found = number_of(side, key, document)
        assert found is not None
        return found

    async def carried_out(self, object_: str, verb: str, number: str) -> None:
        side = self.side(object_)
        ready = prepared(side, verb, None, await self.read(object_, number))
        for step in range(len(ready.steps)):
            await self.send(side, ready, step, key_of(side, number), self.rule(object_, verb))

    async def send(
        self, side: ErpSide, ready: Prepared, step: int, key: NativeKey, rule: Rule, token: str = ""
    ) -> Answer:
        """One step, as the engine sends it."""
        return await self.call(side, step_call(side, ready, step, key, token=token or uuid4().hex, rule=rule))

    async def call(self, side: ErpSide, call: StepCall) -> Answer:
        return await side.connector.send(side.shape, call, deadline_s())

    async def create(self, object_: str, document: Document, token: str, **headers: str) -> Answer:
        """The first step of a create, under an id."""
        side, rule = self.side(object_), self.rule(object_, "create")
        call = step_call(side, prepared(side, "create", document, None), 0, {}, token=token, rule=rule)
        return await self.call(side, call._replace(headers={**call.headers, **headers}))

    async def read(self, object_: str, number: str) -> Found:
        return await find(self.side(object_), number, deadline_s())

    async def by_token(self, object_: str, token: str) -> list[NativeDocument]:
        """What the engine would find when it looks for an id."""
        side, rule = self.side(object_), self.rule(object_, "create")
        query = Query(Compare(str(rule.lookup_by), "eq", token), (), 2, None)
        return list((await side.connector.search(side.shape, query, deadline_s())).documents)

    def key_in(self, object_: str, native: NativeDocument) -> dict[str, Any]:
        return {str(name): native.get(name) for name in self.side(object_).translation.plan.native["key"]}

    async def shows(self, object_: str, verb: str, step: int, number: str, body: Document | None = None) -> bool:
        """Whether the document, read now, shows a step."""
        found = await self.read(object_, number)
        return shown(self.side(object_), verb, step, self.rule(object_, verb), body, found)


async def refusal(call: Any) -> ErpRefusal:
    """The ERP's no, which must come."""
    with pytest.raises(ErpRefusal) as no:
        await call
    return no.value


def deadline_s() -> float:
    return asyncio.get_running_loop().time() + CALL_S
