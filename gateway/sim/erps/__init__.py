"""Simulated ERPs that misbehave on demand and log what really happened. They import nothing else of the gateway."""

from gateway.sim.erps.apps import ErpApp, cloud_app, d365_app, legacy_app
from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.seed import seed
from gateway.sim.erps.serve import running

__all__ = ["Erp", "ErpApp", "ErpConfig", "cloud_app", "d365_app", "legacy_app", "running", "seed"]
