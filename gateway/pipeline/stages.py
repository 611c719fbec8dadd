"""The life of a request, top to bottom. Nothing runs that is not here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter

from gateway.errors import JournalUnavailable
from gateway.pipeline.admit import admit
from gateway.pipeline.authenticate import authenticate
from gateway.pipeline.authorize import authorize
from gateway.pipeline.exchange import Exchange
from gateway.pipeline.execute import execute
from gateway.pipeline.negotiate import negotiate
from gateway.pipeline.recall import recall
from gateway.pipeline.render import render
from gateway.pipeline.steer import steer
from gateway.store.sql import StoreDown

Stage = Callable[[Exchange], Awaitable[Exchange]]

STAGES: tuple[Stage, ...] = (
    admit,  # size, deadline, request id, contract; the wave snapshot is pinned in the exchange
    authenticate,  # who calls
    negotiate,  # version -> canonical operation
    authorize,  # Rego sees the canonical operation. No answer is a no
    recall,  # Idempotency-Key known? answer from the journal, before any routing
    steer,  # pinned snapshot + cell -> side and ERP
    execute,  # the call to the ERP
    render,  # canonical -> version; masks, ETag, Deprecation, Sunset, Link
)
_NAMED = tuple((stage.__name__, stage) for stage in STAGES)
Times = list[tuple[str, float]]


async def run(x: Exchange, times: Times, since: Stage = admit) -> tuple[Exchange, Exception | None]:
    """Run the stages until one raises.

    Takes: `since`, the stage to begin with.
    Gives: the exchange as far as it came, and the error that stopped it; `times` collects seconds per stage.
    """
    began = perf_counter()
    for name, stage in _NAMED if since is admit else _NAMED[STAGES.index(since) :]:
        try:
            x = await stage(x)
        except Exception as err:  # the surface renders every error, known or not
            times.append((name, perf_counter() - began))
            return x, _meant(err)
        ended = perf_counter()
        times.append((name, ended - began))
        began = ended
    return x, None


def _meant(err: Exception) -> Exception:
    """A store that is gone refuses. Who has journalled a write says no such thing of it, so nothing was sent."""
    if not isinstance(err, StoreDown):
        return err
    refusal = JournalUnavailable("The journal cannot be read now: nothing was sent.", retry_after_s=2)
    refusal.__cause__ = err
    return refusal
