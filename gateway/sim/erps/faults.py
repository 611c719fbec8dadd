"""Misbehaviour on demand: rules that say which request goes wrong, and how."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any

ACTIONS = {
    "delay": "waits `delay_s`, then does its work",
    "status": "answers `status` (with `retry_after_s`, `code`, `message`) and does nothing",
    "error_in_200": "answers 200 with an error in the body and does nothing",
    "bapi_return": "answers with RETURN (`type`, `code`, `message`, `field`) in `member`; does its work unless that is an error",
    "sap_message": "answers with the same in a header; does its work unless that is an error",
    "drop_before": "closes the connection and does nothing",
    "commit_then_drop": "does its work, then closes the connection without an answer",
    "commit_then_delay": "does its work, waits `delay_s`, then answers",
    "commit_then_status": "does its work, then answers `status`",
    "truncate": "does its work, then answers only the first half of the body and closes",
    "fewer_lines": "takes a document without the last row of each of its lists, and says nothing of it",
    "csrf_expired": "forgets all sessions first: the caller must fetch a new token",
}


@dataclass(slots=True)
class Fault:
    """One rule.

    Takes: `match`, a regular expression searched in path and query; `count`, how often it acts (0 is always).
    """

    action: str
    match: str = ""
    method: str = ""
    count: int = 1
    skip: int = 0  # let so many matching requests pass first
    delay_s: float = 0.0
    status: int = 503
    retry_after_s: int | None = None
    code: str = "SY/530"
    message: str = "An internal error occurred"
    type: str = "E"
    field: str = ""
    member: str = "Return"
    pattern: re.Pattern[str] = dataclasses.field(init=False, repr=False)
    hits: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"unknown action {self.action!r}: one of {', '.join(ACTIONS)}")
        self.pattern = re.compile(self.match)

    def fits(self, method: str, url: str) -> bool:
        return (not self.method or self.method == method) and bool(self.pattern.search(url))

    @property
    def spent(self) -> bool:
        return self.count > 0 and self.hits >= self.count

    def as_json(self) -> dict[str, Any]:
        names = ("action", "match", "method", "count", "skip", "delay_s", "status", "retry_after_s", "hits")
        return {name: getattr(self, name) for name in names}


def without_last_rows(body: bytes) -> bytes:
    """A document as an ERP takes it that drops what it cannot place."""
    document = json.loads(body)
    for name, rows in document.items():
        inner = rows.get("results") if isinstance(rows, dict) else rows
        if isinstance(inner, list) and inner:
            document[name] = {"results": inner[:-1]} if isinstance(rows, dict) else inner[:-1]
    return json.dumps(document).encode()


_KNOWN = frozenset(rule.name for rule in dataclasses.fields(Fault) if rule.init)


def fault_from(given: dict[str, Any]) -> Fault:
    """A rule as it is posted. Raises: ValueError for a key that is none: a misspelt rule would hit everything."""
    unknown = set(given) - _KNOWN
    if unknown or "action" not in given:
        raise ValueError(f"a fault has 'action' and of {sorted(_KNOWN)}; not {sorted(unknown)}")
    return Fault(**given)


class FaultBook:
    """The rules in force, first come first served."""

    def __init__(self, rules: tuple[dict[str, Any], ...] = ()) -> None:
        self.rules = [fault_from(dict(rule)) for rule in rules]

    def pick(self, method: str, url: str) -> Fault | None:
        """The rule that acts on this request, counted as used."""
        for rule in self.rules:
            if not rule.spent and rule.fits(method, url):
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.hits += 1
                return rule
        return None
