"""Content: the files of routes, translators and policies at one revision. Read, checked as a whole, archived and restored.

A revision is loaded completely or not at all: a wrong file gives every mistake at once, and what serves goes on serving.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from gateway.control.content_checks import cross_checked
from gateway.core.contracts import Contract
from gateway.core.deployment import ClientsFile, Erp, PlantsFile, WavesFile
from gateway.core.manifests import EMPTY, Manifest
from gateway.core.marked import Marked, parse, validated
from gateway.core.waves import Cell
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect, load_dialects
from gateway.errors import ContentError, Mistake
from gateway.policy.bundle import ActiveBundle, check_files

FOLDERS = ("routes", "translators", "policies")
_SKIPPED = ("translators/recorded/",)
_MAX_FILE_BYTES = 4 * 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Content:
    """One revision, ready to serve."""

    revision: str
    contracts: Mapping[str, Contract]
    erps: Mapping[str, Erp]
    manifests: Mapping[str, Manifest]
    plants: PlantsFile
    waves: WavesFile
    clients: ClientsFile
    dialects: Mapping[str, Dialect]
    bundle: ActiveBundle
    marks: Mapping[str, Marked]
    """The files of `routes/`, with the place of each value."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for rule in self.waves.cells for cell in rule.cells())

    def manifest(self, erp: str) -> Manifest:
        """What an ERP can do; nothing where nobody said."""
        name = self.erps[erp].manifest
        return self.manifests[name] if name is not None else EMPTY

    def spoken(self, erp: str, object_: str, plant: str) -> Translation | None:
        """How an object of a plant is said to an ERP; None where it is not."""
        declared = self.erps.get(erp)
        return self.dialects[declared.dialect].of(object_, plant) if declared is not None else None


def read_folder(folder: Path) -> dict[str, str]:
    """The content files below a folder: path -> text. Raises: ContentError."""
    files: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for top in FOLDERS:
        if not (folder / top).is_dir():
            mistakes.append(Mistake(str(folder / top), 0, 0, "the folder is missing"))
        for path in sorted((folder / top).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and _wanted(name):
                try:
                    files[name] = _text(path)
                except (OSError, UnicodeDecodeError, ValueError) as err:
                    mistakes.append(Mistake(name, 0, 0, str(err)))
    if mistakes:
        raise ContentError(mistakes)
    return files


def _wanted(name: str) -> bool:
    if any(part.startswith((".", "__")) for part in PurePosixPath(name).parts) or name.startswith(_SKIPPED):
        return False
    return PurePosixPath(name).suffix in (".yaml", ".rego", ".json")


def _text(path: Path) -> str:
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise ValueError(f"over {_MAX_FILE_BYTES} bytes")
    return path.read_text("utf-8")


def revision_of(files: Mapping[str, str]) -> str:
    """The hash that names a set of files."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0{files[name]}\0".encode())
    return digest.hexdigest()[:16]


def pack(files: Mapping[str, str]) -> bytes:
    """The files as one blob for the archive."""
    return zlib.compress(json.dumps(files, sort_keys=True).encode(), 6)


def unpack(blob: bytes) -> dict[str, str]:
    """The files of a blob."""
    files: dict[str, str] = json.loads(zlib.decompress(blob))
    return files


def load(files: Mapping[str, str], *, try_policies: bool = True) -> Content:
    """Check and compile everything.

    Takes: `try_policies`, False where the embedded engine will not answer from them. Raises: ContentError: every mistake of every file.
    """
    mistakes: list[Mistake] = []
    routes = _Routes(files, mistakes)
    plants = routes.one("routes/plants.yaml", PlantsFile)
    waves = routes.one("routes/waves.yaml", WavesFile)
    clients = routes.one("routes/clients.yaml", ClientsFile)
    contracts = routes.many("routes/contracts/", Contract, lambda c: c.version)
    erps = routes.many("routes/erps/", Erp, lambda e: e.erp)
    manifests = routes.many("routes/manifests/", Manifest, lambda m: m.manifest)
    regions = {code: plant.region for code, plant in plants.plants.items()} if plants else {}
    dialects = _dialects(files, regions, mistakes)
    report = check_files(_below(files, "policies/"), try_out_rules=try_policies)
    mistakes += [_under("policies/", m) for m in report.mistakes]
    mistakes += [
        Mistake(f"policies/{t.file}", t.line, 1, f"the test {t.name} failed") for t in report.tests if not t.passed
    ]
    if mistakes or not (plants and waves and clients and report.bundle):
        raise ContentError(mistakes)
    revision, marks = revision_of(files), routes.marked
    content = Content(revision, contracts, erps, manifests, plants, waves, clients, dialects, report.bundle, marks)
    if found := cross_checked(content, marks):
        raise ContentError(found)
    return content


def _dialects(
    files: Mapping[str, str], regions: Mapping[str, str | None], mistakes: list[Mistake]
) -> Mapping[str, Dialect]:
    texts = {k: v for k, v in _below(files, "translators/").items() if k.endswith(".yaml")}
    try:
        return load_dialects(texts, regions)
    except ContentError as err:
        mistakes += [_under("translators/", m) for m in err.mistakes]
        return {}


def _below(files: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): text for name, text in files.items() if name.startswith(prefix)}


def _under(prefix: str, mistake: Mistake) -> Mistake:
    return Mistake(prefix + mistake.file, mistake.line, mistake.column, mistake.reason)


class _Routes:
    """Reads the YAML files of `routes/` and keeps their marks for the checks across files."""

    def __init__(self, files: Mapping[str, str], mistakes: list[Mistake]) -> None:
        self._files, self._mistakes = files, mistakes
        self.marked: dict[str, Marked] = {}

    def one(self, name: str, model: type[T]) -> T | None:
        if name not in self._files:
            self._mistakes.append(Mistake(name, 0, 0, "the file is missing"))
            return None
        try:
            self.marked[name] = parse(name, self._files[name])
            return validated(self.marked[name], model)  # type: ignore[type-var]  # every T here is a pydantic model
        except ContentError as err:
            self._mistakes += err.mistakes
            return None

    def many(self, prefix: str, model: type[T], key: Callable[[T], str]) -> dict[str, T]:
        found: dict[str, T] = {}
        for name in sorted(n for n in self._files if n.startswith(prefix) and n.endswith(".yaml")):
            value = self.one(name, model)
            if value is not None and key(value) in found:
                self._mistakes.append(Mistake(name, 1, 1, f"{key(value)} stands in another file too"))
            elif value is not None:
                found[key(value)] = value
        return found


def names(mistakes: Iterable[Mistake]) -> str:
    """The mistakes as lines for a person."""
    return "\n".join(str(m) for m in mistakes)
