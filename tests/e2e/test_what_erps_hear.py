"""What an ERP hears of a client, and a client of an ERP: the document. Every header is the gateway's own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.calls import Plant, good
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import SECRET, Pair
from tests.support.witness import witness, witnessed_pair

TOLD = {
    "Cookie": "session=tattle",
    "Accept": "text/tattle, */*",
    "Accept-Encoding": "gzip, br",
    "Accept-Language": "de-tattle",
    "Forwarded": "for=6.6.6.6;host=tattle",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-User": "tattle",
    "X-Changeover-Side": "tattle",
    "X-HTTP-Method-Override": "DELETE",
    "X-Secret": "tattle",
    "X-CSRF-Token": "tattle",
    "Sap-Client": "tattle",
    "Connection": "keep-alive, X-Hop",
    "X-Hop": "tattle",
    "Keep-Alive": "tattle",
    "Proxy-Authorization": "Basic tattle",
    "TE": "trailers",
    "Prefer": "return=tattle",
    "Idempotency-Key": "tattle-0001",
    "User-Agent": "tattle",
}
OWN = {
    "host", "accept", "accept-encoding", "authorization", "content-length", "content-type", "cookie", "connection",
    "dataserviceversion", "maxdataserviceversion", "odata-version", "odata-maxversion", "prefer", "sap-client",
    "sap-language", "user-agent", "x-csrf-token", "x-requested-with", "if-match", "repeatability-request-id",
    "repeatability-first-sent",
}  # fmt: skip
ANSWERED = {
    "cache-control", "content-length", "content-type", "date", "etag", "link", "location", "server-timing", "traceparent",
    "x-content-type-options", "x-op-id", "x-request-id", "x-route", "vary", "idempotency-key",
}  # fmt: skip


@pytest.fixture
def heard() -> Iterator[Pair]:
    with witnessed_pair() as pair:
        yield pair


@pytest.mark.parametrize("code", ["1000", "3000"])
def test_no_header_of_a_client_goes_on_to_an_erp(
    heard: Pair, tmp_path: Path, starter: Callable[[Deployment], RunningGateway], code: str
) -> None:
    gateway = starter(deployment(tmp_path, heard))
    plant = Plant(gateway.client(None, Authorization=f"Bearer {gateway.token(plants=['*'])}", **TOLD), code)
    answers = [plant.ordered(), plant.listed("production-orders", limit=1)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert set().union(*(answer.headers for answer in answers)) <= ANSWERED
    calls = [call for erp in (heard.legacy, heard.cloud) for call in witness(erp).calls]
    assert {"GET", "POST"} <= {call.method for call in calls}
    for call in calls:
        assert {name for name, _ in call.headers} <= OWN, call
        assert "tattle" not in str(call.headers), call
        assert gateway.deployment.keys["admin"] not in str(call.headers)


def test_the_old_erp_is_called_by_the_gateways_own_account(
    heard: Pair, tmp_path: Path, starter: Callable[[Deployment], RunningGateway]
) -> None:
    gateway = starter(deployment(tmp_path, heard))
    good(Plant(gateway.client("mes"), "1000").ordered(), 201)
    account = "Basic " + base64.b64encode(f"GATEWAY:{SECRET}".encode()).decode()
    assert {dict(call.headers)["authorization"] for call in witness(heard.legacy).calls} == {account}
