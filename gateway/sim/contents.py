"""The content revisions of simulated worlds: the shipped one with what makes a history harder, before and after a correction."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gateway.control.content import Content, load, read_folder
from gateway.observe.logs import set_up
from gateway.settings import shipped
from gateway.sim.shape import BEFORE, CORRECTED, Shape

_OLD, _NEW = "translators/sap-ecc/production_order.yaml", "translators/sap-s4/production_order.yaml"
Edit = tuple[str, str, str]
_NO_RECIPIENT: tuple[Edit, ...] = (
    (_OLD, '  recipient: {to: GoodsRecipientName, codec: "text(blank=true, max=12)"}\n', ""),
    (_OLD, "\nunsupported:\n", "\nunsupported:\n  recipient: keep_beside\n"),
)
"""The old ERP has no field for an order's recipient: the gateway keeps it beside."""
_CROSSED: tuple[Edit, ...] = (
    (_NEW, "  planner: {to: MRPController,", "  planner: {to: ProductionSupervisor,"),
    (_NEW, "  supervisor: {to: ProductionSupervisor,", "  supervisor: {to: MRPController,"),
)
"""Somebody finds that the new ERP means the one where the other was written."""
_AT_ONCE: tuple[Edit, ...] = (
    (
        _OLD,
        "create: [{do: create}]",
        "create: [{do: create}, {do: call, name: ReleaseOrder, arguments: {ManufacturingOrder: ManufacturingOrder}}]",
    ),
    (_NEW, "create: [{do: create}]", "create: [{do: create}, {do: call, name: ReleaseOrder, bound: true}]"),
)
"""A new order is released at once: a leg of two steps."""


@lru_cache(maxsize=2)
def contents(*, at_once: bool) -> Mapping[str, Content]:
    """The revisions of a world, loaded once per process: that costs more than many histories.

    Takes: `at_once`, that orders are released as they are made.
    """
    set_up("critical")  # what breaks here is meant to break
    given = (*_NO_RECIPIENT, *(_AT_ONCE if at_once else ()))
    files = _edited(read_folder(shipped()), given)
    made = {BEFORE: load(files), CORRECTED: load(_edited(files, _CROSSED), try_policies=False)}
    gc.collect()
    gc.freeze()  # the content lives as long as the process: looking through it again and again costs a tenth
    return made


def of(shape: Shape) -> Mapping[str, Content]:
    """The revisions of a history."""
    return contents(at_once=shape.at_once)


def _edited(files: Mapping[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    made = dict(files)
    for name, old, new in edits:
        if made[name].count(old) != 1:
            raise LookupError(f"{name} has no line {old!r} any more")
        made[name] = made[name].replace(old, new)
    return made
