"""A caller of a simulated ERP: an HTTP client that keeps the CSRF token, and looks behind the curtain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from gateway.sim.erps import ErpApp

V2 = "/sap/opu/odata/sap/"


def v4(service: str) -> str:
    return f"/sap/opu/odata4/sap/{service}/srvd_a2x/sap/{service}/0001/"


def at_four() -> datetime:
    return datetime(2026, 10, 2, 16, tzinfo=UTC)


@dataclass
class Caller:
    """An HTTP client of one ERP."""

    app: ErpApp
    http: httpx.Client
    headers: dict[str, str] = field(default_factory=dict)

    def fetch_token(self) -> None:
        root = V2 + "API_PRODUCT_SRV/" if self.app.erp.config.face == "legacy" else v4("api_product")
        answer = self.http.get(root, headers={"X-CSRF-Token": "Fetch"})
        self.headers["X-CSRF-Token"] = answer.headers["x-csrf-token"]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers={**self.headers, **headers})

    def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.http.patch(path, json=body, headers={**self.headers, **headers})

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self.http.delete(path, headers={**self.headers, **headers})

    def truth(self, entity: str = "") -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.http.get("/_truth").json()
        return [e for e in entries if not entity or e["entity"] == entity]

    def fault(self, **rule: Any) -> None:
        assert self.http.post("/_faults", json=rule).status_code == 201


Start = Callable[..., Caller]
