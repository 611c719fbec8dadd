"""The query of a list: filter, order, page and fields, in the version's words."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway.core.canonical import FieldSpec, ObjectSpec
from gateway.core.contracts import Contract, Resource
from gateway.core.etags import content_hash
from gateway.core.filters import EVERYTHING, And, Compare, Filter, Not, Or
from gateway.core.waves import Cell
from gateway.dialects.codecs import Codec
from gateway.dialects.compile import Translation
from gateway.dialects.resolve import Entry
from gateway.errors import Malformed, NoSuchPage
from gateway.pipeline.exchange import Exchange, Listing, required
from gateway.protocols.filters import FieldKind, parse_filter

CURSOR = "^[A-Za-z0-9_-]+$"
_PARAMETERS = ("filter", "order", "limit", "cursor", "fields")


def listing(x: Exchange, contract: Contract, resource: Resource, client: Translation) -> Listing:
    """Read a list's parameters. Raises: Malformed."""
    target = required(x.target, "target")
    unknown = [name for name in target.query if name not in _PARAMETERS]
    if unknown:
        raise Malformed(f"The parameter {unknown[0]!r} has no meaning here.", field=unknown[0])
    where = _filter(target.parameter("filter"), resource, client)
    return Listing(
        filter=where,
        order=_order(target.parameter("order"), resource, client),
        limit=_limit(target.parameter("limit"), contract),
        cursor=target.parameter("cursor"),
        filtered=frozenset(fields_of(where)),
    )


def selected(x: Exchange, client: Translation) -> frozenset[str] | None:
    """The top-level fields asked for; None is all. Raises: Malformed."""
    text = required(x.target, "target").parameter("fields")
    if text is None:
        return None
    names = frozenset(part.strip() for part in text.split(","))
    known = {path[0] for entry in client.plan.level.entries for path in entry.native}
    if wrong := sorted(names - known):
        raise Malformed(f"There is no field {wrong[0]!r}.", field="fields")
    return names


def _entries(client: Translation, names: list[str]) -> dict[str, Entry]:
    by_name = {".".join(e.native[0]): e for e in client.plan.level.entries if e.codec is not None}
    return {name: by_name[name] for name in names}


def _filter(text: str | None, resource: Resource, client: Translation) -> Filter:
    if text is None:
        return EVERYTHING
    read = parse_filter(text, filter_kinds(resource, client))
    return _canonical(client.plan.spec, read, _entries(client, resource.filter))


def filter_kinds(resource: Resource, client: Translation) -> dict[str, FieldKind]:
    """The fields that a collection can be filtered on, in the version's words."""
    spec, entries = client.plan.spec, _entries(client, resource.filter)
    return {name: _kind(spec.field(entry.canonical[0]), entry) for name, entry in entries.items()}


def _kind(spec: FieldSpec, entry: Entry) -> FieldKind:
    kind = required(spec.kind, "kind")
    codec: Codec = required(entry.codec, "codec")
    if codec.known:
        return FieldKind("choice", tuple(str(word) for _, words in codec.known for word in words))
    name = kind.name if kind.name in ("decimal", "integer", "boolean", "date", "datetime") else "text"
    return FieldKind(name)


def _canonical(spec: ObjectSpec, where: Filter, entries: Mapping[str, Entry]) -> Filter:
    match where:
        case Compare(field, op, value, _):
            return _compare(spec, entries[field], op, value)
        case Not(part):
            return Not(_canonical(spec, part, entries))
        case And(parts):
            return And(tuple(_canonical(spec, p, entries) for p in parts))
        case Or(parts):
            return Or(tuple(_canonical(spec, p, entries) for p in parts))


def _compare(spec: ObjectSpec, entry: Entry, op: str, value: Any) -> Filter:
    codec: Codec = required(entry.codec, "codec")
    name = entry.canonical[0]
    if not codec.known or value is None:
        return Compare(name, op, value)
    # A word of the version may stand for several canonical ones: a list on it shows them all.
    meant = tuple(Compare(name, "eq", word) for word in _shown_as(spec.field(name), codec, value))
    found: Filter = meant[0] if len(meant) == 1 else Or(meant)
    return found if op == "eq" else Not(found)


def _shown_as(spec: FieldSpec, codec: Codec, word: Any) -> list[str]:
    """The canonical words that a version shows as `word`."""
    choices = required(spec.kind, "kind").choices or tuple(c for c, _ in codec.known)
    found = []
    for choice in choices:
        with suppress(ValueError):
            if codec.encode(choice) == word:
                found.append(choice)
    return found


def fields_of(where: Filter) -> set[str]:
    """The fields a filter looks at."""
    match where:
        case Compare(field, _, _, _):
            return {field}
        case Not(part):
            return fields_of(part)
        case And(parts) | Or(parts):
            return {name for part in parts for name in fields_of(part)}


def _order(text: str | None, resource: Resource, client: Translation) -> tuple[str, ...]:
    if text is None:
        return ()
    entries = _entries(client, resource.order)
    made = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        if name not in entries or direction not in ("", "asc", "desc"):
            raise Malformed(f"A list cannot be ordered by {part.strip()!r}.", field="order")
        made.append(entries[name].canonical[0] + (" desc" if direction == "desc" else ""))
    return tuple(made)


def _limit(text: str | None, contract: Contract) -> int:
    if text is None:
        return contract.limits.page_default
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= contract.limits.page_max):  # noqa: PLR2004
        raise Malformed(f"limit is a number from 1 to {contract.limits.page_max}.", field="limit")
    return int(text)


def write_cursor(place: str, cell: Cell, side: str, listing_: Listing) -> str:
    """A cursor for the client: opaque, and only good for the same list on the same side."""
    made = json.dumps([place, side, cell.term, _fingerprint(listing_)], separators=(",", ":"))
    return base64.urlsafe_b64encode(made.encode()).rstrip(b"=").decode()


def read_cursor(text: str, cell: Cell, side: str, listing_: Listing) -> str:
    """The ERP's place in a client's cursor. Raises: NoSuchPage: not ours, of another list, or of before the plant moved."""
    try:
        place, was_side, term, query = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError) as err:
        raise NoSuchPage("The cursor is none of this API.", field="cursor") from err
    if (was_side, term) != (side, cell.term):
        raise NoSuchPage("The cursor is too old: start the list again.", field="cursor", code="cursor-expired")
    if query != _fingerprint(listing_) or not isinstance(place, str):
        raise NoSuchPage("The cursor belongs to another list.", field="cursor")
    return place


def _fingerprint(listing_: Listing) -> str:
    return content_hash({"f": repr(listing_.filter), "o": repr(listing_.order), "l": repr(listing_.limit)})[:12]
