"""The callers of a simulated world: each has orders of its own, and repeats what it got no answer to under the same key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.core.canonical import OBJECTS, Document
from gateway.core.etags import Condition, ETag
from gateway.core.phases import PHASES
from gateway.errors import Doubtful, GatewayError, IdempotencyInFlight, RouteMoved, Unavailable
from gateway.sim.fate import START
from gateway.sim.seams import CALL_S
from gateway.sim.shape import PLANT
from gateway.store.sql import StoreDown
from gateway.writes.write import Pending, Write, Written, fingerprint

if TYPE_CHECKING:
    from gateway.sim.instance import Instance
    from gateway.sim.world import World

RELEASES, CONFIRMS, RIVALS, ASKS_AGAIN = 0.25, 0.5, 0.3, 0.1
PLANNER, SUPERVISOR, PARTS = "P01", "S01", ("MOTOR-50", "SEAL-7")


@dataclass(slots=True)
class Sent:
    """What a client did and what it was told at last: acknowledged, pending, refused, unavailable, doubt or nothing."""

    reference: str
    verb: str
    told: str = "nothing"
    operation: str | None = None
    key: str | None = None
    if_match: ETag | None = None
    etag: ETag | None = None
    """What the document was when this write had been done."""


class Client:
    """One caller."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self._number = world, number

    async def play(self) -> None:
        """Make orders, change, release and confirm them."""
        key, etag, released = None, None, False
        for n in range(self._world.shape.each):
            await asyncio.sleep(self._world.fate.between(0.0, 5.0))
            reference = f"S{self._world.shape.seed}-{self._number}-{n}"
            if key is None:
                sent = await self._until_told("production_order", "create", None, _order(reference), reference)
                key, etag = (sent.key, sent.etag) if sent.told == "acknowledged" else (None, None)
                released = key is not None and self._world.shape.at_once
            elif released and self._world.fate.dice.random() < CONFIRMS:
                await self._until_told("confirmation", "create", None, _confirmation(key, reference), reference)
            elif not released and self._world.fate.dice.random() < RELEASES:
                sent = await self._until_told("production_order", "release", key, None, reference)
                released = sent.told == "acknowledged"
            elif not released and etag is not None and self._world.fate.dice.random() < RIVALS:
                told = await asyncio.gather(
                    *(self._changed(key, 100 + n + more, f"{reference}-{more}", etag) for more in (20, 40))
                )
                etag = next((sent.etag for sent in told if sent.told == "acknowledged"), None)
            elif not released:
                etag = (await self._changed(key, 100 + n, reference, None)).etag

    async def _changed(self, key: str, quantity: int, reference: str, if_match: ETag | None) -> Sent:
        # The old ERP has no field for a recipient: it is kept beside it, and the new one has it.
        patch: Document = {"quantity": Decimal(quantity), "recipient": f"R-{quantity}"}
        for name in self._world.fate.dice.choice(((), (), ("recipient",), ("quantity",))):
            del patch[name]
        return await self._until_told("production_order", "change", key, patch, reference, if_match)

    async def _until_told(  # all of a request
        self,
        object_: str,
        verb: str,
        key: str | None,
        document: Document | None,
        reference: str,
        if_match: ETag | None = None,
    ) -> Sent:
        sent = Sent(reference, f"{verb} {object_}", key=key, if_match=if_match)
        self._world.sent.append(sent)
        for _ in range(80):
            await asyncio.sleep(self._world.fate.between(0.01, 0.6))
            if not (alive := self._world.serving()):
                continue
            if await self._asked(self._world.fate.dice.choice(alive), sent, object_, verb, key, document):
                if sent.told == "acknowledged" and self._world.fate.dice.random() < ASKS_AGAIN:
                    await self._asked_again(sent, object_, verb, key, document)
                return sent
        return sent

    async def _asked_again(
        self, sent: Sent, object_: str, verb: str, key: str | None, document: Document | None
    ) -> None:
        """C1: the same request under the same key is answered alike, whoever is asked."""
        if not (alive := self._world.serving()):
            return
        again = replace(sent)
        if await self._asked(self._world.fate.dice.choice(alive), again, object_, verb, key, document):
            before, after = ((each.told, each.operation) for each in (sent, again))
            if before != after or (verb == "create" and sent.key != again.key):
                self._world.found.append(f"C1 {sent.reference} was answered {before}, and then {after}")

    async def _asked(
        self, instance: Instance, sent: Sent, object_: str, verb: str, key: str | None, document: Document | None
    ) -> bool:
        """Ask once. Gives: whether there is an answer that stands."""
        write = self._write(instance, object_, verb, key, document, sent)
        try:
            got = await asyncio.wait_for(self._carried_out(instance, write), timeout=CALL_S * 2)
        except RouteMoved:
            instance.cell = self._world.table()
            return False
        except (TimeoutError, IdempotencyInFlight):
            return False
        except (Unavailable, StoreDown):
            sent.told = "unavailable"
            return False
        except Doubtful:
            sent.told = "doubt"
            return False
        except GatewayError as err:
            sent.told = f"refused: {err.code}"
            return True
        sent.operation = got.operation
        sent.told = "pending"
        if not isinstance(got, Written):
            return False
        sent.told, sent.key, sent.etag = "acknowledged", got.outcome.key or key, got.outcome.etag
        self._world.fate.trace(f"acknowledged {sent.reference} {sent.key}")
        return True

    async def _carried_out(self, instance: Instance, write: Write) -> Written | Pending:
        """As the stages do: what was asked before is answered from the journal, whatever has changed since."""
        writes = instance.writes
        known = await writes.journal.known(write.client, str(write.idempotency_key), writes.timing.wall_us())
        return await writes.submit(write) if known is None else await writes.replayed(known, fingerprint(write))

    def _write(
        self, instance: Instance, object_: str, verb: str, key: str | None, document: Document | None, sent: Sent
    ) -> Write:
        cell = instance.cell
        places = tuple(instance.place(side, object_, cell.term) for side in PHASES[cell.phase].writes)
        return Write(
            cell=cell, spec=OBJECTS[object_], verb=verb, key=key, document=document, if_match=_named(sent), places=places,
            client="mes", subject="mes", content=instance.content, version="v2", deadline_s=self._world.fate.now_s() + CALL_S,
            permitted=_permitted, idempotency_key=sent.reference,
        )  # fmt: skip


def _named(sent: Sent) -> Condition:
    return Condition((sent.if_match,) if sent.if_match is not None else None)


async def _permitted(_: Document) -> None:
    return None


def _order(reference: str) -> Document:
    return {
        "plant": PLANT, "item": "PUMP-100", "quantity": Decimal(10), "unit": "C62", "type": "PP01",
        "planner": PLANNER, "supervisor": SUPERVISOR, "unloading_point": reference,
        "planned_start": START, "planned_end": START + timedelta(days=2),
        "components": [
            {"line": str(n), "item": part, "quantity": Decimal(2), "unit": "C62"} for n, part in enumerate(PARTS, 1)
        ],
    }  # fmt: skip


def _confirmation(order: str, reference: str) -> Document:
    return {
        "plant": PLANT, "order": order, "operation": "20", "quantity": Decimal(1), "unit": "C62", "note": reference,
    }  # fmt: skip
