"""Whether what a gateway answers is what the version's own description says."""

from __future__ import annotations

import re
from typing import Any

import httpx

Json = dict[str, Any]
_PARAMETER = re.compile(r"\\{\w+\\}")
_PLACE = re.compile(rb"/api/(v\d+)(/[^?]*)")


class Descriptions:
    """The descriptions of one gateway's versions, as it publishes them."""

    def __init__(self, base_url: str) -> None:
        self._http, self._known = httpx.Client(base_url=base_url), dict[str, Json | None]()

    def check(self, response: httpx.Response) -> None:
        """Raises: AssertionError: the answer is none that its operation is described with."""
        place = _PLACE.match(response.request.url.raw_path)
        if place is None:
            return
        version = place[1].decode()
        flaw = self._flaw(version, place[2].decode(), response)
        if flaw is not None:
            del self._known[version]  # its content may have changed since
            flaw = self._flaw(version, place[2].decode(), response)
        assert flaw is None, f"{response.request.method} {response.request.url.path}: {flaw}"

    def _flaw(self, version: str, path: str, response: httpx.Response) -> str | None:
        if version not in self._known:
            self._known[version] = self._read(version)
        api = self._known[version]
        operation = _operation(api, path, response.request.method.lower()) if api is not None else None
        return _flaw(api, operation, response) if api is not None and operation is not None else None

    def _read(self, version: str) -> Json | None:
        """The description; None where there is no such version, or the gateway is about to end."""
        try:
            answer = self._http.get(f"/openapi/{version}.json")
        except httpx.TransportError:
            return None
        found: Json | None = answer.json() if answer.status_code == httpx.codes.OK else None
        return found

    def close(self) -> None:
        self._http.close()


def _operation(api: Json, path: str, method: str) -> Json | None:
    """The operation that a path names; a colon within a key is written otherwise."""
    for template, operations in api["paths"].items():
        if method in operations and re.fullmatch(_PARAMETER.sub("[^/:]+", re.escape(template)), path):
            found: Json = operations[method]
            return found
    return None


def _flaw(api: Json, operation: Json, response: httpx.Response) -> str | None:
    told = operation["responses"].get(str(response.status_code))
    if told is None:
        return f"{response.status_code} is not described: {response.read().decode()}"
    if "$ref" in told:
        told = api["components"]["responses"][told["$ref"].rsplit("/", 1)[1]]
    for name, header in told["headers"].items():
        if header.get("required") and name not in response.headers:
            return f"{response.status_code} without {name}"
    problem = told.get("content", {}).get("application/problem+json")
    if problem is None:
        return None
    types, type_ = problem["schema"]["allOf"][1]["properties"]["type"]["enum"], _type(response)
    return None if type_ in types else f"{response.status_code} with {type_}, which is none of {types}"


def _type(response: httpx.Response) -> str:
    response.read()
    return str(response.json()["type"])
