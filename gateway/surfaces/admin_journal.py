"""The admin API of journal, cases and audit. The port is for operators only; who acts stands in the body, and in the audit."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any, Protocol, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.control.cases import ACTOR_CHARS, Acted, Acting, Cases, State
from gateway.control.content import Content
from gateway.control.since import FORM, since
from gateway.control.told import (
    acted_told,
    audit_line,
    case_line,
    case_told,
    feed_line,
    intent_line,
    names_told,
    operation_told,
)
from gateway.core.crosswalk import SHOWN, erp_space
from gateway.core.intents import LegState
from gateway.edge.json_strict import loads
from gateway.errors import (
    Broken,
    GatewayError,
    Invalid,
    JournalUnavailable,
    Malformed,
    NoSuchDocument,
    NoSuchOperation,
    UnknownResource,
    UnsupportedMedia,
)
from gateway.pipeline.exchange import InForce
from gateway.problem import rendered
from gateway.store.audit import Asked, audit
from gateway.store.cases import Wanted
from gateway.store.crosswalk import Crosswalk
from gateway.store.feeds import FeedBook
from gateway.store.journal import Journal
from gateway.store.journal_views import Look, intents
from gateway.store.sql import StoreDown

Handler = Callable[[Request], Awaitable[Response]]
_LISTS_MOST = 1000
_NEWEST = 2**31 - 1
_JSON = "application/json"
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)


class Journalled(Protocol):
    """What these routes need of the gateway."""

    @property
    def in_force(self) -> InForce: ...

    async def content_of(self, revision_: str) -> Content: ...


def journal_routes(gateway: Journalled) -> list[Route]:
    """The routes below /admin/v1 that show and mend writes."""
    r = _Routes(gateway)
    return [
        Route("/admin/v1/audit", _told(r.audited)),
        Route("/admin/v1/cases", _told(r.listed)),
        Route("/admin/v1/cases/{id:int}", _told(r.shown)),
        Route("/admin/v1/cases/{id:int}:{action}", _told(r.acted), methods=["POST"]),
        Route("/admin/v1/crosswalk/{object}", _told(r.names)),
        Route("/admin/v1/feeds", _told(r.feeds)),
        Route("/admin/v1/journal", _told(r.looked)),
        Route("/admin/v1/journal/{id}", _told(r.operation)),
    ]


class _Routes:
    def __init__(self, gateway: Journalled) -> None:
        self._gateway = gateway

    @property
    def _journal(self) -> Journal:
        writes = self._gateway.in_force.writes
        if writes is None:
            raise Broken("This gateway has no journal.")
        return writes.journal

    @property
    def _cases(self) -> Cases:
        return Cases(self._journal, self._gateway.content_of, now_us)

    async def audited(self, request: Request) -> Response:
        found = await audit(self._journal.database, _asked(request.query_params))
        return JSONResponse({"audit": [audit_line(line) for line in found]})

    async def listed(self, request: Request) -> Response:
        rows = await self._cases.list(_wanted(request.query_params))
        return JSONResponse({"cases": [case_line(row) for row in rows]})

    async def shown(self, request: Request) -> Response:
        return JSONResponse(case_told(*await self._cases.shown(request.path_params["id"])))

    async def acted(self, request: Request) -> Response:
        body = await _body(request)
        done = await _act(self._cases, request.path_params["id"], request.path_params["action"], body)
        return JSONResponse(acted_told(done))

    async def names(self, request: Request) -> Response:
        _known(request.query_params, {"number", "erp"})
        object_, number, erp = request.path_params["object"], *map(request.query_params.get, ("number", "erp"))
        if number is None:
            raise Malformed("Say which number.", field="number")
        crosswalk = Crosswalk(self._journal.database)
        canonical = await crosswalk.holder(object_, erp_space(erp) if erp else SHOWN, number)
        if canonical is None:
            raise NoSuchDocument(f"Nobody knows {object_} {number!r}.")
        return JSONResponse({"names": names_told(object_, canonical, await crosswalk.of(object_, canonical))})

    async def feeds(self, _: Request) -> Response:
        rows = await FeedBook(self._journal.database).rows()
        return JSONResponse({"feeds": [feed_line(row, now_us()) for row in rows]})

    async def looked(self, request: Request) -> Response:
        found = await intents(self._journal.database, _look(request.query_params))
        return JSONResponse({"operations": [intent_line(line) for line in found]})

    async def operation(self, request: Request) -> Response:
        view = await self._journal.operation(request.path_params["id"])
        if view is None:
            raise NoSuchOperation(f"There is no operation {request.path_params['id']!r}.")
        return JSONResponse(operation_told(view))


def now_us() -> int:
    """The time of day."""
    return time.time_ns() // 1000


def _told(handler: Handler) -> Handler:
    """Errors as problem documents, like on the data port."""

    async def answer(request: Request) -> Response:
        try:
            _sayable(request)
            return await handler(request)
        except StoreDown as err:
            return problem_told(JournalUnavailable(f"The journal cannot be reached: {err}", retry_after_s=2))
        except GatewayError as err:
            return problem_told(err)

    return answer


def _sayable(request: Request) -> None:
    """Raises: Malformed: PostgreSQL would take it for a fault of its own."""
    for text in (*request.query_params.values(), *map(str, request.path_params.values())):
        if "\x00" in text:
            raise Malformed("No name and no number holds a zero byte.")


def problem_told(err: Exception) -> Response:
    """An error as the admin port tells it; the page of its type stands on the same port."""
    status, headers, body = rendered(err, token_hex(16), "")
    return Response(body, status, dict(headers))


async def _body(request: Request) -> Mapping[str, Any]:
    """Raises: UnsupportedMedia, Malformed."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        # A page in somebody's browser can send forms to a loopback port, but no JSON.
        raise UnsupportedMedia("Send JSON.", accept=_JSON)
    body = loads(await request.body())
    if not isinstance(body, dict):
        raise Malformed("The body is a JSON object.")
    return body


async def _act(cases: Cases, id_: int, action: str, body: Mapping[str, Any]) -> Acted:
    allowed = {"actor", "reason", "dry_run", *_MORE.get(action, ())}
    if action not in _MORE:
        raise UnknownResource(f"A case knows no {action!r}: replay, repair or close.")
    errors = [{"field": name, "reason": "no such field"} for name in body if name not in allowed]
    by = Acting(_text(body, "actor", errors), _text(body, "reason", errors), "admin-api")
    dry_run = _flag(body, "dry_run", errors) or False
    happened = _flag(body, "happened", errors)
    patch, key = body.get("patch"), body.get("key")
    if action == "repair" and not isinstance(patch, dict):
        errors.append({"field": "patch", "reason": "a JSON merge patch in canonical fields"})
    if key is not None and not isinstance(key, str):
        errors.append({"field": "key", "reason": "a text"})
    if errors:
        raise Invalid("The body does not say what to do.", errors=errors)
    if action == "replay":
        return await cases.replay(id_, by, dry_run=dry_run)
    if action == "repair":
        return await cases.repair(id_, by, dict(patch or {}), dry_run=dry_run)
    return await cases.close(id_, by, happened=happened, key=key, dry_run=dry_run)


_MORE = {"replay": (), "repair": ("patch",), "close": ("happened", "key")}


def _text(body: Mapping[str, Any], name: str, errors: list[dict[str, str]]) -> str:
    value = body.get(name)
    if isinstance(value, str) and value.strip() and len(value) <= (ACTOR_CHARS if name == "actor" else 4000):
        return value.strip()
    errors.append({"field": name, "reason": "a text is needed: it stands in the audit"})
    return ""


def _flag(body: Mapping[str, Any], name: str, errors: list[dict[str, str]]) -> bool | None:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        errors.append({"field": name, "reason": "true or false"})
        return None
    return value


def _wanted(query: Mapping[str, str]) -> Wanted:
    _known(query, {"state", "kind", "plant", "object", "erp", "after", "limit"})
    after = _number(query, "after", 0, _NEWEST)
    state = _word(query, "state", list(State))
    text = {name: query.get(name) for name in ("kind", "plant", "object", "erp")}
    return Wanted(None if state == State.ANY else state, **text, after=after, limit=_limit(query, 100))


def _asked(query: Mapping[str, str]) -> Asked:
    _known(query, {"since", "action", "actor", "before", "limit"})
    before = _number(query, "before", _NEWEST, _NEWEST)
    return Asked(_since(query.get("since")), query.get("action"), query.get("actor"), before, _limit(query, 50))


def _since(text: str | None) -> int | None:
    try:
        return None if text is None else since(text, now_us())
    except ValueError as err:
        raise Malformed(f"since is {FORM}.", field="since") from err


def _look(query: Mapping[str, str]) -> Look:
    _known(query, {"lane", "erp", "state", "before", "limit"})
    state = _word(query, "state", get_args(LegState))
    text = {name: query.get(name) for name in ("lane", "erp", "before")}
    return Look(**text, state=state, limit=_limit(query, 50))


def _known(query: Mapping[str, str], names: set[str]) -> None:
    for name in query:
        if name not in names:
            raise Malformed(f"There is no query parameter {name!r}.", field=name)


def _word(query: Mapping[str, str], name: str, words: Sequence[str]) -> str | None:
    text = query.get(name)
    if text is not None and text not in words:
        raise Malformed(f"{name} is one of {', '.join(words)}.", field=name)
    return text


def _limit(query: Mapping[str, str], default: int) -> int:
    return _number(query, "limit", default, _LISTS_MOST, least=1)


def _number(query: Mapping[str, str], name: str, default: int, most: int, *, least: int = 0) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise Malformed(f"{name} is a number from {least} to {most}.", field=name)
    return int(text)
