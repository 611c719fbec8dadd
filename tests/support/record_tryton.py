"""The calls to record from Tryton: one story, told over JSON-RPC (`tryton`) and over REST (`tryton-rest`)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Protocol

import httpx

from tests.support.record import Recorder
from tests.support.tryton import TrytonServer

Values = dict[str, Any]


class Wire(Protocol):
    """What both interfaces can do; every call is recorded under `name`."""

    dialect: str

    def find(
        self,
        name: str,
        model: str,
        domain: list[Any],
        fields: list[str],
        *,
        order: list[list[str]] | None = None,
        offset: int = 0,
        limit: int | None = None,
        **context: Any,
    ) -> Any: ...
    def create(self, name: str, model: str, values: Values, fields: list[str]) -> int: ...
    def read(self, name: str, model: str, key: int, fields: list[str], **context: Any) -> Any: ...
    def write(self, name: str, model: str, key: int, values: Values, fields: list[str], **context: Any) -> Any: ...
    def act(self, name: str, model: str, key: int, action: str, fields: list[str], **context: Any) -> Any: ...


class JsonRpc:
    """`POST /<database>/rpc/`: errors come inside a 200, and an action answers null."""

    dialect = "tryton"

    def __init__(self, server: TrytonServer, recorder: Recorder) -> None:
        self._recorder, self._url = recorder, f"/{server.database}/rpc/"
        self._session = server.rpc()
        recorder.client.headers["Authorization"] = self._session.authorization
        self._context = {name: self._session.context[name] for name in ("company", "language")}

    def call(self, name: str, method: str, *params: Any, **context: Any) -> Any:
        body = {"id": 0, "method": f"model.{method}", "params": [*params, {**self._context, **context}]}
        return self._recorder.send(name, "POST", self._url, body=body).json().get("result")

    def last(self) -> Any:
        """The newest answer that was not a read."""
        answers = [c["response"]["body"] for c in self._recorder.calls if not c["name"].endswith("_read")]
        return answers[-1]

    def find(
        self,
        name: str,
        model: str,
        domain: list[Any],
        fields: list[str],
        *,
        order: list[list[str]] | None = None,
        offset: int = 0,
        limit: int | None = None,
        **context: Any,
    ) -> Any:
        return self.call(name, f"{model}.search_read", domain, offset, limit, order, fields, **context)

    def create(self, name: str, model: str, values: Values, fields: list[str]) -> int:
        made = self.call(name, f"{model}.create", [values])
        if made:
            self.read(f"{name}_read", model, made[0], fields)
        return int(made[0]) if made else 0

    def read(self, name: str, model: str, key: int, fields: list[str], **context: Any) -> Any:
        rows = self.call(name, f"{model}.read", [key], fields, **context)
        return rows[0] if rows else None

    def write(self, name: str, model: str, key: int, values: Values, fields: list[str], **context: Any) -> Any:
        self.call(name, f"{model}.write", [key], values, **context)
        return self.read(f"{name}_read", model, key, fields)

    def act(self, name: str, model: str, key: int, action: str, fields: list[str], **context: Any) -> Any:
        self.call(name, f"{model}.{action}", [key], **context)
        return self.read(f"{name}_read", model, key, fields)


class Rest:
    """`/<database>/rest/model/<model>`: proper statuses, and an answer shaped by `f=`."""

    dialect = "tryton-rest"

    def __init__(self, server: TrytonServer, recorder: Recorder) -> None:
        self._recorder, self._root = recorder, f"/{server.database}/rest/model"
        recorder.client.headers["Authorization"] = f"Bearer {server.rest_key}"

    def call(
        self,
        name: str,
        method: str,
        path: str,
        fields: list[str],
        *,
        body: Any = None,
        query: list[tuple[str, str]] | None = None,
        **context: Any,
    ) -> httpx.Response:
        pairs = [*(query or ()), *(("f", field) for field in fields)]
        headers = {"X-Tryton-Context": _encoded({"company": 1, **context})}
        return self._recorder.send(name, method, f"{self._root}/{path}", body=body, query=pairs, headers=headers)

    def find(
        self,
        name: str,
        model: str,
        domain: list[Any],
        fields: list[str],
        *,
        order: list[list[str]] | None = None,
        offset: int = 0,
        limit: int | None = None,
        **context: Any,
    ) -> Any:
        query = [("d", _encoded(domain))]
        if order:
            query.append(("o", _encoded(order)))
        if limit:
            query += [("s", str(limit)), ("p", str(offset))]
        return _json(self.call(name, "GET", model, fields, query=query, **context))

    def create(self, name: str, model: str, values: Values, fields: list[str]) -> int:
        made = _json(self.call(name, "POST", model, fields, body=values)) or {}
        return int(made.get("id", 0))

    def read(self, name: str, model: str, key: int, fields: list[str], **context: Any) -> Any:
        return _json(self.call(name, "GET", f"{model}/{key}", fields, **context))

    def write(self, name: str, model: str, key: int, values: Values, fields: list[str], **context: Any) -> Any:
        return _json(self.call(name, "PUT", f"{model}/{key}", fields, body=values, **context))

    def act(self, name: str, model: str, key: int, action: str, fields: list[str], **context: Any) -> Any:
        return _json(self.call(name, "POST", f"{model}/{key}/{action}", fields, body={}, **context))


Story = Callable[[Wire, "Ids"], None]


def record_tryton(dialect: str, server: TrytonServer, stories: dict[str, Story]) -> None:
    """Record every object over one of the two interfaces."""
    source = f"trytond {version('trytond')}, " + ("JSON-RPC" if dialect == "tryton" else "REST")
    with httpx.Client(base_url=server.base_url, trust_env=False, timeout=60) as client:
        recorder = Recorder(dialect, source, client)
        wire: Wire = JsonRpc(server, recorder) if dialect == "tryton" else Rest(server, recorder)
        ids = Ids(server)
        for name, story in stories.items():
            story(wire, ids)
            recorder.save(name)


class Ids:
    """The keys behind the codes, looked up beside the recording."""

    def __init__(self, server: TrytonServer) -> None:
        self._server = server

    def _of(self, table: str, column: str, value: str) -> int:
        return int(self._server.truth(f"select id from {table} where {column} = %s", value)[0]["id"])

    def item(self, code: str) -> int:
        return self._of("product_product", "code", code)

    def place(self, code: str) -> int:
        return self._of("stock_location", "code", code)

    def party(self, code: str) -> int:
        return self._of("party_party", "code", code)

    def unit(self, symbol: str) -> int:
        return self._of("product_uom", "symbol", symbol)

    def bom(self, code: str) -> int:
        return self._of("production_bom", "code", code)

    def named(self, table: str, name: str) -> int:
        return self._of(table, "name", name)

    def currency(self, code: str) -> int:
        return self._of("currency_currency", "code", code)

    def template(self, code: str) -> int:
        return self._of("product_template", "code", code)

    def order_line(self, order: int) -> int:
        lines = self._server.truth("select id from purchase_line where purchase = %s order by id", order)
        return int(lines[0]["id"])

    def address(self, party: str) -> int:
        return int(self._server.truth("select id from party_address where party = %s", self.party(party))[0]["id"])

    def move(self, item: str, unit: str, quantity: float, start: str, end: str) -> Values:
        """A stock move as a nested row."""
        return {
            "product": self.item(item),
            "quantity": quantity,
            "unit": self.unit(unit),
            "company": 1,
            "from_location": self.place(start),
            "to_location": self.place(end),
        }


def decimal(text: str) -> Values:
    """A Decimal as both interfaces tag it."""
    return {"__class__": "Decimal", "decimal": text}


def date(year: int, month: int, day: int) -> Values:
    """A date as both interfaces tag it."""
    return {"__class__": "date", "year": year, "month": month, "day": day}


def _encoded(value: Any) -> str:
    # The padding stays: without it the server answers 500.
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _json(answer: httpx.Response) -> Any:
    return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None
