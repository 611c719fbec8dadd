"""The wave table: which ERP speaks for each cell now. An immutable snapshot; every exchange holds one from start to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from gateway.core.phases import PHASES, Side

ENTERPRISE = "*"
CellId = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One (plant, domain). `epoch` counts its phase changes, `term` its changes of authority."""

    plant: str
    domain: str
    legacy: str
    cloud: str | None
    phase: str = "legacy"
    target: str | None = None
    wave: str | None = None
    epoch: int = 1
    term: int = 1
    suspended: bool = False
    """An overlay: the authoritative side goes on, what the other side is owed waits."""

    @property
    def id(self) -> CellId:
        return self.plant, self.domain

    def erp(self, side: Side) -> str | None:
        return self.legacy if side == "legacy" else self.cloud


@dataclass(frozen=True, slots=True)
class WaveTable:
    """All cells at one revision of the table."""

    revision: int
    cells: Mapping[CellId, Cell] = field(default_factory=dict)
    numbered: bool = False
    """Numbers were imported into the crosswalk."""
    one_number: bool = field(init=False, compare=False)
    """No document has one number here and another there: no cell ever moved, or writes to two ERPs, and none were imported.
    A document refers to others of any cell, so one cell alone tells nothing."""

    def __post_init__(self) -> None:
        one = not self.numbered and all(
            cell.epoch == 1 and len(PHASES[cell.phase].writes) == 1 for cell in self.cells.values()
        )
        object.__setattr__(self, "one_number", one)

    def cell(self, plant: str, domain: str) -> Cell | None:
        return self.cells.get((plant, domain))


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the declared and the running table. `kind` is add, remove, bind or phase."""

    kind: str
    plant: str
    domain: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    guarded: bool = False
    """A change of phase or of the ERP in charge: only a flip may do it."""

    def __str__(self) -> str:
        if self.kind in ("add", "remove"):
            cell = self.after or self.before or {}
            return f"{self.kind} ({self.plant}, {self.domain}): {cell['phase']}, {cell['legacy']} / {cell['cloud']}"
        changed = {k: (v, (self.after or {})[k]) for k, v in (self.before or {}).items() if v != (self.after or {})[k]}
        words = ", ".join(f"{k} {old} -> {new}" for k, (old, new) in changed.items())
        return f"{self.kind} ({self.plant}, {self.domain}): {words}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do, against which revision of the table. Its id is the hash of both."""

    table_revision: int
    content: str
    changes: tuple[Change, ...]

    @property
    def id(self) -> str:
        body = json.dumps(
            [self.table_revision, self.content, [asdict(c) for c in self.changes]], sort_keys=True, default=str
        )
        return hashlib.sha256(body.encode()).hexdigest()[:16]


_BINDING = ("legacy", "cloud", "target", "wave")


def difference(running: WaveTable, declared: Iterable[Cell]) -> tuple[Change, ...]:
    """Every change that leads from the running table to the declared one.

    A declared phase counts only for a new cell: later the running phase is the truth, and moving it is asked for by name.
    """
    changes: list[Change] = []
    wanted = {cell.id: cell for cell in declared}
    for id_, cell in sorted(wanted.items()):
        now = running.cells.get(id_)
        if now is None:
            changes.append(Change("add", *id_, None, _public(cell)))
            continue
        if any(getattr(now, name) != getattr(cell, name) for name in _BINDING):
            after = replace(now, **{name: getattr(cell, name) for name in _BINDING})
            changes.append(Change("bind", *id_, _public(now), _public(after), guarded=_rebinds(now, after)))
        if now.phase != cell.phase:
            changes.append(Change("phase", *id_, {"phase": now.phase}, {"phase": cell.phase}, guarded=True))
    gone = sorted(set(running.cells) - set(wanted))
    changes += [Change("remove", *id_, _public(running.cells[id_]), None, guarded=True) for id_ in gone]
    return tuple(changes)


def _rebinds(now: Cell, after: Cell) -> bool:
    side = PHASES[now.phase].authoritative
    return side is not None and now.erp(side) != after.erp(side)


def _public(cell: Cell) -> dict[str, object]:
    return {name: getattr(cell, name) for name in ("phase", *_BINDING)}


def applied(running: WaveTable, declared: Iterable[Cell], changes: Iterable[Change]) -> WaveTable:
    """The table after the given changes; epochs rise with phases, terms with authority."""
    cells = dict(running.cells)
    wanted = {cell.id: cell for cell in declared}
    for change in changes:
        id_ = (change.plant, change.domain)
        match change.kind:
            case "add":
                cells[id_] = wanted[id_]
            case "remove":
                del cells[id_]
            case "bind":
                cells[id_] = replace(cells[id_], **{name: getattr(wanted[id_], name) for name in _BINDING})
            case "phase":
                cells[id_] = moved(cells[id_], wanted[id_].phase)
            case other:
                raise ValueError(f"no change {other!r}")
    return WaveTable(running.revision + 1, cells, running.numbered)


def moved(cell: Cell, phase: str) -> Cell:
    """The cell in another phase."""
    changes_side = PHASES[cell.phase].authoritative != PHASES[phase].authoritative
    return replace(cell, phase=phase, epoch=cell.epoch + 1, term=cell.term + changes_side)


def mingles(before: Cell | None, after: Cell) -> bool:
    """Whether a change lets both ERPs number a cell's documents, or the other one than until now.

    The way back does not, from where both were written: they numbered them already, and nothing may hold up a rollback.
    """
    now = PHASES[after.phase]
    both = len(now.writes) > 1
    if before is None:
        return both
    was = PHASES[before.phase]
    if len(was.writes) > 1:
        ahead = was.authoritative == "legacy" and now.authoritative == "cloud"
        return ahead or (both and (before.legacy, before.cloud) != (after.legacy, after.cloud))
    return both or was.authoritative != now.authoritative


def strands(before: Cell, after: Cell | None) -> bool:
    """Whether a change would leave behind what is still owed to a cell's ERPs: another side in charge, other sides written,
    another ERP behind a written side, or no cell at all.
    """
    if after is None:
        return True
    was, will_be = PHASES[before.phase], PHASES[after.phase]
    if was.authoritative != will_be.authoritative or set(was.writes) != set(will_be.writes):
        return True
    return any(before.erp(side) != after.erp(side) for side in was.writes)
