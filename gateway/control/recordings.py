"""Recorded payloads of `translators/recorded`: what ERPs really sent, as native documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.dialects.library import ENTERPRISE, Dialect
from gateway.protocols.json import dumps, loads
from gateway.protocols.port import AnswerBroken, ErpRefusal, HttpReply, NativeDocument, ProtocolCodec, Query, Shape
from gateway.protocols.shape import shape_of


def recorded_documents(
    folder: Path, dialects: Mapping[str, Dialect], codecs: Mapping[str, ProtocolCodec]
) -> dict[tuple[str, str], tuple[NativeDocument, ...]]:
    """The documents in every recording that a dialect can read.

    Takes: `codecs`, protocol name -> its codec.
    """
    found: dict[tuple[str, str], tuple[NativeDocument, ...]] = {}
    for dialect in dialects.values():
        for name in dialect.objects:
            path = folder / dialect.name / f"{name}.json"
            translation = dialect.of(name, ENTERPRISE)
            codec = codecs.get(dialect.file.protocol or "")
            if path.is_file() and translation is not None and codec is not None:
                calls = loads(path.read_bytes())["calls"]
                found[dialect.name, name] = tuple(_documents(codec, shape_of(translation.plan), calls))
    return found


def _documents(codec: ProtocolCodec, shape: Shape, calls: list[dict[str, Any]]) -> Iterator[NativeDocument]:
    # The parts of a key with a dot stand in other records, such as the place that stock was asked for at.
    keys = [key for key in shape.native["key"] if "." not in key]
    for call in calls:
        if _about(shape, call["request"]):
            yield from (d for d in _of(codec, shape, call["response"]) if all(key in d for key in keys))


def _about(shape: Shape, request: Mapping[str, Any]) -> bool:
    """Whether a recorded call is about this object; a recording also holds the lookups it took to get there."""
    name = str(shape.native.get("set") or shape.native.get("model"))
    body = request.get("body")
    if isinstance(body, dict) and "method" in body:
        # A model's own method is one more word: `model.production.bom.search_read` is another model's.
        return re.fullmatch(rf"model\.{re.escape(name)}\.\w+", str(body["method"])) is not None
    return name in re.split(r"[/(?]", request["path"])


def _of(codec: ProtocolCodec, shape: Shape, answer: Mapping[str, Any]) -> tuple[NativeDocument, ...]:
    """The documents of one recorded answer; one that holds none of this object gives nothing."""
    if answer["status"] >= 400 or not isinstance(answer["body"], dict | list):  # noqa: PLR2004  # HTTP's own classes
        return ()
    reply = HttpReply(answer["status"], answer["headers"], dumps(answer["body"]))
    try:
        return codec.page(shape, Query(), reply).documents
    except (AnswerBroken, ErpRefusal, TypeError, AttributeError):
        pass
    try:
        document = codec.answer(shape, reply).document
    except (AnswerBroken, ErpRefusal):
        return ()
    return (document,) if document else ()
