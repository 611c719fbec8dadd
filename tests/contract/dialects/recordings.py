"""The recorded answers as native documents: each protocol's envelope taken off by the protocol's own code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from gateway.protocols import tryton
from gateway.protocols.json import dumps, loads
from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.odata_v4 import ODataV4
from gateway.protocols.port import HttpReply, Query, Shape
from tests.contract.dialects.content import ROOT, dialects

REFUSED = 400
RECORDED = ROOT / "recorded"


@cache
def recordings() -> dict[tuple[str, str], tuple[dict[str, Any], ...]]:
    """(dialect, object) -> the documents that the recorded calls answered with."""
    files = sorted(RECORDED.glob("*/*.json"))
    known = [f for f in files if dialects()[f.parent.name].of(f.stem, "*") is not None]
    return {(f.parent.name, f.stem): tuple(_documents(f)) for f in known}


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    found = dialects()[file.parent.name].of(file.stem, "*")
    assert found is not None
    native = found.plan.native
    read = tryton.loads if "model" in native else loads
    for call in read(file.read_bytes())["calls"]:
        body = call["response"]["body"]
        if call["response"]["status"] < REFUSED and body:
            yield from _answered(file.parent.name, native, call["request"], body)


def _answered(dialect: str, native: Any, request: Any, body: Any) -> Iterator[dict[str, Any]]:
    if "set" in native:
        if re.search(rf"/{native['set']}(?:\(|$)", request["path"]):
            yield from _odata(dialect, native, body)
    elif dialect == "tryton":
        if re.fullmatch(rf"model\.{re.escape(native['model'])}\.(search_)?read", request["body"]["method"]):
            yield from (tryton.nested(row) for row in body.get("result") or ())
    elif re.search(rf"/model/{re.escape(native['model'])}(?:/|$)", request["path"]):
        rows = body if isinstance(body, list) else [body]
        yield from (row for row in rows if isinstance(row, dict))


def _odata(dialect: str, native: Any, body: Any) -> Iterator[dict[str, Any]]:
    codec = ODataV2() if dialect == "sap-ecc" else ODataV4()
    reply = HttpReply(200, {}, dumps(body))
    many = "value" in body or "results" in (body.get("d") or {})
    if many:
        yield from codec.page(Shape(native), Query(), reply).documents
    else:
        document = codec.answer(Shape(native), reply).document
        assert document is not None
        yield document
