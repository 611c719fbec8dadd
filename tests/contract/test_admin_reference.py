"""The reference of the admin API names every route that there is, and no other."""

from __future__ import annotations

import re
from typing import Any, cast

from starlette.routing import Route

from docs.generate import ROOT
from gateway.surfaces.admin import admin_app


def test_the_reference_names_every_route_of_the_admin_port() -> None:
    app = admin_app(cast("Any", None))
    # The pages of problems are told of where problems are.
    routes = [r for r in app.routes if isinstance(r, Route) and not r.path.startswith(("/problems", "/docs"))]
    served = {f"{'POST' if 'POST' in (r.methods or ()) else 'GET'} {re.sub(':int}', '}', r.path)}" for r in routes}
    text = (ROOT / "docs/reference/admin-api.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", text, re.MULTILINE)) == served
