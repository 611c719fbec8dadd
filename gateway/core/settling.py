"""How doubt about a step ends: a pure decision from what the ERP can do, what was sent when, and what time it is.

Source: the write protocol, section 1.6.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Target:
    """What the step in doubt was for.

    `new`: a document that was not there before. `named`: it is new, and its key was ours to choose. `tells`: reading the document
    tells whether the step was carried out. `marked`: the step's id stands in the field to look it up by, not a value of the client's own.
    """

    new: bool
    named: bool = False
    tells: bool = False
    marked: bool = True


def settlement(rule: Rule, step: StepRecord, now_us: int, call_s: float, target: Target) -> Settlement:
    """Decide about a step in doubt. Takes: `call_s`, how long a call may take."""
    match rule.settle:
        case "key":
            # The copy on its way may land as late as `max_exec_s` after a call: it must still be remembered then.
            if now_us + (call_s + rule.max_exec_s) * US <= step.sent_us + rule.dedup_window_s * US:
                return Settlement("resend")
            return Settlement(
                "ask", reason=f"the ERP remembers a key for {rule.dedup_window_s:.0f} s, and these are over"
            )
        case "reference" if target.new and target.marked:
            # Before that the request may still take effect, and an absent document proves nothing.
            return _in_quiet("lookup", step, now_us)
        case "conditional" if target.named or step.etag is not None:
            # Neither the same key nor the same If-Match can take effect twice; a refusal then says: compare.
            return Settlement("resend")
        case "conditional" | "reference" if not target.new and target.tells:
            return _in_quiet("compare", step, now_us)
    return Settlement("ask", reason="nothing tells whether the ERP carried it out")


def _in_quiet(do: Literal["lookup", "compare"], step: StepRecord, now_us: int) -> Settlement:
    return Settlement(do) if now_us >= step.quiet_us else Settlement("wait", at_us=step.quiet_us)


def refusal_settles(rule: Rule, target: Target) -> bool:
    """Whether a no to the second copy of a call, with the first one quiet, says that neither took effect.

    It does where a lookup found nothing before the second copy left, or where the document itself was read. A key alone proves
    nothing: what stands before the ERP, or a check that comes before it looks the key up, refuses what was carried out already.
    """
    return rule.settle == "reference" or target.named or target.tells


def quiet_us(rule: Rule, ended_by_us: int) -> int:
    """The moment after which a request that ended by `ended_by_us` (call deadline, lease, connection) can take effect no more."""
    return ended_by_us + int(rule.max_exec_s * US)


def holds(patch: Document, now: Document) -> bool:
    """Whether a document has every value of a patch; one that says nothing is held by none."""
    return bool(patch) and all(same(value, now.get(name)) for name, value in patch.items())


def shows(evidence: Mapping[str, Collection[str]], now: Mapping[str, Any]) -> bool:
    """Whether a document, canonical or native as the evidence is, shows that a verb or a call was carried out."""
    return bool(evidence) and all(str(now.get(name)) in words for name, words in evidence.items())


def lacking(asked: Mapping[str, Any], now: Mapping[str, Any]) -> Mapping[str, tuple[int, int]]:
    """The lists of which fewer rows are there than were asked for: how many are, of how many. An ERP may add rows of its own."""
    counted = {name: (len(now.get(name) or ()), len(rows)) for name, rows in asked.items() if isinstance(rows, list)}
    return {name: (there, sent) for name, (there, sent) in counted.items() if there < sent}


def same(wanted: Any, have: Any) -> bool:
    """Equal; of rows, each one's own fields: an ERP may show more of a row than was sent."""
    if isinstance(wanted, list) and isinstance(have, list):
        return len(wanted) == len(have) and all(same(row, other) for row, other in zip(wanted, have, strict=True))
    if isinstance(wanted, dict) and isinstance(have, dict):
        return holds(wanted, have)
    return bool(wanted == have)
