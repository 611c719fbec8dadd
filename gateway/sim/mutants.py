"""Parts of the write protocol taken away one by one: a simulation that does not notice proves nothing.

Production code knows nothing of mutants: each one replaces a function for the time of a history.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from gateway.core import feeds, lanes, settling
from gateway.core.intents import Accept, Accepted, Command, LegRef, LegRow, StepRecord, Verdict
from gateway.core.lanes import CellNow
from gateway.protocols.port import Answer, HttpCall, HttpReply, StepCall
from gateway.sim.instance import Instance
from gateway.sim.seams import CountingJournal, Life, SimWire
from gateway.sim.shape import Shape
from gateway.sim.world import Contents, World
from gateway.store.sql import Db
from gateway.writes.delivery import Delivery
from gateway.writes.moves import Moves
from gateway.writes.noticed import Noticed, Reader
from gateway.writes.place import Place
from gateway.writes.post_image import PostImages
from gateway.writes.prepare import Preparation


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is missing, how it is taken away, and the world it needs."""

    missing: str
    patches: tuple[tuple[object, str, Any], ...] = ()
    world: type[World] = World
    journal: type[CountingJournal] = field(default=CountingJournal)

    def make(self, contents: Contents, shape: Shape) -> World:
        return self.world(contents, shape, self.journal)

    @contextmanager
    def applied(self) -> Iterator[Callable[[Contents, Shape], World]]:
        """Take the part away for as long as the block runs."""
        with ExitStack() as stack:
            for target, name, other in self.patches:
                stack.enter_context(patch.object(target, name, other))
            yield self.make


class _ForgetfulWorld(World):
    """The journal is only in memory: a crash of the last instance takes it along."""

    def crashed(self, life: Life) -> None:
        if not [i for i in self.instances if i.life.alive]:
            for table in ("intent", "leg", "step", "lane", "wait", "replay", "crosswalk", "case_"):
                self.connection.execute(f"DELETE FROM {table}")  # noqa: S608  # our own words


class _EagerJournal(CountingJournal):
    """Says yes before the commit."""

    async def committed(self, command: Command) -> Verdict:
        if not isinstance(command, Accept):
            return await super().committed(command)
        task = asyncio.ensure_future(_later(super().committed(command)))
        intent = command.intent._replace(lane_seq=1)
        started = next((leg for leg in command.legs if leg.starts), None)
        self._kept = task
        return Accepted(intent, LegRef(intent.id, started.side, intent.lane, 1) if started else None)


async def _later(commit: Any) -> None:
    await asyncio.sleep(1.0)
    await commit


class _GreedyJournal(CountingJournal):
    """Takes what is being sent by others for its own, and leaves their fence as it is."""

    async def take_over(self, strays: Any = ()) -> int:
        async def work(db: Db) -> int:
            taken = await db.rows(
                "UPDATE leg SET state = 'ready', owner = NULL WHERE state = 'sending' RETURNING intent"
            )
            return len(taken)

        return await self.database.transaction(work)


class _NoReplayJournal(CountingJournal):
    """Steers first and looks for the key afterwards: a repeated request is a new one."""

    async def committed(self, command: Command) -> Verdict:
        return await super().committed(command._replace(replay=None) if isinstance(command, Accept) else command)


async def _without_key(self: SimWire, call: HttpCall, timeout_s: float) -> HttpReply:
    headers = {name: value for name, value in call.headers.items() if name != "Repeatability-Request-ID"}
    return await _exchange(self, call._replace(headers=headers), timeout_s)


_exchange = SimWire.exchange
_settlement = settling.settlement
_lane_accept = lanes._accept


def _lookup_at_once(rule: Any, step: StepRecord, now_us: int, *rest: Any, **more: Any) -> settling.Settlement:
    way = _settlement(rule, step, now_us, *rest, **more)
    return settling.Settlement("lookup") if way.do == "wait" and rule.settle == "reference" else way


def _resend_always(rule: Any, step: StepRecord, now_us: int, *rest: Any, **more: Any) -> settling.Settlement:
    way = _settlement(rule, step, now_us, *rest, **more)
    return settling.Settlement("resend") if way.do == "ask" and rule.settle == "key" else way


def _any_epoch(w: lanes.Working, command: Accept) -> Verdict:
    cell = (command.intent.plant, command.intent.domain)
    if cell in w.cells:
        w.cells[cell] = CellNow(command.intent.epoch, w.cells[cell].suspended)
    return _lane_accept(w, command)


def _next_free(w: lanes.Working, lane: str, side: Any) -> LegRow | None:
    """Whoever could go if there were no lane."""
    free = [leg for leg in w.open_in(lane, side) if leg.state == "waiting" and lanes._free(leg)]
    return min(free, key=lambda leg: -leg.lane_seq, default=None)


def _without_step(w: lanes.Working, command: Accept) -> Verdict:
    return _lane_accept(w, command._replace(legs=tuple(leg._replace(step=None) for leg in command.legs)))


async def _nothing_begun(self: Delivery, leg: Any, place: Any, record: StepRecord, p: Any, *, known: bool) -> None:
    return None


async def _kept_by_nobody(*_: Any) -> None:
    return None


async def _unsent(self: Delivery, place: Place, call: StepCall, until_boot_s: float) -> Answer:
    """Says that an ERP did what it was never asked for; new orders alone are made."""
    object_ = place.side.translation.plan.spec.name
    if call.kind == "create" and object_ == "production_order":
        return await _really_sent(self, place, call, until_boot_s)
    key = {name: f"99{zlib.crc32(repr(call.document).encode()):08}"[:8] for name in place.side.shape.native["key"]}
    return Answer(key=key if call.kind == "create" else None)


_really_sent = Delivery._sent


async def _whole(*_: Any, **__: Any) -> bool:
    return True


def _lines_too(image: Any, effects: Any, evidence: Any, lines: Any = feeds.NO_LINES) -> Any:
    return _really_expected(image, effects, evidence)


_really_expected = feeds.expected


async def _in_todays_words(self: Instance, leg: Any) -> Place:
    return self.place(leg.ref.side, leg.intent.object, leg.intent.term)


async def _by_todays_words(self: PostImages, feed: Any, content: Any, document: Any, now: Any) -> Any:
    return document


def _nothing(*_: Any) -> None:
    return None


def _always(self: Delivery, until_boot_s: float) -> None:
    return None


def _never(*_: Any) -> bool:
    return False


def _yes(*_: Any) -> bool:
    return True


class _ByUserReader(Reader):
    """Knows its own writes by the account that the ERP says made them."""

    __slots__ = ()
    world: Any = None

    async def _one(self, feed: Any, record: Any, line: Any, before: Any) -> Any:
        erp = self.world.erps[feed.id[0]]
        last = [e for e in erp.truth if e.type.role == "order" and record.key in str(e.key)]
        if last and last[-1].user.upper() == "GATEWAY":
            return Noticed("echo")
        return await Reader._one(self, feed, record, line, before)


class _ByUserWorld(World):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.reader = type("ByUser", (_ByUserReader,), {"world": self})


class _HastyWorld(World):
    """Moves without waiting for what is under way."""

    def drained(self) -> bool:
        return True


MUTANTS = MappingProxyType(
    {
        "no-journal": Mutant("the journal is lost with the process", world=_ForgetfulWorld),
        "ack-before-journal": Mutant("the write goes on before its intent is committed", journal=_EagerJournal),
        "never-sent": Mutant("an ERP is believed to have done what it was not asked", ((Delivery, "_sent", _unsent),)),
        "no-erp-key": Mutant("the ERP gets no key to know a step again", ((SimWire, "exchange", _without_key),)),
        "no-lane": Mutant("a write does not wait for the one before it", ((lanes, "_head", _next_free),)),
        "if-match-at-accept": Mutant(
            "If-Match is compared at accept only, not when its turn comes", ((Preparation, "_as_read", _nothing),)
        ),
        "not-kept-beside": Mutant(
            "what an ERP has no field for is kept by nobody", ((Moves, "_kept_beside", _kept_by_nobody),)
        ),
        "no-epoch-check": Mutant("an intent is taken whatever its epoch", ((lanes, "_accept", _any_epoch),)),
        "no-drain": Mutant("a cell moves while legs are open", world=_HastyWorld),
        "lookup-without-quiesce": Mutant(
            "a lookup is believed while the call may still take effect", ((settling, "settlement", _lookup_at_once),)
        ),
        "resend-after-window": Mutant(
            "a key is sent again when the ERP has forgotten it", ((settling, "settlement", _resend_always),)
        ),
        "refused-again-believed": Mutant(
            "a refusal of what was sent again ends the write", ((settling, "refusal_settles", _yes),)
        ),
        "replay-rerouted": Mutant("a repeated request is steered before its key is known", journal=_NoReplayJournal),
        "relay-without-fence": Mutant(
            "a relay takes legs that others own, and raises no fence", journal=_GreedyJournal
        ),
        "stale-instance-not-fenced": Mutant("an instance that slept sends on", ((Delivery, "_may_send", _always),)),
        "step-not-journalled": Mutant(
            "a step is sent before it is journalled",
            (
                (Delivery, "_begin", _nothing_begun),
                (lanes, "_accept", _without_step),
                (lanes, "_begun", _nothing),
            ),
        ),
        "content-of-today": Mutant(
            "a leg is said in the words in force, not in those it was accepted with",
            ((Instance, "of", _in_todays_words),),
        ),
        "words-never-change": Mutant(
            "what was seen is read in today's words, whatever it was said in",
            ((PostImages, "_in_words", _by_todays_words),),
        ),
        "lines-not-counted": Mutant(
            "a document is believed whole, whatever its ERP did with its lines", ((Moves, "_taken_whole", _whole),)
        ),
        "lines-never-follow": Mutant(
            "an ERP changes the lines of what is written to it by no rule of its own",
            ((feeds, "expected", _lines_too),),
        ),
        "mirror-derived": Mutant("what an ERP derives is carried over", ((feeds, "derived", _never),)),
        "echo-by-user": Mutant("a record is ours if our account changed it last", world=_ByUserWorld),
    }
)
NOT_HERE = MappingProxyType(
    {
        "watermark-before-fence": "needs the flip's watermark (the model has it)",
        "cancel-after-commit": "needs the flip's cancel (the model has it)",
    }
)
"""Mutants of parts that are not built yet."""
