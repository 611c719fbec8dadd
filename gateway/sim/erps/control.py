"""The back door of a simulated ERP, for tests and demos: its truth log, its faults, its locks, its screens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from gateway.sim.erps.declare import EntityType, Key
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.faults import fault_from
from gateway.sim.erps.refusal import ErpRefusal, bad_request, not_found
from gateway.sim.erps.rules import verbs
from gateway.sim.erps.truth import Cause
from gateway.sim.erps.wire.dialect import draft_of
from gateway.sim.erps.wire.messages import Answer, Request
from gateway.sim.erps.wire.options import pairs

_LINES = "application/x-ndjson"


@dataclass(slots=True)
class Control:
    """Everything below `/_`."""

    erp: Erp

    def answer(self, request: Request) -> Answer:
        handler = _HANDLERS.get((request.method, request.path))
        if handler is None:
            return Answer(404, body=b'{"error":"no such control"}')
        try:
            return handler(self, request)
        except (ValueError, KeyError, TypeError) as exc:
            return _json({"error": str(exc)}, 400)
        except ErpRefusal as refusal:
            return self.erp.refused(refusal)

    def truth(self, request: Request) -> Answer:
        """`?since=N` gives the entries after number N, `&entity=` those of an entity set, `Accept: application/x-ndjson` one a line."""
        asked = pairs(request.query)
        since, entity = int(asked.get("since", "0")), asked.get("entity")
        found = [entry.as_json() for entry in self.erp.truth[since:] if entity in (None, entry.entity)]
        if _LINES in request.headers.get("accept", ""):
            return Answer(200, body=b"".join(orjson.dumps(e) + b"\n" for e in found), content_type=_LINES)
        return _json(found)

    def list_faults(self, request: Request) -> Answer:
        return _json([rule.as_json() for rule in self.erp.faults.rules])

    def add_fault(self, request: Request) -> Answer:
        given = orjson.loads(request.body)
        rules = [fault_from(rule) for rule in (given if isinstance(given, list) else [given])]
        self.erp.faults.rules.extend(rules)
        return _json([rule.as_json() for rule in rules], 201)

    def clear_faults(self, request: Request) -> Answer:
        self.erp.faults.rules.clear()
        return Answer(204)

    def lock(self, request: Request) -> Answer:
        """`{"entity", "key": {...}, "user"}`: somebody opens this document."""
        given = orjson.loads(request.body)
        entity = self._entity(given["entity"])
        self.erp.business.locks[entity.role, _key(entity, given["key"])] = given.get("user", "MUELLER")
        return Answer(204)

    def unlock_all(self, request: Request) -> Answer:
        self.erp.business.locks.clear()
        return Answer(204)

    def close_period(self, request: Request) -> Answer:
        """`{"closed_before": "2026-10-01"}`: no postings before that day; null opens all."""
        day = orjson.loads(request.body)["closed_before"]
        self.erp.business.closed_before = date.fromisoformat(day) if day else None
        return Answer(204)

    def screen(self, request: Request) -> Answer:
        """Somebody works in the ERP itself: `{"entity", "key"?, "values"?, "action"?, "user"?}`. No key creates."""
        given = orjson.loads(request.body)
        key = self.edit(given["entity"], given.get("key"), given.get("values", {}), given.get("action", ""),
                        user=given.get("user", "MUELLER"))  # fmt: skip
        entity = self._entity(given["entity"])
        return _json({p.name: part for p, part in zip(entity.keys, key, strict=True)})

    def edit(
        self,
        set_name: str,
        key: dict[str, Any] | None,
        values: dict[str, Any],
        action: str = "",
        *,
        user: str = "MUELLER",
    ) -> Key:
        """The same in process. Values are written as in the face's own JSON."""
        entity = self._entity(set_name)
        business, cause = self.erp.business, Cause("screen", user, "screen")
        draft = draft_of(self.erp.dialect, entity, values, decimals_as_text=False)
        with business.unit(cause) as unit:
            if key is None:
                return verbs.create(business, unit, draft)
            at = _key(entity, key)
            if action:
                return verbs.act(business, unit, self.erp.model.actions[entity.service, action], at, draft.values)
            verbs.change(business, unit, entity.role, at, draft.values)
            return at

    def restart(self, request: Request) -> Answer:
        """What a restart does to callers: sessions and tokens are gone. The data stays."""
        self.erp.sessions.end_all()
        self.erp.logon.revoke_all()
        return Answer(204)

    def reset(self, request: Request) -> Answer:
        self.erp.reset()
        return Answer(204)

    def health(self, request: Request) -> Answer:
        return _json({"erp": self.erp.config.erp, "face": self.erp.config.face, "entries": len(self.erp.truth)})

    def _entity(self, set_name: str) -> EntityType:
        for entity in self.erp.model.types.values():
            if entity.set_name == set_name:
                return entity
        raise not_found(f"No entity set {set_name}")


def _key(entity: EntityType, given: dict[str, Any]) -> Key:
    try:
        return tuple(given[p.name] for p in entity.keys)
    except KeyError as exc:
        raise bad_request(f"Key property {exc} is missing") from exc


def _json(content: Any, status: int = 200) -> Answer:
    return Answer(status, body=orjson.dumps(content))


_HANDLERS: dict[tuple[str, str], Callable[[Control, Request], Answer]] = {
    ("GET", "/_truth"): Control.truth,
    ("GET", "/_faults"): Control.list_faults,
    ("POST", "/_faults"): Control.add_fault,
    ("DELETE", "/_faults"): Control.clear_faults,
    ("POST", "/_locks"): Control.lock,
    ("DELETE", "/_locks"): Control.unlock_all,
    ("POST", "/_periods"): Control.close_period,
    ("POST", "/_screen"): Control.screen,
    ("POST", "/_restart"): Control.restart,
    ("POST", "/_reset"): Control.reset,
    ("GET", "/_health"): Control.health,
}
