"""Pages for people on the data port: versions, their OpenAPI, and what each problem means. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gateway.errors import UnknownResource, UnknownVersion
from gateway.pipeline.exchange import InForce
from gateway.problem import codes, problem_of, rendered, title_of
from gateway.surfaces.openapi import index, openapi

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
_SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_METHODS = ("get", "post", "patch", "put", "delete")


def docs_app(in_force: Callable[[], InForce]) -> Starlette:
    """The application behind everything that is not an API."""
    described: dict[tuple[str, str], dict[str, Any]] = {}

    def description(version: str) -> dict[str, Any]:
        now = in_force()
        contract = now.contract(version)
        if contract is None:
            raise UnknownVersion(
                f"There is no version {version!r} of this API.", versions=sorted(now.content.contracts)
            )
        key = (now.content.revision, version)
        if key not in described:
            described.clear()
            described[key] = openapi(contract, now.content.dialects[contract.dialect], now.public_url)
        return described[key]

    async def versions(_: Request) -> Response:
        return _json(index(in_force().content.contracts))

    async def description_json(request: Request) -> Response:
        return _json(description(request.path_params["version"]))

    async def home(_: Request) -> Response:
        return _page("home.html", versions=index(in_force().content.contracts)["versions"], problems=_problems())

    async def version_page(request: Request) -> Response:
        version = request.path_params["version"]
        shown = description(version)
        return _page("version.html", api=shown, contract=in_force().contract(version), operations=_operations(shown))

    async def refused(request: Request, error: Exception) -> Response:
        shown = error if not hasattr(error, "status_code") else UnknownResource("There is nothing here.")
        status, headers, body = rendered(shown, request.scope["request_id"], in_force().public_url)
        return Response(body, status, dict(headers))

    return Starlette(
        routes=[
            Route("/", home),
            Route("/versions.json", versions),
            Route("/openapi/{version}.json", description_json),
            Route("/docs", home),
            *problem_routes(home="/docs"),
            Route("/docs/{version}", version_page),
        ],
        exception_handlers={404: refused, 405: refused, UnknownVersion: refused, UnknownResource: refused},
    )


def problem_routes(*, home: str | None) -> list[Route]:
    """The pages of the problems, and their style: every port that tells a problem has them.

    Takes: `home`, where the first page stands; None where there is none.
    """

    async def problem_page(request: Request) -> Response:
        cls = codes().get(request.path_params["code"])
        if cls is None:
            raise UnknownResource("There is no such problem.")
        told = {"code": cls.code, "title": title_of(cls), "text": cls.__doc__ or "", "row": problem_of(cls(""))}
        return _page("problem.html", home=home, **told)

    async def style(_: Request) -> Response:
        text = (Path(__file__).parent / "templates" / "style.css").read_text("utf-8")
        return Response(text, media_type="text/css", headers={"cache-control": "max-age=3600", **_SAFE})

    return [Route("/docs/style.css", style), Route("/problems/{code}", problem_page)]


def _json(value: Any) -> Response:
    return JSONResponse(_plain(value), headers={"cache-control": "max-age=60", **_SAFE})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _page(template: str, home: str | None = "/docs", **values: Any) -> Response:
    return HTMLResponse(_PAGES.get_template(template).render(home=home, **values), headers=_SAFE)


def _problems() -> list[dict[str, Any]]:
    return [{"code": c.code, "status": problem_of(c("")).status, "title": title_of(c)} for c in codes().values()]


def _operations(api: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for path, methods in api["paths"].items():
        for method in _METHODS:
            if method in methods:
                found.append({"method": method.upper(), "path": path, **methods[method]})
    return found
