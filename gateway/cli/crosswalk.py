"""`changeover crosswalk`: which number of the old ERP is which of the new one.

Exit codes: 0 done, 1 lines contradict and nothing was taken, 2 usage, 3 overlaps found (check --exit-code), 6 the store cannot
be reached.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from gateway.cli.content import Database
from gateway.cli.number_ranges import unfit
from gateway.cli.operator import Actor, Desk, DryRun, Reason, acting, at_desk, now_us
from gateway.cli.output import Exit, Format, Output, fail, print_data, print_json, progress, show, told
from gateway.control.content import Content
from gateway.control.crosswalk_check import Checked, check
from gateway.control.crosswalk_import import Pair, Refused, Report, pair_of, take
from gateway.control.told import names_told
from gateway.core.crosswalk import NUMBERED, SHOWN, erp_space
from gateway.store.crosswalk import Crosswalk
from gateway.store.crosswalk_bulk import Audit, Overtaken

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Which number of the old ERP is which of the new one."
)
_WRONG_SHOWN = 50


@app.command("show")
def show_numbers(
    object_: Annotated[str, typer.Argument(metavar="OBJECT", help="a canonical object, such as item")],
    number: Annotated[str, typer.Argument(help="a number, as clients see it or as an ERP has it")],
    erp: Annotated[str | None, typer.Option(help="the ERP whose number it is; default: what clients see")] = None,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Show every name of a document."""
    if object_ not in NUMBERED:
        fail(f"no object with numbers: {object_!r}; there are {', '.join(sorted(NUMBERED))}", Exit.USAGE)

    async def found(desk: Desk) -> list[dict[str, Any]]:
        crosswalk = Crosswalk(desk.database)
        space = erp_space(erp) if erp else SHOWN
        canonical = await crosswalk.holder(object_, space, number)
        if canonical is None:
            return []
        return names_told(object_, canonical, await crosswalk.of(object_, canonical))

    with told():
        rows = at_desk(database, found)
    if not rows:
        fail(f"nobody knows {object_} {number}")
    show(rows, output)


@app.command("import")
def import_numbers(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns object, canonical, legacy, cloud, shown", dir_okay=False, exists=True
        ),
    ],
    reason: Reason,
    plant: Annotated[str | None, typer.Option(help="take the two ERPs from this plant's cell")] = None,
    domain: Annotated[str, typer.Option(help="and of this domain")] = "production",
    legacy_erp: Annotated[str | None, typer.Option(help="the ERP of the legacy column")] = None,
    cloud_erp: Annotated[str | None, typer.Option(help="the ERP of the cloud column")] = None,
    actor: Actor = None,
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON, wrong lines too")] = False,
    database: Database = None,
) -> None:
    """Take numbers from a list: all lines, or none where one contradicts another or what is known."""
    by = acting(actor, reason)

    async def work(desk: Desk) -> Report:
        pair = _pair(await desk.content(), plant, domain, legacy_erp, cloud_erp)
        with file.open(encoding="utf-8-sig", newline="") as lines, Progress(console=progress, transient=True) as bar:
            task = bar.add_task("reading", total=None)
            audit = Audit(now_us(), by.actor, by.reason)
            return await take(
                desk.database,
                lines,
                pair,
                audit,
                dry_run=dry_run,
                progress=lambda line: bar.update(task, completed=line),
            )

    with told():
        try:
            report = at_desk(database, work)
        except Refused as err:
            _print_wrong(err, as_json=as_json, dry_run=dry_run)
            raise typer.Exit(Exit.ERROR) from err
        except Overtaken as err:
            fail(
                f"a write or another import met one of these numbers meanwhile, nothing was taken; run it again: {err}"
            )
        except UnicodeDecodeError as err:
            fail(f"{file} is not UTF-8: {err}", Exit.USAGE)
    said = {"rows": report.rows, "names": report.names, "wrong": [], "dry_run": report.dry_run}
    if as_json:
        print_json(said)
    else:
        would = "would be " if dry_run else ""
        typer.echo(f"{report.rows} lines read, {report.names} new names {would}taken")


def _pair(content: Content, plant: str | None, domain: str, legacy: str | None, cloud: str | None) -> Pair:
    if plant is not None:
        cell = next((c for c in content.cells if (c.plant, c.domain) == (plant, domain)), None)
        if cell is None:
            fail(f"there is no cell ({plant}, {domain})", Exit.USAGE)
        legacy, cloud = legacy or cell.legacy, cloud or cell.cloud
    if not legacy or not cloud:
        fail("say the two ERPs: --plant, or --legacy-erp and --cloud-erp", Exit.USAGE)
    for erp in (legacy, cloud):
        if erp not in content.erps:
            fail(f"there is no ERP {erp!r}: {', '.join(content.erps)}", Exit.USAGE)
    return pair_of(content, legacy, cloud)


def _print_wrong(err: Refused, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        wrong = [{"line": w.line, "kind": w.kind, "reason": w.reason} for w in err.wrong]
        print_json({"rows": 0, "names": 0, "wrong": wrong, "dry_run": dry_run})
    for w in err.wrong[:_WRONG_SHOWN]:
        progress.print(f"line {w.line}: {w.reason}", style="red", markup=False)
    more = len(err.wrong) - _WRONG_SHOWN
    progress.print(f"{f'and {more} more; ' if more > 0 else ''}nothing was taken", style="red")


@app.command("check")
def check_numbers(
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="exit 3 when numbers or ranges overlap, or do not fit")
    ] = False,
    database: Database = None,
    output: Output = Format.TABLE,
) -> None:
    """Find numbers that mean one document in one ERP and another in the other, ranges that overlap, and numbers outside them."""

    async def work(desk: Desk) -> Checked:
        return await check(desk.database, await desk.content())

    with told():
        found = at_desk(database, work)
    said = _checked(found)
    if output is not Format.TABLE:
        print_data(said, output)
    elif found.clean:
        typer.echo(f"No overlaps in {sum(span.count for span in found.spans)} numbers.")
    else:
        _print_overlaps(said)
        for each in (*found.declared, *found.outside):
            typer.echo(str(each))
    for silent in found.unsaid:
        progress.print(f"{silent.object}: {silent.erp} declares no number_ranges, the other ERP does", markup=False)
    if exit_code and not found.clean:
        raise typer.Exit(Exit.DIFFERENT)


def _checked(found: Checked) -> dict[str, Any]:
    return {
        "clashes": [{"object": c.object, "number": c.key, "erps": [_erp(c.space), _erp(c.other)]} for c in found.clashes],
        "overlaps": [
            {
                "object": o.object, "first": o.first, "last": o.last,
                "ranges": {_erp(s.space): [s.first, s.last] for s in (o.one, o.other)},
            }
            for o in found.overlaps
        ],
        "declared": [unfit(each) for each in found.declared],
        "outside": [unfit(each) for each in found.outside],
        "undeclared": [{"object": each.object, "erp": each.erp} for each in found.unsaid],
    }  # fmt: skip


def _print_overlaps(said: dict[str, Any]) -> None:
    if clashes := [{**c, "erps": " and ".join(c["erps"])} for c in said["clashes"]]:
        show(clashes, Format.TABLE, title="One number, two documents")
    if overlaps := [{**o, "ranges": json.dumps(o["ranges"])} for o in said["overlaps"]]:
        show(overlaps, Format.TABLE, title="Ranges that overlap")


def _erp(space: str) -> str:
    return space.removeprefix("erp:")
