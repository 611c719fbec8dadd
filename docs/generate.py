"""Writes the generated parts of the documentation: `python -m docs.generate`. A contract test fails when they are stale."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from docs.maps import folders, mapped
from gateway.cli.main import app
from gateway.control.content import load, read_folder
from gateway.core.canonical import OBJECTS
from gateway.core.contracts import Contract
from gateway.core.deployment import ClientsFile, Erp, PlantsFile, WavesFile
from gateway.core.manifests import Manifest
from gateway.core.phases import PHASES
from gateway.core.units import CURRENCIES, ENDED, PACKAGES, REC20
from gateway.dialects import check
from gateway.dialects.grammar import DialectFile, ObjectFile, OverlayFile, UnitFile
from gateway.dialects.named import available_codecs
from gateway.observe.metrics import Metrics
from gateway.pipeline.stages import STAGES
from gateway.policy.decision import answer_schema
from gateway.problem import codes, problem_of, title_of
from gateway.settings import Settings, shipped

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path("docs/reference")
SCHEMAS: dict[str, type[BaseModel]] = {
    "contract": Contract,
    "erp": Erp,
    "plants": PlantsFile,
    "waves": WavesFile,
    "manifest": Manifest,
    "clients": ClientsFile,
    "dialect": DialectFile,
    "object": ObjectFile,
    "overlay": OverlayFile,
    "units": UnitFile,
}
_NOTE = "<!-- Written by `make docs` from the code. Do not edit. -->\n\n"


def main() -> None:
    """Write every generated file."""
    for path, text in generated().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, "utf-8")
        typer.echo(f"wrote {path}")


def generated() -> dict[Path, str]:
    """Every generated file and its text."""
    files = {
        REFERENCE / "settings.md": _settings(),
        REFERENCE / "problems.md": _problems(),
        REFERENCE / "phases-and-stages.md": _phases() + _stages(),
        REFERENCE / "commands.md": _commands(),
        REFERENCE / "codecs.md": _codecs(),
        REFERENCE / "metrics.md": _metrics(),
        REFERENCE / "canonical-model.md": _canonical(),
        REFERENCE / "coverage.md": _coverage(),
        Path("README.md"): _readme(),
    }
    for name, model in SCHEMAS.items():
        files[REFERENCE / "schemas" / f"{name}.json"] = _json(model.model_json_schema())
    files[REFERENCE / "schemas" / "policy-answer.json"] = _json(answer_schema())
    for folder in reversed(folders(ROOT / "gateway")):
        if (text := mapped(folder)) is not None:
            files[folder.relative_to(ROOT) / "README.md"] = text
    return files


def _json(schema: Any) -> str:
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def _table(head: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def _settings() -> str:
    rows = (
        (f"`CHANGEOVER_{name.upper()}`", f"`{info.get_default()}`", info.description)
        for name, info in Settings.model_fields.items()
    )
    return f"{_NOTE}# Settings\n\nFrom the environment or a `.env` file.\n\n{_table(('variable', 'default', 'what it is'), rows)}"


def _problems() -> str:
    every = ((cls, problem_of(cls(""))) for cls in codes().values())
    rows = ((row.status, f"`{cls.code}`", title_of(cls), row.caller, row.operator) for cls, row in every)
    head = ("status", "code", "what it is", "who calls", "who runs the gateway")
    return f"{_NOTE}# Problems\n\nEvery error is `application/problem+json` (RFC 9457).\n\n{_table(head, rows)}"


def _phases() -> str:
    rows = (
        (
            f"`{p.name}`",
            p.authoritative or "nobody",
            ", ".join(p.writes) or "none",
            "yes" if p.carries_traffic else "not yet",
        )
        for p in PHASES.values()
    )
    head = ("phase", "whose answer counts", "who is written", "carries traffic in this release")
    return f"{_NOTE}# Phases\n\n{_table(head, rows)}"


def _stages() -> str:
    rows = ((n, f"`{s.__name__}`", (s.__doc__ or "").strip().splitlines()[0]) for n, s in enumerate(STAGES, start=1))
    return f"\n# Stages of a request\n\n{_table(('', 'stage', 'what it does'), rows)}"


def _commands() -> str:
    group = typer.main.get_command(app)
    rows: list[tuple[str, str, str]] = []
    _walk("changeover", group, rows)
    head = ("command", "what it does", "options")
    return f"{_NOTE}# Commands\n\nData goes to standard output, progress to standard error.\n\n{_table(head, iter(rows))}\n{_EXITS}"


_EXITS = """Exit codes: 0 ok, 1 error, 2 usage, 3 differences found (with `--exit-code`), 4 gate failed, 5 approval needed,
6 unreachable, 7 partly done, 8 stale plan, 130 interrupted.
"""


def _walk(name: str, command: Any, rows: list[tuple[str, str, str]]) -> None:
    if hasattr(command, "list_commands"):
        context = typer.Context(command)
        for child in sorted(command.list_commands(context)):
            _walk(f"{name} {child}", command.get_command(context, child), rows)
        return
    arguments = [(p.metavar or p.name or "").upper() for p in command.params if p.param_type_name == "argument"]
    options = [f"`{p.opts[-1]}`" for p in command.params if p.param_type_name == "option" and p.name != "help"]
    rows.append((f"`{' '.join([name, *arguments])}`", (command.help or "").splitlines()[0], " ".join(options)))


def _codecs() -> str:
    rows = (
        (f"`{name}`", (made.__doc__ or "").strip().split("\n\n")[0])
        for name, made in sorted(available_codecs().items())
    )
    return f"{_NOTE}# Codecs\n\n{_table(('codec', 'what it writes'), rows)}"


def _metrics() -> str:
    rows = (
        (f"`{m.name}`", m.type, m.documentation) for m in sorted(Metrics().registry.collect(), key=lambda m: m.name)
    )
    return f"{_NOTE}# Metrics\n\n{_table(('metric', 'type', 'what it counts'), rows)}"


def _canonical() -> str:
    parts = [f"{_NOTE}# The canonical model\n"]
    for spec in OBJECTS.values():
        rows = (
            (f"`{f.name}`", f.kind.name if f.kind else f"rows of {len(f.rows)} fields", "yes" if f.required else "")
            for f in spec.fields
        )
        head = (
            f"\n## {spec.name}\n\nDomain {spec.domain}, scope {spec.scope}, key `{spec.key}`. {spec.model.__doc__}\n\n"
        )
        parts.append(head + _table(("field", "kind", "required"), rows))
    return "".join(parts) + _codes()


def _codes() -> str:
    return f"""
## Units and currencies

A unit is one of the {len(REC20)} codes in force of UN/CEFACT Recommendation 20, or a package: one of the {len(PACKAGES)} codes of
Recommendation 21 behind an X (`XBX` a box, `XPX` a pallet), as Recommendation 20 has it. Both lists are those of EN 16931 as of
November 2026; deprecated codes are refused (`HAR`: a hectare is `H18`). No ERP's own word is a code: SAP's piece is `ST` inside,
`PC` on screens and `PCE` by its ISO column, and to the model `H87` a piece, `EA` each or `C62` one. `translators/units/` maps
such words, and names what an ERP has one word for where the model has several.

A currency is one of the {len(CURRENCIES) - len(ENDED)} codes of ISO 4217 list one as of February 2026 without metals, bonds and
units of account, or one that ended since 2021 and stands in old orders: {", ".join(f"`{code}`" for code in ENDED)}.
"""


def _coverage() -> str:
    dialects = load(read_folder(shipped())).dialects
    rows = (
        (
            name,
            row.object,
            len(row.mapped) + len(row.read_only),
            len(row.read_only),
            len(row.refused),
            len(row.dropped),
            len(row.beside),
            row.ignored,
            ", ".join(row.verbs),
        )
        for name, dialect in sorted(dialects.items())
        for row in check.coverage(dialect)
    )
    head = (
        "dialect",
        "object",
        "mapped",
        "of them read-only",
        "refused",
        "dropped",
        "kept beside",
        "native fields ignored",
        "verbs",
    )
    return f"{_NOTE}# What each dialect covers\n\n{_table(head, rows)}"


def _matrix() -> str:
    dialects = load(read_folder(shipped())).dialects
    names = sorted(dialects, key=lambda n: (dialects[n].file.kind == "client", n))
    counts = {
        n: {row.object: len(row.mapped) + len(row.read_only) for row in check.coverage(dialects[n])} for n in names
    }
    rows = ((f"`{o}`", *(counts[n].get(o, "") for n in names)) for o in OBJECTS)
    return _table(("object", *(f"`{n}`" for n in names)), rows)


def _readme() -> str:
    """The README with its matrix between the two marks."""
    text = (ROOT / "README.md").read_text("utf-8")
    begin, end = "<!-- matrix -->\n", "<!-- /matrix -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return head + begin + _matrix() + end + tail


if __name__ == "__main__":
    main()
