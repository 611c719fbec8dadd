"""`changeover dialect check|show|coverage|drift`: what dialects say, and whether they keep their laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.content import Folder, declared
from gateway.cli.drift import drift
from gateway.cli.output import Exit, Format, Output, fail, progress, show, told
from gateway.connectors.factory import PROTOCOLS
from gateway.control.content import Content
from gateway.control.recordings import recorded_documents
from gateway.dialects import check as rules
from gateway.dialects.library import ENTERPRISE, Dialect
from gateway.settings import settings, shipped

app = typer.Typer(
    add_completion=False, help="The mapping files: their coverage, their laws, what one says.", no_args_is_help=True
)
app.command()(drift)
Only = Annotated[str | None, typer.Option("--dialect", help="only this one")]


def _content(folder: Path | None) -> Content:
    return declared(settings(content=folder))[1]


def _dialect(content: Content, name: str) -> Dialect:
    if name not in content.dialects:
        fail(f"no dialect {name!r}; there are {', '.join(sorted(content.dialects))}", Exit.USAGE)
    return content.dialects[name]


def _chosen(content: Content, only: str | None) -> Mapping[str, Dialect]:
    """All dialects, or the one that is asked for."""
    return content.dialects if only is None else {only: _dialect(content, only)}


@app.command()
def check(only: Only = None, content: Folder = None, output: Output = Format.TABLE) -> None:
    """Check the laws on generated documents and on every recorded payload."""
    with told():
        made = settings(content=content)
        dialects = _chosen(declared(made)[1], only)
        codecs = {name: make() for name, make in PROTOCOLS.items()}
        recorded = recorded_documents((made.content or shipped()) / "translators" / "recorded", dialects, codecs)
        with progress.status("checking laws"):
            findings = rules.checked(dialects, recorded)
    show([asdict(f) for f in findings], output)
    documents = sum(len(rows) for rows in recorded.values())
    progress.print(f"{len(dialects)} dialects, {documents} recorded documents, {len(findings)} findings")
    if findings:
        raise typer.Exit(Exit.ERROR)


@app.command()
def coverage(only: Only = None, content: Folder = None, output: Output = Format.TABLE) -> None:
    """Count what each dialect maps, shows only, refuses, drops and ignores."""
    with told():
        rows = [
            {"dialect": name, "object": row.object, **{k: _count(v) for k, v in asdict(row).items() if k != "object"}}
            for name, dialect in sorted(_chosen(_content(content), only).items())
            for row in rules.coverage(dialect)
        ]
    show(rows, output)


def _count(value: Any) -> Any:
    return len(value) if isinstance(value, tuple) else value


@app.command("show")
def show_(
    dialect: Annotated[str, typer.Argument(help="such as sap-ecc")],
    object_: Annotated[str, typer.Argument(metavar="OBJECT", help="such as production_order")],
    plant: Annotated[str, typer.Option(help="with the overlays of this plant")] = ENTERPRISE,
    content: Folder = None,
    output: Output = Format.TABLE,
) -> None:
    """Print one object's mapping, overlays included."""
    with told():
        translation = _dialect(_content(content), dialect).of(object_, plant)
        if translation is None:
            fail(f"{dialect} has no object {object_!r}", Exit.USAGE)
        show([asdict(line) for line in rules.show(translation)], output)
