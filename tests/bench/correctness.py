"""Before any figure: the gateway does its whole job, and refuses what it must."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from tests.bench.answers import GET_PATH, NEW_ORDER, POST_PATH, FixedErp, differences, exact
from tests.bench.content import Deployment
from tests.bench.load import Call, ask
from tests.bench.processes import BenchError
from tests.bench.served import Server

JSON = ("Content-Type", "application/json")


def calls(made: Deployment) -> tuple[Call, Call]:
    """The read and the create that are measured."""
    bearer = ("Authorization", f"Bearer {made.token}")
    return Call("GET", GET_PATH, (bearer,)), Call("POST", POST_PATH, (bearer, JSON), orjson.dumps(NEW_ORDER))


def check_gateway(server: Server, made: Deployment, erp: FixedErp) -> list[str]:
    """Every check by name. Raises: BenchError, at the first that fails."""
    read, create = calls(made)
    status, headers, body = ask(server.port, read)
    _equal("read: status", status, 200)
    _equal("read: fields", differences(exact(body), erp.native), [])
    _equal("read: route", headers.get("x-route", "").partition(";")[0], "legacy")
    check_create(server, made, "legacy")
    for name, call, wanted in _refusals(made, read, create):
        _equal(name, ask(server.port, call)[0], wanted)
    names = [name for name, _, _ in _refusals(made, read, create)]
    created = "create: status, phase, every field sent, location, a number of its own"
    return ["read: status, 25 fields, route", created, *names]


def check_create(server: Server, made: Deployment, phase: str) -> None:
    """Two creates are two documents, whole and in the phase that is to be measured. Raises: BenchError."""
    _, create = calls(made)
    numbers = set()
    for _ in range(2):
        status, headers, body = ask(server.port, create)
        _equal("create: status", (status, body[:300] if status != 201 else b""), (201, b""))
        _equal("create: phase", headers.get("x-route", "").rpartition("phase=")[2], phase)
        _equal("create: fields", _missing(NEW_ORDER, exact(body)), [])
        _equal("create: location", headers.get("location"), f"{POST_PATH}/{exact(body)['id']}")
        numbers.add(exact(body)["id"])
    _equal("create: numbers", len(numbers), 2)


def check_nginx(server: Server, made: Deployment, erp: FixedErp) -> None:
    """nginx passes the ERP's answers on unchanged, but for a number of its own in each create. Raises: BenchError."""
    read, create = calls(made)
    found = ask(server.port, read)
    _equal("nginx: GET", (found[0], found[2]), (200, erp.read))
    created = [ask(server.port, create) for _ in range(2)]
    _equal("nginx: POST", [status for status, _, _ in created], [201, 201])
    _equal("nginx: numbers", len({erp.number_in(body) for _, _, body in created}), 2)


def _refusals(made: Deployment, read: Call, create: Call) -> list[tuple[str, Call, int]]:
    twice = create.body.replace(b'"type":"PP01"', b'"type":"PP01","type":"PP02"')
    return [
        ("no token: 401", replace(read, headers=()), 401),
        ("forged token: 401", replace(read, headers=(("Authorization", f"Bearer {made.forged}"),)), 401),
        ("a plant of others: 403", replace(read, path=read.path.replace("/1000/", "/3000/")), 403),
        ("another plant's key: 404", replace(read, path=read.path.replace("/1000/", "/2000/")), 404),
        ("a key given twice: 400", replace(create, body=twice), 400),
    ]


def _missing(sent: Any, shown: Any, at: str = "") -> list[str]:
    """What was sent and is not shown again."""
    if isinstance(sent, Mapping):
        return [
            flaw for name, value in sent.items() for flaw in _missing(value, (shown or {}).get(name), f"{at}/{name}")
        ]
    if isinstance(sent, list):
        pairs = zip(sent, shown or [None] * len(sent), strict=True)
        return [flaw for number, (a, b) in enumerate(pairs) for flaw in _missing(a, b, f"{at}/{number}")]
    same = sent == shown or (_number(sent) is not None and _number(sent) == _number(shown))
    return [] if same else [f"{at}: {shown!r} instead of {sent!r}"]


def _number(value: Any) -> Decimal | None:
    text = str(value)
    return Decimal(text) if text.replace(".", "", 1).isdigit() else None


def _equal(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise BenchError(f"{what}: {found!r} instead of {wanted!r}")
