"""What of a write the gateway keeps for an ERP that has no field for it. Pure."""

from __future__ import annotations

from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped
from gateway.core.intents import Beside, Intent
from gateway.dialects.resolve import Plan


def kept_beside(erp: str, plan: Plan, intent: Intent, key: str, body: Document) -> Beside | None:
    """The fields to keep, and for which document; None where there are none.

    Takes: `key` and `body` in the ERP's numbers.
    """
    # What a new document does not say is empty; of an older one nobody knows.
    said = {**dict.fromkeys(plan.beside), **body} if intent.verb == "create" else body
    fields = tuple((name, dumped(said[name])) for name in sorted(plan.beside) if name in said)
    if not fields:
        return None
    return Beside(erp, intent.object, intent.plant, key, fields, intent.created_us, intent.lane, intent.lane_seq)
