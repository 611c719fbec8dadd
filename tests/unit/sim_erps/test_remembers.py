"""How long an ERP remembers a key: as long as its manifest says, and no longer is promised."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from gateway.core.manifests import Manifest
from gateway.settings import shipped
from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.wire.messages import Request

ORDERS = "/sap/opu/odata4/sap/api_production_order/srvd_a2x/sap/api_production_order/0001/ProductionOrder"
ORDER = {"ProductionOrderType": "PP01", "Product": "PUMP-100", "ProductionPlant": "1000", "OrderPlannedTotalQty": 10}
WINDOWS_S = {
    rule.dedup_window_s
    for verbs in Manifest.model_validate(
        yaml.safe_load((shipped() / "routes/manifests/s4.yaml").read_text())
    ).objects.values()
    for rule in verbs.values()
    if rule.settle == "key"
}


@pytest.mark.parametrize("window_s", WINDOWS_S)
@pytest.mark.parametrize(("after_s", "made"), [(-1, 1), (1, 2)], ids=["within", "after"])
def test_the_cloud_erp_makes_one_document_of_one_key_for_as_long_as_its_manifest_says(
    window_s: float, after_s: int, made: int
) -> None:
    now = [datetime(2027, 1, 16, 6, tzinfo=UTC)]
    erp = Erp(ErpConfig(face="cloud", csrf=False, orders=0, purchases=0, clock=lambda: now[0]))
    headers = {"host": "erp", "content-type": "application/json", "repeatability-request-id": "0d6e"}
    headers["repeatability-first-sent"] = "Sat, 16 Jan 2027 06:00:00 GMT"
    for _ in range(2):
        assert erp.answer(Request("POST", ORDERS, "", headers, json.dumps(ORDER).encode())).status == 201
        now[0] += timedelta(seconds=window_s + after_s)
    assert sum(e.verb == "create" and e.type.role == "order" for e in erp.truth) == made
