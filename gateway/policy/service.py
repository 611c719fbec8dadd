"""The policy as the pipeline sees it: a question in, a decision out, whatever the engine."""

from __future__ import annotations

from collections.abc import Collection

from gateway.errors import PolicyUnavailable
from gateway.policy.cache import DecisionCache
from gateway.policy.decision import Decision, judge, unfit
from gateway.policy.manifest import Manifest
from gateway.policy.port import Answered, PolicyEngine
from gateway.policy.question import Projector, Question, nobody

ENFORCEABLE = frozenset({"mask", "rate_class", "log"})
"""The obligations this release carries out."""


class Policy:
    """One engine, its manifest and the cache before it. A new bundle is a new `Policy`; the cache may be shared.

    An engine that was not `tried` before answers nobody until it has said no to a caller who has nothing: see `probe`.
    `fit` is what it was found to be, None while that is not known; `trouble` says what is wrong.
    """

    def __init__(
        self,
        engine: PolicyEngine,
        manifest: Manifest,
        *,
        cache: DecisionCache,
        enforceable: Collection[str] = ENFORCEABLE,
        tried: bool = True,
    ) -> None:
        self._engine, self._cache = engine, cache
        self._projector = Projector(manifest)
        self._enforceable = frozenset(enforceable) & frozenset(manifest.obligations)
        self._entry = f"data.{manifest.package}.{manifest.rule}"
        self.fit: bool | None = True if tried else None
        self.trouble: str | None = None if tried else "the policy engine was not asked yet"

    @property
    def revision(self) -> str:
        return self._engine.revision

    def ask(self, question: Question, now_s: float) -> bytes:
        """The question's JSON, as the decision log keeps it. Raises: Denied."""
        return self._projector.project(question, now_s)

    async def decide(self, question_json: bytes) -> Decision:
        """Raises: PolicyUnavailable; a no is a decision, not an error."""
        if self.fit is not True:
            raise PolicyUnavailable("The policy engine cannot answer.", reason="policy-not-fit")
        if not self._engine.cacheable:
            outcome = await self._engine.decide(question_json)
            return judge(outcome, enforceable=self._enforceable, revision=self._engine.revision)
        revision = self._engine.revision
        known = self._cache.get(revision, question_json)
        if known is not None:
            return known
        outcome = await self._engine.decide(question_json)
        decision = judge(outcome, enforceable=self._enforceable, revision=revision)
        if isinstance(outcome, Answered):
            self._cache.put(question_json, decision)
        return decision

    async def probe(self) -> None:
        """Ask for a caller who has nothing. An engine that cannot be asked is in trouble, and stays as fit as it was."""
        outcome = await self._engine.decide(self.ask(nobody(), 0))
        try:
            wrong = unfit(outcome)
        except PolicyUnavailable as err:
            self.trouble = f"the policy engine cannot be asked: {err.extra['reason']}"
            return
        self.fit = wrong is None
        self.trouble = f"{self._entry} {wrong}" if wrong else None

    async def close(self) -> None:
        await self._engine.close()
