"""What a policy engine is to the gateway: one question in, one outcome out, and never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Answered:
    """The rule had a value: its JSON."""

    answer_json: bytes


@dataclass(frozen=True, slots=True)
class Undefined:
    """The engine ran and the rule has no value for this question."""


@dataclass(frozen=True, slots=True)
class QuestionFault:
    """The engine ran and this question's values made a builtin fail or two rules disagree."""

    kind: Literal["policy-builtin-error", "policy-conflict"]


@dataclass(frozen=True, slots=True)
class EngineFault:
    """The engine did not run. `kind` is a stable word for logs and metrics."""

    kind: str


Outcome = Answered | Undefined | QuestionFault | EngineFault


class PolicyEngine(Protocol):
    """One engine with one bundle."""

    @property
    def revision(self) -> str:
        """The revision of the bundle that answers."""
        ...

    @property
    def cacheable(self) -> bool:
        """True where an answer holds for as long as `revision` does."""
        ...

    async def decide(self, question_json: bytes) -> Outcome: ...

    async def close(self) -> None: ...
