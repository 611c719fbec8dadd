"""What must hold across files: every name that one file says is declared in another.

Files with mistakes of their own are checked as far as they can be read, and what they declare counts as declared: a mistake
is told once, and hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.core.canonical import OBJECTS
from gateway.core.contracts import Contract, Resource
from gateway.core.crosswalk import NUMBERED
from gateway.core.deployment import ClientsFile, Erp, PlantsFile, WavesFile
from gateway.core.manifests import Manifest
from gateway.core.marked import Marked
from gateway.core.waves import ENTERPRISE
from gateway.dialects.library import Dialect
from gateway.dialects.resolve import Level
from gateway.errors import Mistake

_MOMENTS = ("date", "datetime")


@dataclass(frozen=True, slots=True)
class Declared:
    """What the files declare, as far as they can be read; `marked` are those that can be, by name.

    `names`: kind -> what is declared of it, also in files with mistakes; None where nobody can know.
    """

    contracts: Mapping[str, Contract]
    erps: Mapping[str, Erp]
    manifests: Mapping[str, Manifest]
    plants: PlantsFile | None
    waves: WavesFile | None
    clients: ClientsFile | None
    dialects: Mapping[str, Dialect]
    names: Mapping[str, frozenset[str] | None]
    marked: Mapping[str, Marked]

    def lacks(self, kind: str, name: str) -> bool:
        """Whether a name is surely declared nowhere."""
        known = self.names[kind]
        return known is not None and name not in known

    def file_of(self, folder: str, key: str, value: str) -> Marked:
        """The file of a folder that calls itself `value` at `key`."""
        return file_of(self.marked, folder, key, value)


def cross_checked(declared: Declared) -> list[Mistake]:
    """Every name that leads nowhere."""
    found: list[Mistake] = []
    if declared.waves is not None:
        found += _waves(declared, declared.waves, declared.marked["routes/waves.yaml"])
    for name, erp in declared.erps.items():
        found += _erp(declared, erp, declared.file_of("erps", "erp", name))
    for name, manifest in declared.manifests.items():
        found += _manifest(manifest, declared.file_of("manifests", "manifest", name))
    for version, contract in declared.contracts.items():
        found += _contract(declared, contract, declared.file_of("contracts", "version", version))
    if declared.clients is not None:
        found += _clients(declared, declared.clients, declared.marked["routes/clients.yaml"])
    return found


def _erp(declared: Declared, erp: Erp, file: Marked) -> Iterator[Mistake]:
    dialect = declared.dialects.get(erp.dialect)
    if declared.lacks("dialects", erp.dialect) or (dialect is not None and dialect.file.kind != "erp"):
        yield file.mistake(("dialect",), f"no ERP dialect {erp.dialect!r}")
    elif dialect is not None and not dialect.file.protocol:
        yield file.mistake(("dialect",), f"the dialect {erp.dialect!r} names no protocol")
    if erp.manifest is not None and declared.lacks("manifests", erp.manifest):
        yield file.mistake(("manifest",), f"no manifest {erp.manifest!r}")


def _manifest(manifest: Manifest, file: Marked) -> Iterator[Mistake]:
    for object_, verbs in manifest.objects.items():
        spec = OBJECTS.get(object_)
        if spec is None:
            yield file.mistake(("objects", object_), f"no object {object_!r}")
            continue
        fields = {field.name for field in spec.fields}
        for verb, rule in verbs.items():
            for name in (*rule.evidence, *filter(None, [rule.external_number])):
                if name not in fields:
                    yield file.mistake(("objects", object_, verb), f"{object_} has no field {name!r}")
            for name in rule.derives:
                if name not in OBJECTS:
                    yield file.mistake(("objects", object_, verb, "derives"), f"no object {name!r}")
    yield from _feeds(manifest, file)
    yield from _numbers(manifest, file)


def _feeds(manifest: Manifest, file: Marked) -> Iterator[Mistake]:
    for name, changed_at in manifest.delta_feed.items():
        spec = OBJECTS.get(name)
        if spec is None:
            yield file.mistake(("delta_feed", name), f"no object {name!r}")
        elif changed_at not in {field.name for field in spec.fields if field.kind and field.kind.name in _MOMENTS}:
            yield file.mistake(("delta_feed", name), f"{changed_at!r} is no date or time of {name}")


def _numbers(manifest: Manifest, file: Marked) -> Iterator[Mistake]:
    for name in manifest.number_ranges:
        if name not in NUMBERED:
            yield file.mistake(("number_ranges", name), f"no object {name!r} has numbers of its own")
    for name in manifest.same_numbers:
        if name not in OBJECTS:
            yield file.mistake(("same_numbers",), f"no object {name!r}")


def file_of(marked: Mapping[str, Marked], folder: str, key: str, value: str) -> Marked:
    """The file of a folder of `routes/` that declares a name. An ERP's file names its manifest under the manifest's own key."""
    files = (m for name, m in marked.items() if name.startswith(f"routes/{folder}/"))
    return next(m for m in files if isinstance(m.data, dict) and m.data.get(key) == value)


def _waves(declared: Declared, waves: WavesFile, file: Marked) -> Iterator[Mistake]:
    seen: dict[tuple[str, str], int] = {}
    for i, rule in enumerate(waves.cells):
        for side, erp in (("legacy", rule.legacy), ("cloud", rule.cloud)):
            if erp is not None and declared.lacks("erps", erp):
                yield file.mistake(("cells", i, side), f"no ERP {erp!r}")
        for plant in rule.plants:
            if plant != ENTERPRISE and declared.lacks("plants", plant):
                yield file.mistake(("cells", i, "plants"), f"no plant {plant!r} in plants.yaml")
        if rule.wave is not None and declared.lacks("waves", rule.wave):
            yield file.mistake(("cells", i, "wave"), f"no wave {rule.wave!r}")
        for cell in rule.cells():
            if cell.id in seen:
                yield file.mistake(("cells", i), f"the cell {cell.id} stands in rule {seen[cell.id] + 1} too")
            seen[cell.id] = i


def _contract(declared: Declared, contract: Contract, file: Marked) -> Iterator[Mistake]:
    if contract.successor is not None and declared.lacks("versions", contract.successor):
        yield file.mistake(("successor",), f"no version {contract.successor!r}")
    dialect = declared.dialects.get(contract.dialect)
    if declared.lacks("dialects", contract.dialect) or (dialect is not None and dialect.file.kind != "client"):
        yield file.mistake(("dialect",), f"no client dialect {contract.dialect!r}")
    elif dialect is not None:
        for name, resource in contract.resources.items():
            yield from _resource(dialect, name, resource, file)


def _resource(dialect: Dialect, name: str, resource: Resource, file: Marked) -> Iterator[Mistake]:
    where = ("resources", name)
    spec = OBJECTS.get(resource.object)
    translation = dialect.of(resource.object, ENTERPRISE)
    if spec is None or translation is None:
        yield file.mistake((*where, "object"), f"the dialect {dialect.name} has no object {resource.object!r}")
        return
    fields = set(filterable(translation.plan.level))
    for kind in ("filter", "order"):
        for i, field in enumerate(getattr(resource, kind)):
            if field not in fields:
                yield file.mistake((*where, kind, i), f"no field {field!r} in {dialect.name}/{resource.object}")
    for i, field in enumerate(resource.changeable):
        if field not in {f.name for f in spec.fields if f.kind is not None}:
            yield file.mistake((*where, "changeable", i), f"{field!r} is no single field of {resource.object}")
    for action, rule in resource.actions.items():
        if rule.object is not None and dialect.of(rule.object, ENTERPRISE) is None:
            yield file.mistake((*where, "actions", action), f"the dialect {dialect.name} has no object {rule.object!r}")


def filterable(level: Level) -> dict[str, str]:
    """The single fields of a client's document by their dotted name, and the canonical field of each."""
    return {
        ".".join(entry.native[0]): entry.canonical[0]
        for entry in level.entries
        if entry.codec is not None and entry.codec.canonical == 1 and entry.codec.native == 1
    }


def _clients(declared: Declared, clients: ClientsFile, file: Marked) -> Iterator[Mistake]:
    for kind, rows in (("keys", clients.keys), ("issuers", clients.issuers)):
        ids = [getattr(row, "id", None) or getattr(row, "name", "") for row in rows]
        for i, id_ in enumerate(ids):
            if id_ in ids[:i]:
                yield file.mistake((kind, i), f"{id_!r} stands twice")
    for i, key in enumerate(clients.keys):
        for plant in key.plants:
            if plant != ENTERPRISE and declared.lacks("plants", plant):
                yield file.mistake(("keys", i, "plants"), f"no plant {plant!r} in plants.yaml")
