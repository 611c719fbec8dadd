"""A field that an ERP does not have: the gateway keeps it, and clients see one document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.calls import Json, Plant, good, purchase, refused
from tests.e2e.changes import SWITCH
from tests.e2e.moves import awaited, operation
from tests.support.gateway import Deployment, RunningGateway, keeping_incoterms
from tests.support.simulated import Entry, Pair, SimErp

ORDERS = "purchase-orders"
BOTH = pytest.mark.parametrize("code", ["1000", "2000"])
KEPT = "ZKFRANCO"
"""A value that stands nowhere else."""


@pytest.fixture(scope="module")
def gateway(dual: Deployment) -> Iterator[RunningGateway]:
    """Neither dialect has incoterms and a reference; plant 1000 is in dual_legacy, plant 2000 in dual_cloud."""
    lacking(dual)
    dual.edit("routes/contracts/v2.yaml", "filter: [id, supplier]", "filter: [id, supplier, incoterms]")
    with dual.running() as started:
        yield started


def lacking(made: Deployment) -> None:
    """The gateway keeps what neither ERP has a field for."""
    for dialect in ("sap-ecc", "sap-s4"):
        for edit in keeping_incoterms(dialect):
            made.edit(*edit)
        made.edit(f"translators/{dialect}/purchase_order.yaml", "  reference: refuse", "  reference: keep_beside")


def in_both(plant: Plant, answer: httpx.Response) -> httpx.Response:
    """The answer, once both ERPs have the write."""
    assert answer.is_success, answer.text
    awaited(lambda: operation(plant, answer)["state"] == "done")
    return answer


def bought(plant: Plant, **changes: str) -> tuple[Json, str]:
    """A purchase order that both ERPs have, and its ETag."""
    answer = in_both(plant, plant.create(ORDERS, purchase(plant.plant, **changes)))
    return good(answer, 201), answer.headers["etag"]


def writes(erp: SimErp, mark: int) -> list[Entry]:
    return erp.since(mark, origin="api")


@BOTH
def test_what_the_erp_has_no_field_for_is_shown_as_if_it_had_one(plant: Plant, erps: Pair) -> None:
    mark = erps.mark()
    made, etag = bought(plant, incoterms=KEPT, reference="NO-4711")
    assert (made["incoterms"], made["reference"]) == (KEPT, "NO-4711")
    read = plant.read(ORDERS, made["id"])
    assert (good(read), read.headers["etag"]) == (made, etag)
    (row,) = plant.rows(ORDERS, filter=f"id eq '{made['id']}'")
    assert row["incoterms"] == KEPT
    sent = [*writes(erps.legacy, mark[0]), *writes(erps.cloud, mark[1])]
    assert len(sent) >= 2
    assert KEPT not in json.dumps(sent)


@BOTH
def test_an_order_that_says_nothing_of_it_shows_an_empty_field(plant: Plant) -> None:
    made, _ = bought(plant)
    assert made["incoterms"] is None


@BOTH
def test_a_change_of_such_a_field_alone_bothers_no_erp(plant: Plant, erps: Pair) -> None:
    made, etag = bought(plant, incoterms=KEPT)
    with erps.untouched():
        answer = in_both(plant, plant.change(ORDERS, made["id"], {"incoterms": "EXW"}, etag))
    assert good(answer)["incoterms"] == "EXW"
    assert answer.headers["etag"] != etag
    assert [leg["steps"] for leg in operation(plant, answer)["legs"]] == [[], []]
    assert good(plant.read(ORDERS, made["id"]))["incoterms"] == "EXW"
    emptied = plant.change(ORDERS, made["id"], {"incoterms": None}, answer.headers["etag"])
    assert good(emptied)["incoterms"] is None


@BOTH
def test_a_change_of_other_fields_leaves_it_as_it_is(plant: Plant, leader: SimErp) -> None:
    made, etag = bought(plant, incoterms=KEPT)
    mark = leader.length
    answer = plant.change(ORDERS, made["id"], {"payment_terms": "0002"}, etag)
    assert (good(answer)["payment_terms"], answer.json()["incoterms"]) == ("0002", KEPT)
    assert len(writes(leader, mark)) == 1


@BOTH
def test_a_change_of_both_kinds_reaches_the_erp_and_is_kept(plant: Plant, leader: SimErp, follower: SimErp) -> None:
    made, etag = bought(plant, incoterms=KEPT)
    marks = leader.length, follower.length
    patch = {"payment_terms": "0003", "incoterms": "DAP"}
    good(in_both(plant, plant.change(ORDERS, made["id"], patch, etag)))
    found = good(plant.read(ORDERS, made["id"]))
    assert {name: found[name] for name in patch} == patch
    assert [len(writes(leader, marks[0])), len(writes(follower, marks[1]))] == [1, 1]


@BOTH
def test_an_etag_names_what_is_kept_too(plant: Plant, erps: Pair) -> None:
    made, etag = bought(plant, incoterms=KEPT)
    good(in_both(plant, plant.change(ORDERS, made["id"], {"incoterms": "EXW"}, etag)))
    with erps.untouched():
        for patch in ({"incoterms": "DAP"}, {"payment_terms": "0002"}):
            refused(plant.change(ORDERS, made["id"], patch, etag), 412, "stale-etag")


@BOTH
def test_of_two_who_change_it_at_once_one_is_told_that_it_changed(plant: Plant) -> None:
    made, etag = bought(plant, incoterms=KEPT)

    def changed(word: str) -> httpx.Response:
        return plant.change(ORDERS, made["id"], {"incoterms": word}, etag)

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(changed, ["EXW", "DAP", "FCA", "FOB"]), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 412, 412, 412]
    assert good(plant.read(ORDERS, made["id"]))["incoterms"] == answers[0].json()["incoterms"]


@BOTH
def test_it_is_kept_also_where_the_answer_of_the_erp_is_lost(plant: Plant, leader: SimErp) -> None:
    with leader.fault("commit_then_drop", method="POST", count=1):
        answer = plant.create(ORDERS, purchase(plant.plant, incoterms=KEPT))
        assert answer.status_code in (201, 202), answer.text
        found = awaited(lambda: shown if (shown := operation(plant, answer))["state"] == "done" else None)
    assert good(plant.read(ORDERS, found["document"]))["incoterms"] == KEPT


def test_it_is_kept_where_a_person_says_that_the_write_happened(own: Deployment) -> None:
    lookup = "  purchase_order:\n    create: {settle: reference, lookup_by: ZZGatewayId,"
    own.edit("routes/manifests/ecc.yaml", lookup, "  purchase_order:\n    create: {settle: none,")
    lacking(own)
    own.edit("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 5")
    own.environment["CHANGEOVER_WRITE_CALL_S"] = "2"
    erp = own.erps.legacy
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        mark = erp.length
        with erp.fault("commit_then_drop", method="POST", count=1):
            answer = plant.create(ORDERS, purchase("1000", incoterms=KEPT))
            assert answer.status_code == 202, answer.text
        awaited(lambda: operation(plant, answer)["state"] == "parked")
        key = next(entry["key"]["PurchaseOrder"] for entry in writes(erp, mark) if "PurchaseOrder" in entry["key"])
        said = ("--happened", "yes", "--key", key, "--reason", "looked", "--actor", "anna")
        awaited(lambda: own.cli("case", "close", "1", *said, content=False).exit_code == 0)
        assert good(plant.read(ORDERS, key))["incoterms"] == KEPT


def test_nobody_can_say_that_it_happened_where_the_erp_has_no_number_for_it(own: Deployment) -> None:
    """What the gateway keeps stands under that number: it would be lost. A change that keeps nothing is closed."""
    own.begin_in({"1000": "dual_legacy"})
    lacking(own)
    said = ("--happened", "yes", "--reason", "looked", "--actor", "anna")
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        before = good(plant.listed(ORDERS))["items"]  # made while the plant had one ERP
        outcomes = []
        for number, (found, patch) in enumerate(
            zip(before, ({"incoterms": KEPT}, {"payment_terms": "0002"}), strict=False), 1
        ):
            answer = plant.change(ORDERS, found["id"], patch, plant.read(ORDERS, found["id"]).headers["etag"])
            assert answer.is_success, answer.text
            awaited(lambda answer=answer: operation(plant, answer)["state"] == "parked")  # type: ignore[misc]  # bound now
            outcomes.append(own.cli("case", "close", str(number), *said, content=False))
        assert [closed.exit_code == 0 for closed in outcomes] == [False, True]
        assert "s4 lacks a part of the write" in (told := " ".join(outcomes[0].output.split()))
        assert "incoterms" in told
        assert good(plant.read(ORDERS, before[0]["id"]))["incoterms"] == KEPT


def test_explain_says_what_is_kept_and_that_nothing_is_written(gateway: RunningGateway) -> None:
    own, url = gateway.deployment, "/api/v2/plants/1000/purchase-orders"
    who = ("--roles", "admin", "--plants", "*", "-o", "json")
    body = ("--data", json.dumps(purchase("1000", incoterms=KEPT)))
    calls = [
        row
        for row in json.loads(own.cli("explain", "POST", url, *body, *who).stdout)
        if "POST /sap/opu" in row["decides"]
    ]
    assert [row["why"].endswith("; the gateway keeps incoterms") for row in calls] == [True, True]
    change = ("--data", json.dumps({"incoterms": "EXW"}), "--if-match", '"L1n.eA"')
    rows = json.loads(own.cli("explain", "PATCH", f"{url}/4500000001", *change, *who).stdout)
    (changed,) = [row for row in rows if row["decides"] == "nothing written"]
    assert "keeps incoterms" in changed["why"]


def test_a_list_cannot_look_for_what_the_erp_does_not_have(gateway: RunningGateway) -> None:
    plant = Plant(gateway.client("admin"), "1000")
    problem = refused(plant.listed(ORDERS, filter="incoterms eq 'EXW'"), 400, "malformed")
    assert problem["field"] == "incoterms"
    assert "no such field" in problem["detail"]
    url = "/api/v2/plants/1000/purchase-orders?filter=incoterms%20eq%20'EXW'"
    told = gateway.deployment.cli("explain", "GET", url, "--roles", "admin", "--plants", "*", "-o", "json")
    *_, last = json.loads(told.stdout)
    assert (last["stage"], last["decides"]) == ("execute", "refuses: 400 malformed")
    assert last["why"].startswith(problem["detail"])


def test_a_plant_that_moves_takes_what_is_kept_along(own: Deployment) -> None:
    """Each ERP's documents have their own: what is read from the other one afterwards was kept with its leg."""
    own.begin_in({"1000": "dual_legacy"})
    lacking(own)
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        made, etag = bought(plant, incoterms=KEPT)
        good(in_both(plant, plant.change(ORDERS, made["id"], {"incoterms": "CIP"}, etag)))
        own.edit("routes/waves.yaml", "    phase: dual_legacy\n", "    phase: dual_cloud\n")
        moved = own.cli(*SWITCH, "--wait", "30")
        assert moved.exit_code == 0, moved.output
        awaited(lambda: plant.read(ORDERS, made["id"]).headers["x-route"].startswith("cloud"))
        assert good(plant.read(ORDERS, made["id"]))["incoterms"] == "CIP"
