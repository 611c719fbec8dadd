"""An edit that somebody made in an ERP, as an intent of origin `erp`: the journal takes it only if its lane has not moved since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded
from gateway.core.crosswalk import SHOWN, erp_space
from gateway.core.feeds import Difference
from gateway.core.intents import Accept, Accepted, Intent, Names, NewLeg
from gateway.observe.logs import log
from gateway.reads import numbers
from gateway.store.crosswalk import Crosswalk
from gateway.store.feeds import Line
from gateway.store.journal import Journal
from gateway.writes.feed_plan import Feed
from gateway.writes.place import Timing

ROUND = 4
"""So many edits in turn, and the next one is a person's to decide."""


@dataclass(frozen=True, slots=True)
class Edits:
    """Journals edits for one instance. Raises, everywhere: StoreDown."""

    journal: Journal
    crosswalk: Crosswalk
    timing: Timing
    instance: str
    new_id: Callable[[], str]

    async def accept(  # all that an intent is made of
        self, feed: Feed, key: str, line: Line, verb: str, text: str | None, parked: str | None,
        above: tuple[str, ...] = (),
    ) -> bool:  # fmt: skip
        """Journal an edit. Gives: False where lane or cell moved meanwhile; then it is looked at again."""
        side, other, spec, cell = feed.source.side, feed.target.side, feed.spec, feed.cell
        own = Names(spec.name, line.canonical, erp_space(side.name), key)
        shown = (await self.crosswalk.of(spec.name, line.canonical)).get(SHOWN)
        names = (own,) if shown is not None else (own, Names(spec.name, line.canonical, SHOWN, key))
        intent = Intent(
            id=self.new_id(), lane=line.canonical, plant=cell.plant, domain=cell.domain, object=spec.name, verb=verb,
            epoch=cell.epoch, term=cell.term, side=side.side, content=feed.content, created_us=self.timing.wall_us(),
            client=f"erp:{side.name}", subject="", origin="erp", key=None if verb == "create" else shown or key,
            document=text, parents=above,
        )  # fmt: skip
        legs = (NewLeg(side.side, side.name, there=True), NewLeg(other.side, other.name, parked=parked))
        accept = Accept(
            intent, legs, self.instance, self.timing.wall_us(), names=names if not line.named else (), expects=line.last
        )
        verdict = await self.journal.do(accept)
        if isinstance(verdict, Accepted):
            log.info("direct_edit", erp=side.name, object=spec.name, verb=verb, intent=intent.id, case=parked)
        return isinstance(verdict, Accepted)

    async def shown(self, feed: Feed, document: Document) -> Document:
        """A document of an ERP in the numbers that clients know."""
        (made,) = await numbers.for_client(self.crosswalk, feed.source.side.name, feed.spec.name, [document])
        return made


def going_round(line: Line, d: Difference) -> str | None:
    """Two ERPs that correct each other would do so for ever."""
    last = line.done[-ROUND:]
    turns = [done.here for done in last]
    changes = [loaded(done.text)["patch"] for done in last if done.edit and done.verb == "change" and done.text]
    alike = len(changes) == ROUND and all(patch.keys() == d.edited.keys() for patch in changes)
    if alike and turns == [True, False] * (ROUND // 2):
        return "the two ERPs change it in turn, and nobody else does"
    return None
