"""Two ERPs that give the same numbers are found before a plant is written in both, not after."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.erps.tables.numbers import NumberRange
from tests.e2e.calls import Plant, good
from tests.e2e.changes import DIFFERENT, GATE
from tests.e2e.moves import declare
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import simulated_pair

Start = Callable[[Deployment], RunningGateway]
MANIFEST, OWN, MEETS = (
    "routes/manifests/s4.yaml",
    "first: 4700000000, last: 4799999999",
    "first: 4590000000, last: 4799999999",
)
SWITCH = ("apply", "--unsafe-switch", "--reason", "Saturday night")


def phases(made: Deployment) -> set[str]:
    rows = json.loads(made.cli("wave", "-o", "json", content=False).stdout)
    return {row["phase"] for row in rows if row["plant"] == "1000"}


def planned(made: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(made.cli("plan", "-o", "json").stdout)["unfit_numbers"]
    return found


def line_of(made: Deployment, name: str, text: str) -> int:
    lines = (made.content / name).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize("phase", ["dual_legacy", "dual_cloud", "standby", "cloud"])
def test_a_plant_does_not_move_while_its_two_erps_may_give_the_same_numbers(own: Deployment, phase: str) -> None:
    assert own.cli("apply").exit_code == 0
    own.edit(MANIFEST, OWN, MEETS)
    declare(own, "legacy", phase)
    (unfit,) = planned(own)
    assert (unfit["object"], unfit["shared"]) == ("purchase_order", ["4590000000..4599999999"])
    ours, theirs = unfit["ranges"]
    assert (ours["erp"], ours["ranges"]) == ("ecc", ["4500000000..4599999999"])
    assert (theirs["erp"], theirs["ranges"]) == ("s4", ["4590000000..4799999999"])
    assert theirs["declared_at"] == f"{MANIFEST}:{line_of(own, MANIFEST, 'purchase_order: [')}:3"
    assert "apply refuses" in own.cli("plan").stdout
    refused = own.cli(*SWITCH)
    assert refused.exit_code == GATE
    for word in ("purchase_order", "ecc", "s4", "4590000000..4799999999", ours["declared_at"], theirs["declared_at"]):
        assert word in refused.stderr
    assert phases(own) == {"legacy"}
    own.edit(MANIFEST, MEETS, OWN)
    assert own.cli(*SWITCH).exit_code == 0
    assert phases(own) == {phase}


def test_what_two_erps_have_under_one_number_anyway_may_meet(own: Deployment) -> None:
    assert own.cli("apply").exit_code == 0
    for erp in ("ecc", "s4"):
        own.edit(f"routes/manifests/{erp}.yaml", "number_ranges:\n", "number_ranges:\n  item: [{first: 1, last: 99}]\n")
    own.edit(
        "routes/waves.yaml",
        'plants: ["*"], domains: [master_data], legacy: ecc, cloud: s4',
        'plants: ["*"], domains: [master_data], legacy: ecc, cloud: s4, phase: dual_legacy',
    )
    assert planned(own) == []
    assert own.cli(*SWITCH).exit_code == 0


def test_a_gateway_does_not_start_with_a_plant_in_two_erps_that_may_give_the_same_numbers(own: Deployment) -> None:
    own.edit(MANIFEST, OWN, MEETS)
    declare(own, "legacy", "dual_legacy")
    process = own.process()
    _, said = process.communicate(timeout=60)
    assert process.returncode == GATE
    assert b"purchase_order" in said
    assert b"Traceback" not in said


def test_nothing_holds_up_the_way_back(own: Deployment) -> None:
    declare(own, "legacy", "dual_cloud")
    assert own.cli("apply").exit_code == 0
    own.edit(MANIFEST, OWN, MEETS)
    declare(own, "dual_cloud", "dual_legacy")
    assert own.cli(*SWITCH).exit_code == 0
    assert phases(own) == {"dual_legacy"}
    # But it is said of cells that stay, too.
    check = own.cli("crosswalk", "check", "--exit-code", "-o", "json", content=False)
    assert check.exit_code == DIFFERENT
    assert [each["object"] for each in json.loads(check.stdout)["declared"]] == ["purchase_order"]


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Deployment]:
    """The new ERP gives orders other numbers than its manifest declares."""
    with simulated_pair(cloud={"numbers": {"order": NumberRange(1_500_000, last=1_999_999)}}) as pair:
        yield deployment(tmp_path, pair)


def test_a_number_that_nobody_declared_holds_a_plant_back_until_it_is_declared(
    strange: Deployment, starter: Start
) -> None:
    gateway = starter(strange)
    made = good(Plant(gateway.client("admin"), "3000").ordered(), 201)
    declare(strange, "legacy", "dual_legacy")
    (outside,) = planned(strange)
    assert (outside["object"], outside["numbers"], outside["some"]) == ("production_order", 1, [made["id"]])
    refused = strange.cli(*SWITCH)
    assert refused.exit_code == GATE
    assert made["id"] in refused.stderr
    check = json.loads(strange.cli("crosswalk", "check", "-o", "json", content=False).stdout)
    assert check["outside"] == [outside]
    # Declared as it is, it meets what the old ERP has; another range of its own beside the first one does not.
    own, old = "first: 50000000, last: 59999999", "first: 1500000, last: 1999999"
    strange.edit(MANIFEST, own, old)
    assert [each["shared"] for each in planned(strange)] == [["1500000..1999999"]]
    strange.edit("routes/manifests/ecc.yaml", "first: 1000000, last: 1999999", "first: 1000000, last: 1499999")
    assert strange.cli(*SWITCH).exit_code == 0
    assert phases(strange) == {"dual_legacy"}
