"""Every answer says how it was made and how long its version will live: good ones and refusals alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.e2e.calls import Plant, good
from tests.support.gateway import RunningGateway

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REQUESTS: tuple[tuple[Any, ...], ...] = (
    ("a list", "GET", "plants/1000/production-orders?limit=1", {}, None, 200),
    ("a document", "GET", "plants/1000/production-orders/1000000", {}, None, 200),
    ("HEAD", "HEAD", "plants/1000/production-orders/1000000", {}, None, 200),
    ("OPTIONS", "OPTIONS", "plants/1000/production-orders", {}, None, 204),
    ("no credential", "GET", "items", {"X-API-Key": ""}, None, 401),
    ("not granted", "GET", "items", {}, None, 403),
    ("no such document", "GET", "plants/1000/production-orders/999999", {}, None, 404),
    ("no such resource", "GET", "nothing", {}, None, 404),
    ("no such plant", "GET", "plants/4000/production-orders", {}, None, 404),
    ("a bad path", "GET", "plants/1000/production-orders/%2F", {}, None, 400),
    ("a bad query", "GET", "items?limit=0", {}, None, 400),
    ("bad JSON", "POST", "plants/1000/production-orders", {"Content-Type": "application/json"}, b"{", 400),
    ("a wrong type", "POST", "plants/1000/production-orders", {"Content-Type": "text/plain"}, b"{", 415),
    ("a wrong method", "PUT", "items/1234", {}, None, 405),
    ("too large", "POST", "items", {"Content-Type": "application/json"}, b"x" * 1_048_577, 413),
)
EACH = pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"), [r[1:] for r in REQUESTS], ids=[r[0] for r in REQUESTS]
)


def call(
    gateway: RunningGateway,
    version: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None,
    **more: str,
) -> httpx.Response:
    who = "portal" if path == "items" and method == "GET" else "admin"
    http = gateway.client(who)
    return http.request(method, f"/api/{version}/{path}", headers={**more, **headers}, content=body)


@EACH
def test_every_answer_says_which_request_it_belongs_to(
    gateway: RunningGateway, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int
) -> None:
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    more = {"X-Request-Id": "plant-manager-0001", "traceparent": parent}
    answer = call(gateway, "v2", method, path, headers, body, **more)
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"] == "plant-manager-0001"
    assert re.fullmatch(f"00-{TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01", answer.headers["traceparent"])
    assert answer.headers["cache-control"] == "no-store"
    if status >= 400:
        assert answer.json()["instance"] == "urn:request:plant-manager-0001" if method != "HEAD" else True
    if status != 204:
        assert re.search(r"\badmit;dur=\d+\.\d\d", answer.headers["server-timing"])
        assert gateway.awaited("request", request_id="plant-manager-0001", status=status)["traceparent"]


@EACH
def test_every_answer_of_version_1_says_that_it_is_deprecated_until_when_and_what_follows(
    gateway: RunningGateway, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int
) -> None:
    answer = call(gateway, "v1", method, path, headers, body)
    assert answer.status_code == status, answer.text
    # RFC 9745: a structured-field date; RFC 8594: an HTTP-date
    assert answer.headers["deprecation"] == f"@{int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())}"
    sunset = answer.headers["sunset"]
    assert parsedate_to_datetime(sunset) == datetime(2027, 12, 31, tzinfo=UTC)
    assert sunset == format_datetime(parsedate_to_datetime(sunset), usegmt=True)
    links = relations(answer)
    assert links["successor-version"] == "/api/v2"
    for relation in ("deprecation", "sunset"):
        page = gateway.client(None).get(links[relation])
        assert (page.status_code, 'id="lifecycle"' in page.text) == (200, True)


@EACH
def test_no_answer_of_version_2_says_anything_of_an_end(
    gateway: RunningGateway, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int
) -> None:
    answer = call(gateway, "v2", method, path, headers, body)
    assert not {"deprecation", "sunset"} & set(answer.headers)
    assert set(relations(answer)) <= {"next"}


def relations(answer: httpx.Response) -> dict[str, str]:
    """The links of an answer, RFC 8288: relation -> target."""
    found = re.findall(r'<([^>]*)>; rel="([a-z-]+)"', ", ".join(answer.headers.get_list("link")))
    return {relation: target for target, relation in found}


def test_an_answer_that_came_from_an_erp_says_from_which_side_and_in_which_phase(hamburg: Plant, pune: Plant) -> None:
    for plant, route in ((hamburg, "legacy; epoch=1; phase=legacy"), (pune, "cloud; epoch=1; phase=cloud")):
        assert plant.listed("production-orders").headers["x-route"] == route
        assert plant.read("production-orders", "999999").headers["x-route"] == route
        assert plant.ordered(item="NO-SUCH").headers["x-route"] == route


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space in it", "semi;colon;123"])
def test_a_request_id_that_is_no_sound_one_is_replaced(gateway: RunningGateway, given: str) -> None:
    http = gateway.client("admin")
    answer = http.get("/api/v2/items?limit=1", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("given", ["", "junk", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{TRACE}-00f067aa0ba902b7-01"])
def test_a_trace_parent_that_is_none_starts_a_new_trace(gateway: RunningGateway, given: str) -> None:
    answer = gateway.client("admin").get("/api/v2/items?limit=1", headers={"traceparent": given})
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.headers["traceparent"])
    assert TRACE not in answer.headers["traceparent"]


def test_head_says_what_get_would_and_has_no_body(hamburg: Plant) -> None:
    for path in (hamburg.url("production-orders"), hamburg.url("production-orders", "1000000"), hamburg.url("nothing")):
        get, head = hamburg.http.get(path), hamburg.http.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers.get("etag") == get.headers.get("etag")
        if get.status_code == 200:
            assert head.headers["content-length"] == get.headers["content-length"]
    good(hamburg.listed("production-orders"))  # the connection is still in step


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("plants/1000/production-orders", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("plants/1000/production-orders/1", {"GET", "HEAD", "PATCH", "OPTIONS"}),
        ("plants/1000/production-orders/1:release", {"POST", "OPTIONS"}),
        ("plants/1000/movements:post", {"POST", "OPTIONS"}),
        ("items", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("nothing", {"OPTIONS"}),
        ("plants/1000/production-orders/1:fly", {"OPTIONS"}),
        ("plants/1000/movements/1:post", {"OPTIONS"}),
    ],
)
def test_options_lists_the_methods_without_asking_who_calls(
    gateway: RunningGateway, path: str, allow: set[str]
) -> None:
    answer = gateway.client(None).options(f"/api/v2/{path}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) == allow


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_described_path_allows_the_methods_it_is_described_with_and_says_so_whoever_asks(
    gateway: RunningGateway, version: str
) -> None:
    asked, refused_ = gateway.client(None), gateway.client("admin")
    forged = gateway.client(None, **{"X-API-Key": "co_nobody_" + "x" * 43})
    paths = asked.get(f"/openapi/{version}.json").json()["paths"]
    assert paths
    for path, operations in paths.items():
        url = f"/api/{version}{path.replace('{plant}', '1000').replace('{key}', '1').replace('{id}', '0' * 32)}"
        methods = {method.upper() for method in operations} | {"OPTIONS"} | ({"HEAD"} if "get" in operations else set())
        for answer in (asked.options(url), refused_.delete(url), asked.put(url), forged.delete(url)):
            assert answer.headers["allow"] == ", ".join(sorted(methods)), (path, answer.request.method)
            assert answer.status_code == (204 if answer.request.method == "OPTIONS" else 405)


def test_the_server_says_nothing_about_itself(hamburg: Plant) -> None:
    for answer in (hamburg.listed("production-orders"), hamburg.at("4000").listed("production-orders")):
        assert not {"server", "x-powered-by"} & set(answer.headers)
        assert "Traceback" not in answer.text
