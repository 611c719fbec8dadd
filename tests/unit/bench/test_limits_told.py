"""The README says with which limits it was measured, and how they come."""

from __future__ import annotations

from pathlib import Path

import yaml

from gateway.core.deployment import ErpLimits
from gateway.settings import Settings, shipped
from tests.bench import content

ROOT = Path(__file__).resolve().parents[3]
MEASURED = (ROOT / "README.md").read_text("utf-8").partition("## Measured")[2].partition("\n## ")[0]


def test_the_limits_of_the_bench_stand_next_to_its_figures(tmp_path: Path) -> None:
    made = content.deployment(tmp_path)
    limits = yaml.safe_load((made.folder / "routes/erps/ecc.yaml").read_text("utf-8"))["limits"]
    assert f"`limits: {{{', '.join(f'{name}: {value}' for name, value in limits.items())}}}`" in MEASURED
    connections = content.environment(tmp_path, {})["CHANGEOVER_MAX_CONNECTIONS_PER_IP"]
    assert f"`CHANGEOVER_MAX_CONNECTIONS_PER_IP={connections}`" in MEASURED
    rates = yaml.safe_load((made.folder / "routes/clients.yaml").read_text("utf-8"))["rate_classes"]
    assert f"rate classes of {rates['standard']['per_s']:,} a second" in MEASURED


def test_so_do_the_limits_of_a_gateway_as_it_comes() -> None:
    told = " ".join(MEASURED.split())
    usual = ErpLimits()
    assert f"{usual.concurrency} calls at once to an ERP and {usual.waiting} that wait" in told
    assert f"{Settings.model_fields['max_connections_per_ip'].default} connections of one address" in told
    rates = yaml.safe_load((shipped() / "routes/clients.yaml").read_text("utf-8"))["rate_classes"]
    assert f"{rates['standard']['per_s']} calls a second of a caller" in told
