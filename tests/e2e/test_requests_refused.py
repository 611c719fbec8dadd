"""A request that cannot be carried out is refused with what is wrong and where, and no ERP hears of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.calls import Plant, fields_of, good, order, purchase, purchase_line, refused
from tests.support.gateway import RunningGateway
from tests.support.simulated import Pair

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def no_erp_hears_of_it(erps: Pair) -> Iterator[None]:
    with erps.untouched():
        yield


@pytest.fixture
def admin(gateway: RunningGateway) -> httpx.Client:
    return gateway.client("admin")


@pytest.mark.parametrize("plant", ["4000", "9999", "HAMBURG"])
def test_a_plant_nobody_declared_is_never_sent_to_some_default_erp(hamburg: Plant, plant: str) -> None:
    problem = refused(hamburg.at(plant).listed("production-orders"), 404, "unrouted-plant")
    assert (problem["plant"], problem["domain"]) == (plant, "production")
    refused(hamburg.at(plant).ordered(), 404, "unrouted-plant")


@pytest.mark.parametrize("plant", ["1000a", "a", "1000%20", "-1", "%2a"])
def test_a_plant_that_is_no_plant_id_is_malformed(admin: httpx.Client, plant: str) -> None:
    assert refused(admin.get(f"/api/v2/plants/{plant}/production-orders"), 400, "malformed")["field"] in (
        "plant",
        "path",
    )


@pytest.mark.parametrize("version", ["v3", "v0", "V2", "latest", "2"])
def test_a_version_that_never_was_is_not_found_and_the_others_are_named(admin: httpx.Client, version: str) -> None:
    problem = refused(admin.get(f"/api/{version}/items"), 404, "unknown-version")
    assert {"v1", "v2"} <= set(problem["versions"])


def test_a_version_past_its_sunset_is_gone_and_names_its_successor(admin: httpx.Client) -> None:
    answer = admin.get("/api/v99/items")
    assert refused(answer, 410, "version-gone")["successor"] == "v2"
    assert '</api/v2>; rel="successor-version"' in answer.headers["link"]


@pytest.mark.parametrize("path", ["/api/v2", "/api", "/api/v2/nothing", "/api/v2/plants/1000", "/api/v2/production-orders",
                                  "/api/v2/plants/1000/items", "/api/v2/items/1/2", "/elsewhere"])  # fmt: skip
def test_a_path_that_leads_nowhere_is_not_found(admin: httpx.Client, path: str) -> None:
    answer = admin.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-resource")


def test_an_action_that_does_not_exist_is_not_found(hamburg: Plant) -> None:
    refused(hamburg.act("production-orders", "1", "explode"), 404, "unknown-resource")
    refused(hamburg.act("production-orders", None, "release"), 404, "unknown-resource")


def test_a_body_over_the_limit_is_refused_before_it_is_read(hamburg: Plant) -> None:
    problem = refused(hamburg.ordered(note="x" * 1_100_000), 413, "body-too-large")
    assert problem["limit_bytes"] == 1_048_576


def test_a_chunked_body_over_the_limit_is_refused_too(hamburg: Plant) -> None:
    chunks = (b"x" * 65_536 for _ in range(20))
    answer = hamburg.http.post(hamburg.url("production-orders"), content=chunks, headers=JSON)
    refused(answer, 413, "body-too-large")


def test_headers_over_the_limit_are_refused(admin: httpx.Client) -> None:
    unread(admin.get("/api/v2/items", headers={"X-Long": "x" * 40_000}), 431, "headers-too-large")


def test_a_url_over_the_limit_is_refused(admin: httpx.Client) -> None:
    unread(admin.get("/api/v2/items?filter=" + "x" * 20_000), 414, "uri-too-long")


def unread(answer: httpx.Response, status: int, code: str) -> None:
    """A refusal of what never became a request: there is no request id to tell, all else is as always."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert code in httpx.get(answer.request.url.join(problem["type"])).text


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b'"text"',
        b"null",
        b'{"item": "A", "item": "B"}',
        b'{"item": {"a": 1, "a": 2}}',
        b'{"quantity": NaN}',
        b'{"quantity": Infinity}',
        b'\xef\xbb\xbf{"item": "A"}',
        b'{"item": "\xff"}',
        b'{"item": "\\ud800"}',
        b'{"item": ' * 2000 + b"1" + b"}" * 2000,
        b'{"item": 01}',
        b'{"item": 1,}',
        b'{"item": 1} {}',
        b"{'item': 1}",
        b'{"quantity": 1e400}',
        b'{"item": "a\x00b"}',
    ],
    ids=lambda b: b[:24].decode("latin-1"),
)
def test_json_that_two_readers_could_read_in_two_ways_is_refused(hamburg: Plant, body: bytes) -> None:
    answer = hamburg.http.post(hamburg.url("production-orders"), content=body, headers=JSON)
    refused(answer, 400, "malformed")


@pytest.mark.parametrize(
    "media", ["text/plain", "application/xml", "application/merge-patch+json", "", "application/jsonx"]
)
def test_a_body_of_another_type_is_refused_with_the_type_that_is_taken(hamburg: Plant, media: str) -> None:
    answer = hamburg.http.post(hamburg.url("production-orders"), content=b"{}", headers={"Content-Type": media})
    assert refused(answer, 415, "unsupported-media-type")["accept"] == "application/json"


def test_a_change_is_a_merge_patch_and_nothing_else(hamburg: Plant) -> None:
    answer = hamburg.http.patch(hamburg.url("production-orders", "1"), json={}, headers={"If-Match": '"L1n.eA"'})
    assert refused(answer, 415, "unsupported-media-type")["accept"] == "application/merge-patch+json"


def test_a_compressed_body_is_refused(hamburg: Plant) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    answer = hamburg.http.post(hamburg.url("production-orders"), content=b"\x1f\x8b", headers=headers)
    refused(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/api/v2/plants/1000/production-orders/1", {"GET", "HEAD", "PATCH"}),
        ("DELETE", "/api/v2/plants/1000/production-orders/1", {"GET", "HEAD", "PATCH"}),
        ("PATCH", "/api/v2/plants/1000/production-orders", {"GET", "HEAD", "POST"}),
        ("GET", "/api/v2/plants/1000/production-orders/1:release", {"POST"}),
        ("POST", "/api/v2/plants/1000/inventory-positions", {"GET", "HEAD"}),
        ("POST", "/api/v2/plants/1000/movements", {"GET", "HEAD"}),
    ],
)
def test_a_method_the_resource_does_not_know_is_answered_with_those_it_does(
    admin: httpx.Client, method: str, path: str, allow: set[str]
) -> None:
    answer = admin.request(method, path)
    refused(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == allow | {"OPTIONS"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "blue"}, "colour"),
        ({"quantity": {"value": "1", "unit": "H87", "kind": "x"}}, "quantity.kind"),
        ({"id": "4711"}, "id"),
        ({"status": "released"}, "status"),
        ({"plant": "3000"}, "plant"),
        ({"item": None}, "item"),
        ({"item": ""}, "item"),
        ({"item": "x" * 41}, "item"),
        ({"item": " A"}, "item"),
        ({"item": 1234}, "item"),
        ({"quantity": {"value": "1", "unit": "PIECES"}}, "quantity.unit"),
        ({"quantity": {"value": "1.0001", "unit": "H87"}}, "quantity.value"),
        ({"quantity": {"value": "1e3", "unit": "H87"}}, "quantity.value"),
        ({"quantity": {"value": "many", "unit": "H87"}}, "quantity.value"),
        ({"quantity": {"value": 10, "unit": "H87"}}, "quantity.value"),
        ({"quantity": {"value": "1" * 20, "unit": "H87"}}, "quantity.value"),
        ({"quantity": "10"}, "quantity"),
        ({"planned": {"start": "tomorrow"}}, "planned.start"),
        ({"planned": {"start": "2026-12-01T06:00:00"}}, "planned.start"),
        ({"planned": {"start": "2026-02-30T06:00:00Z"}}, "planned.start"),
        ({"reference": "x" * 41}, "reference"),
    ],
    ids=str,
)
def test_an_order_that_breaks_the_contract_is_refused_by_the_clients_own_field_name(
    hamburg: Plant, changes: dict[str, object], field: str
) -> None:
    assert field in fields_of(refused(hamburg.create("production-orders", order() | changes), 422, "invalid-document"))


@pytest.mark.parametrize("missing", ["item", "quantity", "planned"])
def test_a_missing_field_is_named(hamburg: Plant, missing: str) -> None:
    document = {name: value for name, value in order().items() if name != missing}
    named = fields_of(refused(hamburg.create("production-orders", document), 422, "invalid-document"))
    assert any(name.split(".")[0] == missing for name in named), named


def test_version_1_names_the_fields_of_version_1(gateway: RunningGateway) -> None:
    old = Plant(gateway.client("admin"), "1000", "v1")
    sent = {"itemNumber": "PUMP-100", "quantity": 1, "unit": "PIECES", "plannedStart": "2026-12-01T06:00:00Z"}
    assert fields_of(refused(old.create("production-orders", sent), 422, "invalid-document")) == {"unit"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"lines": [purchase_line("1000", price={"amount": "1.00001", "per": "1"})]}, "lines.0.price.amount"),
        ({"lines": [purchase_line("1000", price={"amount": "1.00"})]}, "lines.0.price.per"),
        ({"lines": [purchase_line("1000"), purchase_line("1000", "20", colour="x")]}, "lines.1.colour"),
        ({"lines": {}}, "lines"),
        ({"lines": [1]}, "lines.0"),
    ],
    ids=str,
)
def test_a_mistake_in_a_line_is_named_with_the_number_of_the_line(
    hamburg: Plant, changes: dict[str, object], field: str
) -> None:
    document = purchase("1000") | changes
    assert field in fields_of(refused(hamburg.create("purchase-orders", document), 422, "invalid-document"))


def test_more_digits_than_the_erp_keeps_are_refused_not_rounded(hamburg: Plant) -> None:
    lines = [purchase_line("1000", price={"amount": "1.005", "per": "1"})]
    assert "lines.0.price.amount" in fields_of(refused(hamburg.bought(lines=lines), 422, "invalid-document"))


def test_a_field_the_erp_of_the_plant_lacks_is_refused_not_lost(hamburg: Plant) -> None:
    assert "batch" in fields_of(refused(hamburg.ordered(batch="B1"), 422, "invalid-document"))


def test_lines_for_plants_on_two_erps_are_refused_as_a_whole(hamburg: Plant) -> None:
    lines = [purchase_line("1000"), purchase_line("3000", "20")]
    problem = refused(hamburg.bought(lines=lines), 422, "mixed-cells")
    assert problem["plants"] == ["1000", "3000"]


COMPONENT = {"line": "10", "item": "SEAL-1", "quantity": {"value": "1", "unit": "H87"}}
STEP = {"sequence": "10", "work_center": "ASSEMBLY", "quantity": {"value": "1", "unit": "H87"}}
ELSEWHERE = [
    ("components", [COMPONENT | {"plant": "3000"}]),
    ("operations", [STEP | {"plant": "3000"}]),
    ("planning_plant", "3000"),
]


@pytest.mark.parametrize(("field", "value"), ELSEWHERE)
def test_an_order_that_another_erps_plant_has_a_part_in_is_refused_as_a_whole(
    hamburg: Plant, erps: Pair, field: str, value: object
) -> None:
    with erps.untouched():
        problem = refused(hamburg.ordered(**{field: value}), 422, "mixed-cells")
    assert problem["plants"] == ["1000", "3000"]


@pytest.mark.parametrize(("field", "value"), ELSEWHERE)
def test_whoever_may_write_for_one_plant_cannot_give_another_a_part_in_the_order(
    gateway: RunningGateway, erps: Pair, field: str, value: object
) -> None:
    plant = Plant(gateway.client("hamburg"), "1000")
    with erps.untouched():
        problem = refused(plant.ordered(**{field: value}), 403, "denied")
    assert problem["reasons"] == ["plant-not-granted"]


def test_a_part_of_another_plant_that_the_erp_has_no_field_for_is_refused_not_lost(hamburg: Plant, erps: Pair) -> None:
    """The old ERP makes every step of an order where the order is made."""
    with erps.untouched():
        problem = refused(hamburg.ordered(operations=[STEP | {"plant": "2000"}]), 422, "invalid-document")
    assert fields_of(problem) == {"operations.0.plant"}


def test_a_purchase_order_belongs_to_the_plant_it_is_sent_to(hamburg: Plant, erps: Pair) -> None:
    """Nobody could read it there afterwards."""
    with erps.untouched():
        problem = refused(hamburg.bought(lines=[purchase_line("2000")]), 422, "invalid-document")
    assert fields_of(problem) == {"lines.0.plant"}


def test_a_change_without_if_match_is_refused(hamburg: Plant) -> None:
    refused(hamburg.change("production-orders", "1000000", {"quantity": {"value": "1"}}), 428, "etag-required")


@pytest.mark.parametrize("etag", ["W/x", "L1n.eA", '"L1n.eA" "L1n.eQ"', '"foreign', '*, "L1n.eA"'])
def test_an_if_match_that_is_none_is_malformed(hamburg: Plant, etag: str) -> None:
    answer = hamburg.change("production-orders", "1000000", {"quantity": {"value": "1"}}, etag)
    assert refused(answer, 400, "malformed")["field"] == "If-Match"


STALE = ['"L1n.eA"', '"C1n.eA"', '"L9n.eA"', '"foreign"', '""', 'W/"foreign"', '"foreign", "L1n.eA"']


@pytest.mark.parametrize("etag", STALE)
def test_an_etag_of_an_older_document_of_the_other_erp_or_of_a_stranger_is_stale(hamburg: Plant, etag: str) -> None:
    answer = hamburg.change("production-orders", "1000000", {"quantity": {"value": "1"}}, etag)
    refused(answer, 412, "stale-etag")


@pytest.mark.parametrize("etag", [None, "*", "0", '"foreign"', '"L9n.eA"'])
def test_what_is_not_there_is_told_before_the_condition_is_looked_at(hamburg: Plant, etag: str | None) -> None:
    answer = hamburg.change("production-orders", "999999", {"quantity": {"value": "1"}}, etag)
    refused(answer, 404, "no-such-document")


@pytest.mark.parametrize(
    ("patch", "field"), [({"item": "1234"}, "item"), ({"status": "closed"}, "status"), ({"colour": 1}, "colour")]
)
def test_a_change_of_what_cannot_be_changed_is_refused_by_field(hamburg: Plant, patch: object, field: str) -> None:
    etag = hamburg.read("production-orders", "1000000").headers["etag"]
    assert field in fields_of(
        refused(hamburg.change("production-orders", "1000000", patch, etag), 422, "invalid-document")
    )


def test_an_empty_change_is_refused(hamburg: Plant) -> None:
    etag = hamburg.read("production-orders", "1000000").headers["etag"]
    refused(hamburg.change("production-orders", "1000000", {}, etag), 422, "invalid-document")


def test_a_release_takes_no_body(hamburg: Plant) -> None:
    assert (
        refused(hamburg.act("production-orders", "1000000", "release", {"a": 1}), 400, "malformed")["field"] == "body"
    )


def test_nobody_writes_a_document_through_a_plant_that_is_not_its_own(gateway: RunningGateway, hamburg: Plant) -> None:
    """Plants 1000 and 2000 share the legacy ERP, whose keys do not name the plant."""
    theirs = hamburg.at("2000").rows("production-orders")[0]["id"]
    etag = hamburg.at("2000").read("production-orders", theirs).headers["etag"]
    intruder = Plant(gateway.client("hamburg"), "1000")
    refused(intruder.read("production-orders", theirs), 404, "no-such-document")
    refused(intruder.change("production-orders", theirs, {"quantity": {"value": "1"}}, etag), 404, "no-such-document")
    refused(intruder.act("production-orders", theirs, "release"), 404, "no-such-document")
    confirmation = {"operation": "10", "quantity": {"value": "1", "unit": "H87"}}
    refused(intruder.act("production-orders", theirs, "confirm", confirmation), 404, "no-such-document")


def test_another_plants_document_and_one_that_never_was_are_refused_in_the_same_words(hamburg: Plant) -> None:
    theirs = hamburg.at("2000").rows("production-orders")[0]["id"]
    answers = [hamburg.read("production-orders", key) for key in (theirs, "999999")]
    said = [a.json()["detail"].replace(key, "") for a, key in zip(answers, (theirs, "999999"), strict=True)]
    assert said[0] == said[1]


def test_a_purchase_order_of_another_plant_is_not_shown_and_not_released(hamburg: Plant) -> None:
    theirs = [r for r in hamburg.at("2000").rows("purchase-orders") if {n["plant"] for n in r["lines"]} == {"2000"}]
    assert theirs
    for row in theirs:
        refused(hamburg.read("purchase-orders", row["id"]), 404, "no-such-document")
        refused(hamburg.act("purchase-orders", row["id"], "release"), 404, "no-such-document")


@pytest.mark.parametrize(
    "key",
    ["a%2Fb", "..%2f..", "%00", "a%0d%0aX-Injected:1", "x" * 129, "%EF%BC%91", "a%5Cb", "%252e", "..", "%e2%80%ae"],
)
def test_a_key_that_could_mean_something_else_further_on_is_refused(gateway: RunningGateway, key: str) -> None:
    path = f"/api/v2/plants/1000/production-orders/{key}"
    raw = _raw(
        gateway,
        f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {gateway.deployment.keys['admin']}\r\nConnection: close\r\n\r\n",
    )
    assert raw.split(b" ", 2)[1] in (b"400", b"404")
    assert b"x-injected" not in raw.lower().partition(b"\r\n\r\n")[0]


def _raw(gateway: RunningGateway, request: str) -> bytes:
    place = urlsplit(gateway.base_url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as wire:
        wire.sendall(request.encode("ascii"))
        received = b""
        while piece := wire.recv(65_536):
            received += piece
        return received


def test_after_all_these_refusals_good_requests_are_answered(hamburg: Plant) -> None:
    good(hamburg.listed("production-orders"))
