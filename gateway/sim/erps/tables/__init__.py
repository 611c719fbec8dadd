"""The declarations, one file per business area, and their compiled form per ERP."""

from functools import cache

from gateway.sim.erps.declare import Face, Model, compiled
from gateway.sim.erps.tables import inventory, master_data, procurement, production

TABLES = (*master_data.TABLES, *production.TABLES, *inventory.TABLES, *procurement.TABLES)
ACTIONS = (*production.ACTIONS, *inventory.ACTIONS, *procurement.ACTIONS)


@cache
def model_of(face: Face) -> Model:
    """What `face` serves."""
    return compiled(face, TABLES, ACTIONS)
