"""Reading many rows: filter, order, page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.sim.erps.declare import EntityType, Row
from gateway.sim.erps.ledger import Ledger
from gateway.sim.erps.wire.filters import Filter, compiled
from gateway.sim.erps.wire.options import Options


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one answer; `next_token` where the server stopped before the end; `count` if it was asked for."""

    rows: list[Row]
    count: int | None = None
    next_token: int | None = None


def page_of(
    ledger: Ledger, entity: EntityType, options: Options, *, v2: bool, page_size: int, within: list[Row] | None = None
) -> Page:
    """A page of the rows of `entity`, or of those among `within`.

    A token is the absolute offset, so that `$skip` and `$top` keep meaning the whole while links are followed.
    """
    narrowed = compiled(entity, options.filter, v2=v2) if options.filter else None
    rows = _matching(ledger, entity, narrowed, within)
    start = options.token if options.token is not None else options.skip
    end = None if options.top is None else options.skip + options.top
    stop = start + page_size if end is None else min(start + page_size, end)
    if options.order or options.count:
        found = _sorted(list(rows), options.order)
        count = len(found) if options.count else None
        taken, more = found[start:stop], len(found) > stop
    else:
        count = None
        taken = list(islice(rows, start, stop + 1))
        more = len(taken) > stop - start
        taken = taken[: max(0, stop - start)]
    ends_here = end is not None and stop >= end
    return Page(taken, count, stop if more and not ends_here else None)


def _matching(ledger: Ledger, entity: EntityType, narrowed: Filter | None, within: list[Row] | None) -> Iterable[Row]:
    if narrowed is None:
        return ledger.stored[entity.role].rows.values() if within is None else within
    candidates = within if within is not None else _candidates(ledger, entity, narrowed)
    return (row for row in candidates if narrowed.holds(row))


def _candidates(ledger: Ledger, entity: EntityType, narrowed: Filter) -> Iterable[Row]:
    """The rows an index leaves to look at: all, when none helps."""
    equal = dict(narrowed.equal)
    if all(p.field in equal for p in entity.keys):
        row = ledger.get(entity.role, tuple(equal[p.field] for p in entity.keys))  # type: ignore[misc]
        return [row] if row is not None else []
    for field in entity.indexed:
        if field in equal:
            return ledger.find(entity.role, field, equal[field])
    return ledger.stored[entity.role].rows.values()


def _sorted(rows: list[Row], order: tuple[tuple[str, bool], ...]) -> list[Row]:
    for field, descending in reversed(order):
        rows.sort(key=lambda row: _rank(row[field]), reverse=descending)
    return rows


def _rank(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)
