"""What an ERP says of a call beside its answer: the RETURN of a BAPI behind a service, and SAP's message header."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import orjson

from gateway.sim.erps.wire.messages import Answer

SEVERITIES = {"S": "success", "I": "info", "W": "warning", "E": "error", "A": "error"}
NO = frozenset("EA")
_NAMES = (
    "TYPE",
    "ID",
    "NUMBER",
    "MESSAGE",
    "LOG_NO",
    "LOG_MSG_NO",
    "MESSAGE_V1",
    "PARAMETER",
    "ROW",
    "FIELD",
    "SYSTEM",
)


class Said(NamedTuple):
    """A message. `type` is S, I, W, E or A; `code` is class and number, with a slash between them."""

    type: str
    code: str
    message: str
    field: str

    @property
    def refuses(self) -> bool:
        return self.type in NO


def with_return(answer: Answer, said: Said, member: str, *, v2: bool) -> Answer:
    """The answer with RETURN in `member` beside the document; without a member RETURN is all there is.

    A service that nobody told what to do with RETURN answers a refused call with 200, and with nothing else.
    """
    row = _row(said, v2=v2)
    table: Any = {"results": [row]} if v2 else [row]
    if not member:
        body = {"d": table} if v2 else {"@odata.context": "$metadata#Collection(Z.BAPIRET2)", "value": table}
    elif said.refuses or not answer.body:
        body = {"d": {member: table}} if v2 else {member: table}
    else:
        document = orjson.loads(answer.body)
        body = {"d": document["d"] | {member: table}} if v2 else document | {member: table}
    return Answer(200 if said.refuses else answer.status, answer.headers, orjson.dumps(body))


def with_header(answer: Answer, said: Said, *, v2: bool) -> Answer:
    """The answer with the message in its header."""
    severity = SEVERITIES.get(said.type, said.type)
    told = {"code": said.code, "message": said.message, "severity": severity, "target": said.field, "details": []}
    if v2:
        return answer.with_headers(("sap-message", json.dumps(told)))
    number = list(SEVERITIES.values()).index(severity) + 1 if severity in SEVERITIES.values() else severity
    row = {"code": said.code, "message": said.message, "numericSeverity": number, "target": said.field}
    return answer.with_headers(("sap-messages", json.dumps([row])))


def _row(said: Said, *, v2: bool) -> dict[str, Any]:
    """A row of BAPIRET2; a service of V2 names the fields as its generator does."""
    id_, _, number = said.code.partition("/")
    known = {"TYPE": said.type, "ID": id_, "NUMBER": number, "MESSAGE": said.message, "FIELD": said.field, "ROW": 0}
    row = {name: known.get(name, "") for name in _NAMES}
    return {"".join(part.title() for part in name.split("_")): value for name, value in row.items()} if v2 else row
