"""What the faults do to a caller, and what the ERP knows happened."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.sim_erps.caller import V2, Caller, v4

ORDERS = v4("api_production_order") + "ProductionOrder"
ORDER = {"ProductionPlant": "1000", "Product": "1234", "OrderPlannedTotalQty": 10}


def rows(cloud: Caller) -> int:
    return len(cloud.truth("ProductionOrder"))


def raw_post(cloud: Caller) -> bytes:
    """The same create on a bare socket: every byte the ERP sends before it closes."""
    url, body = (
        urlsplit(str(cloud.http.base_url)),
        b'{"ProductionPlant":"1000","Product":"1234","OrderPlannedTotalQty":1}',
    )
    cookie = "; ".join(f"{name}={value}" for name, value in cloud.http.cookies.items())
    head = (
        f"POST {ORDERS} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\nCookie: {cookie}\r\n"
        f"X-CSRF-Token: {cloud.headers['X-CSRF-Token']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    seen = b""
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        while part := connection.recv(65536):
            seen += part
    return seen


def test_an_answer_lost_after_the_commit_leaves_the_row(cloud: Caller) -> None:
    cloud.fault(action="commit_then_drop", match="ProductionOrder", method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        cloud.post(ORDERS, ORDER)
    assert rows(cloud) == 1
    assert cloud.get(f"{ORDERS}('50000012')").status_code == 200
    assert cloud.post(ORDERS, ORDER).status_code == 201


def test_not_one_byte_is_sent_when_the_answer_is_lost(cloud: Caller) -> None:
    cloud.fault(action="commit_then_drop", method="POST")
    assert raw_post(cloud) == b""
    assert rows(cloud) == 1


def test_a_connection_dropped_before_the_work_leaves_nothing(cloud: Caller) -> None:
    cloud.fault(action="drop_before", method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        cloud.post(ORDERS, ORDER)
    assert rows(cloud) == 0


def test_a_truncated_answer_ends_in_the_middle_and_the_row_is_there(cloud: Caller) -> None:
    cloud.fault(action="truncate", method="POST")
    seen = raw_post(cloud)
    head, _, body = seen.partition(b"\r\n\r\n")
    promised = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split()[1])
    assert head.startswith(b"HTTP/1.1 201")
    assert 0 < len(body) < promised
    assert rows(cloud) == 1


def test_a_status_fault_does_no_work_and_says_when_to_come_back(cloud: Caller) -> None:
    cloud.fault(action="status", status=503, retry_after_s=7, match="ProductionOrder")
    answer = cloud.post(ORDERS, ORDER)
    assert (answer.status_code, answer.headers["retry-after"], rows(cloud)) == (503, "7", 0)
    assert answer.json()["error"]["code"] == "SY/530"
    assert cloud.post(ORDERS, ORDER).status_code == 201


def test_an_error_can_hide_in_a_200_and_a_success_behind_a_500(cloud: Caller) -> None:
    cloud.fault(action="error_in_200", method="POST")
    answer = cloud.post(ORDERS, ORDER)
    assert (answer.status_code, "error" in answer.json(), rows(cloud)) == (200, True, 0)
    cloud.fault(action="commit_then_status", status=504, method="POST")
    assert (cloud.post(ORDERS, ORDER).status_code, rows(cloud)) == (504, 1)


def test_what_a_bapi_refuses_is_a_200_with_nothing_done_and_what_it_warns_of_is_done(cloud: Caller) -> None:
    cloud.fault(action="bapi_return", method="POST", code="ME/083", message="Enter Material", field="MATERIAL")
    answer = cloud.post(ORDERS, ORDER)
    assert (answer.status_code, rows(cloud)) == (200, 0)
    (row,) = answer.json()["Return"]
    assert (row["TYPE"], row["ID"], row["NUMBER"], row["MESSAGE"]) == ("E", "ME", "083", "Enter Material")
    cloud.fault(action="bapi_return", method="POST", type="W")
    warned = cloud.post(ORDERS, ORDER)
    assert (warned.status_code, warned.json()["Return"][0]["TYPE"], rows(cloud)) == (201, "W", 1)


def test_a_function_of_the_old_erp_returns_nothing_but_return(legacy: Caller) -> None:
    legacy.fault(action="bapi_return", method="POST", type="A", member="")
    answer = legacy.post(V2 + "API_PRODUCTION_ORDER_2_SRV/ReleaseOrder?ManufacturingOrder='000001000000'")
    assert answer.status_code == 200
    assert [row["Type"] for row in answer.json()["d"]["results"]] == ["A"]


def test_a_message_header_says_an_error_of_nothing_done_and_a_warning_of_what_is_done(cloud: Caller) -> None:
    cloud.fault(action="sap_message", method="POST", message="No")
    answer = cloud.post(ORDERS, ORDER)
    assert (answer.status_code, rows(cloud)) == (204, 0)
    assert json.loads(answer.headers["sap-messages"])[0]["numericSeverity"] == 4
    cloud.fault(action="sap_message", method="POST", type="W")
    warned = cloud.post(ORDERS, ORDER)
    assert (warned.status_code, rows(cloud)) == (201, 1)
    assert json.loads(warned.headers["sap-messages"])[0]["numericSeverity"] == 3


def test_a_late_answer_comes_after_the_caller_gave_up_and_the_row_is_there(cloud: Caller) -> None:
    cloud.fault(action="commit_then_delay", delay_s=0.5, method="POST")
    with pytest.raises(httpx.ReadTimeout):
        cloud.http.post(ORDERS, json=ORDER, headers=cloud.headers, timeout=0.1)
    assert rows(cloud) == 1


def test_an_expired_session_is_told_to_fetch_a_new_token(cloud: Caller) -> None:
    cloud.fault(action="csrf_expired", method="POST")
    refused = cloud.post(ORDERS, ORDER)
    assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
    cloud.fetch_token()
    assert cloud.post(ORDERS, ORDER).status_code == 201


def test_a_rule_counts_down_skips_and_can_be_taken_back(cloud: Caller) -> None:
    cloud.fault(action="status", status=500, method="POST", skip=1, count=2)
    assert [cloud.post(ORDERS, ORDER).status_code for _ in range(4)] == [201, 500, 500, 201]
    cloud.fault(action="status", status=429, count=0)
    assert [cloud.get(ORDERS).status_code for _ in range(3)] == [429, 429, 429]
    assert cloud.http.get("/_faults").json()[1]["hits"] == 3
    assert cloud.http.delete("/_faults").status_code == 204
    assert cloud.get(ORDERS).status_code == 200


def test_a_misspelt_rule_is_refused_instead_of_hitting_everything(cloud: Caller) -> None:
    assert cloud.http.post("/_faults", json={"action": "status", "path": "x"}).status_code == 400
    assert cloud.http.post("/_faults", json={"action": "explode"}).status_code == 400
    assert cloud.get(ORDERS).status_code == 200


def test_the_truth_can_be_followed_from_where_one_left_off(cloud: Caller) -> None:
    cloud.post(ORDERS, ORDER)
    known = len(cloud.truth())
    cloud.post(ORDERS, ORDER)
    since = cloud.http.get(f"/_truth?since={known}", headers={"Accept": "application/x-ndjson"})
    lines = since.text.splitlines()
    assert len(lines) == len(cloud.truth()) - known
    assert f'"seq":{known + 1},' in lines[0]
    orders = cloud.http.get("/_truth?entity=ProductionOrder").json()
    assert [entry["entity"] for entry in orders] == ["ProductionOrder"] * 2
    cloud.http.post("/_reset")
    assert cloud.truth() == []
