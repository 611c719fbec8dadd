"""The ERP's tables in memory, changed in units that commit or leave no trace, and the log of what was committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gateway.sim.erps.declare import EntityType, Key, Model, Row, Value
from gateway.sim.erps.refusal import business
from gateway.sim.erps.tables.numbers import NumberRange
from gateway.sim.erps.truth import Cause, Entry, Origin, Verb, plain

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Stored:
    """The rows of one entity, by key, by parent and by indexed field; in order of creation."""

    entity: EntityType
    parent_width: int
    rows: dict[Key, Row] = field(default_factory=dict)
    by_parent: dict[Key, dict[Key, None]] = field(default_factory=dict)
    by_value: dict[tuple[str, Value], dict[Key, None]] = field(default_factory=dict)

    def put(self, key: Key, row: Row) -> None:
        if key in self.rows:
            self._forget(key, self.rows[key])
        self.rows[key] = row
        if self.parent_width:
            self.by_parent.setdefault(key[: self.parent_width], {})[key] = None
        for name in self.entity.indexed:
            self.by_value.setdefault((name, row[name]), {})[key] = None

    def drop(self, key: Key) -> None:
        self._forget(key, self.rows.pop(key))
        if self.parent_width:
            self.by_parent[key[: self.parent_width]].pop(key, None)

    def _forget(self, key: Key, row: Row) -> None:
        for name in self.entity.indexed:
            self.by_value[name, row[name]].pop(key, None)


@dataclass(slots=True)
class Change:
    role: str
    key: Key
    verb: Verb
    before: Row | None
    after: Row | None
    origin: Origin | None


class Unit:
    """Changes that are committed together. Rows are replaced, never edited, so that undoing is putting back."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.changes: list[Change] = []
        self.now = ledger.tick()

    def insert(self, role: str, row: Row, *, origin: Origin | None = None) -> Key:
        stored = self._ledger.stored[role]
        key = stored.entity.key_of(row)
        stored.put(key, row)
        self.changes.append(Change(role, key, "create", None, row, origin))
        return key

    def update(self, role: str, key: Key, values: Row, *, origin: Origin | None = None) -> Row:
        """Change the declared fields among `values`. Gives the row as it is now."""
        stored = self._ledger.stored[role]
        before = stored.rows[key]
        after = {**before, **{k: v for k, v in values.items() if k in before}}
        stored.put(key, after)
        self.changes.append(Change(role, key, "update", before, after, origin))
        return after

    def delete(self, role: str, key: Key, *, origin: Origin | None = None) -> None:
        stored = self._ledger.stored[role]
        before = stored.rows[key]
        stored.drop(key)
        self.changes.append(Change(role, key, "delete", before, None, origin))

    def undo(self) -> None:
        for change in reversed(self.changes):
            stored = self._ledger.stored[change.role]
            if change.before is None:
                stored.drop(change.key)
            else:
                stored.put(change.key, change.before)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a ledger gained since a point: changes, and where its numbers and its clock stand."""

    entries: tuple[tuple[str, Entry], ...]
    counters: dict[str, int]
    units: int
    last: datetime


class Ledger:
    """One ERP's data. Takes the model, the name that stands in the truth log, the clock, and the number ranges."""

    def __init__(self, model: Model, name: str, clock: Clock, ranges: Mapping[str, NumberRange]) -> None:
        self.model = model
        self.ranges = ranges
        self.name = name
        self.truth: list[Entry] = []
        self.stored = {role: Stored(e, _parent_width(model, e)) for role, e in model.types.items()}
        self._clock = clock
        self._last = datetime(2000, 1, 1, tzinfo=UTC)
        self._counters: dict[str, int] = {}
        self._units = 0

    def tick(self) -> datetime:
        """The time, in milliseconds and never the same twice: change timestamps are ETags."""
        now = self._clock().astimezone(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(now, self._last + timedelta(milliseconds=1))
        return self._last

    def next_number(self, series: str) -> str:
        """The next number of a range. Not given back when the unit fails: ranges have gaps in real ERPs too."""
        numbers, count = self.ranges[series], self._counters.get(series, 0)
        if numbers.first + count > numbers.last:
            raise business("NR/752", f"Number range {series} is used up at {numbers.last}")
        self._counters[series] = count + 1
        return numbers.written(numbers.first + count)

    def get(self, role: str, key: Key) -> Row | None:
        return self.stored[role].rows.get(key)

    def children(self, role: str, parent_key: Key) -> list[Row]:
        stored = self.stored[role]
        return [stored.rows[k] for k in stored.by_parent.get(parent_key, ())]

    def find(self, role: str, field_name: str, value: Value) -> list[Row]:
        """The rows whose indexed field has this value."""
        stored = self.stored[role]
        return [stored.rows[k] for k in stored.by_value.get((field_name, value), ())]

    @contextmanager
    def unit(self, cause: Cause, *, logged: bool = True) -> Iterator[Unit]:
        """All or nothing. What raises inside leaves no row and no entry."""
        unit = Unit(self)
        try:
            yield unit
        except BaseException:
            unit.undo()
            raise
        if logged:
            self._commit(unit, cause)

    def rows(self) -> dict[str, list[Row]]:
        """Every row, by role, in order of creation."""
        return {role: list(stored.rows.values()) for role, stored in self.stored.items()}

    def since(self, seq: int) -> Committed:
        """What was committed after an entry."""
        entries = tuple((entry.type.role, entry) for entry in self.truth[seq:])
        return Committed(entries, dict(self._counters), self._units, self._last)

    def refill(self, rows: dict[str, list[Row]]) -> None:
        """Hold these rows and no others."""
        for role, stored in self.stored.items():
            fresh = Stored(stored.entity, stored.parent_width)
            for row in rows[role]:
                fresh.put(stored.entity.key_of(row), row)
            self.stored[role] = fresh

    def replay(self, done: Committed) -> None:
        """Do again what was committed before."""
        for role, entry in done.entries:
            stored = self.stored[role]
            if entry.row_after is not None:
                stored.put(stored.entity.key_of(entry.row_after), entry.row_after)
            elif entry.row_before is not None:
                stored.drop(stored.entity.key_of(entry.row_before))
            self.truth.append(replace(entry, type=stored.entity))
        self._counters, self._units, self._last = dict(done.counters), done.units, done.last

    def _commit(self, unit: Unit, cause: Cause) -> None:
        self._units += 1
        at = str(plain(unit.now))
        for change in unit.changes:
            self.truth.append(
                Entry(
                    len(self.truth) + 1, at, self.name, self._units, self.model.types[change.role], change.verb,
                    change.before, change.after, change.origin or cause.origin, cause.user, cause.request,
                    cause.references,
                )
            )  # fmt: skip


def _parent_width(model: Model, entity: EntityType) -> int:
    return len(model.types[entity.parent].keys) if entity.parent and entity.parent in model.types else 0
