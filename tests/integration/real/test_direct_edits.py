"""Somebody works in a real Tryton, past the gateway: the other Tryton follows, once, and also what was committed late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.moves import awaited
from tests.e2e.test_direct_edits import looked
from tests.integration.real.samples_tryton import CHANGEABLE
from tests.integration.real.samples_tryton import order as order_with_parts
from tests.integration.real.test_dual_tryton import NUMBERS, apart
from tests.support.deployment import Site, installed, tryton_rest, tryton_rpc
from tests.support.erp_contract import Json
from tests.support.gateway import RunningGateway
from tests.support.tryton import TrytonServer

Servers = tuple[TrytonServer, TrytonServer]
WHERE = pytest.mark.parametrize("edited", [0, 1], ids=["in-the-one-in-charge", "in-the-other"])


@pytest.fixture(scope="module")
def servers(tryton_legacy: TrytonServer, tryton_cloud: TrytonServer) -> Servers:
    apart(tryton_cloud)
    return tryton_legacy, tryton_cloud


@pytest.fixture(scope="module")
def gateway(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The plant is written in both: JSON-RPC is the old one and in charge, REST the new one."""
    site = Site(tryton_rpc(servers[0]), tryton_rest(servers[1]), {"P100": None})
    folder: Path = tmp_path_factory.mktemp("edits")
    made = installed(folder, site, "dual_legacy", changeable=CHANGEABLE, numbers=NUMBERS)
    made.environment["CHANGEOVER_FEED_POLL_S"] = "0.3"
    with made.running() as started:
        awaited(lambda: (feeds := shown(started)) and all(feed["lag_s"] is not None for feed in feeds.values()))
        yield started


def shown(gateway: RunningGateway) -> Json:
    found: Json = gateway.admin("/readyz").json()["feeds"]
    return found


def edits(gateway: RunningGateway) -> int:
    rows = gateway.admin("/admin/v1/feeds").json()["feeds"]
    return int(sum(row["edits"] for row in rows))


def ordered(http: httpx.Client, quantity: str, **more: Any) -> str:
    """An order that both have. Gives its number."""
    document = more | {
        "item": "FG-100",
        "quantity": {"value": quantity, "unit": "H87"},
        "planned": {"start": "2026-12-01T06:00:00Z", "end": "2026-12-04T06:00:00Z"},
    }
    answer = http.post("/api/v2/plants/P100/production-orders", json=document)
    assert answer.status_code == 201, answer.text
    operation = answer.headers["x-op-id"]
    awaited(lambda: http.get(f"/api/v2/operations/{operation}").json()["state"] == "done")
    return str(answer.json()["id"])


def order(server: TrytonServer, quantity: str) -> Json:
    (row,) = server.truth("select id, planned_date, reference from production where quantity = %s::float", quantity)
    return row


def planned_anew(server: TrytonServer, number: int, day: date) -> None:
    """Somebody drags the order to another day in Tryton's own client."""
    said = {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}
    with server.rpc() as call:
        call("model.production.write", [number], {"planned_date": said})


@WHERE
def test_an_order_planned_anew_in_one_tryton_is_planned_anew_in_the_other(
    gateway: RunningGateway, servers: Servers, edited: int
) -> None:
    here, there = servers[edited], servers[1 - edited]
    quantity, day, before = f"{31 + edited}.000", date(2026, 12, 20 + edited), edits(gateway)
    ordered(gateway.client(), quantity)
    planned_anew(here, order(here, quantity)["id"], day)
    awaited(lambda: order(there, quantity)["planned_date"] == day)
    awaited(lambda: edits(gateway) == before + 1)
    looks = gateway.admin("/metrics").text.count("changeover_feed_lag_seconds{")
    assert looks
    assert (order(here, quantity)["planned_date"], order(there, quantity)["planned_date"]) == (day, day)


@WHERE
def test_an_item_renamed_in_one_tryton_is_renamed_in_the_other(
    gateway: RunningGateway, servers: Servers, edited: int
) -> None:
    here, there = servers[edited], servers[1 - edited]
    code, name = f"HAND-{edited}", f"Valve {edited} by hand"
    document = {"id": code, "name": "Valve", "type": "goods", "status": "active", "base_unit": "H87"}
    http = gateway.client()
    answer = http.post("/api/v2/items", json=document | {"list_price": {"amount": "12.5000"}})
    assert answer.status_code == 201, answer.text
    query = "select id, name from product_template where code = %s"
    awaited(lambda: there.truth(query, code) and here.truth(query, code))
    with here.rpc() as call:
        call("model.product.template.write", [here.truth(query, code)[0]["id"]], {"name": name})
    awaited(lambda: there.truth(query, code)[0]["name"] == name)


def state(server: TrytonServer, quantity: str) -> str:
    (row,) = server.truth("select state from production where quantity = %s::float", quantity)
    return str(row["state"])


def pressed(server: TrytonServer, quantity: str, button: str) -> None:
    """Somebody presses a button of the order in Tryton's own client."""
    with server.rpc() as call:
        call(f"model.production.{button}", [order(server, quantity)["id"]])


@WHERE
def test_what_somebody_does_with_an_order_in_one_tryton_is_done_in_the_other(
    gateway: RunningGateway, servers: Servers, edited: int
) -> None:
    """Released, and then called off."""
    here, there, quantity = servers[edited], servers[1 - edited], f"{51 + edited}.000"
    ordered(gateway.client(), quantity)
    for button, becomes in (("wait", "waiting"), ("cancel", "cancelled")):
        pressed(here, quantity, button)
        awaited(lambda becomes=becomes: state(there, quantity) == becomes)  # type: ignore[misc]  # bound now
        assert state(here, quantity) == becomes


@WHERE
def test_a_release_that_somebody_takes_back_is_a_case(gateway: RunningGateway, servers: Servers, edited: int) -> None:
    """No verb takes that to the other one."""
    here, there, quantity = servers[edited], servers[1 - edited], f"{61 + edited}.000"
    ordered(gateway.client(), quantity)
    pressed(here, quantity, "wait")
    awaited(lambda: state(there, quantity) == "waiting")
    pressed(here, quantity, "draft")
    path = "/admin/v1/cases?state=open&kind=direct-edit&limit=100"
    name = ("tryton-old", "tryton-new")[edited]

    def opened() -> list[str]:
        reasons = [case["reason"] for case in gateway.admin(path).json()["cases"]]
        return [r for r in reasons if f"status is now 'created' in {name}" in r]

    assert len(awaited(opened)) == 1
    before = edits(gateway)
    pressed(here, quantity, "wait")  # and releases it once more
    awaited(lambda: edits(gateway) > before)
    assert (state(there, quantity), len(opened())) == ("waiting", 1)


@WHERE
def test_a_part_of_which_somebody_wants_more_in_one_tryton_is_a_case(
    gateway: RunningGateway, servers: Servers, edited: int
) -> None:
    """No call changes the parts of an order in the other one."""
    here, there, quantity = servers[edited], servers[1 - edited], f"{71 + edited}.000"
    http = gateway.client()
    number = ordered(http, quantity, components=order_with_parts("")["components"])
    released = http.post(f"/api/v2/plants/P100/production-orders/{number}:release")
    assert released.status_code in (200, 202), released.text
    awaited(lambda: state(here, quantity) == state(there, quantity) == "waiting")
    looked(gateway)
    looked(gateway)
    parts = "select id, quantity from stock_move where production_input = %s order by id"
    production, other = order(here, quantity)["id"], there.truth(parts, order(there, quantity)["id"])
    (part, *_) = here.truth(parts, production)
    with here.rpc() as call:
        call("model.production.write", [production], {"inputs": [["write", [part["id"]], {"quantity": 99.0}]]})
    said = f"somebody changed components in {('tryton-old', 'tryton-new')[edited]}"
    path = "/admin/v1/cases?state=open&kind=direct-edit&limit=100"
    awaited(lambda: [c for c in gateway.admin(path).json()["cases"] if said in c["reason"]])
    assert there.truth(parts, order(there, quantity)["id"]) == other


def test_a_transaction_that_began_early_and_committed_late_is_not_missed(
    gateway: RunningGateway, servers: Servers
) -> None:
    """Tryton stamps a change with the time its transaction began: it turns up behind what was read already."""
    old, new = servers
    for quantity in ("41.000", "42.000"):
        ordered(gateway.client(), quantity)
    with psycopg.connect(old.database_url) as slow:
        slow.execute(
            "update production set planned_date = '2026-12-28', write_date = localtimestamp, write_uid = 1 where quantity = 41"
        )
        planned_anew(old, order(old, "42.000")["id"], date(2026, 12, 29))
        awaited(lambda: order(new, "42.000")["planned_date"] == date(2026, 12, 29))
        assert order(new, "41.000")["planned_date"] != date(2026, 12, 28)
        slow.commit()
    awaited(lambda: order(new, "41.000")["planned_date"] == date(2026, 12, 28))
