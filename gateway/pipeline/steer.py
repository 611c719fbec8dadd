"""Stage: which ERP? A lookup in the pinned table, and nothing else."""

from __future__ import annotations

from gateway.core.phases import PHASES
from gateway.core.waves import Cell, WaveTable
from gateway.errors import ErpRefused, Invalid, MixedCells, NotYet, RouteUnknown, UnroutedPlant
from gateway.pipeline.authorize import plants_of
from gateway.pipeline.exchange import ErpPath, Exchange, Operation, filled, required
from gateway.pipeline.negotiate import client_path


async def steer(x: Exchange) -> Exchange:
    """Find the cell, its side and the ERP behind it.

    Raises: UnroutedPlant, NotYet, MixedCells, RouteUnknown, Invalid, ErpRefused: the ERP has no such object.
    """
    if x.watched is not None or x.result is not None:
        return x
    operation: Operation = required(x.operation, "operation")
    stale_s = _stale_s(x, operation)
    cell = cell_of(x.in_force.table, operation.plant, operation.spec.domain)
    phase = PHASES[cell.phase]
    side = phase.authoritative
    if not phase.carries_traffic or side is None:
        raise NotYet(
            f"The cell ({cell.plant}, {cell.domain}) is in phase {cell.phase}, which carries no traffic yet.",
            phase=cell.phase,
        )
    _own_line(x, operation)
    _one_side(x.in_force.table, operation, cell)
    erp: ErpPath = x.in_force.erps[required(cell.erp(side), "ERP")]
    found = erp.of(operation.spec.name, operation.plant)
    if found is None:
        raise ErpRefused(f"The ERP behind plant {cell.plant} has no {operation.spec.name}.", reason="unsupported")
    return filled(x, cell=cell, side=side, erp=erp, translation=found[0], shape=found[1], stale_s=stale_s)


def _stale_s(x: Exchange, operation: Operation) -> float:
    """For how long the table may be an old one; 0 where it is not. A write asks the store itself. Raises: RouteUnknown."""
    overdue_s = x.in_force.overdue_s()
    if overdue_s <= 0 or operation.writes:
        return 0.0
    if overdue_s > required(x.contract, "contract").limits.stale_reads_s:
        raise RouteUnknown(
            "Which ERP is in charge cannot be told now: the gateway has lost its store.", retry_after_s=2
        )
    return overdue_s


def cell_of(table: WaveTable, plant: str, domain: str) -> Cell:
    """The cell of a plant and domain. Raises: UnroutedPlant."""
    cell = table.cell(plant, domain)
    if cell is None:
        raise UnroutedPlant(f"No cell covers plant {plant!r} in domain {domain!r}.", plant=plant, domain=domain)
    return cell


def _own_line(x: Exchange, operation: Operation) -> None:
    """A document whose lines say which plant it is of has one of its own plant, or nobody finds it there again. Raises: Invalid."""
    lines = operation.spec.plant_of_lines
    rows = (operation.document or {}).get(lines or "")
    if lines is None or not rows or any(row.get("plant") in (None, operation.plant) for row in rows):
        return
    field = client_path(required(x.client, "client dialect"), (lines, 0, "plant"))
    reason = f"no line is of plant {operation.plant}: send the document there"
    raise Invalid("The document is not of the plant it was sent to.", errors=[{"field": field, "reason": reason}])


def _one_side(table: WaveTable, operation: Operation, cell: Cell) -> None:
    """A document is written to one ERP as a whole: no other one's plant may have a part in it."""
    if operation.document is None:
        return
    mine = PHASES[cell.phase].authoritative
    for plant in sorted(plants_of(operation) - {operation.plant}):
        other = cell_of(table, plant, operation.spec.domain)
        side = PHASES[other.phase].authoritative
        if mine is None or side is None or other.erp(side) != cell.erp(mine):
            raise MixedCells(
                f"{plant} belongs to another ERP than {cell.plant}: send one document for each.",
                plants=[cell.plant, plant],
            )
