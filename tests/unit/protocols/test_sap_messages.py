"""An ERP's no within a yes of HTTP: BAPIs that tell of it in RETURN, services that tell of it in a header."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.odata_v4 import ODataV4
from gateway.protocols.port import Answer, AnswerBroken, ErpRefusal, HttpReply, Shape

NATIVE = {"service": "/s", "set": "Orders", "key": ["Order"]}
PLAIN, DECLARED = Shape(NATIVE), Shape({**NATIVE, "return": "NavReturn"})
BLOCKED = {
    "Type": "E", "Id": "ME", "Number": "083", "Message": "Enter Material", "LogNo": "", "LogMsgNo": "000000",
    "MessageV1": "", "MessageV2": "", "MessageV3": "", "MessageV4": "", "Parameter": "POITEM", "Row": 1, "Field": "MATERIAL",
    "System": "ECC",
}  # fmt: skip
FAULTY = {
    **BLOCKED,
    "Id": "MEPO",
    "Number": "002",
    "Message": "PO header data still faulty",
    "Parameter": "",
    "Field": "",
}
MADE = {**BLOCKED, "Type": "S", "Id": "06", "Number": "017", "Message": "Order 47 made", "Parameter": "", "Field": ""}
INITIAL = {**BLOCKED, "Type": "", "Id": "", "Number": "000", "Message": "", "Parameter": "", "Field": ""}
SEVERAL = (ODataV2(), ODataV4())
BOTH = pytest.mark.parametrize("codec", SEVERAL, ids=["V2", "V4"])
RETURNED = {
    "type": "E",
    "code": "M3305",
    "message": "No such item",
    "log_no": "",
    "log_msg_no": "000000",
    "message_v1": "X",
}


def said(codec: Any, found: Any, shape: Shape = PLAIN, status: int = 200, **headers: str) -> Answer:
    """What a step with this answer has left behind; lists stand in the envelope of the version."""
    v2 = isinstance(codec, ODataV2)
    body = json.dumps({"d": found} if v2 else found).encode() if found is not None else b""
    answer: Answer = codec.written(shape, HttpReply(status, headers, body))
    return answer


def table(codec: Any, *rows: Any) -> Any:
    return {"results": list(rows)} if isinstance(codec, ODataV2) else list(rows)


def function(codec: Any, *rows: Any) -> Any:
    """The answer of a function that returns a table and nothing else."""
    return (
        {"results": list(rows)}
        if isinstance(codec, ODataV2)
        else {"@odata.context": "$metadata#x", "value": list(rows)}
    )


def upper(row: dict[str, Any]) -> dict[str, Any]:
    """The names as the dictionary of SAP has them."""
    names = {"LogNo": "LOG_NO", "LogMsgNo": "LOG_MSG_NO"} | {f"MessageV{n}": f"MESSAGE_V{n}" for n in range(1, 5)}
    return {names.get(name, name.upper()): value for name, value in row.items()}


@BOTH
@pytest.mark.parametrize("kind", ["E", "A"])
@pytest.mark.parametrize("spelt", [dict, upper])
def test_a_function_that_returns_an_error_refuses_in_its_own_words(codec: Any, kind: str, spelt: Any) -> None:
    rows = [spelt({**row, "Type": kind}) for row in (FAULTY, BLOCKED)]
    with pytest.raises(ErpRefusal) as caught:
        said(codec, function(codec, *rows))
    told = caught.value
    assert (told.kind, told.message, told.code, told.field) == ("invalid", "Enter Material", "ME/083", "MATERIAL")


@BOTH
def test_one_structure_is_read_as_a_table_of_one_also_below_the_name_of_its_function(codec: Any) -> None:
    for found in (BLOCKED, {"ReleaseOrder": BLOCKED}, RETURNED, {"Return": RETURNED}):
        with pytest.raises(ErpRefusal):
            said(codec, found)
    assert said(codec, {"ReleaseOrder": INITIAL}) == Answer()


@BOTH
def test_an_error_beside_a_document_refuses_where_the_dialect_names_its_place(codec: Any) -> None:
    found = {"Order": "47", "Quantity": "1", "NavReturn": table(codec, MADE, BLOCKED)}
    with pytest.raises(ErpRefusal, match="Enter Material"):
        said(codec, found, DECLARED, 201)
    assert said(codec, found, PLAIN, 201).key == {"Order": "47"}


@BOTH
@pytest.mark.parametrize("kind", ["S", "W", "I"])
def test_a_success_a_warning_and_an_information_are_a_yes_and_no_part_of_the_document(codec: Any, kind: str) -> None:
    row = {**BLOCKED, "Type": kind}
    answer = said(codec, {"Order": "47", "NavReturn": table(codec, row)}, DECLARED, 201)
    assert (answer.document, answer.key) == ({"Order": "47"}, {"Order": "47"})
    assert said(codec, function(codec, row)) == Answer()


@BOTH
def test_where_nothing_is_said_there_is_nothing_to_refuse(codec: Any) -> None:
    nothing: list[Any] = [None, table(codec), {"__deferred": {"uri": "x"}}, {**INITIAL}]
    for each in nothing:
        assert said(codec, {"Order": "47", "NavReturn": each}, DECLARED, 201).document == {"Order": "47"}
    assert said(codec, {"Order": "47"}, DECLARED, 201).document == {"Order": "47"}
    assert said(codec, None, DECLARED, 204) == Answer()


@BOTH
@pytest.mark.parametrize(
    "row", [{**BLOCKED, "Type": "X"}, {**BLOCKED, "Type": 1}, {**BLOCKED, "Type": ""}, {"Text": "?"}, "E"],
    ids=["exit", "number", "untyped", "another", "text"],
)  # fmt: skip
def test_a_message_that_nobody_understands_is_neither_a_yes_nor_a_no(codec: Any, row: Any) -> None:
    with pytest.raises(AnswerBroken):
        said(codec, {"Order": "47", "NavReturn": table(codec, MADE, row)}, DECLARED, 201)
    with pytest.raises(AnswerBroken):
        said(codec, function(codec, MADE, row))


@BOTH
def test_a_return_that_is_no_table_is_neither_a_yes_nor_a_no(codec: Any) -> None:
    for value in ("E", 7, {"results": "E"}):
        with pytest.raises(AnswerBroken):
            said(codec, {"Order": "47", "NavReturn": value}, DECLARED, 201)


@BOTH
def test_documents_that_look_a_little_like_a_message_are_documents(codec: Any) -> None:
    for found in ({"Type": "E", "Message": "a note", "Order": "47"}, {"Order": "47", "Code": "E", "Message": "x"}):
        assert said(codec, dict(found), status=201).document == found


# The headers

WARNING = {"code": "V1/302", "message": "The date was moved", "severity": "warning", "target": "Date", "details": []}
NO = {"code": "ME/083", "message": "Enter Material", "severity": "error", "target": "Material", "details": []}
V4_NO = {"code": "ME/083", "message": "Enter Material", "numericSeverity": 4, "target": "Material", "transition": True}
XML = (
    '<notification xmlns:sap="http://www.sap.com/Protocols/SAPData"><code>ME/083</code><message>Enter Material</message>'
    "<severity>error</severity><target></target><details><detail><code></code><message>Enter it</message><target>Material"
    "</target><severity>error</severity></detail></details></notification>"
)


@BOTH
@pytest.mark.parametrize(
    "headers",
    [
        {"sap-message": json.dumps(NO)},
        {"sap-message": json.dumps({**NO, "target": "", "details": [WARNING, NO]})},
        {"sap-message": XML},
        {"sap-messages": json.dumps([WARNING, V4_NO])},
        {"sap-messages": f"{json.dumps(WARNING)}, {json.dumps(V4_NO)}"},
    ],
    ids=["json", "details", "xml", "V4", "twice"],
)
@pytest.mark.parametrize("status", [200, 201, 204])
def test_an_error_in_the_header_refuses_in_its_own_words(codec: Any, headers: dict[str, str], status: int) -> None:
    with pytest.raises(ErpRefusal) as caught:
        said(codec, {"Order": "47"} if status < 204 else None, status=status, **headers)
    told = caught.value
    assert (told.kind, told.message, told.code, told.field) == ("invalid", "Enter Material", "ME/083", "Material")


@BOTH
@pytest.mark.parametrize("severity", ["success", "info", "warning"])
def test_another_message_in_the_header_is_a_yes_whatever_stands_below_it(codec: Any, severity: str) -> None:
    """SAP's own example of a request that succeeded has an error below an information."""
    header = json.dumps({**WARNING, "severity": severity, "details": [NO]})
    assert said(codec, {"Order": "47"}, status=201, **{"sap-message": header}).document == {"Order": "47"}
    header = XML.replace("error", severity, 1)
    assert said(codec, {"Order": "47"}, status=201, **{"sap-message": header}).document == {"Order": "47"}


@BOTH
@pytest.mark.parametrize("header", ["{", "Enter Material", "[7]", "<notification>", "<!DOCTYPE x><notification/>"])
def test_a_header_that_nobody_understands_is_neither_a_yes_nor_a_no(codec: Any, header: str) -> None:
    with pytest.raises(AnswerBroken):
        said(codec, {"Order": "47"}, status=201, **{"sap-message": header})


@BOTH
def test_what_is_said_of_a_document_that_was_read_is_no_refusal_to_read_it(codec: Any) -> None:
    found = {"Order": "47"}
    body = json.dumps({"d": found} if isinstance(codec, ODataV2) else found).encode()
    reply = HttpReply(200, {"sap-message": json.dumps(NO)}, body)
    assert codec.answer(DECLARED, reply).document == found
