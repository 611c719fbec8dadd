"""Decisions already made, by bundle revision and question: bounded, least recently used out first, never an error."""

from __future__ import annotations

from collections import OrderedDict

from gateway.policy.decision import Decision


class DecisionCache:
    """Remembers decisions; `hits` and `misses` are for the metrics."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, bytes], Decision] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, revision: str, question_json: bytes) -> Decision | None:
        found = self._kept.get((revision, question_json))
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end((revision, question_json))
        return found

    def put(self, question_json: bytes, decision: Decision) -> None:
        """Keep a decision under its own revision."""
        self._kept[decision.revision, question_json] = decision
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
