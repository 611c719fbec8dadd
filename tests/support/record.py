"""Record what real systems really say, into translators/recorded: `python -m tests.support.record`.

Every file is one object of one dialect: the calls in the order they were made, without credentials, hosts and ports.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

RECORDED = Path(__file__).parents[2] / "translators" / "recorded"
HOST = "http://erp.example"
REQUEST_HEADERS = frozenset(
    {"accept", "content-type", "if-match", "prefer", "range", "x-csrf-token", "x-tryton-context", "accept-language"}
)
RESPONSE_HEADERS = frozenset(
    {"content-type", "content-range", "etag", "location", "odata-version", "sap-message", "x-csrf-token"}
)
ENCODED_PARAMETERS = frozenset({"d", "o"})  # Tryton's REST interface sends domains and orders as base64


@dataclass(slots=True)
class Recorder:
    """A client that writes down what it sends and receives.

    Takes: `source`, the system and its version; `client`, logged in.
    """

    dialect: str
    source: str
    client: httpx.Client
    calls: list[dict[str, Any]] = field(default_factory=list)

    def send(
        self,
        name: str,
        method: str,
        url: str,
        *,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Make one call and write it down under a name."""
        request = self.client.build_request(method, url, json=body, params=tuple(query) or None, headers=headers)
        answer = self.client.send(request)
        self.calls.append({"name": name, "request": _request(request), "response": _response(answer)})
        return answer

    def save(self, name: str) -> None:
        """Write the calls made so far as one object's file, and begin anew."""
        document = {
            "source": self.source,
            "recorded_with": f"tests/support/record.py, httpx {version('httpx')}",
            "calls": self.calls,
        }
        _write(RECORDED / self.dialect / f"{name}.json", _without_host(_dump(document), self.client) + "\n")
        self.calls = []

    def save_metadata(self, service: str, url: str) -> None:
        """Keep a service's `$metadata` as it is."""
        text = self.client.get(url).raise_for_status().text
        note = f"<!-- From {self.source} (MIT licence), by tests/support/record.py. -->\n"
        declaration, _, rest = text.partition("?>")
        kept = f"{declaration}?>\n{note}{rest.lstrip()}" if rest else note + text
        _write(RECORDED / self.dialect / "metadata" / f"{service}.xml", _without_host(kept, self.client))


def main() -> None:
    """Record all dialects."""
    from tests.support.mocksap import mock_sap
    from tests.support.postgres import throwaway_postgres
    from tests.support.record_mocksap import record_mocksap
    from tests.support.record_tryton import record_tryton
    from tests.support.stories_production import PRODUCTION_STORIES
    from tests.support.stories_stock import STOCK_STORIES
    from tests.support.tryton import tryton_clone
    from tests.support.tryton_base import restore_base

    with mock_sap(seed=1) as sap:
        record_mocksap(sap)
    with throwaway_postgres() as cluster:
        base = restore_base(cluster)
        for dialect in ("tryton", "tryton-rest"):
            with tryton_clone(cluster, base, "erp") as server:
                record_tryton(dialect, server, PRODUCTION_STORIES | STOCK_STORIES)


def _request(request: httpx.Request) -> dict[str, Any]:
    pairs = list(request.url.params.multi_items())
    means = {name: json.loads(base64.urlsafe_b64decode(value)) for name, value in pairs if name in ENCODED_PARAMETERS}
    written = {
        "method": request.method,
        "path": request.url.raw_path.decode().partition("?")[0],
        "query": [list(pair) for pair in pairs],
        "query_means": means,
        "headers": {k: _secret(k, v) for k, v in request.headers.items() if k in REQUEST_HEADERS},
        "body": _body(request.content),
    }
    if context := request.headers.get("x-tryton-context"):
        written["context_means"] = json.loads(base64.urlsafe_b64decode(context))
    return {name: value for name, value in written.items() if value not in ({}, []) or name == "body"}


def _response(answer: httpx.Response) -> dict[str, Any]:
    headers = {k: _secret(k, v) for k, v in answer.headers.items() if k in RESPONSE_HEADERS}
    return {"status": answer.status_code, "headers": headers, "body": _body(answer.content)}


def _secret(name: str, value: str) -> str:
    """A CSRF token is a credential; that one was asked for is not."""
    return value if name != "x-csrf-token" or value in {"Fetch", "Required"} else "(a token)"


def _body(content: bytes) -> Any:
    """JSON where it is JSON, with every number as it was written; text where it is not; null where there is none."""
    if not content:
        return None
    text = content.decode()
    try:
        return json.loads(text, parse_float="\0{}".format)
    except ValueError:
        return text


def _dump(document: dict[str, Any]) -> str:
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return re.sub(r'"\\u0000([^"]+)"', r"\1", text)


def _without_host(text: str, client: httpx.Client) -> str:
    port = client.base_url.port
    return text.replace(f"http://127.0.0.1:{port}", HOST)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"[record] {path.relative_to(RECORDED.parent)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
