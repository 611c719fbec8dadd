"""Answering GET and HEAD."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from gateway.sim.erps.declare import Row
from gateway.sim.erps.queries import page_of
from gateway.sim.erps.refusal import not_allowed
from gateway.sim.erps.site import Site, cross_company
from gateway.sim.erps.wire.messages import Answer, Request
from gateway.sim.erps.wire.metadata2 import metadata2
from gateway.sim.erps.wire.metadata4 import metadata4
from gateway.sim.erps.wire.paths import Target

NO_LIMIT = 10**9


def get(site: Site, request: Request, target: Target) -> Answer:
    """Raises: ErpRefusal."""
    if target.what == "metadata":
        build = metadata2 if site.dialect.v2 else metadata4
        return Answer(200, site.dialect.headers, build(site.model, target.service), "application/xml")
    if target.what == "service":
        body = site.dialect.service(sorted(site.model.services[target.service]), site.view(request, target))
        return Answer(200, site.dialect.headers, body)
    if target.what == "entity":
        return _one(site, request, target)
    if target.what in ("count", "children_count"):
        return _count(site, request, target)
    if target.what in ("set", "children"):
        return _many(site, request, target)
    raise not_allowed("Method not allowed: this resource is called by POST")


def _one(site: Site, request: Request, target: Target) -> Answer:
    entity = target.subject
    row = site.row(request, target)
    headers = site.headers(entity, row)
    etag = site.dialect.etag(entity, row)
    if etag is not None and request.headers.get("if-none-match") == etag:
        return Answer(304, headers)
    shape = site.dialect.options(entity, request.query).shape
    return Answer(200, headers, site.dialect.one(entity, row, shape, site.view(request, target)))


def _many(site: Site, request: Request, target: Target) -> Answer:
    entity = target.subject
    options = site.dialect.options(entity, request.query)
    size, within = _page_size(site, request), _scope(site, request, target)
    page = page_of(site.ledger, entity, options, v2=site.dialect.v2, page_size=size, within=within)
    link = _next_link(request, page.next_token) if page.next_token is not None else None
    view = site.view(request, target)
    body = site.dialect.many(entity, page.rows, options.shape, view, count=page.count, next_link=link)
    return Answer(200, site.dialect.headers, body)


def _count(site: Site, request: Request, target: Target) -> Answer:
    options = site.dialect.options(target.subject, request.query)
    within = _scope(site, request, target)
    page = page_of(
        site.ledger, target.subject, options, v2=site.dialect.v2, page_size=NO_LIMIT, within=within
    )  # fmt: skip
    return Answer(200, site.dialect.headers, str(len(page.rows)).encode(), "text/plain;charset=utf-8")


def _scope(site: Site, request: Request, target: Target) -> list[Row] | None:
    """The rows a collection is cut from: those below a document, or of the caller's company; None is all."""
    if target.child is not None and target.entity is not None:
        return site.children(target.child, site.row(request, target))
    if site.config.face == "d365" and not cross_company(request):
        own = site.config.default_company
        return [row for row in site.ledger.stored[target.subject.role].rows.values() if row["company"] == own]
    return None


def _page_size(site: Site, request: Request) -> int:
    for part in request.headers.get("prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name.removeprefix("odata.") == "maxpagesize" and value.isdecimal() and int(value) > 0:
            return min(int(value), site.config.page_size)
    return site.config.page_size


def _next_link(request: Request, token: int) -> str:
    kept = [(k, v) for k, v in parse_qsl(request.query, keep_blank_values=True) if k != "$skiptoken"]
    query = urlencode([*kept, ("$skiptoken", str(token))], safe="$',()/")
    return f"{request.origin}{request.path}?{query}"
