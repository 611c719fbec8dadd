"""The real parts are what the other tests take them for."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.fault_proxy import CutRequest, FaultProxy, LoseResponse, ResetConnect
from tests.support.mocksap import MockSap
from tests.support.parts import PartMissing, skip_if_missing
from tests.support.postgres import Cluster
from tests.support.tryton import TrytonError, TrytonServer


def order_for(server: TrytonServer, reference: str) -> dict[str, object]:
    """The least that both interfaces accept as a production order."""
    plant = server.truth("select id from stock_location where code = 'P100'")[0]["id"]
    floor = server.truth("select id from stock_location where code = 'P100-PROD'")[0]["id"]
    pump = server.truth("select id from product_product where code = 'FG-100'")[0]["id"]
    values = {"product": pump, "quantity": 1, "warehouse": plant, "location": floor}
    return {**values, "reference": reference, "company": 1}


def orders_called(server: TrytonServer, reference: str) -> int:
    return len(server.truth("select id from production where reference = %s", reference))


def test_a_database_of_the_cluster_is_cloned_and_dropped(postgres: Cluster) -> None:
    postgres.create("one")
    postgres.create("two", template="one")
    assert postgres.rows("two", "select current_database()") == [("two",)]
    postgres.drop("one")
    postgres.drop("two")


def test_each_clone_has_the_two_plants_and_the_items(tryton_legacy: TrytonServer, tryton_cloud: TrytonServer) -> None:
    for server in (tryton_legacy, tryton_cloud):
        plants = server.truth("select code from stock_location where type = 'warehouse' and code like 'P%00'")
        items = server.truth("select code from product_product order by code")
        assert {row["code"] for row in plants} == {"P100", "P200"}
        # Other tests of the session may have made items of their own.
        assert {row["code"] for row in items} >= {"0000004711", "FG-100", "RM-200", "RM-300"}


def test_the_clones_do_not_see_each_others_orders(tryton_legacy: TrytonServer, tryton_cloud: TrytonServer) -> None:
    with tryton_legacy.rpc() as rpc:
        rpc("model.production.create", [order_for(tryton_legacy, "only-legacy")])
    assert orders_called(tryton_legacy, "only-legacy") == 1
    assert orders_called(tryton_cloud, "only-legacy") == 0


def test_a_refused_create_over_json_rpc_leaves_no_row(tryton_legacy: TrytonServer) -> None:
    before = tryton_legacy.count("production")
    with tryton_legacy.rpc() as rpc, pytest.raises(TrytonError, match="does not exist"):
        rpc("model.production.create", [{**order_for(tryton_legacy, "refused"), "product": 999_999}])
    assert tryton_legacy.count("production") == before


def test_a_refused_create_over_rest_leaves_no_row(tryton_cloud: TrytonServer) -> None:
    before = tryton_cloud.count("production")
    with tryton_cloud.rest() as rest:
        answer = rest.post("/production", json={**order_for(tryton_cloud, "refused"), "product": 999_999})
    assert answer.status_code == 400
    assert "does not exist" in answer.json()["message"]
    assert tryton_cloud.count("production") == before


def test_the_gateway_user_may_create_items(tryton_cloud: TrytonServer) -> None:
    unit = tryton_cloud.truth("select id from product_uom where symbol = 'u'")[0]["id"]
    with tryton_cloud.rest() as rest:
        body = {"code": "FG-777", "name": "Valve", "default_uom": unit, "products": [["create", [{}]]]}
        made = rest.post("/product.template", json=body, params={"f": "products.code"})
        assert [product["code"] for product in made.json()["products"]] == ["FG-777"]
        assert rest.delete(f"/product.template/{made.json()['id']}").status_code == 204


def test_mock_sap_asks_for_a_login_and_for_a_csrf_token(mocksap_v2: MockSap, mocksap_v4: MockSap) -> None:
    for url, server in (
        (mocksap_v2.v2("API_PRODUCT_SRV") + "/A_Product", mocksap_v2),
        (mocksap_v4.v4("api_product") + "/Product", mocksap_v4),
    ):
        assert httpx.get(url, trust_env=False).status_code == 401
        with server.client() as client:
            refused = client.post(url, json={"Product": "X-1"})
            assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
            token = client.get(f"{url}?$top=1", headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
            made = client.post(url, json={"Product": "X-1"}, headers={"X-CSRF-Token": token})
        assert made.status_code == 201
        server.reset()


def test_mock_sap_fails_when_told_and_tells_what_it_saw(mocksap_v2: MockSap) -> None:
    url = mocksap_v2.v2("API_PRODUCT_SRV") + "/A_Product"
    mocksap_v2.faults({"match": "A_Product", "status": 503, "count": 1})
    with mocksap_v2.client() as client:
        assert [client.get(url).status_code for _ in range(2)] == [503, 200]
    assert [seen["status"] for seen in mocksap_v2.requests_seen()[-2:]] == [503, 200]
    mocksap_v2.reset()


def test_a_fault_for_every_request_is_a_mistake(mocksap_v2: MockSap) -> None:
    with pytest.raises(ValueError, match="every request"):
        mocksap_v2.faults({"path": "A_Product", "status": 503})


@pytest.mark.parametrize(("ci", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_fails_in_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, ending: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(ending, match="not installed"), skip_if_missing():
        raise PartMissing("it is not installed")


async def test_the_proxy_loses_an_answer_after_the_erp_committed(tryton_cloud: TrytonServer) -> None:
    async with proxied(tryton_cloud) as proxy:
        proxy.rules = [LoseResponse()]
        with pytest.raises(httpx.TransportError):
            await post_order(proxy, tryton_cloud, "answer-lost")
    assert orders_called(tryton_cloud, "answer-lost") == 1
    assert b"200 OK" in proxy.lost_bytes


async def test_the_proxy_cuts_a_request_before_the_erp_can_read_it(tryton_cloud: TrytonServer) -> None:
    async with proxied(tryton_cloud) as proxy:
        proxy.rules = [CutRequest(after_bytes=300), ResetConnect()]
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await post_order(proxy, tryton_cloud, "request-cut")
        passed = await post_order(proxy, tryton_cloud, "request-whole")
    assert passed.status_code == 200
    assert (orders_called(tryton_cloud, "request-cut"), orders_called(tryton_cloud, "request-whole")) == (0, 1)
    assert proxy.connections_seen == 3


def proxied(server: TrytonServer) -> FaultProxy:
    return FaultProxy(str(urlsplit(server.base_url).hostname), server.port)


async def post_order(proxy: FaultProxy, server: TrytonServer, reference: str) -> httpx.Response:
    """Over a new connection, because the proxy has one rule for each."""
    headers = {"Authorization": f"Bearer {server.rest_key}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as client:
        url = f"{proxy.base_url}/{server.database}/rest/model/production"
        return await client.post(url, json=order_for(server, reference))
