"""The policy as the pipeline sees it: a question in, a decision out, whatever the engine."""

from __future__ import annotations

from collections.abc import Collection

from gateway.policy.cache import DecisionCache
from gateway.policy.decision import Decision, judge
from gateway.policy.manifest import Manifest
from gateway.policy.port import Answered, PolicyEngine
from gateway.policy.question import Projector, Question

ENFORCEABLE = frozenset({"mask", "rate_class", "log"})
"""The obligations this release carries out."""


class Policy:
    """One engine, its manifest and the cache before it. A new bundle is a new `Policy`; the cache may be shared."""

    def __init__(
        self,
        engine: PolicyEngine,
        manifest: Manifest,
        *,
        cache: DecisionCache,
        enforceable: Collection[str] = ENFORCEABLE,
    ) -> None:
        self._engine, self._cache = engine, cache
        self._projector = Projector(manifest)
        self._enforceable = frozenset(enforceable) & frozenset(manifest.obligations)

    @property
    def revision(self) -> str:
        return self._engine.revision

    def ask(self, question: Question, now_s: float) -> bytes:
        """The question's JSON, as the decision log keeps it. Raises: Denied."""
        return self._projector.project(question, now_s)

    async def decide(self, question_json: bytes) -> Decision:
        """Raises: PolicyUnavailable; a no is a decision, not an error."""
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

    async def close(self) -> None:
        await self._engine.close()
