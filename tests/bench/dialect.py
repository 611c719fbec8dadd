"""Microseconds of reading, translating and writing the order, in this process, beside a unit that every machine has."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import orjson

from gateway.control.content import Content
from gateway.core.canonical import Document
from gateway.core.etags import content_hash
from gateway.dialects.compile import Translation
from gateway.edge import json_strict
from gateway.protocols import json as erp_json
from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.odata_v4 import ODataV4
from gateway.protocols.port import HttpReply
from gateway.protocols.shape import shape_of
from gateway.sim.erps import ErpConfig, cloud_app, legacy_app
from tests.bench.answers import DAY, KEY, NEW_ORDER, PLANT, FixedErp, captured
from tests.bench.processes import BenchError


def translations(content: Content) -> tuple[Translation, Translation]:
    """The order in the ERP's dialect and in the client's."""
    return _translation(content, "sap-ecc"), _translation(content, "api-v2")


def _translation(content: Content, dialect: str) -> Translation:
    found = content.dialects[dialect].of("production_order", PLANT)
    if found is None:
        raise BenchError(f"the content has no production order in {dialect}")
    return found


def fixed_answers(content: Content) -> dict[str, FixedErp]:
    """The simulated ERPs' answers to the calls that are measured, by the names that the content has for the ERPs."""
    legacy, cloud, new = _translation(content, "sap-ecc"), _translation(content, "sap-s4"), new_document(content)
    config = ErpConfig(csrf=False, clock=lambda: DAY)
    key = {"ManufacturingOrder": KEY.zfill(12)}
    return {
        "ecc": captured(legacy_app(config).erp, ODataV2(), shape_of(legacy.plan), legacy.encode_write(new), key),
        "s4": captured(cloud_app(config).erp, ODataV4(), shape_of(cloud.plan), cloud.encode_write(new), None),
    }


def new_document(content: Content) -> Document:
    _, client = translations(content)
    document: Document = client.decode_strict(json_strict.loads(orjson.dumps(NEW_ORDER)))
    return document | {"plant": PLANT}


def costs(content: Content, fixed: FixedErp) -> dict[str, Any]:
    """Each operation's microseconds, and as a multiple of `orjson.loads` of the ERP's answer."""
    erp, client = translations(content)
    document, new = erp.decode(fixed.native), new_document(content)
    shown, body = client.encode(document), orjson.dumps(NEW_ORDER)
    reply, shape, codec = HttpReply(200, {}, fixed.read), shape_of(erp.plan), ODataV2()
    unit = _cost_us(lambda: orjson.loads(fixed.read))
    operations: dict[str, Callable[[], Any]] = {
        "ERP's JSON, exact": lambda: erp_json.loads(fixed.read),
        "ERP's JSON to a native document": lambda: codec.answer(shape, reply),
        "decode, ERP to canonical": lambda: erp.decode(fixed.native),
        "encode, canonical to client": lambda: client.encode(document),
        "client's JSON, written": lambda: json_strict.dumps(shown),
        "client's JSON, strict": lambda: json_strict.loads(body),
        "decode, client to canonical": lambda: client.decode_strict(json_strict.loads(body)),
        "encode, canonical to ERP": lambda: erp.encode_write(new),
        "content hash of the canonical order": lambda: content_hash(document),
    }
    found = {name: _cost_us(operation) for name, operation in operations.items()}
    fields = sum(value is not None for value in document.values())
    return {
        "unit": {"what": f"orjson.loads of {len(fixed.read)} bytes", "us": unit},
        "fields": {"header": len(document), "filled": fields},
        "us": found,
        "units": {name: cost / unit for name, cost in found.items()},
    }


def _cost_us(operation: Callable[[], Any], loops: int = 300, repeats: int = 5) -> float:
    found = []
    for _ in range(repeats):
        began = time.process_time_ns()
        for _ in range(loops):
            operation()
        found.append((time.process_time_ns() - began) / loops / 1000)
    return median(found)
