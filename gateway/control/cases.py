"""What a person does about a case: send the leg again, repair its document first, or close it. Every act has a reason.

No state of a leg is set here: each act is one move of the journal, so that the lane goes on and the audit row commits with it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.control.content import Content
from gateway.control.numbers_told import NoSuchNumber, told
from gateway.control.repair import repaired
from gateway.core.canonical.stored import dumped, loaded
from gateway.core.crosswalk import SHOWN, erp_space, own_number
from gateway.core.intents import (
    ENDED,
    Beside,
    Decision,
    Event,
    Fenced,
    LegRef,
    Move,
    Names,
    NoSuchMove,
    StepRecord,
    step_token,
)
from gateway.dialects.compile import Translation
from gateway.errors import CaseMoved, Invalid, NoSuchCase
from gateway.reads.numbers import for_erp, keyed
from gateway.store.audit import AuditLine, audit_of_case
from gateway.store.cases import UNDECIDED, CaseBook, CaseRow, Wanted
from gateway.store.crosswalk import Crosswalk
from gateway.store.journal import Journal, LegView, OperationView
from gateway.writes.beside import kept_beside

Contents = Callable[[str], Awaitable[Content]]
ACTOR_CHARS = 200
"""The audit has room for so long a name."""


class State(StrEnum):
    """Which cases to list."""

    UNDECIDED = "undecided"
    OPEN = "open"
    RETRYING = "retrying"
    CLOSED = "closed"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and why. `through` is the door: cli or admin-api."""

    actor: str
    reason: str
    through: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case with all that a person needs to decide it."""

    row: CaseRow
    operation: OperationView
    names: Mapping[str, str]
    """What the crosswalk calls the document: space -> number."""

    @property
    def leg(self) -> LegView:
        return next(leg for leg in self.operation.legs if leg.side == self.row.side)

    @property
    def step(self) -> StepRecord | None:
        """The step that was begun last."""
        return next((step for step in self.leg.steps if step.number == self.leg.step), None)

    @property
    def in_doubt(self) -> bool:
        return self.step is not None and self.step.state == "in_doubt"


@dataclass(frozen=True, slots=True)
class Acted:
    """What an act did, or would do where it was only tried: the leg's state and what the audit keeps."""

    case: int
    action: str
    leg: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    dry_run: bool = False


class Cases:
    """Shows cases, and carries out what a person decides. Raises, everywhere: StoreDown."""

    def __init__(self, journal: Journal, contents: Contents, now_us: Callable[[], int]) -> None:
        self._journal, self._contents, self._now_us = journal, contents, now_us
        self._book, self._crosswalk = CaseBook(journal.database), Crosswalk(journal.database)

    async def list(self, wanted: Wanted) -> Sequence[CaseRow]:
        return await self._book.list(wanted)

    async def one(self, id_: int) -> Case:
        """Raises: NoSuchCase."""
        row = await self._book.one(id_)
        operation = await self._journal.operation(row.intent) if row is not None else None
        if row is None or operation is None:
            raise NoSuchCase(f"There is no case {id_}.")
        return Case(row, operation, await self._crosswalk.of(row.object, row.lane))

    async def shown(self, id_: int) -> tuple[Case, Sequence[AuditLine]]:
        """A case, and what people did about it so far. Raises: NoSuchCase."""
        return await self.one(id_), await audit_of_case(self._journal.database, id_)

    async def replay(self, id_: int, by: Acting, *, dry_run: bool = False) -> Acted:
        """Send the leg again, at its place in the lane. Raises: NoSuchCase, CaseMoved."""
        case = await self._parked(id_)
        _certain(case)
        await self._translation(case)
        return await self._act(case, "replay", by, "reopen", {"leg": "sent again"}, dry_run=dry_run)

    async def repair(self, id_: int, by: Acting, patch: Mapping[str, Any], *, dry_run: bool = False) -> Acted:
        """Send the leg again with its own copy of the document; the other side's and the client's answer stay as they are.

        Takes: `patch`, a JSON merge patch in canonical fields. Raises: NoSuchCase, CaseMoved, Invalid.
        """
        case = await self._parked(id_)
        _certain(case)
        intent = case.operation.intent
        if case.leg.authoritative:
            raise _moved(
                case, "The client was answered with this side's document: only the other side's can be repaired."
            )
        if intent.document is None:
            raise _moved(case, f"A {intent.verb} has no document.")
        if intent.verb == "create" and any(step.state == "done" for step in case.leg.steps):
            raise _moved(
                case, f"{case.row.erp} has the document, and it is not sent again: mend it there, and replay the case."
            )
        kept = case.leg.repaired or intent.document
        made = repaired(intent.object, intent.verb, kept, patch, await self._translation(case))
        shown = {"leg": "sent again, repaired", "document": json.loads(made)}
        return await self._act(case, "repair", by, "reopen", shown, dry_run=dry_run, repaired=made)

    async def close(
        self, id_: int, by: Acting, *, happened: bool | None = None, key: str | None = None, dry_run: bool = False
    ) -> Acted:
        """Accept what is: the leg is owed no more, and its lane goes on.

        Takes: `happened`, whether the ERP has the write after all, which must be said of a leg in doubt; `key`, the document's
        number there. Raises: NoSuchCase, CaseMoved, Invalid.
        """
        case = await self.one(id_)
        if case.row.state not in UNDECIDED:
            raise _moved(case, f"Case {id_} is {case.row.state}.")
        if case.leg.state in ENDED:
            if happened is not None or key is not None:
                raise _moved(
                    case,
                    f"The write has ended here ({case.leg.state}), and nothing more is learned or sent: close the case without "
                    "saying whether it happened. A number that the gateway does not know comes in with `crosswalk import`.",
                )
            return await self._noted(case, by, dry_run=dry_run)
        case = await self._parked(id_)
        if happened is True:
            return await self._happened(case, by, key, dry_run=dry_run)
        if key is not None:
            raise Invalid(
                "A number goes with a write that happened.", errors=[{"field": "key", "reason": "not expected"}]
            )
        if happened is False:
            return await self._not_happened(case, by, dry_run=dry_run)
        if case.in_doubt:
            raise _moved(case, "Nobody knows whether the ERP carried it out: look there, and say whether it happened.")
        more = {"answer": _NOT_DONE} if case.leg.authoritative and case.operation.answer is None else {}
        return await self._act(case, "close", by, "void", {"leg": "given up"}, dry_run=dry_run, **more)

    async def _happened(self, case: Case, by: Acting, key: str | None, *, dry_run: bool) -> Acted:
        """The ERP has it: the crosswalk learns the number, and steps that are left are taken."""
        intent, leg = case.operation.intent, case.leg
        if not leg.authoritative and case.operation.legs[0].state != "done":
            raise _moved(case, "The side in charge has not taken the write yet: wait for it, it may refuse.")
        translation = await self._spoken(case)
        if translation is None:
            return await self._typed_in(case, by, key, dry_run=dry_run)
        native, names, number = await self._named(case, translation, key)
        shown = {"leg": "done", "key": number}
        step = case.step._replace(state="done", note=by.reason) if case.step is not None and case.in_doubt else None
        left = len(translation.plan.verbs.get(intent.verb, ())) - leg.step - 1
        if step is not None and left > 0:
            following = self._following(case, step.number + 1)
            after = {**shown, "leg": f"{left} steps left"}
            more: dict[str, Any] = {"key": native, "names": names, "step": step, "next_step": following}
            return await self._act(case, "close", by, "reopen", after, dry_run=dry_run, **more)
        answer = dumped({"key": number or intent.key, "document": None, "etag": None}) if leg.authoritative else None
        beside = await self._kept_beside(case, translation, number)
        more = {"key": native, "names": names, "step": step, "answer": answer, "beside": beside}
        return await self._act(case, "close", by, "finish", shown, dry_run=dry_run, **more)

    async def _typed_in(self, case: Case, by: Acting, key: str | None, *, dry_run: bool) -> Acted:
        """Somebody has entered it in an ERP with which the gateway cannot speak of it. Its number there need not be known."""
        intent = case.operation.intent
        if key is not None and intent.key is None:
            await self._free(case, key)
        names = (Names(intent.object, intent.lane, erp_space(case.row.erp), key),) if key and intent.key is None else ()
        return await self._act(case, "close", by, "finish", {"leg": "done", "key": key}, dry_run=dry_run, names=names)

    async def _kept_beside(self, case: Case, translation: Translation, number: str | None) -> Beside | None:
        """What the gateway keeps of the write for an ERP without a field for it. Raises: CaseMoved: nobody can find it again."""
        intent, erp, document = case.operation.intent, case.row.erp, document_of(case)
        if document is None or not translation.plan.beside:
            return None
        asked = document["patch"] if intent.verb == "change" else document
        lost = sorted(translation.plan.beside & asked.keys())
        key = number or await self._own_number(case)
        if key is None and lost:
            words = f"its fields {', '.join(lost)} stand in the gateway under the document's number"
            raise _moved(
                case, f"{erp} lacks a part of the write, {words} there, and nobody knows that: import it first."
            )
        body = await for_erp(self._crosswalk, erp, intent.object, asked)
        return kept_beside(erp, translation.plan, intent, key, body) if key is not None else None

    async def _own_number(self, case: Case) -> str | None:
        intent, erp = case.operation.intent, case.row.erp
        if intent.key is None:
            return None
        named = keyed(intent.object)
        content = await self._contents(intent.content)
        same = case.leg.authoritative or named in content.manifest(erp).same_numbers
        return own_number(await self._crosswalk.of(named, intent.lane), erp, intent.key, same=same)

    def _following(self, case: Case, number: int) -> StepRecord:
        now_us = self._now_us()
        return StepRecord(number, "not_sent", step_token(case.row.intent, case.row.side, number), now_us, now_us)

    async def _named(
        self, case: Case, translation: Translation, key: str | None
    ) -> tuple[str | None, tuple[Names, ...], str | None]:
        """The native key as text, what the crosswalk learns, and the number as the dialect reads it. Raises: Invalid."""
        intent = case.operation.intent
        if intent.key is not None:
            if key is not None:
                raise Invalid("The document has its number.", errors=[{"field": "key", "reason": "not expected"}])
            return None, (), None
        if not key:
            reason = "the number that the ERP gave the new document"
            raise Invalid("A new document's number must be told.", errors=[{"field": "key", "reason": reason}])
        try:
            known = told(translation, key, intent.plant)
        except NoSuchNumber as err:
            reason = f"{case.row.erp} has no such numbers: {err}"
            raise Invalid("This is no number of the ERP.", errors=[{"field": "key", "reason": reason}]) from err
        native, number = known.native, known.number
        await self._free(case, number)
        own = Names(intent.object, intent.lane, erp_space(case.row.erp), number)
        shown = Names(intent.object, intent.lane, SHOWN, number)
        return dumped(dict(native)), (own, shown) if case.leg.authoritative else (own,), number

    async def _free(self, case: Case, number: str) -> None:
        """Raises: Invalid: the number is another document's."""
        other = await self._crosswalk.holder(case.row.object, erp_space(case.row.erp), number)
        if other not in (None, case.row.lane):
            reason = f"{case.row.erp} {number} is the document {other}"
            raise Invalid("The number is another document's.", errors=[{"field": "key", "reason": reason}])

    async def _not_happened(self, case: Case, by: Acting, *, dry_run: bool) -> Acted:
        """The ERP has it not: sent again, once no call of it can take effect any more."""
        step = case.step
        if step is None or not case.in_doubt:
            raise _moved(case, "The case is in no doubt: replay it, or close it without saying whether it happened.")
        now_us = self._now_us()
        if now_us < step.quiet_us:
            until = datetime.fromtimestamp(step.quiet_us / 1_000_000, UTC).isoformat(timespec="seconds")
            raise _moved(case, f"Until {until} a call on its way may still take effect: look again after that.")
        again = step._replace(state="not_sent", sent_us=now_us, note=by.reason)
        return await self._act(case, "close", by, "reopen", {"leg": "sent again"}, dry_run=dry_run, step=again)

    async def _noted(self, case: Case, by: Acting, *, dry_run: bool) -> Acted:
        acted = _acted(case, "close", {"leg": case.leg.state}, dry_run=dry_run)
        if not dry_run and not await self._book.noted(_decision(case, acted, by), self._now_us()):
            raise _moved(case, "Somebody else closed it meanwhile.")
        return acted

    async def _act(
        self, case: Case, action: str, by: Acting, event: Event, after: Mapping[str, Any], *, dry_run: bool, **more: Any
    ) -> Acted:
        acted = _acted(case, action, after, dry_run=dry_run)
        if dry_run:
            return acted
        ref = LegRef(case.row.intent, case.row.side, case.row.lane, case.leg.fence)
        move = Move(ref, event, self._now_us(), decision=_decision(case, acted, by), **more)
        try:
            verdict = await self._journal.do(move)
        except NoSuchMove as err:
            raise _moved(case, f"Somebody else decided meanwhile: {err}.") from err
        if isinstance(verdict, Fenced):
            raise _moved(case, "Somebody else decided meanwhile.")
        return acted

    async def _parked(self, id_: int) -> Case:
        """A case whose leg waits for a person. Raises: NoSuchCase, CaseMoved."""
        case = await self.one(id_)
        if case.row.state != "open" or case.leg.state != "parked":
            raise _moved(
                case, f"Case {id_} is {case.row.state} and its leg {case.leg.state}: nothing waits for a decision."
            )
        return case

    async def _translation(self, case: Case) -> Translation:
        """How the side's dialect says the object. Raises: CaseMoved: it does not."""
        found = await self._spoken(case)
        if found is None:
            raise _moved(
                case,
                f"{case.row.erp} has no {case.row.object} for the gateway: enter it there by hand, and close the case with "
                "whether it happened.",
            )
        return found

    async def _spoken(self, case: Case) -> Translation | None:
        """How the side's dialect says the object, in the content the write was accepted with; None where it does not."""
        content = await self._contents(case.operation.intent.content)
        return content.dialects[content.erps[case.row.erp].dialect].of(case.row.object, case.row.plant)


_NOT_DONE = dumped(
    {"error": {"code": "erp-refused", "detail": "A person decided that this write is not carried out.", "extra": {}}}
)


def _certain(case: Case) -> None:
    if case.in_doubt:
        raise _moved(case, "Nobody knows whether the ERP carried it out: close it, and say whether it happened.")


def _moved(case: Case, detail: str) -> CaseMoved:
    return CaseMoved(detail, state=case.row.state, leg=case.leg.state)


def _acted(case: Case, action: str, after: Mapping[str, Any], *, dry_run: bool) -> Acted:
    kept = case.leg.repaired or case.operation.intent.document
    document = {"document": json.loads(kept)} if kept is not None and action == "repair" else {}
    before = {"leg": case.leg.state, "error": case.leg.error, **document}
    return Acted(case.row.id, action, str(after["leg"]), before, after, dry_run)


def _decision(case: Case, acted: Acted, by: Acting) -> Decision:
    where = {"case": case.row.id, "intent": case.row.intent, "side": case.row.side, "kind": case.row.kind}
    detail = {**where, "through": by.through, "before": acted.before, "after": acted.after}
    return Decision(case.row.id, acted.action, by.actor, by.reason, json.dumps(detail, sort_keys=True))


def document_of(case: Case) -> Any:
    """What the leg is sent with now, in canonical form."""
    kept = case.leg.repaired or case.operation.intent.document
    return loaded(kept) if kept is not None else None
