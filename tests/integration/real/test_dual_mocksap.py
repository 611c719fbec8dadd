"""Five hundred writes to an old and a new mock-sap while connections break: both hold the same in the end, or a case says why."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.real.samples_mocksap import MATERIAL, SUPPLIER
from tests.support.deployment import Site, installed, mocksap_new, mocksap_old, move
from tests.support.erp_contract import Json
from tests.support.fault_proxy import FaultProxy
from tests.support.mocksap import MockSap, mock_sap
from tests.support.parts import skip_if_missing
from tests.support.storm import Books, Caller, Held, Weather, figures, judge, tell

WRITES = int(os.environ.get("DUAL_WRITES", "500"))
SHARE = 0.10
LIMITS = {"concurrency": 8, "call_timeout_s": 10, "keep_alive_s": 0, "breaker_failures": 50, "breaker_open_s": 1}
MAX_EXEC_S = 3.0
PLANTS = ("1710", "1010")
APART = 700
NUMBERS = {
    "mock-sap-v2": {"purchase_order": (4_500_000_701, 4_599_999_999)},
    "mock-sap-v4": {"purchase_order": (4_500_000_101, 4_500_000_700)},
}
"""What is declared once the old one has drawn so many numbers."""


@pytest.fixture
def pair() -> Iterator[tuple[MockSap, MockSap]]:
    """Two mock-saps of the test's own, whose purchase orders have numbers of different ranges."""
    with skip_if_missing(), mock_sap(seed=1) as old, mock_sap(seed=2) as new:
        draw_numbers(old, APART)
        yield old, new


def draw_numbers(server: MockSap, count: int) -> None:
    """Take so many numbers, so that the next ones are in a range that the other ERP does not use."""
    with server.client() as client:
        token = client.get("/sap/opu/odata/sap/API_PRODUCT_SRV/", headers={"X-CSRF-Token": "Fetch"}).headers[
            "x-csrf-token"
        ]
        call = {"POHEADER": {"VENDOR": SUPPLIER}, "POITEM": [{"MATERIAL": MATERIAL, "PLANT": "1710"}]}
        for _ in range(count):
            place = "/sap/bc/rfc/BAPI_PO_CREATE1"
            client.post(place, json=call, headers={"X-CSRF-Token": token}).raise_for_status()


async def item(caller: Caller, n: int) -> None:
    """An item is made under a number of ours and changed twice."""
    code, url = f"I-{n}", f"/api/v2/items/I-{n}"
    head = {"id": code, "type": "FERT", "name": f"Valve {n}", "group": "L001", "base_unit": "H87", "status": "active"}
    document = {**head, "old_number": "000047", "weight": {"gross": "1.250", "net": "1.000", "unit": "KGM"}}
    shows = {"type": "FERT", "group": "L001", "old": "000047", "gross": 1.25, "name": f"Valve {n}"}
    if await caller.create("item", code, "/api/v2/items", document, shows) is not None:
        await caller.change("item", code, url, {"group": "L002"}, {"group": "L002"})
        await caller.change("item", code, url, {"old_number": f"{n:06d}"}, {"old": f"{n:06d}"})


async def bought(plant: str, caller: Caller, n: int) -> None:
    """A purchase is made and paid on other terms; mock-sap keeps no lock on it."""
    url, mark = f"/api/v2/plants/{plant}/purchase-orders", f"P-{n}"
    line = {"line": "10", "item": MATERIAL, "plant": plant, "storage_location": "1714", "description": mark}
    amounts = {"quantity": {"value": f"{n}.000", "unit": "MTR"}, "price": {"amount": "101.7800", "per": "1"}}
    head = {"type": "NB", "supplier": SUPPLIER, "currency": "EUR", "company": "1710", "organisation": "1710"}
    document = {**head, "buyer_group": "001", "payment_terms": "0001", "lines": [{**line, **amounts}]}
    shows = {"supplier": SUPPLIER, "terms": "0001", "plant": plant, "quantity": float(n), "lines": 1}
    number = await caller.create("purchase_order", mark, url, document, shows)
    if number is not None:
        await caller.change("purchase_order", mark, f"{url}/{number}", {"payment_terms": "0002"}, {"terms": "0002"})


STORIES = [item, *(partial(bought, plant) for plant in PLANTS)]


def rows(server: MockSap, place: str, path: str) -> list[Json]:
    """All rows of a set with their nested rows, by mock-sap's own API."""
    found: list[Json] = []
    with server.client() as client:
        while True:
            options = {"$expand": path, "$top": "100", "$skip": str(len(found)), "$format": "json"}
            body = client.get(place, params=options).raise_for_status().json()
            page = body["value"] if "value" in body else body["d"]["results"]
            found += page
            if len(page) < 100:
                return found


def below(row: Json, path: str) -> list[Json]:
    inner = row[path]
    return list(inner["results"] if isinstance(inner, dict) else inner)


def held(server: MockSap, *, v4: bool) -> Held:
    """The documents of the stories, in words that are the same for both versions of OData."""
    found: Held = {}
    items = f"{server.v4('api_product')}/Product" if v4 else f"{server.v2('API_PRODUCT_SRV')}/A_Product"
    for row in rows(server, items, "to_Description"):
        if row["Product"].startswith("I-"):
            (name,) = (text["ProductDescription"] for text in below(row, "to_Description") if text["Language"] == "EN")
            shown = {"type": row["ProductType"], "group": row["ProductGroup"], "old": row["ProductOldID"]}
            shown |= {"gross": float(row["GrossWeight"]), "name": name}
            found.setdefault(("item", row["Product"]), []).append(shown)
    service = server.v4("api_purchaseorder") if v4 else server.v2("API_PURCHASEORDER_PROCESS_SRV")
    for row in rows(server, f"{service}/{'' if v4 else 'A_'}PurchaseOrder", "to_PurchaseOrderItem"):
        lines = below(row, "to_PurchaseOrderItem")
        if lines and lines[0]["PurchaseOrderItemText"].startswith("P-"):
            shown = {"supplier": row["Supplier"].lstrip("0"), "terms": row["PaymentTerms"], "lines": len(lines)}
            shown |= {"plant": lines[0]["Plant"], "quantity": float(lines[0]["OrderQuantity"])}
            found.setdefault(("purchase_order", lines[0]["PurchaseOrderItemText"]), []).append(shown)
    return found


def marked(object_: str, document: Json) -> str:
    """The mark of a canonical document: a text that no other one has."""
    return str(document["id"] if object_ == "item" else document["lines"][0]["description"])


async def test_an_old_and_a_new_sap_hold_the_same_after_500_writes_through_breaking_connections(
    pair: tuple[MockSap, MockSap], tmp_path: Path
) -> None:
    old, new = pair
    weather = Weather(4, SHARE), Weather(5, SHARE)
    ports = [urlsplit(server.base_url).port or 0 for server in pair]
    async with FaultProxy("127.0.0.1", ports[0]) as way_old, FaultProxy("127.0.0.1", ports[1]) as way_new:
        site = Site(mocksap_old(old, way_old.base_url), mocksap_new(new, way_new.base_url), dict.fromkeys(PLANTS))
        made = installed(tmp_path, site, "dual_legacy", limits=LIMITS, max_exec_s=MAX_EXEC_S, numbers=NUMBERS)
        move(made, "dual_cloud", PLANTS[1])
        made.environment |= {"CHANGEOVER_WRITE_CALL_S": "10", "CHANGEOVER_FEED_POLL_S": "1"}
        with made.running() as gateway:
            headers, books = {"X-API-Key": made.keys["admin"]}, Books(made)
            async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=60) as http:
                caller = Caller(http, random.Random(6), WRITES)
                way_old.otherwise, way_new.otherwise = weather
                await tell(caller, STORIES, first=1, at_once=16)
                await asyncio.wait_for(books.quiet(), 300)
                assert await asyncio.wait_for(books.looked(gateway), 300) > 0
    cases = judge(caller, books, marked, held(old, v4=False), held(new, v4=True))
    assert books.edits() == []  # the feeds were read all the time, and nobody worked in the ERPs themselves
    print(json.dumps(figures(caller, cases, weather)))
    # Where it gives the number itself, mock-sap tells nobody whether a purchase order was made: every such case is one of these.
    assert {(case.object, case.verb, case.kind) for case in cases} <= {("purchase_order", "create", "doubt")}
