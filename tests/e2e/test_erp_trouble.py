"""When an ERP says no, is slow, is busy or is gone, the caller learns exactly what happened there, and nothing is sent twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from tests.e2e.calls import Json, Plant, good, order, refused
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import Entry, Pair, SimErp

BOTH = pytest.mark.parametrize("code", ["1000", "3000"])
ORDERS = "ProductionOrder"


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    with separate.running() as started:
        yield started


@pytest.fixture
def plant(gateway: RunningGateway, code: str) -> Iterator[Plant]:
    """A plant whose ERP is well again after the test."""
    made = Plant(gateway.client("admin"), code)
    good(made.listed("production-orders", limit=1))
    yield made
    give_up_at_s = time.monotonic() + 20
    while made.listed("production-orders", limit=1).status_code != 200:
        assert time.monotonic() < give_up_at_s
        time.sleep(0.1)


@pytest.fixture
def erp(erps: Pair, code: str) -> SimErp:
    return erps.cloud if code == "3000" else erps.legacy


def created(erp: SimErp, mark: int) -> list[Entry]:
    """The orders that were really created."""
    return [e for e in erp.since(mark, origin="api") if e["verb"] == "create"]


@BOTH
def test_what_the_erp_refuses_comes_back_in_its_own_words(plant: Plant, erps: Pair) -> None:
    with erps.untouched():
        problem = refused(plant.ordered(item="NO-SUCH-ITEM"), 422, "erp-refused")
    assert "NO-SUCH-ITEM" in problem["erp_message"]
    assert problem["erp_code"]
    assert problem["field"]


@BOTH
def test_a_rule_of_the_erp_is_told_by_the_erp(plant: Plant, erps: Pair) -> None:
    key = good(plant.ordered(), 201)["id"]
    with erps.untouched():
        confirmation = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
        problem = refused(plant.act("production-orders", key, "confirm", confirmation), 422, "erp-refused")
    assert "not released" in problem["erp_message"]


@BOTH
def test_a_document_somebody_has_open_in_the_erp_is_a_conflict(plant: Plant, erp: SimErp, erps: Pair) -> None:
    made = plant.ordered()
    key = good(made, 201)["id"]
    name, entity = ("ManufacturingOrder", "A_ProductionOrder_2") if plant.plant == "1000" else (ORDERS, ORDERS)
    native = erp.since(0, origin="api")[-1]["key"][name]
    with erp.locked(entity, **{name: native}), erps.untouched():
        answer = plant.change("production-orders", key, {"quantity": {"value": "2"}}, made.headers["etag"])
        assert "MUELLER" in refused(answer, 409, "conflict")["erp_message"]


@BOTH
def test_a_document_somebody_changed_in_the_erp_is_stale(plant: Plant, erp: SimErp) -> None:
    made = plant.ordered()
    key = good(made, 201)["id"]
    first = plant.change("production-orders", key, {"quantity": {"value": "2"}}, made.headers["etag"])
    good(first)
    mark = erp.length
    refused(
        plant.change("production-orders", key, {"quantity": {"value": "3"}}, made.headers["etag"]), 412, "stale-etag"
    )
    assert erp.since(mark) == []
    assert good(plant.read("production-orders", key))["quantity"]["value"] == "2.000"


@BOTH
@pytest.mark.parametrize("status", [412, 428])
def test_where_no_version_of_a_document_was_named_nobody_is_told_that_it_is_an_old_one(
    plant: Plant, erp: SimErp, erps: Pair, status: int
) -> None:
    """A new document has none, and a read names none, whatever an ERP or what stands before it says."""
    with erps.untouched(), erp.fault("status", status=status, message="Precondition", match=ORDERS, count=0):
        assert refused(plant.ordered(), 422, "erp-refused")["erp_message"] == "Precondition"
        for answer in (plant.listed("production-orders"), plant.read("production-orders", "1000000")):
            assert refused(answer, 502, "erp-answer-broken")["erp_message"] == "Precondition"


@BOTH
def test_a_new_document_is_made_whatever_version_of_another_its_caller_has_seen(plant: Plant, code: str) -> None:
    """An `If-Match` says nothing of what is not there yet, also when the plant has moved since."""
    other = f'"{"C" if code == "1000" else "L"}1n.eA"'
    good(plant.create("production-orders", order(), **{"If-Match": other}), 201)


@BOTH
def test_of_two_who_change_what_both_have_read_one_is_told_that_it_changed(plant: Plant, erp: SimErp) -> None:
    """The second one waits for the first in the document's lane: what it had read is over by then."""
    made = plant.ordered()
    key, etag = good(made, 201)["id"], made.headers["etag"]
    mark = erp.length

    def changed(quantity: str) -> httpx.Response:
        return plant.change("production-orders", key, {"quantity": {"value": quantity}}, etag)

    with erp.fault("delay", method="PATCH", delay_s=0.5, count=0), ThreadPoolExecutor(2) as both:
        answers = sorted(both.map(changed, ["4", "5"]), key=lambda answer: answer.status_code)
    kept = good(answers[0])["quantity"]["value"]
    refused(answers[1], 412, "stale-etag")
    assert good(plant.read("production-orders", key))["quantity"]["value"] == kept
    assert len(erp.since(mark, origin="api")) == 1


def ended(plant: Plant, answer: httpx.Response) -> Json:
    """The operation behind an answer, once it is over or a person must decide."""
    assert answer.status_code in (201, 202), answer.text
    give_up_at_s = time.monotonic() + 30
    while True:
        found = good(plant.http.get(f"/api/v2/operations/{answer.headers['x-op-id']}"))
        if found["state"] not in ("pending", "replicating"):
            return found
        assert time.monotonic() < give_up_at_s, found
        time.sleep(0.05)


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        {"action": "commit_then_drop"},
        {"action": "truncate"},
        {"action": "commit_then_status", "status": 500},
        {"action": "commit_then_delay", "delay_s": 4},
    ],
    ids=lambda fault: fault["action"],
)
def test_a_write_whose_answer_is_lost_late_or_broken_is_found_out_and_happens_once(
    plant: Plant, erp: SimErp, fault: Json
) -> None:
    mark = erp.length
    with erp.fault(**fault, method="POST", count=1):
        answer = plant.ordered()
        found = ended(plant, answer)
    assert found["state"] == "done"
    (entry,) = created(erp, mark)
    assert found["document"] in [key.lstrip("0") for key in entry["key"].values()]


@BOTH
@pytest.mark.parametrize("action", ["drop_before", "error_in_200"])
def test_a_write_that_broke_before_it_was_carried_out_is_carried_out_once_in_the_end_or_refused(
    plant: Plant, erp: SimErp, action: str
) -> None:
    mark = erp.length
    with erp.fault(action, method="POST", count=1):
        answer = plant.ordered()
        if answer.status_code >= 400:
            assert created(erp, mark) == []
            return
        assert ended(plant, answer)["state"] == "done"
    assert len(created(erp, mark)) == 1


@BOTH
def test_a_client_whose_time_is_up_is_told_where_to_ask_and_not_that_it_failed(plant: Plant, erp: SimErp) -> None:
    mark = erp.length
    key = {"Idempotency-Key": str(uuid4())}
    with erp.fault("commit_then_drop", method="POST", count=0), erp.fault("drop_before", method="GET", count=0):
        answer = plant.create("production-orders", order(), **key)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "pending"
        assert answer.headers["location"] == answer.json()["status"]
        assert good(plant.http.get(answer.headers["location"]))["legs"][0]["waits_for"]
        again = plant.create("production-orders", order(), **key)
        assert (again.status_code, again.headers["x-op-id"]) == (202, answer.headers["x-op-id"])
    assert ended(plant, answer)["state"] == "done"
    assert len(created(erp, mark)) == 1


@BOTH
def test_a_read_whose_connection_broke_is_asked_once_more(plant: Plant, erp: SimErp) -> None:
    with erp.fault("drop_before", method="GET", count=1):
        good(plant.listed("production-orders", limit=1))


@BOTH
def test_a_read_whose_connection_breaks_again_and_again_says_the_erp_is_down(plant: Plant, erp: SimErp) -> None:
    with erp.fault("drop_before", method="GET", count=0):
        problem = refused(plant.listed("production-orders", limit=1), 503, "erp-down")
    assert problem["retryable"] is True


@BOTH
def test_a_slow_read_is_a_timeout_and_not_asked_again(plant: Plant, erp: SimErp) -> None:
    with erp.fault("delay", method="GET", delay_s=4, count=0):
        answer = plant.listed("production-orders", limit=1)
        hits = erp.door.get("/_faults").json()[0]["hits"]
    refused(answer, 504, "erp-timeout")
    assert hits == 1


@BOTH
@pytest.mark.parametrize("status", [503, 429])
def test_an_erp_that_asks_to_be_left_alone_is_left_alone(plant: Plant, erp: SimErp, erps: Pair, status: int) -> None:
    with erps.untouched(), erp.fault("status", status=status, retry_after_s=1, count=1):
        first = plant.ordered()
        refused(first, 503, "erp-busy")
        assert first.headers["retry-after"] == "1"
        again = plant.ordered()
        refused(again, 503, "erp-busy")
        assert again.headers["retry-after"] == "1"
        assert erp.door.get("/_faults").json()[0]["hits"] == 1
        other = plant.at("3000" if plant.plant == "1000" else "1000")
        good(other.listed("production-orders", limit=1))


@BOTH
def test_a_forgotten_session_is_renewed_and_the_write_happens_once(plant: Plant, erp: SimErp) -> None:
    good(plant.ordered(), 201)
    mark = erp.length
    erp.door.post("/_restart").raise_for_status()
    good(plant.ordered(), 201)
    assert len(created(erp, mark)) == 1


@BOTH
def test_an_answer_that_breaks_the_protocol_is_the_erps_fault(plant: Plant, erp: SimErp) -> None:
    with erp.fault("error_in_200", method="GET", count=1):
        answer = plant.read("production-orders", "1000000" if plant.plant == "1000" else "50000004")
    refused(answer, 502, "erp-answer-broken")


def test_a_written_document_that_cannot_be_read_back_is_still_written(gateway: RunningGateway, erps: Pair) -> None:
    """The change of an order is answered without a body by the legacy ERP; reading it back fails here."""
    plant = Plant(gateway.client("admin"), "1000")
    made = plant.ordered()
    key, mark = good(made, 201)["id"], erps.legacy.length
    with erps.legacy.fault("status", method="GET", status=500, skip=1, count=0):
        answer = plant.change("production-orders", key, {"quantity": {"value": "2"}}, made.headers["etag"])
    assert answer.status_code == 204, answer.text
    assert len(erps.legacy.since(mark, origin="api")) == 1


@pytest.fixture(scope="module")
def halved(gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway for which the legacy ERP's address leads nowhere."""
    made = deployment(tmp_path_factory.mktemp("gone"), gateway.deployment.erps)
    made.environment["CHANGEOVER_ERP_ECC_URL"] = "http://127.0.0.1:9"
    with made.running() as started:
        yield started


def test_calls_to_an_erp_that_is_gone_are_refused_as_not_sent(halved: RunningGateway, erps: Pair) -> None:
    plant = Plant(halved.client("admin"), "1000")
    with erps.untouched():
        for answer in (plant.ordered(), plant.listed("production-orders")):
            problem = refused(answer, 503, "erp-down")
            assert (problem["retryable"], answer.headers["retry-after"] >= "1") == (True, True)
            assert "in_doubt" not in problem


def test_an_erp_that_is_gone_is_left_alone_after_a_while_and_readyz_says_so(halved: RunningGateway) -> None:
    plant = Plant(halved.client("admin"), "1000")
    for _ in range(6):
        refused(plant.listed("production-orders"), 503, "erp-down")
    report = halved.admin("/readyz").json()
    assert report["erps"]["ecc"]["breaker"] in ("open", "half_open")
    assert report["erps"]["ecc"]["last_error"]
    assert report["erps"]["s4"]["breaker"] == "closed"
    assert 'changeover_erp_breaker_open{erp="ecc"} 1.0' in halved.admin("/metrics").text


def test_plants_on_the_other_erp_do_not_notice_that_one_is_gone(halved: RunningGateway) -> None:
    good(Plant(halved.client("admin"), "3000").ordered(), 201)


def test_the_erp_never_sees_what_the_client_sent_as_headers(gateway: RunningGateway, erps: Pair) -> None:
    own: Json = {
        "Cookie": "sap-usercontext=evil",
        "X-CSRF-Token": "evil",
        "sap-client": "999",
        "X-HTTP-Method": "DELETE",
    }
    plant = Plant(gateway.client("admin", **own), "1000")
    made = good(plant.create("production-orders", order()), 201)
    assert good(plant.read("production-orders", made["id"]))["id"] == made["id"]


def test_a_client_that_goes_away_does_not_undo_its_write(gateway: RunningGateway, erps: Pair) -> None:
    plant = Plant(gateway.client("admin"), "3000")
    mark = erps.cloud.length
    with erps.cloud.fault("delay", method="POST", delay_s=1, count=1), pytest.raises(httpx.ReadTimeout):
        plant.http.post(plant.url("production-orders"), json=order(), timeout=0.4)
    time.sleep(1.2)
    assert len(created(erps.cloud, mark)) == 1
    good(plant.listed("production-orders", limit=1))
