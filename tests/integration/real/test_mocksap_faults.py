"""A mock-sap that misbehaves: each trouble is told as the right problem, and every write stands once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest

from tests.integration.real.samples_mocksap import MockSapTruth, item
from tests.support.deployment import Declared, Site, installed
from tests.support.erp_contract import Door, System, good, refused
from tests.support.gateway import RunningGateway
from tests.support.mocksap import MockSap
from tests.support.parts import free_port, skip_if_missing, stop_process, wait_until

LIMITS = {"call_timeout_s": 1, "breaker_open_s": 1}
Asked = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Troubled:
    """A mock-sap, the gateway before it, and what the gateway sent there."""

    server: MockSap
    door: Door
    v4: bool

    @contextmanager
    def faults(self, method: str, **rule: Any) -> Iterator[Asked]:
        """Misbehave for the time of the block; afterwards the list holds the calls of that method with their status."""
        before, asked = len(self.server.requests_seen()), Asked()
        self.server.faults({"match": "/Product(\\(|$)|A_Product(\\(|$)", "method": method, "count": 1, **rule})
        try:
            yield asked
        finally:
            self.server.faults()
            asked += self.since(before, method)

    def since(self, before: int, method: str) -> Asked:
        seen = self.server.requests_seen()[before:]
        return [(r["method"], int(r["status"])) for r in seen if r["method"] == method and "roduct" in r["path"]]

    @property
    def items(self) -> int:
        return MockSapTruth(self.server, self.v4).rows("item")


@pytest.fixture(scope="module")
def running(
    mocksap_v2: MockSap, mocksap_v4: MockSap, mocksap_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RunningGateway]]:
    """Start gateways with short limits; they stop with the module."""
    with ExitStack() as stack:

        def start(v4: bool) -> RunningGateway:
            made = installed(
                tmp_path_factory.mktemp("faults"), mocksap_site, "cloud" if v4 else "legacy", limits=LIMITS
            )
            return stack.enter_context(made.running())

        yield start


@pytest.fixture(scope="module", params=[False, True], ids=["V2", "V4"])
def troubled(
    request: pytest.FixtureRequest, running: Callable[..., RunningGateway], mocksap_v2: MockSap, mocksap_v4: MockSap
) -> Troubled:
    server: MockSap = mocksap_v4 if request.param else mocksap_v2
    server.reset()
    return Troubled(server, Door(running(request.param).client(), "1710"), request.param)


@pytest.fixture
def made(troubled: Troubled, request: pytest.FixtureRequest) -> httpx.Response:
    """An item of this test's own."""
    return troubled.door.create("item", item(f"F{crc32(request.node.name.encode())}"))


def changed(troubled: Troubled, made: httpx.Response) -> httpx.Response:
    return troubled.door.change("item", made.json()["id"], {"group": "L002"}, made.headers["etag"])


def test_a_token_that_is_no_longer_good_is_fetched_again_and_the_write_happens_once(troubled: Troubled) -> None:
    before = troubled.items
    with troubled.faults("POST", scenario="csrf") as asked:
        good(troubled.door.create("item", item("CSRF-1")), 201)
    # The refused call is the proof that nothing had been done.
    assert [status for _, status in asked] == [403, 201]
    assert troubled.items == before + 1


@pytest.mark.parametrize("severity", ["success", "info", "warning"])
def test_what_the_erp_says_in_a_header_beside_a_success_leaves_it_one(troubled: Troubled, severity: str) -> None:
    before, said = troubled.items, {"code": "V1/302", "message": "It was moved", "severity": severity, "target": "Date"}
    with troubled.faults("POST", message=said) as asked:
        good(troubled.door.create("item", item(f"SAID-{severity}")), 201)
    assert asked == [("POST", 201)]
    assert troubled.items == before + 1


def test_a_lock_in_the_erp_is_a_conflict_in_its_own_words(troubled: Troubled, made: httpx.Response) -> None:
    with troubled.faults("PATCH", scenario="lock") as asked:
        problem = refused(changed(troubled, made), 409, "conflict")
    assert problem["erp_message"] == "Document is locked by user MOCKUSER"
    assert asked == [("PATCH", 423)]


def test_a_change_in_between_is_a_stale_etag_although_the_gateway_saw_none(
    troubled: Troubled, made: httpx.Response
) -> None:
    with troubled.faults("PATCH", scenario="precondition") as asked:
        problem = refused(changed(troubled, made), 412, "stale-etag")
    assert "changed by another user" in problem["erp_message"]
    assert asked == [("PATCH", 412)]


def test_a_refused_service_account_is_not_the_clients_fault(troubled: Troubled) -> None:
    before = troubled.items
    with troubled.faults("POST", scenario="auth") as asked:
        refused(troubled.door.create("item", item("AUTH-1")), 502, "erp-answer-broken")
    assert asked == [("POST", 401)]
    assert troubled.items == before
    with troubled.faults("GET", scenario="forbidden") as asked:
        refused(troubled.door.read("item", "TG11"), 502, "erp-answer-broken")
    assert asked == [("GET", 403)]


def test_a_slow_answer_in_time_is_an_answer(systems: Callable[[str], System], mocksap_v2: MockSap) -> None:
    patient = Troubled(mocksap_v2, systems("mocksap-old").door, v4=False)
    before = patient.items
    with patient.faults("POST", scenario="slow") as asked:
        good(patient.door.create("item", item("SLOW-1")), 201)
    # A token from before a reset of mock-sap is refused first.
    assert [status for _, status in asked if status != 403] == [201]
    assert patient.items == before + 1


def test_a_write_without_an_answer_in_time_is_known_by_its_number_and_stands_once(troubled: Troubled) -> None:
    before, seen = troubled.items, len(troubled.server.requests_seen())
    with troubled.faults("POST", scenario="slow") as asked:
        good(troubled.door.create("item", item("LATE-1")), 201)
        # mock-sap writes its log when it answers: one of the two calls it carried out, the other one it refused.
        wait_until(lambda: len(troubled.since(seen, "POST")) > 1, within_s=20, what="the slow call")
    assert sorted(status for _, status in asked) == [201, 409]
    assert troubled.items == before + 1


def test_a_read_without_an_answer_in_time_is_a_timeout_and_not_repeated(troubled: Troubled) -> None:
    with troubled.faults("GET", scenario="slow", count=0):
        before = len(troubled.server.requests_seen())
        problem = refused(troubled.door.read("item", "TG11"), 504, "erp-timeout")
        assert problem["retryable"] is True
        wait_until(lambda: bool(troubled.since(before, "GET")), within_s=20, what="the slow read")
        assert troubled.since(before, "GET") == [("GET", 200)]


def test_a_write_in_which_the_erp_broke_down_is_sent_again_under_the_same_number(troubled: Troubled) -> None:
    before = troubled.items
    with troubled.faults("POST", scenario="error") as asked:
        good(troubled.door.create("item", item("BROKEN-1")), 201)
    assert [status for _, status in asked] == [500, 201]
    assert troubled.items == before + 1
    with troubled.faults("GET", scenario="error") as asked:
        refused(troubled.door.read("item", "TG11"), 502, "erp-answer-broken")
    assert asked == [("GET", 500)]


@contextmanager
def with_oauth() -> Iterator[MockSap]:
    """A mock-sap that takes bearer tokens only; they live for a minute of its clock."""
    port = free_port()
    command = (sys.executable, "-m", "mocksap", "--port", str(port), "--oauth", "gateway:pw", "--token-ttl", "60")
    process = subprocess.Popen((*command, "--clock", "2026-10-02T16:00", "-q"), stdout=subprocess.DEVNULL)
    server = MockSap(f"http://127.0.0.1:{port}", "gateway", "pw", 42, "2026-10-02T16:00")
    try:
        wait_until(lambda: _up(server), within_s=30, what="mock-sap with OAuth")
        yield server
    finally:
        stop_process(process)


def _up(server: MockSap) -> bool:
    try:
        return httpx.get(f"{server.base_url}/_mock/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_token_that_ran_out_is_renewed_and_the_write_happens_once(mocksap_site: Site, tmp_path: Path) -> None:
    with skip_if_missing(), with_oauth() as server:
        auth = {"kind": "client-credentials", "user": "gateway", "token_path": "/sap/bc/sec/oauth2/token"}
        erp: Declared = replace(mocksap_site.cloud, url=server.base_url, secret="pw", auth=auth)
        with installed(tmp_path, replace(mocksap_site, cloud=erp), "cloud").running() as gateway:
            door = Door(gateway.client(), "1710")
            good(door.create("item", item("FRESH-1")), 201)
            httpx.post(f"{server.base_url}/_mock/advance", json={"days": 1}, trust_env=False).raise_for_status()
            good(door.create("item", item("RENEWED-1")), 201)
        seen = server.requests_seen()
    posts = [int(r["status"]) for r in seen if r["method"] == "POST" and r["path"].endswith("/Product")]
    assert posts == [201, 401, 201]
    assert sum(r["path"].endswith("/token") for r in seen) == 2


# The last one for each, because it leaves a gateway that was told to wait.
def test_a_busy_erp_is_left_alone_for_as_long_as_it_asks(troubled: Troubled) -> None:
    before = troubled.items
    with troubled.faults("POST", scenario="busy") as asked:
        answer = troubled.door.create("item", item("BUSY-1"))
        assert refused(answer, 503, "erp-busy")["retryable"] is True
        assert answer.headers["retry-after"] == "30"
        mark = len(troubled.server.requests_seen())
        again = troubled.door.create("item", item("BUSY-1"))
        refused(again, 503, "erp-busy")
        assert 1 <= int(again.headers["retry-after"]) <= 30
        refused(troubled.door.read("item", "TG11"), 503, "erp-busy")
        assert [r for r in troubled.server.requests_seen()[mark:] if r["path"].startswith("/sap")] == []
    assert asked == [("POST", 503)]
    assert troubled.items == before
