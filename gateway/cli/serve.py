"""`changeover serve`: run a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from gateway.cli.number_ranges import refusal
from gateway.cli.output import Exit, fail, told
from gateway.control.waves import Guarded, NumbersUnfit
from gateway.observe.logs import set_up
from gateway.server import serve
from gateway.settings import settings


def serve_command(
    content: Annotated[
        Path | None, typer.Option(help="folder with routes/, translators/, policies/; used on the first start")
    ] = None,
    database: Annotated[str | None, typer.Option(help="database URL")] = None,
    host: Annotated[str | None, typer.Option(help="address of both ports")] = None,
    port: Annotated[int | None, typer.Option(help="data port")] = None,
    admin_port: Annotated[int | None, typer.Option(help="admin port")] = None,
) -> None:
    """Serve until SIGTERM. A database that holds a table serves that; a new one starts with the content folder."""
    made = settings(content=content, database_url=database, host=host, port=port, admin_port=admin_port)
    set_up(made.log_level)
    with told():
        try:
            uvloop.run(serve(made))
        except Guarded as err:
            fail(str(err))
        except NumbersUnfit as err:
            fail(refusal(err.unfit), Exit.GATE)
