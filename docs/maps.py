"""Writes the table of files in each folder's README, from what the files say of themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

BEGIN, END = "<!-- files -->\n", "<!-- /files -->"
_NOT_OURS = ("__pycache__", "_content")


def folders(top: Path) -> list[Path]:
    """A package's folders, itself first."""
    below = (p for p in sorted(top.rglob("*")) if p.is_dir() and not set(_NOT_OURS) & set(p.relative_to(top).parts))
    return [top, *below]


def held(folder: Path) -> list[Path]:
    """What a map names: the files that say something, and the folders below."""
    found = [p for p in sorted(folder.iterdir()) if p.name != "README.md" and p.name not in _NOT_OURS]
    return [p for p in found if p.is_dir() or p.suffix != ".py" or said_of(p)]


def said_of(path: Path) -> str:
    """What a file or folder says of itself, in its first sentence or paragraph; nothing where it says nothing."""
    if path.is_dir():
        readme = (path / "README.md").read_text("utf-8") if (path / "README.md").is_file() else ""
        return _joined(readme.partition("\n\n")[2])
    if path.suffix == ".py":
        return _joined(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    if path.suffix == ".md":
        return path.read_text("utf-8").partition("\n")[0].lstrip("# ").strip()
    return ""


def _joined(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def mapped(folder: Path) -> str | None:
    """A folder's README with its table anew; None where it has none between the marks."""
    readme = folder / "README.md"
    text = readme.read_text("utf-8") if readme.is_file() else ""
    head, begin, rest = text.partition(BEGIN)
    return head + BEGIN + "".join(_rows(folder)) + END + rest.partition(END)[2] if begin else None


def _rows(folder: Path) -> Iterator[str]:
    yield "| file | holds |\n| --- | --- |\n"
    for path in held(folder):
        name = f"[{path.name}/]({path.name}/README.md)" if path.is_dir() else f"`{path.name}`"
        said = said_of(path).replace("|", "\\|")
        yield f"| {name} | {said} |\n"
