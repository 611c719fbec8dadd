"""Five hundred writes to two Trytons while connections break: both hold the same in the end, once each, or a case says why."""

from __future__ import annotations

import asyncio
import json
import os
import random
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx

from tests.integration.real.samples_tryton import CHANGEABLE
from tests.support.deployment import Site, installed, move, tryton_rest, tryton_rpc
from tests.support.erp_contract import Json
from tests.support.fault_proxy import FaultProxy
from tests.support.storm import Books, Caller, Held, Weather, figures, judge, tell
from tests.support.tryton import TrytonServer

WRITES = int(os.environ.get("DUAL_WRITES", "500"))
SHARE = 0.08
# One connection for each call, so that each has its own luck; and few at once: what Tryton works on after its caller has gone
# must end within `MAX_EXEC_S`, which its manifest promises.
LIMITS = {"concurrency": 4, "call_timeout_s": 10, "keep_alive_s": 0, "breaker_failures": 50, "breaker_open_s": 1}
MAX_EXEC_S = 15.0
MIDNIGHT = {"P100": "T23:00:00Z", "P200": "T06:00:00Z"}
PARTS = {"item": "RM-300", "unit": "KGM"}


def plan(plant: str, day: int) -> tuple[str, str]:
    """A day of December as a plant's client says it, and as the plant's calendar does."""
    local = date(2026, 12, 1) + timedelta(days=day)
    said = local - timedelta(days=1) if plant == "P100" else local
    return f"{said.isoformat()}{MIDNIGHT[plant]}", local.isoformat()


async def order(plant: str, caller: Caller, n: int) -> None:
    """An order is made, planned anew and released. Every second one has a reference of the client's own."""
    url, mark = f"/api/v2/plants/{plant}/production-orders", f"{n}.000"
    start, first = plan(plant, 0)
    end, last = plan(plant, 3)
    reference = {"reference": f"MES-{n}"} if n % 2 else {}
    document = {"item": "FG-100", "quantity": {"value": mark, "unit": "H87"}, "planned": {"start": start, "end": end}}
    document |= reference | {"components": [component(plant)]}
    shows = {"plant": plant, "state": "draft", "first": first, "last": last, "parts": "RM-300 2.00", "made": mark}
    number = await caller.create("production_order", mark, url, document, shows)
    if number is None:
        return
    later, last = plan(plant, 4 + n % 20)
    patch = {"planned": {"end": later}}
    await caller.change("production_order", mark, f"{url}/{number}", patch, {"last": last})
    await caller.act("production_order", mark, f"{url}/{number}:release", {"state": "waiting"})


def component(plant: str) -> Json:
    return {
        "line": "1",
        "item": "RM-300",
        "quantity": {"value": "2.00", "unit": "KGM"},
        "storage_location": f"{plant}-STO",
    }


async def moved(plant: str, caller: Caller, n: int) -> None:
    """Parts are carried to a bin: four calls of the ERP for one write."""
    url, mark = f"/api/v2/plants/{plant}/movements:post", f"{Decimal(n) / 100:.3f}"
    places = {"from_location": f"{plant}-STO", "to_location": f"{plant}-A1"}
    line = {"type": "transfer", "item": "RM-300", "plant": plant, "quantity": {"value": mark, "unit": "KGM"}, **places}
    document = {"posting_date": "2026-11-20", "lines": [line]}
    shows = {"state": "done", "from": f"{plant}-STO", "to": f"{plant}-A1", "on": "2026-11-20", "lines": 1}
    await caller.create("movement", mark, url, document, shows)


async def bought(plant: str, caller: Caller, n: int) -> None:
    """A purchase is made, renamed and released."""
    url, mark = f"/api/v2/plants/{plant}/purchase-orders", f"{n}.000"
    line = {"line": "10", "item": "RM-200", "plant": plant, "description": "Housing", "due_on": "2026-12-24"}
    amounts = {"quantity": {"value": mark, "unit": "H87"}, "price": {"amount": "2.5000", "per": "1"}}
    head = {"reference": f"P-{n}", "supplier": "S-1000", "currency": "USD", "ordered_on": "2026-11-20"}
    shows = {"plant": plant, "state": "draft", "reference": f"P-{n}", "supplier": "S-1000", "lines": 1}
    number = await caller.create("purchase_order", mark, url, {**head, "lines": [{**line, **amounts}]}, shows)
    if number is None:
        return
    patch = {"reference": f"P-{n}-B"}
    await caller.change("purchase_order", mark, f"{url}/{number}", patch, {"reference": f"P-{n}-B"})
    await caller.act("purchase_order", mark, f"{url}/{number}:release", {"state": "processing"})


async def item(caller: Caller, n: int) -> None:
    """An item is made under a number of ours and renamed."""
    code = f"I-{n}"
    document = {"id": code, "name": f"Valve {n}", "type": "goods", "status": "active", "base_unit": "H87"}
    document |= {"list_price": {"amount": "12.5000"}}
    shows = {"name": f"Valve {n}", "active": True, "products": 1}
    number = await caller.create("item", code, "/api/v2/items", document, shows)
    if number is not None:
        await caller.change("item", code, f"/api/v2/items/{number}", {"name": f"Valve {n} B"}, {"name": f"Valve {n} B"})


STORIES = [partial(story, plant) for story in (order, moved, bought) for plant in MIDNIGHT] + [item]
HELD = {
    "production_order": """
        select to_char(p.quantity::numeric, 'FM9990.000') as mark, w.code as plant, p.state,
               p.planned_start_date::text as first, p.planned_date::text as last,
               (select string_agg(i.code || ' ' || to_char(m.quantity::numeric, 'FM990.00'), ', ') from stock_move m
                join product_product i on i.id = m.product where m.production_input = p.id) as parts,
               (select to_char(sum(quantity)::numeric, 'FM9990.000') from stock_move where production_output = p.id) as made
        from production p join stock_location w on w.id = p.warehouse""",
    "movement": """
        select to_char(sum(m.quantity)::numeric, 'FM990.000') as mark, s.state, max(f.code) as from, max(t.code) as to,
               s.effective_date::text as on, count(*)::int as lines
        from stock_shipment_internal s join stock_move m on m.shipment = 'stock.shipment.internal,' || s.id
        join stock_location f on f.id = m.from_location join stock_location t on t.id = m.to_location
        group by s.id, s.state, s.effective_date""",
    "purchase_order": """
        select to_char(sum(l.quantity)::numeric, 'FM9990.000') as mark, w.code as plant, o.state, o.reference,
               p.code as supplier, count(*)::int as lines
        from purchase_purchase o join purchase_line l on l.purchase = o.id join party_party p on p.id = o.party
        join stock_location w on w.id = o.warehouse group by o.id, w.code, o.state, o.reference, p.code""",
    "item": """
        select t.code as mark, t.name, t.active,
               (select count(*)::int from product_product where template = t.id) as products
        from product_template t where t.code like 'I-%%'""",
}


def held(server: TrytonServer) -> Held:
    """All documents of the stories, as Tryton's own tables have them."""
    found: Held = {}
    for object_, query in HELD.items():
        for row in server.truth(query):
            found.setdefault((object_, row.pop("mark")), []).append(row)
    return found


def marked(object_: str, document: Json) -> str:
    """The mark of a canonical document: a number that no other one has."""
    if object_ == "item":
        return str(document["id"])
    quantity = document["quantity"] if object_ == "production_order" else document["lines"][0]["quantity"]
    return f"{Decimal(quantity):.3f}"


OLD_LAST = 1_000_000
TABLES = {
    "production_order": "production",
    "confirmation": "production_work_cycle",
    "movement": "stock_shipment_internal",
    "receipt": "stock_shipment_in",
    "purchase_order": "purchase_purchase",
}
NUMBERS = {
    "tryton": dict.fromkeys(TABLES, (1, OLD_LAST)),
    "tryton-rest": dict.fromkeys(TABLES, (OLD_LAST + 1, 2**31 - 1)),
}
"""What is declared once `apart` was done with the new one."""


def apart(server: TrytonServer) -> None:
    """Numbers of its own: clients know a document by one number, so the two ERPs may not give the same one twice."""
    for table in TABLES.values():
        server.truth(f"select setval('{table}_id_seq', {OLD_LAST})")


async def test_two_trytons_hold_the_same_after_500_writes_through_breaking_connections(
    tryton_pair: tuple[TrytonServer, TrytonServer], tmp_path: Path
) -> None:
    old, new = tryton_pair
    apart(new)
    weather = Weather(1, SHARE), Weather(2, SHARE)
    async with FaultProxy("127.0.0.1", old.port) as way_old, FaultProxy("127.0.0.1", new.port) as way_new:
        site = Site(tryton_rpc(old, way_old.base_url), tryton_rest(new, way_new.base_url), dict.fromkeys(MIDNIGHT))
        made = installed(
            tmp_path, site, "dual_legacy", changeable=CHANGEABLE, limits=LIMITS, max_exec_s=MAX_EXEC_S, numbers=NUMBERS
        )
        move(made, "dual_cloud", "P200")
        made.environment |= {"CHANGEOVER_WRITE_CALL_S": "10", "CHANGEOVER_FEED_POLL_S": "1"}
        with made.running() as gateway:
            headers, books = {"X-API-Key": made.keys["admin"]}, Books(made)
            async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=60) as http:
                caller = Caller(http, random.Random(3), WRITES)
                await asyncio.gather(
                    *(story(caller, n) for n, story in enumerate(STORIES, 1))
                )  # a calm start: Tryton warms up
                way_old.otherwise, way_new.otherwise = weather
                await tell(caller, STORIES, first=len(STORIES) + 1, at_once=16)
                await books.quiet()
                assert await asyncio.wait_for(books.looked(gateway), 300) > 0
    cases = judge(caller, books, marked, held(old), held(new))
    assert books.edits() == []  # the feeds were read all the time, and nobody worked in the ERPs themselves
    print(json.dumps(figures(caller, cases, weather)))
    assert {case.kind for case in cases} <= {"doubt"}
