"""What SAP says of a call beside its answer: a BAPI's RETURN, and the `sap-message` header. An HTTP yes may hold the ERP's no.

Only the answer to a step is heard so: a message about a document that was read is part of what there is to know about it.
Source: structures BAPIRET2 and BAPIRETURN; SAP Gateway, "Map Message Container to Message Protocol Format".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gateway.errors import GatewayError
from gateway.protocols import xml
from gateway.protocols.json import loads
from gateway.protocols.port import AnswerBroken, ErpRefusal, HttpReply, Shape

_FIELDS = frozenset(
    ("type", "id", "number", "code", "message", "logno", "logmsgno", "messagev1", "messagev2", "messagev3", "messagev4",
     "parameter", "row", "field", "system")
)  # fmt: skip
_MOST = len(_FIELDS) + 2  # with what the protocol adds; a document has more
_YES, _NO = frozenset(("S", "W", "I")), frozenset(("E", "A"))
_ERROR = "4"  # SAP's numericSeverity: success, info, warning, error


class Message(NamedTuple):
    """One message: whether it is a no, its text, and the code and field it names."""

    error: bool
    text: str
    code: str | None
    field: str | None


def heard(shape: Shape, reply: HttpReply, found: Any) -> Any:
    """The answer to a step, without what the ERP says of it.

    Takes: `found`, the answer's body; `return` of the shape names the member that holds RETURN. An answer that is nothing but
    RETURN is known by its fields.
    Raises: ErpRefusal: it says no. AnswerBroken: it says what nobody understands.
    """
    _refuse(_in_headers(reply.headers))
    rest, rows = _parted(found, shape.native.get("return"))
    _refuse(rows)
    return rest


def _refuse(messages: Iterable[Message]) -> None:
    """Raises: ErpRefusal: with the error that names its field, or else the first."""
    errors = [message for message in messages if message.error]
    if errors:
        told = next((error for error in errors if error.field), errors[0])
        raise ErpRefusal("invalid", told.text, field=told.field, code=told.code)


# RETURN


def _parted(found: Any, name: str | None) -> tuple[Any, list[Message]]:
    """The answer without RETURN, and the messages of RETURN."""
    whole = _unwrapped(found)
    rows = whole if isinstance(whole, list) else [whole]
    if any(_is_row(row) for row in rows):
        return None, [_message(row) for row in rows]
    if name is None or not isinstance(found, dict) or name not in found:
        return found, []
    rest = {member: value for member, value in found.items() if member != name}
    return rest or None, [_message(row) for row in _rows(found[name])]


def _unwrapped(found: Any) -> Any:
    """What an answer holds below envelopes of a single member: `results`, `value`, the function's name."""
    while isinstance(found, dict) and len(found) <= _MOST:
        members = [value for name, value in found.items() if "@" not in name and name != "__metadata"]
        if len(members) != 1 or not isinstance(members[0], dict | list):
            break
        found = members[0]
    return found


def _rows(value: Any) -> list[Any]:
    """A RETURN table or structure; one that was not asked for is none."""
    if value is None or (isinstance(value, dict) and "__deferred" in value):
        return []
    rows = value.get("results", value) if isinstance(value, dict) else value
    if isinstance(rows, dict):
        return [rows]
    if not isinstance(rows, list):
        raise AnswerBroken("RETURN is no table")
    return rows


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by its field names as they are in every spelling: MESSAGE_V1 is MessageV1."""
    return {
        name.replace("_", "").lower(): value for name, value in row.items() if name != "__metadata" and "@" not in name
    }


def _is_row(row: Any) -> bool:
    names = _named(row).keys() if isinstance(row, dict) and len(row) <= _MOST else set[str]()
    return {"type", "message"} <= names <= _FIELDS and bool(names & {"number", "code"})


def _message(row: Any) -> Message:
    """Raises: AnswerBroken: nobody knows whether it is a yes or a no."""
    values = _named(row) if isinstance(row, dict) else {}
    kind, text = values.get("type"), values.get("message") or ""
    initial = kind == "" and not text
    if not isinstance(kind, str) or (kind not in _YES | _NO and not initial):
        raise AnswerBroken(f"RETURN has a row of type {str(kind)[:20]!r}")
    code = f"{values['id']}/{values.get('number', '')}" if values.get("id") else values.get("code")
    return Message(kind in _NO, str(text or code), code or None, values.get("field") or values.get("parameter") or None)


# The headers


def _in_headers(headers: Mapping[str, str]) -> Iterable[Message]:
    """The messages of `sap-message` (V2) and `sap-messages` (V4). What stands below a message is as severe as that at most."""
    for name in ("sap-message", "sap-messages"):
        text = headers.get(name, "").strip()
        if not text:
            continue
        for each in _from_xml(text) if text.startswith("<") else loads(f"[{text}]".encode()):
            yield from (_headed(one) for one in (each if isinstance(each, list) else [each]))


def _from_xml(text: str) -> list[dict[str, Any]]:
    """A notification, which is what SAP writes where a call asked for no other format."""
    try:
        root = xml.loads(text.encode())
    except GatewayError as err:
        raise AnswerBroken(f"the sap-message header cannot be read: {err.detail}") from err
    details = [_texts(detail) for detail in root.iter("{*}detail")]
    return [{**_texts(root), "details": details}]


def _texts(element: Any) -> dict[str, Any]:
    return {child.tag.rpartition("}")[2]: child.text for child in element if len(child) == 0}


def _headed(found: Any) -> Message:
    if not isinstance(found, dict):
        raise AnswerBroken("the sap-message header holds no message")
    below = [found, *(each for each in found.get("details") or () if isinstance(each, dict) and _is_error(each))]
    field = next((each["target"] for each in below if each.get("target")), None)
    code = found.get("code") or None
    return Message(_is_error(found), str(found.get("message") or code), code, field)


def _is_error(message: Mapping[str, Any]) -> bool:
    return message.get("severity") == "error" or str(message.get("numericSeverity")) == _ERROR
