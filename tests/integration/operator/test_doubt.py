"""A write that nobody can settle by looking waits for a person who looked into the ERP, and says what is there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.calls import Json, good
from tests.e2e.moves import awaited
from tests.integration.operator.site import Desk
from tests.support.simulated import Entry

BY = ("--reason", "looked at the screen", "--actor", "anna")
# The old ERP's manifest says of confirmations: no key, no field to look them up by.
CONFIRMED = {"operation": "20", "quantity": {"value": "4", "unit": "H87"}}


@pytest.fixture
def desk(desk_1000: Desk) -> Desk:
    return desk_1000


def confirmed(desk: Desk, fault: str) -> tuple[httpx.Response, Json, int]:
    """A confirmation whose answer from the ERP in charge was lost, and its case."""
    made = desk.plant.ordered()
    key = good(made, 201)["id"]
    desk.done(made)
    released = desk.plant.act("production-orders", key, "release")
    desk.done(released)
    mark = desk.leader.length
    with desk.leader.fault(fault, method="POST", match="Conf|CONF"):
        answer = desk.plant.act("production-orders", key, "confirm", CONFIRMED)
        assert answer.status_code == 202, answer.text
        return answer, desk.case_of(answer), mark


def confirmations(desk: Desk, side: str, mark: int) -> list[Entry]:
    found = desk.erp(side).since(mark, origin="api")
    return [e for e in found if e["verb"] == "create" and "onf" in e["entity"]]


def number_of(entry: Entry) -> str:
    return "-".join(str(part) for part in entry["key"].values())


def closed(desk: Desk, case: Json, *more: str) -> Any:
    """Close it as soon as no call on its way can take effect any more."""
    return awaited(
        lambda: (
            desk.gateway.deployment.cli("case", "close", str(case["case"]), *more, *BY, content=False).exit_code == 0
        )
    )


def test_what_did_happen_is_taken_up_with_its_number_and_goes_on_to_the_other_erp(desk: Desk) -> None:
    answer, case, mark = confirmed(desk, "commit_then_drop")
    assert case["kind"] == "doubt"
    assert desk.shown(case)["in_doubt"] is True
    (entry,) = confirmations(desk, "legacy", mark)
    other = desk.erps.cloud.length
    for action in ("replay", "close"):
        assert "case-moved" in desk.run("case", action, str(case["case"]), *BY, exit_code=1)
    closed(desk, case, "--happened", "yes", "--key", number_of(entry))
    desk.done(answer)
    assert len(confirmations(desk, "legacy", mark)) == 1
    assert len(confirmations(desk, "cloud", other)) == 1
    assert desk.shown(case)["names"]["shown"]
    (row,) = desk.audited(case)
    assert (row["action"], row["after"]["leg"]) == ("case.close", "done")


def test_what_did_not_happen_is_sent_again_once_no_call_can_take_effect_any_more(desk: Desk) -> None:
    answer, case, mark = confirmed(desk, "drop_before")
    closed(desk, case, "--happened", "no")
    desk.done(answer)
    assert len(confirmations(desk, "legacy", mark)) == 1
    assert desk.closed(case)["closed_by"] == "gateway"
