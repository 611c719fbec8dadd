"""How doubt about a step ends: a pure decision from what the ERP can do, what was sent when, and what time it is.

Source: the write protocol, section 1.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from gateway.core.canonical import Document
from gateway.core.intents import StepRecord
from gateway.core.manifests import Rule

US = 1_000_000


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to do now. `resend`: the same call again; `lookup`: search for the intent's id; `compare`: read the document and look;
    `wait`: nothing before `at_us`; `ask`: a person must decide, for `reason`.
    """

    do: Literal["resend", "lookup", "compare", "wait", "ask"]
    at_us: int = 0
    reason: str = ""


def settlement(
    rule: Rule, step: StepRecord, now_us: int, call_s: float, *, compares: bool, marked: bool = True
) -> Settlement:
    """Decide about a step in doubt.

    Takes: `call_s`, how long a call may take; `compares`, whether the document existed before, so that reading it can tell;
    `marked`, whether the intent's id stands in the field to look it up by, or a value of the client's own.
    """
    match rule.settle:
        case "key":
            # The copy on its way may land as late as `max_exec_s` after a call: it must still be remembered then.
            if now_us + (call_s + rule.max_exec_s) * US <= step.sent_us + rule.dedup_window_s * US:
                return Settlement("resend")
            return Settlement(
                "ask", reason=f"the ERP remembers a key for {rule.dedup_window_s:.0f} s, and these are over"
            )
        case "reference" if marked:
            # Before that the request may still take effect, and an absent document proves nothing.
            return Settlement("lookup") if now_us >= step.quiet_us else Settlement("wait", at_us=step.quiet_us)
        case "conditional" if compares and step.etag is not None:
            # The same If-Match cannot take effect twice; a 412 then says: compare.
            return Settlement("resend")
        case "conditional" if compares and rule.evidence:
            return Settlement("compare") if now_us >= step.quiet_us else Settlement("wait", at_us=step.quiet_us)
    return Settlement("ask", reason="nothing tells whether the ERP carried it out")


def quiet_us(rule: Rule, ended_by_us: int) -> int:
    """The moment after which a request that ended by `ended_by_us` (call deadline, lease, connection) can take effect no more."""
    return ended_by_us + int(rule.max_exec_s * US)


def holds(patch: Document, now: Document) -> bool:
    """Whether a document has every value of a patch."""
    return all(_same(value, now.get(name)) for name, value in patch.items())


def shows(evidence: dict[str, list[str]], now: Document) -> bool:
    """Whether a document shows that a verb was carried out."""
    return bool(evidence) and all(str(now.get(name)) in words for name, words in evidence.items())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return a == b
    return bool(a == b)
