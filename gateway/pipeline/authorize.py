"""Stage: may this caller do this? One policy for all versions and both ERPs sees the canonical operation. No answer is a no."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.canonical import Document, ObjectSpec, values_at
from gateway.errors import Denied, Overloaded
from gateway.pipeline.exchange import Exchange, Operation, filled, known_caller, required
from gateway.policy.decision import Decision
from gateway.policy.question import Question, Subject


async def authorize(x: Exchange) -> Exchange:
    """Ask the policy, for the plant of the cell and for every other plant the document names.

    Raises: Denied, PolicyUnavailable, Overloaded: the caller's rate class is used up.
    """
    operation: Operation = required(x.operation, "operation")
    decision = await _decide(x, operation, operation.plant)
    if operation.document is not None:
        await authorize_lines(x, operation.document, decision)
    _unmasked_filter(operation, decision)
    _within_rate(x, decision)
    return filled(x, decision=decision)


async def authorize_lines(x: Exchange, document: Document, first: Decision | None = None) -> None:
    """Ask the policy for every other plant that a document names: a caller's own document or the ERP's.

    Takes: `first`, the decision for the plant of the cell, which says what is masked. Raises: Denied, also where another plant
    hides more: a document is masked as one.
    """
    operation: Operation = required(x.operation, "operation")
    for plant in sorted(plants_in(operation.spec, document) - {operation.plant}):
        decision = await _decide(x, operation, plant)
        masked = (first or required(x.decision, "decision")).obligations.mask
        if hidden := sorted(set(decision.obligations.mask) - set(masked)):
            raise Denied(
                f"Plant {plant} has a part in the document, and there this caller may not see every field.",
                reasons=["obligation-not-enforceable:mask"], plant=plant, fields=hidden,
            )  # fmt: skip


async def _decide(x: Exchange, operation: Operation, plant: str) -> Decision:
    policy = x.in_force.policy
    decision = await policy.decide(policy.ask(question(x, operation, plant), x.clock.wall()))
    return decision.require()


def question(x: Exchange, operation: Operation, plant: str) -> Question:
    """What the policy is asked."""
    caller = known_caller(x)
    cell = x.in_force.table.cell(plant, operation.spec.domain)
    return Question(
        subject=Subject(caller.subject, caller.client_id, caller.roles, caller.plants, caller.auth),
        plant=plant,
        domain=operation.spec.domain,
        object=operation.spec.name,
        verb=operation.verb,
        phase=cell.phase if cell else "",
        version=required(x.contract, "contract").version,
        document=operation.document or {},
        surface="contract",
    )


def plants_of(operation: Operation) -> set[str]:
    """The plants that what was sent names beside its own."""
    return plants_in(operation.spec, operation.document or {})


def plants_in(spec: ObjectSpec, document: Document) -> set[str]:
    """The plants that a document names beside its own: of its lines, and whoever plans for it."""
    return {plant for path in spec.plants for plant in values_at(document, path) if plant}


def _unmasked_filter(operation: Operation, decision: Decision) -> None:
    """A filter on a field that the caller may not see would tell its value."""
    listing = operation.listing
    if listing is None:
        return
    hidden = set(_tops(decision.obligations.mask))
    looked_at = listing.filtered | {name.partition(" ")[0] for name in listing.order}
    if shown := sorted(hidden & looked_at):
        raise Denied(
            "The list looks at a field that this caller may not see.", reasons=["masked-field"], field=shown[0]
        )


def _tops(mask: Iterable[str]) -> Iterable[str]:
    return (path for path in mask if "." not in path)


def _within_rate(x: Exchange, decision: Decision) -> None:
    rate_class = decision.obligations.rate_class
    if rate_class is None:
        return
    wait_s = x.in_force.rates.wait_s(known_caller(x).client_id, rate_class, x.clock.steady())
    if wait_s is None:
        raise Denied(
            "The policy wants a rate class that routes/clients.yaml does not declare.",
            reasons=["obligation-not-enforceable:rate_class"],
            rate_class=rate_class,
        )
    if wait_s > 0:
        raise Overloaded(
            "This client calls more often than its rate class allows.",
            retry_after_s=max(1, round(wait_s)),
            rate_class=rate_class,
        )
