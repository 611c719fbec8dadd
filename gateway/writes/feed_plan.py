"""A change feed: which object of which cell in which ERP, what of it people can change, and where its edits go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from gateway.core.canonical import OBJECTS, Document, FieldSpec, ObjectSpec
from gateway.core.feeds import Evidence, Lines
from gateway.core.manifests import Manifest
from gateway.core.phases import PHASES, SIDES, Side
from gateway.core.settling import shows
from gateway.core.waves import ENTERPRISE, Cell
from gateway.dialects.grammar import Step
from gateway.dialects.resolve import Entry, Level
from gateway.store.feeds import FeedId
from gateway.writes.place import Place


@dataclass(frozen=True)  # without slots: what follows from it is worked out once
class Feed:
    """The changes of one object of a cell in one ERP, and the place where its counterparts are."""

    cell: Cell
    spec: ObjectSpec
    source: Place
    target: Place
    content: str

    @property
    def id(self) -> FeedId:
        return self.source.side.name, self.spec.name, self.cell.plant

    @property
    def leads(self) -> bool:
        """Whether this ERP is in charge."""
        return PHASES[self.cell.phase].authoritative == self.source.side.side

    @property
    def changed_at(self) -> str:
        return self.source.manifest.delta_feed[self.spec.name]

    @cached_property
    def tracked(self) -> frozenset[str]:
        """The fields that a person can change here and that the other ERP keeps."""
        there = self.target.side.translation.plan.level
        names = {name for e in _writable(self.source.side.translation.plan.level) if e.codec for name in e.canonical}
        return frozenset(names - {self.spec.key, "plant", self.changed_at} - _not_kept(there, names))

    @cached_property
    def lines(self) -> Lines:
        """The lists whose rows a person can change here and the other ERP keeps, and the fields of a row that tell."""
        here, there = self.source.side.translation.plan.level, self.target.side.translation.plan.level
        return {
            spec.name: _telling(mine.rows, other.rows, spec.rows)
            for spec in self.spec.fields
            if (mine := here.entry(spec.name)) and mine.rows and mine.access != "read_only"
            if (other := there.entry(spec.name)) and other.rows
        }

    @cached_property
    def evidence(self) -> Mapping[str, Evidence]:
        """Verbs that a document itself shows to have been carried out, and that the other ERP knows."""
        known = self.target.side.translation.plan.verbs
        rules = self.source.manifest.objects.get(self.spec.name, {})
        return {verb: rule.evidence for verb, rule in rules.items() if rule.evidence and verb in known}

    @cached_property
    def derives(self) -> frozenset[str]:
        """The objects that this ERP makes by itself."""
        rules = (rule for verbs in self.source.manifest.objects.values() for rule in verbs.values())
        return frozenset(name for rule in rules for name in rule.derives)

    @cached_property
    def deriving(self) -> frozenset[tuple[str, str]]:
        """The (object, verb) of which one of the ERPs makes records like these by itself."""
        manifests = (self.source.manifest, self.target.manifest)
        return frozenset(each for manifest in manifests for each in _deriving(manifest, self.spec.name))

    @cached_property
    def compared(self) -> bool:
        """Whether both ERPs make such records by themselves, and both tell of them: only then is one without a counterpart a difference."""
        manifests = (self.source.manifest, self.target.manifest)
        return all(_deriving(each, self.spec.name) and self.spec.name in each.delta_feed for each in manifests)

    @property
    def same_numbers(self) -> bool:
        return self.spec.name in self.source.manifest.same_numbers


def feeds_of(cell: Cell, content: str, place: Callable[[Side, str], Place | None]) -> Iterable[Feed]:
    """The feeds of a cell whose phase writes both sides; master data first, and documents before what refers to them.

    Takes: `place`, which gives a side's place of an object.
    """
    sides = PHASES[cell.phase].writes
    if len(sides) < len(SIDES):
        return
    scope = "enterprise" if cell.plant == ENTERPRISE else "plant"
    for spec in OBJECTS.values():
        if spec.domain != cell.domain or spec.scope != scope:
            continue
        for here, there in (sides, sides[::-1]):
            source, target = place(here, spec.name), place(there, spec.name)
            if source is not None and target is not None and spec.name in source.manifest.delta_feed:
                # Of what changed in an ERP only its own fields tell.
                alone = source._replace(side=source.side._replace(beside=None))
                yield Feed(cell, spec, alone, target, content)


def _deriving(manifest: Manifest, object_: str) -> set[tuple[str, str]]:
    rules = manifest.objects.items()
    return {(of, verb) for of, verbs in rules for verb, rule in verbs.items() if object_ in rule.derives}


def _writable(level: Level) -> Iterable[Entry]:
    return (entry for entry in level.entries if entry.access != "read_only")


def _not_kept(there: Level, names: Iterable[str]) -> set[str]:
    """The fields that the other ERP sets by itself, or does without for a reason its dialect gives."""
    lost = set()
    for name in names:
        entry, lacking = there.entry(name), there.unsupported.get(name)
        if (entry is not None and entry.access == "read_only") or (lacking is not None and lacking.policy == "drop"):
            lost.add(name)
    return lost


def _telling(here: Level, there: Level, fields: Iterable[FieldSpec]) -> frozenset[str]:
    """The fields of a row that a person's hand changes. What is ticked an ERP ticks by itself, too: a line is delivered."""
    ticked = {spec.name for spec in fields if spec.kind is not None and spec.kind.name == "boolean"}
    names = {name for entry in _writable(here) if entry.codec for name in entry.canonical} - ticked
    return frozenset(names - _not_kept(there, names))


def refused_there(feed: Feed, document: Document) -> str | None:
    """Why the other ERP can never take this."""
    lacking = feed.target.side.translation.plan.level.unsupported
    refused = sorted(n for n, v in document.items() if v is not None and n in lacking and lacking[n].policy == "refuse")
    return f"{feed.target.side.name} has no field for {', '.join(refused)}" if refused else None


def along_with(verbs: Mapping[str, tuple[Step, ...]], verb: str) -> frozenset[str]:
    """The verbs whose calls are among those of another one: who makes an order may release it in the same write."""
    calls = {verb: {step.name for step in steps if step.do == "call"} for verb, steps in verbs.items()}
    own = calls.get(verb, set())
    return frozenset(other for other, its in calls.items() if other != verb and its and its <= own)


def done_there_only(feed: Feed, document: Document) -> str | None:
    """Why a copy would be more than what somebody made here."""
    more = along_with(feed.target.side.translation.plan.verbs, "create")
    rules = feed.source.manifest.objects.get(feed.spec.name, {})
    ahead = [verb for verb in sorted(more) if verb not in rules or not shows(rules[verb].evidence, document)]
    there = feed.target.side.name
    return f"who makes it in {there} does {', '.join(ahead)} too, and nobody did that here" if ahead else None


def copied(feed: Feed, document: Document) -> Document:
    """A document as somebody would send it to the other ERP: what can be written here and is kept there."""
    here, there = feed.source.side.translation.plan.level, feed.target.side.translation.plan.level
    made = _written(here, there, document)
    if not feed.same_numbers:
        made.pop(feed.spec.key, None)
    return {"plant": document["plant"], **made} if "plant" in document else made


def _written(here: Level, there: Level, document: Document) -> Document:
    names = {name for entry in _writable(here) for name in entry.canonical}
    made: Document = {}
    for name in sorted(names - _not_kept(there, names)):
        value = document.get(name)
        inner, other = here.entry(name), there.entry(name)
        if value is not None and inner is not None and inner.rows and other is not None and other.rows:
            made[name] = [_written(inner.rows, other.rows, row) for row in value]
        elif value is not None and not (inner is not None and inner.rows):
            made[name] = value
    return made
