"""The pages for people: every version, every problem; no script, nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from gateway.problem import codes
from tests.e2e.calls import refused
from tests.support.gateway import RunningGateway

PAGES = ("/", "/docs", "/docs/v1", "/docs/v2", "/problems/malformed", "/problems/outcome-unknown")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Read(HTMLParser):
    """What a page loads and links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in ("src", "href", "data", "action", "poster", "srcset"):
                self.loads.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)
            if name == "id":
                self.ids.add(value or "")


@pytest.fixture
def http(gateway: RunningGateway) -> httpx.Client:
    return gateway.client(None)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_and_loads_nothing_from_elsewhere(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    page = Read(answer.text)
    assert not {"script", "iframe", "object", "embed", "form", "base"} & page.tags
    assert page.handlers == []
    assert page.loads == ["/docs/style.css"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


OTHERS = (
    "/docs/style.css",
    "/versions.json",
    "/openapi/v2.json",
    "/openapi/v7.json",
    "/docs/v7",
    "/problems/none",
    "/x",
    "/apis",
)


@pytest.mark.parametrize("path", [*PAGES, *OTHERS])
def test_every_page_and_every_address_without_one_says_which_request_it_answers(http: httpx.Client, path: str) -> None:
    asked = {"X-Request-Id": "plant-manager-0001", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    answer = http.get(path, headers=asked)
    assert answer.headers.get_list("x-request-id") == ["plant-manager-0001"]
    assert re.fullmatch(f"00-{TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01", answer.headers["traceparent"])
    if answer.status_code != 200:
        refused(answer, 404, answer.json()["code"])


@pytest.mark.parametrize("given", ["short", "with space in it", "semi;colon;123"])
def test_a_page_replaces_a_request_id_that_is_no_sound_one(http: httpx.Client, given: str) -> None:
    answers = [http.get("/nothing/here", headers={"X-Request-Id": given}) for _ in range(2)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert given not in answers[0].text


def test_the_style_loads_nothing_either(http: httpx.Client) -> None:
    answer = http.get("/docs/style.css")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/css")
    assert not re.search(r"url\(|@import", answer.text)


def test_every_link_of_every_page_leads_somewhere(http: httpx.Client) -> None:
    seen, todo = set(), list(PAGES)
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = http.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            links = Read(answer.text).links
            assert all(link.startswith(("/", "#")) for link in links), links
            todo += [link.partition("#")[0] for link in links if link.startswith("/")]
    assert len(seen) > 30


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_problem_has_a_page_for_the_caller_and_for_the_operator(http: httpx.Client, code: str) -> None:
    answer = http.get(f"/problems/{code}")
    assert answer.status_code == 200
    assert code in answer.text
    assert "If you call the API" in answer.text
    assert "If you run the gateway" in answer.text


@pytest.mark.parametrize("code", sorted(codes()))
def test_what_the_admin_port_tells_has_its_page_there(gateway: RunningGateway, code: str) -> None:
    page = gateway.admin(f"/problems/{code}")
    assert page.status_code == 200
    read = Read(page.text)
    for link in (*read.links, *read.loads):
        assert gateway.admin(link).status_code == 200, link
    assert "If you run the gateway" in page.text


@pytest.mark.parametrize("path", ["/problems/unheard-of", "/nothing", "/admin/v1/journal/none", "/admin/v1/cases/0"])
def test_a_problem_of_the_admin_port_leads_to_its_page_there(gateway: RunningGateway, path: str) -> None:
    told = gateway.admin(path)
    assert (told.status_code, told.headers["content-type"]) == (404, "application/problem+json")
    assert told.json()["code"] in gateway.admin(told.json()["type"]).text


@pytest.mark.parametrize("path", ["/openapi/v9.json", "/docs/v9"])
def test_a_description_of_no_version_names_the_versions_there_are(http: httpx.Client, path: str) -> None:
    assert {"v1", "v2"} <= set(refused(http.get(path), 404, "unknown-version")["versions"])


@pytest.mark.parametrize(
    "path", ["/problems/unheard-of", "/docs/v9", "/openapi/v9.json", "/docs/../etc/passwd", "/nothing"]
)
def test_a_page_that_is_not_there_is_a_problem_document(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_page_takes_no_other_method(http: httpx.Client) -> None:
    assert http.post("/docs").status_code in (404, 405)


@pytest.mark.parametrize("word", ["<script>alert(1)</script>", "%3Cscript%3E", "{{7*7}}"])
def test_nothing_of_the_address_is_shown_as_markup(http: httpx.Client, word: str) -> None:
    answer = http.get(f"/problems/{word}")
    assert answer.status_code in (400, 404)
    assert "<script>" not in answer.text
    assert "49" not in answer.json()["detail"]


def test_the_versions_are_listed_for_machines(http: httpx.Client) -> None:
    rows = {row["version"]: row for row in http.get("/versions.json").json()["versions"]}
    assert rows["v1"]["deprecated_at"].startswith("2026-07-01")
    for row in rows.values():
        assert http.get(row["openapi"]).json()["openapi"].startswith("3.1")
        assert 'id="lifecycle"' in http.get(row["docs"]).text
