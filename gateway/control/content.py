"""Content: the files of routes, translators and policies at one revision. Read, checked as a whole, archived and restored.

A revision is loaded completely or not at all: a wrong file gives every mistake at once, and what serves goes on serving.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gateway.control.content_checks import Declared, cross_checked
from gateway.control.routes import Routes
from gateway.core.contracts import Contract
from gateway.core.deployment import ClientsFile, Erp, PlantsFile, WavesFile
from gateway.core.manifests import EMPTY, Manifest
from gateway.core.marked import Marked
from gateway.core.waves import Cell
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect, compiled_dialects
from gateway.errors import ContentError, Mistake
from gateway.policy.bundle import ActiveBundle, check_files

FOLDERS = ("routes", "translators", "policies")
_SKIPPED = ("translators/recorded/",)
_MAX_FILE_BYTES = 4 * 1024 * 1024


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
    """The content files below a folder: path -> text. Raises: ContentError: every one that cannot be read."""
    files, unread = _read(folder)
    if unread:
        raise ContentError(unread)
    return files


def lay_out(reference: Path, folder: Path) -> None:
    """Copy a deployment's content, with what real systems sent, as far as the folder has none of it."""
    for top in FOLDERS:
        if not (folder / top).is_dir():
            shutil.copytree(reference / top, folder / top, ignore=shutil.ignore_patterns("__pycache__"))


def load_folder(folder: Path, *, try_policies: bool = True) -> tuple[dict[str, str], Content]:
    """The files below a folder, and what they say. Takes: `try_policies`, as `load`. Raises: ContentError: every mistake of every file."""
    files, unread = _read(folder)
    return files, load(files, try_policies=try_policies, unread=unread)


def _read(folder: Path) -> tuple[dict[str, str], list[Mistake]]:
    files: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for top in FOLDERS:
        if not (folder / top).is_dir():
            mistakes.append(Mistake(top, 0, 0, f"the folder is missing in {folder}"))
        for path in sorted((folder / top).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and _wanted(name):
                try:
                    files[name] = _text(path)
                except (OSError, UnicodeDecodeError, ValueError) as err:
                    mistakes.append(Mistake(name, 0, 0, str(err)))
    return files, mistakes


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


def load(files: Mapping[str, str], *, try_policies: bool = True, unread: Iterable[Mistake] = ()) -> Content:
    """Check and compile everything.

    Takes: `try_policies`, False where the embedded engine will not answer from them; `unread`, files there are no texts of, and why.
    Raises: ContentError: every mistake of every file.
    """
    mistakes = list(unread)
    told = frozenset(m.file for m in mistakes)
    routes = Routes(files, told, mistakes)
    declared = _declared(files, routes, told, mistakes)
    mistakes += cross_checked(declared)
    bundle = _policies(files, told, mistakes, try_policies=try_policies)
    plants, waves, clients = declared.plants, declared.waves, declared.clients
    if mistakes or not (plants and waves and clients and bundle):
        raise ContentError(list(dict.fromkeys(mistakes)))
    return Content(
        revision_of(files), declared.contracts, declared.erps, declared.manifests, plants, waves, clients,
        declared.dialects, bundle, declared.marked,
    )  # fmt: skip


def _declared(files: Mapping[str, str], routes: Routes, told: frozenset[str], mistakes: list[Mistake]) -> Declared:
    plants = routes.one("routes/plants.yaml", PlantsFile)
    waves = routes.one("routes/waves.yaml", WavesFile)
    clients = routes.one("routes/clients.yaml", ClientsFile)
    contracts = routes.many("routes/contracts/", Contract, "version")
    erps = routes.many("routes/erps/", Erp, "erp")
    manifests = routes.many("routes/manifests/", Manifest, "manifest")
    regions = {code: plant.region for code, plant in plants.plants.items()} if plants else {}
    texts = {k: v for k, v in _below(files, "translators/").items() if k.endswith(".yaml")}
    dialects, found = compiled_dialects(texts, regions)
    mistakes += [m for m in (_under("translators/", m) for m in found) if m.file not in told]
    names = {
        "plants": routes.names_in("routes/plants.yaml", "plants"),
        "waves": routes.names_in("routes/waves.yaml", "waves"),
        "versions": routes.names_of("routes/contracts/", "version"),
        "erps": routes.names_of("routes/erps/", "erp"),
        "manifests": routes.names_of("routes/manifests/", "manifest"),
        "dialects": routes.folders("translators/"),
    }
    return Declared(contracts, erps, manifests, plants, waves, clients, dialects, names, routes.marked)


def _policies(
    files: Mapping[str, str], told: frozenset[str], mistakes: list[Mistake], *, try_policies: bool
) -> ActiveBundle | None:
    whole = not any(name.startswith("policies") for name in told)
    report = check_files(_below(files, "policies/"), try_out_rules=try_policies, whole=whole)
    if "policies" not in told:
        mistakes += [m for m in (_under("policies/", m) for m in report.mistakes) if m.file not in told]
    mistakes += [
        Mistake(f"policies/{t.file}", t.line, 1, f"the test {t.name} failed") for t in report.tests if not t.passed
    ]
    return report.bundle


def _below(files: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): text for name, text in files.items() if name.startswith(prefix)}


def _under(prefix: str, mistake: Mistake) -> Mistake:
    return Mistake(prefix + mistake.file, mistake.line, mistake.column, mistake.reason)


def names(mistakes: Iterable[Mistake]) -> str:
    """The mistakes as lines for a person."""
    return "\n".join(str(m) for m in mistakes)
