"""ETags shown to clients. They carry side and term, so that one from before a change of authority is stale, never wrong."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from gateway.core.phases import Side

_CODED = "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?"
SHAPE = f'"([LC])([0-9]{{1,9}})([nc])\\.({_CODED})"'
"""How an ETag of ours is written, as the descriptions of the versions have it."""
_SHAPE = re.compile(SHAPE)


@dataclass(frozen=True, slots=True)
class ETag:
    """What a client's ETag says. `native` is the ERP's own; without one, `content` is a hash of the canonical document."""

    side: Side
    term: int
    native: str | None = None
    content: str | None = None

    def __str__(self) -> str:
        kind, value = ("n", self.native) if self.native is not None else ("c", self.content or "")
        coded = base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode()
        return f'"{self.side[0].upper()}{self.term}{kind}.{coded}"'


TAG = '"[!#-~]*"'
"""How an ETag is written, whoever gave it out."""
_TAG = re.compile(f"(?:W/)?{TAG}")
_CONDITION = re.compile(rf"\*|{_TAG.pattern}(?:[ \t]*,[ \t]*{_TAG.pattern})*")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a write says of the version it was made for. `tags` is None where any will do; `required`: one has to be named.

    `broken` says that it cannot be read: that is told to those who name a document that is there, like all else about a condition.
    """

    tags: tuple[ETag, ...] | None = None
    required: bool = False
    broken: bool = False

    @property
    def missing(self) -> bool:
        return self.required and self.tags is None

    def holds(self, now: ETag) -> bool:
        return self.tags is None or str(now) in map(str, self.tags)


ANY_VERSION = Condition()


def condition(text: str | None, *, required: bool = False) -> Condition:
    """What If-Match says (RFC 9110 section 13.1.1): tags that are not of ours are no document's.

    A proxy that compresses answers marks our tags as weak. They still say one version exactly, so they are taken for what they were.
    """
    if text is None:
        return Condition(required=required)
    text = text.strip(" \t")
    if not _CONDITION.fullmatch(text):
        return Condition((), required, broken=True)
    if text == "*":
        return Condition(required=required)
    found = (parse(tag.removeprefix("W/")) for tag in _TAG.findall(text))
    return Condition(tuple(etag for etag in found if etag is not None), required)


def parse(text: str) -> ETag | None:
    """Read a client's ETag; None where it is not written as ours are. One that we never gave out is no document's."""
    found = _SHAPE.fullmatch(text)
    if not found:
        return None
    padded = found[4] + "=" * (-len(found[4]) % 4)
    value = base64.urlsafe_b64decode(padded).decode(errors="replace")
    side: Side = "legacy" if found[1] == "L" else "cloud"
    return ETag(side, int(found[2]), value if found[3] == "n" else None, value if found[3] == "c" else None)


def content_hash(document: Mapping[str, Any]) -> str:
    """A short hash of a canonical document; equal values hash alike, however they are written."""
    text = orjson.dumps(document, default=_plain, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:24]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        text = format(value, "f")  # not normalize(), which rounds to the context's digits
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no canonical value: {type(value).__name__}")
