"""`changeover drift`: whether ERPs still say what the dialects rely on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from gateway.cli.content import Folder, declared
from gateway.cli.output import Exit, Format, Output, fail, progress, show, told
from gateway.connectors.factory import make_connector
from gateway.connectors.port import Connector
from gateway.control.content import Content
from gateway.control.described import described
from gateway.control.drift import Difference, in_use, merged
from gateway.core.deployment import Erp
from gateway.dialects.compile import Translation
from gateway.dialects.drift import drift as compared
from gateway.dialects.metadata import Metadata
from gateway.errors import ErpAnswerBroken, Unavailable
from gateway.protocols.port import AnswerBroken
from gateway.settings import settings

_WITHIN_S = 15


@dataclass(slots=True)
class _Look:
    """What was found at one ERP."""

    erp: str
    differences: list[Difference] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    """Object -> why its metadata could not be read."""
    unreached: str = ""


def drift(
    erp: Annotated[str | None, typer.Argument(help="an ERP of routes/erps; default: all")] = None,
    content: Folder = None,
    output: Output = Format.TABLE,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="exit 3 when something changed")] = False,
) -> None:
    """Compare dialects with what the ERPs say of themselves and name what a release changed."""
    with told():
        found = declared(settings(content=content))[1]
        erps = [e for name, e in found.erps.items() if erp in (None, name)]
        if not erps:
            fail(f"no ERP {erp!r}; there are {', '.join(found.erps)}", Exit.USAGE)
        looks = [asyncio.run(_look(found, e)) for e in erps]
    rows = [_row(look.erp, difference) for look in looks for difference in look.differences]
    show(rows, output)
    _tell(looks, len(rows))
    if exit_code and rows:
        raise typer.Exit(Exit.DIFFERENT)


def _tell(looks: list[_Look], differences: int) -> None:
    """Say how much was compared; what could not be is no «nothing changed»."""
    for look in looks:
        for object_, why in look.unread.items():
            progress.print(f"{look.erp}/{object_}: {why}", style="red", markup=False)
        if look.unreached:
            progress.print(f"{look.erp}: {look.unreached}", style="red", markup=False)
    unread, unreached = sum(len(look.unread) for look in looks), sum(bool(look.unreached) for look in looks)
    progress.print(
        f"{differences} differences, {unread} objects whose metadata could not be read, {unreached} ERPs not reached"
    )
    if unreached:
        raise typer.Exit(Exit.UNREACHABLE)
    if unread:
        raise typer.Exit(Exit.PARTLY)


def _row(erp: str, found: Difference) -> dict[str, Any]:
    change = found.change
    return {
        "erp": erp,
        "object": found.object,
        "plants": ", ".join(found.plants),
        "kind": change.kind,
        "where": change.where,
        "detail": change.detail,
        "breaks": change.breaks,
        "file": found.file,
    }


async def _look(content: Content, erp: Erp) -> _Look:
    dialect, look = content.dialects[erp.dialect], _Look(erp.erp)
    connector = make_connector(erp, dialect.file.protocol or "")
    said: dict[str, Metadata] = {}
    met = []
    try:
        for name, plant, translation in in_use(content, erp):
            if name in look.unread:
                continue
            try:
                metadata = await _metadata(connector, dialect.file.protocol or "", translation, said)
            except (ErpAnswerBroken, AnswerBroken) as err:
                look.unread[name] = str(err)
            else:
                met += [(name, plant, change) for change in compared(translation.plan, metadata)]
    except Unavailable as err:
        look.unreached = err.detail
    finally:
        await connector.close()
    look.differences = merged(dialect, met)
    return look


async def _metadata(
    connector: Connector, protocol: str, translation: Translation, said: dict[str, Metadata]
) -> Metadata:
    """What the ERP says of an object, asked once for all plants. Raises: ErpAnswerBroken, AnswerBroken, Unavailable."""
    asked = repr((translation.plan.native, [entry.native for entry in translation.plan.level.entries]))
    if asked not in said:
        deadline_s = asyncio.get_running_loop().time() + _WITHIN_S
        said[asked] = await described(connector, protocol, translation.plan, deadline_s)
    return said[asked]
