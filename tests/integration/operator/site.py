"""Two plants in dual phases in front of simulated ERPs, and what an operator sees and does there."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.calls import Json, Plant, good
from tests.e2e.moves import awaited
from tests.support.gateway import RunningGateway
from tests.support.simulated import Entry, Pair, SimErp

ORDERS = {"legacy": "A_ProductionOrder_2", "cloud": "ProductionOrder"}
PRODUCTS = {"legacy": ("A_Product", "A_ProductPlant"), "cloud": ("Product", "ProductPlant")}
QUANTITY = {"legacy": "TotalQuantity", "cloud": "OrderPlannedTotalQty"}
PIECE = {"legacy": "ST", "cloud": "PC"}
START = {"legacy": "MfgOrderPlannedStartDate", "cloud": "OrderPlannedStartDate"}
ITEM = {"legacy": "Material", "cloud": "Product"}


@dataclass(frozen=True, slots=True)
class Desk:
    """A plant in dual_legacy (1000) or dual_cloud (2000), its gateway, and the operator's commands beside it."""

    gateway: RunningGateway
    erps: Pair
    plant: Plant

    @property
    def sides(self) -> tuple[str, str]:
        """The one in charge, and the one that follows."""
        return ("legacy", "cloud") if self.plant.plant == "1000" else ("cloud", "legacy")

    @property
    def leader(self) -> SimErp:
        return self.erp(self.sides[0])

    @property
    def follower(self) -> SimErp:
        return self.erp(self.sides[1])

    def erp(self, side: str) -> SimErp:
        return self.erps.legacy if side == "legacy" else self.erps.cloud

    # The operator

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """A command as an operator types it."""
        done = self.gateway.deployment.cli(*arguments, content=False)
        assert done.exit_code == exit_code, done.output
        return str(done.stdout if exit_code == 0 else done.output)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "-o", "json"))

    def cases(self, *filters: str) -> list[Json]:
        found: list[Json] = self.json("case", "list", *filters)
        return found

    def case_of(self, answer: httpx.Response) -> Json:
        """The undecided case of a write, waited for."""
        id_ = answer.headers["x-op-id"]
        found: Json = awaited(
            lambda: next((c for c in self.cases() if c["operation"] == id_ and c["leg"] == "parked"), None)
        )
        return found

    def shown(self, case: Json) -> Json:
        found: Json = self.json("case", "show", str(case["case"]))
        return found

    def closed(self, case: Json) -> Json:
        """The case once nothing is left to decide."""
        found: Json = awaited(lambda: shown if (shown := self.shown(case))["state"] == "closed" else None)
        return found

    def audited(self, case: Json) -> list[Json]:
        """What the audit says was done about a case, the oldest first."""
        path = self.gateway.deployment.database_url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as db:
            rows = db.execute("SELECT actor, action, reason, detail FROM audit WHERE action LIKE 'case.%' ORDER BY id")
            found = [{"actor": a, "action": b, "reason": c, **json.loads(d)} for a, b, c, d in rows]
        db.close()
        return [row for row in found if row["case"] == case["case"]]

    def admin(self, method: str, path: str, **body: Any) -> httpx.Response:
        return httpx.request(method, f"{self.gateway.admin_url}/admin/v1/{path}", json=body or None, timeout=30)

    # The plant

    def state(self, answer: httpx.Response) -> str:
        return str(good(self.plant.http.get(f"/api/v2/operations/{answer.headers['x-op-id']}"))["state"])

    def done(self, answer: httpx.Response) -> None:
        """Both ERPs have the write."""
        awaited(lambda: self.state(answer) == "done")

    def unknown_to(self, side: str) -> str:
        """A new item that both ERPs have in this plant but one."""
        item = f"NEW-{uuid4().hex[:8].upper()}"
        self.make_item("cloud" if side == "legacy" else "legacy", item)
        return item

    def make_item(self, side: str, item: str) -> None:
        """Somebody enters a new item at the ERP's screen."""
        head, plant = PRODUCTS[side]
        self.erp(side).screen(head, values={"Product": item, "BaseUnit": PIECE[side], "ProductType": "FERT"})
        self.erp(side).screen(plant, values={"Product": item, "Plant": self.plant.plant})

    def orders(self, side: str, mark: int, verb: str = "create") -> list[Entry]:
        """What was done to order headers through the ERP's API."""
        found = self.erp(side).since(mark, entity=ORDERS[side], origin="api")
        return [e for e in found if e["verb"] == verb]

    def make_order(self, side: str, item: str) -> str:
        """Somebody enters an order at the ERP's screen. Gives its number."""
        quantity = "10" if side == "legacy" else 10
        head = {ITEM[side]: item, "ProductionPlant": self.plant.plant, "ProductionUnit": PIECE[side]}
        made = self.erp(side).screen(ORDERS[side], values={**head, QUANTITY[side]: quantity, START[side]: "2026-12-01"})
        return str(next(iter(made.values())))
