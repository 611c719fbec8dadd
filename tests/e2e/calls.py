"""What a client of the API calls, in words of the plant; and how a refusal must look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx

Json = dict[str, Any]
CURRENCY = {"1000": "EUR", "2000": "EUR", "3000": "USD"}


@dataclass(frozen=True, slots=True)
class Plant:
    """One plant as a client of one version sees it."""

    http: httpx.Client
    plant: str
    version: str = "v2"

    def at(self, plant: str) -> Plant:
        return replace(self, plant=plant)

    def by(self, http: httpx.Client) -> Plant:
        return replace(self, http=http)

    def url(self, resource: str, key: str | None = None, action: str = "") -> str:
        below = f"/{quote(key, safe='')}" if key is not None else ""
        return f"/api/{self.version}/plants/{self.plant}/{resource}{below}{':' + action if action else ''}"

    def listed(self, resource: str, **query: Any) -> httpx.Response:
        return self.http.get(self.url(resource), params=query)

    def pages(self, resource: str, **query: Any) -> Iterator[Json]:
        """All pages of a list."""
        while True:
            page = good(self.listed(resource, **query))
            yield page
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def rows(self, resource: str, **query: Any) -> list[Json]:
        """All rows over all pages."""
        return [row for page in self.pages(resource, **query) for row in page["items"]]

    def read(self, resource: str, key: str, **query: Any) -> httpx.Response:
        return self.http.get(self.url(resource, key), params=query)

    def create(self, resource: str, document: Any, **headers: str) -> httpx.Response:
        return self.http.post(self.url(resource), json=document, headers=headers)

    def change(self, resource: str, key: str, patch: Any, etag: str | None = None, **headers: str) -> httpx.Response:
        headers = {"Content-Type": "application/merge-patch+json", **({"If-Match": etag} if etag else {}), **headers}
        return self.http.patch(self.url(resource, key), json=patch, headers=headers)

    def act(self, resource: str, key: str | None, action: str, document: Any = None, **headers: str) -> httpx.Response:
        return self.http.post(self.url(resource, key, action), json=document, headers=headers)

    def ordered(self, **changes: Any) -> httpx.Response:
        """A new production order."""
        return self.create("production-orders", order(**changes))

    def bought(self, **changes: Any) -> httpx.Response:
        """A new purchase order with a line for this plant."""
        return self.create("purchase-orders", purchase(self.plant, **changes))


def order(**changes: Any) -> Json:
    """A production order as a client of version 2 sends it."""
    document = {
        "item": "PUMP-100",
        "quantity": {"value": "10", "unit": "H87"},
        "planned": {"start": "2026-12-01T06:00:00Z", "end": "2026-12-02T14:00:00Z"},
        "reference": "MES-4711",
    }
    return document | changes


def purchase(plant: str, **changes: Any) -> Json:
    """A purchase order with one line."""
    return {"supplier": "100010", "currency": CURRENCY[plant], "lines": [purchase_line(plant)]} | changes


def purchase_line(plant: str, number: str = "10", **changes: Any) -> Json:
    line = {"line": number, "item": "SEAL-7", "plant": plant, "quantity": {"value": "100", "unit": "H87"}}
    return line | {"price": {"amount": "185.00", "per": "100"}} | changes


def good(answer: httpx.Response, status: int = 200) -> Json:
    """The document of an answer that must be good."""
    assert answer.status_code == status, answer.text
    document: Json = answer.json()
    return document


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """The problem document of a refusal: RFC 9457, and its type leads to a page that explains it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem: Json = answer.json()
    assert (problem["status"], problem["type"].rsplit("/", 1)[-1]) == (status, code), problem
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == f"urn:request:{answer.headers['x-request-id']}"
    page = httpx.get(answer.request.url.join(problem["type"]))
    assert page.status_code == 200, problem["type"]
    assert code in page.text
    return problem


def fields_of(problem: Json) -> set[str]:
    """The fields that a 422 names."""
    return {error["field"] for error in problem["errors"]}
