"""From what an engine said to what the gateway does: only `allow is True`, in an answer that is whole, is a yes.

No: the rule is undefined, the answer malformed, a builtin failed on the question's values, or an obligation cannot be
enforced. Unavailable: the engine did not run. The two are never confused.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.errors import Denied, PolicyUnavailable
from gateway.policy.port import Answered, Outcome, QuestionFault, Undefined

PATH = r"^[a-z][a-z0-9_]*(\[\])?(\.[a-z][a-z0-9_]*(\[\])?)*$"
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Path = Annotated[str, StringConstraints(pattern=PATH, max_length=200)]
Scalar = str | int | bool | None

MALFORMED = "policy-answer-malformed"
OBLIGATIONS = ("mask", "row_filter", "rate_class", "log", "step_up", "region")


class Obligations(BaseModel):
    """What the gateway must do with a yes. `row_filter` maps a field to the values a caller may see."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mask: list[Path] = Field(default=[], max_length=200)
    row_filter: dict[Path, list[Scalar]] | None = None
    rate_class: Word | None = None
    log: Literal["normal", "full"] | None = None
    step_up: bool = False
    region: Word | None = None

    def in_force(self) -> tuple[str, ...]:
        """The names of the obligations that ask for something."""
        return tuple(name for name in OBLIGATIONS if getattr(self, name) not in (None, False, [], "normal"))


class Answer(BaseModel):
    """The answer of the policy's rule, as every engine must give it. A key too many or too few is no answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    allow: bool
    reasons: list[Word] = Field(max_length=100)
    obligations: Obligations


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided; `reasons` are the policy's words, or the gateway's own for a no it had to make itself."""

    allow: bool
    reasons: tuple[str, ...]
    obligations: Obligations
    revision: str

    def require(self) -> Decision:
        """Gives itself when it is a yes. Raises: Denied."""
        if self.allow is not True:
            raise Denied("The policy does not allow this.", reasons=list(self.reasons))
        return self


NOTHING = Obligations()


def answer_schema() -> dict[str, Any]:
    """The JSON Schema of the answer."""
    return Answer.model_json_schema()


def deny(reason: str, revision: str) -> Decision:
    """A no of the gateway's own."""
    return Decision(allow=False, reasons=(reason,), obligations=NOTHING, revision=revision)


def judge(outcome: Outcome, *, enforceable: Collection[str], revision: str) -> Decision:
    """Turn an engine's outcome into a decision.

    Takes: `enforceable`, the obligations this gateway can carry out. Raises: PolicyUnavailable.
    """
    match outcome:
        case Answered(answer_json):
            return _judge_answer(answer_json, enforceable, revision)
        case Undefined():
            return deny("policy-undefined", revision)
        case QuestionFault(kind):
            return deny(kind, revision)
        case _:
            raise PolicyUnavailable("The policy engine cannot answer.", reason=outcome.kind)


def unfit(outcome: Outcome) -> str | None:
    """What is wrong with the answer to a caller who has nothing, where it is not a plain no. Raises: PolicyUnavailable."""
    decision = judge(outcome, enforceable=OBLIGATIONS, revision="")
    if decision.allow:
        return "allows a caller who has no role and no plant"
    if not isinstance(outcome, Answered):
        return f"cannot be evaluated: {decision.reasons[0]}"
    malformed = decision.reasons == (MALFORMED,)
    return "does not answer {allow, reasons, obligations}" if malformed else None


def _judge_answer(answer_json: bytes, enforceable: Collection[str], revision: str) -> Decision:
    try:
        answer = Answer.model_validate(json.loads(answer_json))
    except (ValidationError, ValueError, RecursionError):
        return deny(MALFORMED, revision)
    reasons = tuple(sorted(set(answer.reasons)))
    if answer.allow is not True:
        return Decision(allow=False, reasons=reasons or ("denied",), obligations=NOTHING, revision=revision)
    for name in answer.obligations.in_force():
        if name not in enforceable:
            return deny(f"obligation-not-enforceable:{name}", revision)
    return Decision(allow=True, reasons=reasons, obligations=answer.obligations, revision=revision)
