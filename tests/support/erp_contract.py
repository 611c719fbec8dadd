"""The contract every ERP behind the gateway keeps, whether simulated or real: what a client of version 2 may count on.

A check works through the gateway's front door and then asks the ERP itself. What a system cannot do stands in its table of
lacks, and is checked too: it must be refused cleanly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import httpx

Json = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
ABILITIES: Mapping[str, tuple[str, ...]] = {
    "production_order": ("create", "list", "change", "stale", "refuse", "act", "unknown"),
    "confirmation": ("create", "list", "refuse", "unknown"),
    "item": ("create", "list", "change", "stale", "refuse", "unknown"),
    "item_plant": ("list", "unknown"),
    "inventory_position": ("list",),
    "movement": ("create", "list", "refuse", "unknown"),
    "purchase_order": ("create", "list", "change", "stale", "refuse", "act", "unknown"),
    "receipt": ("create", "list", "refuse", "unknown"),
}
"""What version 2 offers, object by object."""
ENTERPRISE = frozenset({"item"})


class Truth(Protocol):
    """An ERP asked behind the gateway's back."""

    def rows(self, object_: str) -> int:
        """How many documents it holds."""

    def held(self, object_: str, key: str) -> Mapping[str, Any]:
        """What it holds of one, as far as the samples speak of it."""


@dataclass(frozen=True, slots=True)
class Door:
    """The gateway as a client of one plant sees it."""

    http: httpx.Client
    plant: str

    def url(self, object_: str, key: str | None = None, action: str = "") -> str:
        place = "" if object_ in ENTERPRISE else f"/plants/{self.plant}"
        below = f"/{quote(key, safe='')}" if key is not None else ""
        return f"/api/v2{place}/{object_.replace('_', '-')}s{below}{':' + action if action else ''}"

    def read(self, object_: str, key: str) -> httpx.Response:
        return self.http.get(self.url(object_, key))

    def create(self, object_: str, document: Json) -> httpx.Response:
        return self.http.post(self.url(object_), json=document)

    def act(self, object_: str, key: str | None, action: str, document: Json | None = None) -> httpx.Response:
        return self.http.post(self.url(object_, key, action), json=document)

    def change(self, object_: str, key: str, patch: Json, etag: str) -> httpx.Response:
        headers = {"Content-Type": MERGE_PATCH, "If-Match": etag}
        return self.http.patch(self.url(object_, key), json=patch, headers=headers)

    def rows(self, object_: str, limit: int, where: str | None) -> list[Json]:
        """All rows of a list over all its pages."""
        found: list[Json] = []
        query: dict[str, Any] = {"limit": limit} | ({"filter": where} if where else {})
        while True:
            page = good(self.http.get(self.url(object_), params=query))
            found += page["items"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One object of one system: a document to send, what its ERP must then hold, and what its ERP refuses.

    `lost` names the fields of `new` that come back otherwise, and why. `fill` makes a row for the list where `new` cannot.
    `where` filters a list so that a document shown is in it. `act` is an action and what it shows; `acted` what is then held.
    """

    new: Callable[[str], Json] = lambda tag: {}
    held: Callable[[Json], Mapping[str, Any]] = lambda document: {}
    send: Callable[[Door, str, Json], httpx.Response] = lambda door, object_, document: door.create(object_, document)
    lost: Mapping[str, str] = field(default_factory=dict)
    fill: Callable[[Door, str], httpx.Response] | None = None
    where: Callable[[Json], str] | None = None
    patch: Json | None = None
    bad: Callable[[Door, Sample], httpx.Response] | None = None
    says: tuple[int, str] = (422, "")
    act: tuple[str, Mapping[str, Any]] | None = None
    acted: Mapping[str, Any] = field(default_factory=dict)
    key: str = "id"
    unknown: str = "999999"


@dataclass(frozen=True, slots=True)
class Lack:
    """What a system cannot do, why, and how the gateway says so."""

    why: str
    status: int = 422
    code: str = "erp-refused"


Lacks = Mapping[tuple[str, str], Lack]
"""By object and ability; the ability `*` is all of them."""


@dataclass(frozen=True, slots=True)
class System:
    """One ERP behind a running gateway."""

    name: str
    door: Door
    truth: Truth
    samples: Mapping[str, Sample]

    def made(self, object_: str, tag: str) -> tuple[Json, httpx.Response]:
        """A document sent, and its answer."""
        sample = self.samples[object_]
        document = sample.new(tag)
        return document, sample.send(self.door, object_, document)


def lack_of(lacks: Lacks, object_: str, ability: str) -> Lack | None:
    return lacks.get((object_, ability)) or lacks.get((object_, "*"))


def check(system: System, object_: str, ability: str) -> None:
    """Check that a system can do what version 2 offers."""
    CHECKS[ability](system, object_, f"{object_[:3].upper()}-{ability[:3].upper()}")


def check_lack(system: System, object_: str, ability: str, lack: Lack) -> None:
    """Check that what a system lacks is refused, in words, with nothing done."""
    if (object_ in system.samples) and ability in ("create", "refuse", "act"):
        made = system.made(object_, f"LACK-{ability[:3].upper()}")[1]
        answer = made if ability != "act" else _act(system, object_, good(made, 201)["id"])
    elif ability == "unknown":
        answer = system.door.read(object_, "999999")
        assert answer.status_code in (404, 422), answer.text
        return
    else:
        answer = system.door.http.get(system.door.url(object_))
    refused(answer, lack.status, lack.code)


def _created(system: System, object_: str, tag: str) -> None:
    sample, before = system.samples[object_], system.truth.rows(object_)
    document, answer = system.made(object_, tag)
    shown = good(answer, 201)
    assert system.truth.rows(object_) == before + 1
    assert good(system.door.http.get(answer.headers["location"])) == shown
    for path, value in leaves(document):
        if path not in sample.lost:
            assert at(shown, path) == value, f"{path} was sent as {value!r} and is shown as {at(shown, path)!r}"
    holds(system, object_, shown[sample.key], sample.held(document))


def _listed(system: System, object_: str, tag: str) -> None:
    sample, keys = system.samples[object_], set()
    where = None
    for number in range(3 if sample.new(tag) else 0):
        one = f"{tag}{number}"
        shown = good(sample.fill(system.door, one) if sample.fill else system.made(object_, one)[1], 201)
        keys.add(shown[sample.key])
        where = sample.where(shown) if sample.where else None
    pages = [row[sample.key] for row in system.door.rows(object_, 2, where)]
    assert len(pages) == len(set(pages)), "a row came twice"
    assert keys <= set(pages), "a row is missing"
    assert sorted(pages) == sorted(row[sample.key] for row in system.door.rows(object_, 200, where))
    assert len(pages) > 2, "one page proves nothing"


def _changed(system: System, object_: str, tag: str) -> None:
    sample = system.samples[object_]
    document, answer = system.made(object_, tag)
    shown, patch = good(answer, 201), sample.patch or {}
    rows = system.truth.rows(object_)
    changed = system.door.change(object_, shown[sample.key], patch, answer.headers["etag"])
    now = good(changed)
    for path, value in leaves(patch):
        assert at(now, path) == value
    assert changed.headers["etag"] != answer.headers["etag"]
    assert system.truth.rows(object_) == rows
    holds(system, object_, shown[sample.key], sample.held(merged(document, patch)))


def _stale(system: System, object_: str, tag: str) -> None:
    sample = system.samples[object_]
    document, answer = system.made(object_, tag)
    key, patch, etag = good(answer, 201)[sample.key], sample.patch or {}, answer.headers["etag"]
    good(system.door.change(object_, key, patch, etag))
    back = {name: document[name] for name in patch}
    refused(system.door.change(object_, key, back, etag), 412, "stale-etag")
    holds(system, object_, key, sample.held(merged(document, patch)))


def _refused(system: System, object_: str, tag: str) -> None:
    sample, before = system.samples[object_], system.truth.rows(object_)
    assert sample.bad is not None
    status, words = sample.says
    problem = refused(sample.bad(system.door, sample), status, "conflict" if status == 409 else "erp-refused")
    assert words in problem["erp_message"]
    assert problem["erp"] == system.name
    assert system.truth.rows(object_) == before


def _acted(system: System, object_: str, tag: str) -> None:
    sample = system.samples[object_]
    assert sample.act is not None
    key = good(system.made(object_, tag)[1], 201)[sample.key]
    rows = system.truth.rows(object_)
    assert good(_act(system, object_, key)).items() >= sample.act[1].items()
    assert system.truth.rows(object_) == rows
    holds(system, object_, key, sample.acted)


def _act(system: System, object_: str, key: str) -> httpx.Response:
    act = system.samples[object_].act
    return system.door.act(object_, key, act[0] if act else "release")


def _unknown(system: System, object_: str, tag: str) -> None:
    refused(system.door.read(object_, system.samples[object_].unknown), 404, "no-such-document")


CHECKS: Mapping[str, Callable[[System, str, str], None]] = {
    "create": _created,
    "list": _listed,
    "change": _changed,
    "stale": _stale,
    "refuse": _refused,
    "act": _acted,
    "unknown": _unknown,
}


def good(answer: httpx.Response, status: int = 200) -> Json:
    """The document of an answer that must be good."""
    assert answer.status_code == status, answer.text
    document: Json = answer.json()
    return document


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """The problem of an answer that must be a refusal."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem: Json = answer.json()
    assert problem["code"] == code, problem
    return problem


def holds(system: System, object_: str, key: str, expected: Mapping[str, Any]) -> None:
    """The ERP itself holds what was asked for."""
    found = system.truth.held(object_, key)
    assert {name: found.get(name) for name in expected} == dict(expected)


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every value of a document with its dotted path; rows carry their number."""
    if isinstance(value, dict):
        return [leaf for name, v in value.items() for leaf in leaves(v, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [leaf for i, v in enumerate(value) for leaf in leaves(v, f"{path}.{i}")]
    return [(path, value)]


def at(document: Any, path: str) -> Any:
    """The value at a dotted path; None where nothing stands there."""
    for step in path.split("."):
        if isinstance(document, list):
            document = document[int(step)] if int(step) < len(document) else None
        else:
            document = (document or {}).get(step)
    return document


def merged(document: Json, patch: Json) -> Json:
    """RFC 7396, as far as the samples need it."""
    made = dict(document)
    for name, value in patch.items():
        made[name] = merged(made.get(name) or {}, value) if isinstance(value, dict) else value
    return made
