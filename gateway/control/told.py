"""Journal, cases and audit as an operator reads them: plain values with times as text, the same for commands and admin API. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.control.cases import Acted, Case
from gateway.core.intents import StepRecord
from gateway.store.audit import AuditLine
from gateway.store.cases import CaseRow
from gateway.store.feeds import FeedRow
from gateway.store.journal import LegView, OperationView
from gateway.store.journal_views import IntentLine


def moment(us: int | None) -> str | None:
    """Microseconds since the epoch as text in UTC."""
    return None if us is None else datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds")


def case_line(row: CaseRow) -> dict[str, Any]:
    """A case, in a list."""
    return {
        "case": row.id,
        "state": row.state,
        "kind": row.kind,
        "plant": row.plant,
        "object": row.object,
        "verb": row.verb,
        "erp": row.erp,
        "leg": row.leg_state,
        "opened_at": moment(row.opened_us),
        "operation": row.intent,
        "reason": row.reason,
    }


def case_told(case: Case, acts: Sequence[AuditLine]) -> dict[str, Any]:
    """A case with what people did about it, its write, its steps and the document's numbers."""
    row = case.row
    return {
        **case_line(row),
        "side": row.side,
        "closed_at": moment(row.closed_us),
        "closed_by": row.closed_by,
        "note": row.note,
        "in_doubt": case.in_doubt,
        "names": dict(sorted(case.names.items())),
        "audit": [audit_line(line) for line in acts],
        "write": operation_told(case.operation),
    }


def audit_line(line: AuditLine) -> dict[str, Any]:
    """One row of the audit."""
    return {
        "audit": line.id,
        "at": moment(line.at_us),
        "actor": line.actor,
        "action": line.action,
        "reason": line.reason,
        "detail": dict(line.detail),
    }


def operation_told(view: OperationView) -> dict[str, Any]:
    """A write with its legs and steps, and the documents it carries, in the journal's exact form."""
    intent = view.intent
    return {
        "operation": intent.id,
        "lane": intent.lane,
        "lane_seq": intent.lane_seq,
        "plant": intent.plant,
        "domain": intent.domain,
        "object": intent.object,
        "verb": intent.verb,
        "key": intent.key,
        "epoch": intent.epoch,
        "term": intent.term,
        "content": intent.content,
        "client": intent.client,
        "subject": intent.subject,
        "origin": intent.origin,
        "created_at": moment(intent.created_us),
        "document": _json(intent.document),
        "answer": _json(view.answer),
        "legs": [_leg(leg) for leg in view.legs],
    }


def _leg(leg: LegView) -> dict[str, Any]:
    return {
        "side": leg.side,
        "erp": leg.erp,
        "authoritative": leg.authoritative,
        "state": leg.state,
        "attempts": leg.attempts,
        "next_try_at": moment(leg.next_at_us) if leg.state in ("ready", "in_doubt") else None,
        "ended_at": moment(leg.ended_us),
        "native_key": _json(leg.native_key),
        "error": leg.error,
        "repaired": _json(leg.repaired),
        "steps": [_step(step) for step in leg.steps],
    }


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "number": step.number,
        "state": step.state,
        "token": step.token,
        "sent_at": moment(step.sent_us),
        "quiet_at": moment(step.quiet_us),
        "note": step.note,
    }


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def intent_line(line: IntentLine) -> dict[str, Any]:
    """A write, in a list."""
    return {
        "operation": line.id,
        "created_at": moment(line.created_us),
        "plant": line.plant,
        "object": line.object,
        "verb": line.verb,
        "key": line.key,
        "client": line.client,
        "lane": line.lane,
        "lane_seq": line.lane_seq,
        "epoch": line.epoch,
        "legs": [
            {"side": leg.side, "erp": leg.erp, "state": leg.state, "attempts": leg.attempts, "error": leg.error}
            for leg in line.legs
        ],
    }


def backlog_told(rows: Sequence[tuple[str, str, int, int]], now_us: int) -> list[dict[str, Any]]:
    """What is open, per ERP and state."""
    return [
        {
            "erp": erp,
            "state": state,
            "legs": count,
            "oldest_at": moment(oldest_us),
            "oldest_s": max(0, (now_us - oldest_us) // 1_000_000),
        }
        for erp, state, count, oldest_us in rows
    ]


def names_told(object_: str, canonical: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every name of a document, a line each."""
    return [
        {"object": object_, "canonical": canonical, "space": space, "number": number}
        for space, number in sorted(names.items())
    ]


def feed_line(row: FeedRow, now_us: int) -> dict[str, Any]:
    """A change feed, in a list. `edits` and `derived` count since it began."""
    return {
        "erp": row.erp,
        "object": row.object,
        "plant": row.plant,
        "cursor": row.cursor,
        "read_at": moment(row.read_us) if row.read_us else None,
        "read_s_ago": max(0, (now_us - row.read_us) // 1_000_000) if row.read_us else None,
        "edits": row.edits,
        "derived": row.derived,
        "owner": row.owner,
        "error": row.error,
    }


def acted_told(acted: Acted) -> dict[str, Any]:
    """What an act on a case did."""
    return {
        "case": acted.case,
        "action": acted.action,
        "leg": acted.leg,
        "dry_run": acted.dry_run,
        "before": dict(acted.before),
        "after": dict(acted.after),
    }
