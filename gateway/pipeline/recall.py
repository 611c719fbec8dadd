"""Stage: a request that was made before is answered from the journal, before any routing. Source: the write protocol, section 1.7."""

from __future__ import annotations

import re

from gateway.core.canonical import OBJECTS
from gateway.errors import IdempotencyMissing, Malformed, NoSuchOperation
from gateway.pipeline.exchange import Exchange, Operation, Result, filled, known_caller, required
from gateway.store.sql import StoreDown
from gateway.writes.carry import Outcome
from gateway.writes.write import Pending, Written, fingerprint_of

KEY = '"([ !#-~]{1,255})"|([!#-~][ -~]{0,254})'
"""How an Idempotency-Key is written: as a text in quotation marks (RFC 8941), or without them."""
_KEY = re.compile(KEY)


async def recall(x: Exchange) -> Exchange:
    """Find out whether the Idempotency-Key was used.

    Raises: IdempotencyMissing, IdempotencyMismatch, IdempotencyInFlight, Malformed, or what the first request came to.
    """
    if x.watched is not None:
        return x
    operation: Operation = required(x.operation, "operation")
    if not operation.writes:
        return x
    key = idempotency_key(x)
    if key is None:
        return x
    writes = required(x.in_force.writes, "write engine")
    try:
        found = await writes.journal.known(known_caller(x).client_id, key, int(x.clock.wall() * 1_000_000))
    except StoreDown:
        return filled(x, idempotency_key=key)  # the write itself will say what is wrong
    if found is None:
        return filled(x, idempotency_key=key)
    same = fingerprint_of(operation.plant, operation.spec.name, operation.verb, operation.key, operation.document)
    outcome = await writes.replayed(found, same)
    return filled(x, idempotency_key=key, result=replayed_result(outcome))


def idempotency_key(x: Exchange) -> str | None:
    """The key the request carries. Raises: IdempotencyMissing, Malformed."""
    text = x.headers.get("idempotency-key")
    if text is None:
        if x.resource is not None and x.resource.idempotency_key == "required":
            raise IdempotencyMissing(
                "This resource wants an Idempotency-Key with every write.", field="Idempotency-Key"
            )
        return None
    found = _KEY.fullmatch(text)
    if found is None:
        raise Malformed("An Idempotency-Key has 1 to 255 printable characters.", field="Idempotency-Key")
    return found[1] or found[2]


def replayed_result(done: Written | Pending) -> Result:
    """What the first request came to, as a result of this one. Its numbers are already those that clients know."""
    if isinstance(done, Pending):
        return Result(operation=done.operation, pending=True, replayed=done.replayed)
    outcome: Outcome = done.outcome
    return Result(
        outcome.document, etag=outcome.etag, key=outcome.key, operation=done.operation, replayed=done.replayed
    )


async def watch(x: Exchange, id_: str) -> Exchange:
    """Take up an operation that the caller began. Raises: NoSuchOperation."""
    writes = required(x.in_force.writes, "write engine")
    view = await writes.journal.operation(id_)
    if view is None or view.intent.client != known_caller(x).client_id:
        raise NoSuchOperation(f"There is no operation {id_!r}.")
    spec = OBJECTS[view.intent.object]
    # To the policy it is a read of what was written: who may not read it may not watch it.
    return filled(x, watched=view, operation=Operation(view.intent.plant, spec, "read", view.intent.key))
