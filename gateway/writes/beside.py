"""What of a write the gateway keeps for an ERP that has no field for it. Pure."""

from __future__ import annotations

from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped
from gateway.core.intents import Beside
from gateway.dialects.compile import Translation


def kept_beside(erp: str, plant: str, translation: Translation, verb: str, key: str, body: Document) -> Beside | None:
    """The fields to keep, and for which document; None where there are none.

    Takes: `key` and `body` in the ERP's numbers.
    """
    plan = translation.plan
    fields = tuple((name, _text(body[name])) for name in sorted(plan.beside) if name in body)
    if not plan.beside or (not fields and verb != "create"):
        return None
    # As the ERP's documents show it: a caller may write it with other zeros.
    own = translation.decode_key(translation.encode_key({plan.spec.key: key, "plant": plant})).get(plan.spec.key)
    return Beside(erp, plan.spec.name, plant, str(own or key), fields, new=verb == "create")


def _text(value: object) -> str | None:
    return dumped(value) if value is not None else None
