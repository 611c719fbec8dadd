"""What both ERPs make by themselves of a confirmation is compared: equal is fine, a difference is one case, and nothing is ever written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import awaited, operation
from tests.e2e.test_direct_edits import cases, feeds, followed, looked, verdicts
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.postgres import Cluster
from tests.support.simulated import Entry, Pair, SimErp, simulated_pair

BOTH = pytest.mark.parametrize("code", ["1000", "2000"])
SETTLE_S = 2.0
HALF = {"cloud": {"derived_share": Decimal("0.5")}}
NONE = {"cloud": {"derived_share": Decimal(0)}}


def compared(made: Deployment) -> Deployment:
    """Both dual phases, feeds looked at all the time, and differences told after two seconds."""
    followed(made).environment["CHANGEOVER_DERIVED_SETTLE_S"] = str(SETTLE_S)
    return made


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose ERPs derive as the test says."""
    with simulated_pair(**getattr(request, "param", {})) as pair:
        yield compared(deployment(tmp_path, pair))


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """One whose new ERP derives nothing, on either database."""
    cluster: Cluster | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with simulated_pair(**NONE) as pair:
        yield compared(deployment(tmp_path, pair, database_url=cluster.create("derived") if cluster else ""))
    if cluster:
        cluster.drop("derived")


def ready(gateway: RunningGateway) -> RunningGateway:
    """Every feed was read once: what comes now is new."""
    awaited(lambda: feeds(gateway) and all(feed["lag_s"] is not None for feed in feeds(gateway).values()))
    return gateway


def released(plant: Plant) -> str:
    answer = plant.ordered()
    number: str = good(answer, 201)["id"]
    awaited(lambda: operation(plant, answer)["state"] == "done")
    answer = plant.act("production-orders", number, "release")
    good(answer)
    awaited(lambda: operation(plant, answer)["state"] == "done")
    return number


def confirmed(plant: Plant, order: str, quantity: str = "4", until: str = "done") -> str:
    """Work is confirmed at the order's last operation, from which ERPs derive what it moved. Gives: the operation."""
    document = {"operation": "20", "quantity": {"value": quantity, "unit": "H87"}}
    answer = plant.act("production-orders", order, "confirm", document)
    assert answer.status_code in (200, 201), answer.text
    awaited(lambda: until in ("", operation(plant, answer)["state"]))
    return str(answer.headers["x-op-id"])


def told(gateway: RunningGateway, verdict: str) -> int:
    lines = gateway.admin("/metrics").text.splitlines()
    start = f'changeover_derived_records{{object="movement",verdict="{verdict}"}} '
    return int(sum(float(line.removeprefix(start)) for line in lines if line.startswith(start)))


def movements(erp: SimErp) -> list[Entry]:
    sets = ("A_MaterialDocumentHeader", "MaterialDocument", "MaterialDocumentHeader")
    return [entry for erp_set in sets for entry in erp.since(0, entity=erp_set) if entry["verb"] == "create"]


def number(entry: Entry) -> str:
    return "-".join(map(str, entry["key"].values()))


def by_hand(erps: Pair) -> None:
    """Somebody posts in the new ERP's own screens what the old one derived last."""
    (document,) = movements(erps.legacy)[-1:]
    lines = [e["after"] for e in erps.legacy.since(0, entity="A_MaterialDocumentItem") if e["unit"] == document["unit"]]
    (order,) = (e["key"] for e in erps.cloud.since(0, entity="ProductionOrder") if e["verb"] == "create")
    kept = ("Material", "Plant", "StorageLocation", "GoodsMovementType")
    rows = [
        {name: line[name] for name in kept}
        | {
            "QuantityInEntryUnit": int(Decimal(line["QuantityInEntryUnit"])),
            "EntryUnit": "PC",
            "ManufacturingOrder": order["ProductionOrder"],
        }
        for line in lines
    ]
    erps.cloud.screen("MaterialDocument", values={"GoodsMovementCode": "02", "_MaterialDocumentItem": rows})


def never_written(erps: Pair) -> None:
    """No movement came from the gateway."""
    assert {entry["origin"] for erp in (erps.legacy, erps.cloud) for entry in movements(erp)} <= {"derived", "screen"}


@BOTH
def test_what_both_erps_derive_alike_is_counted_and_no_case(site: Deployment, code: str) -> None:
    with site.running() as gateway:
        plant = Plant(ready(gateway).client("admin"), code)
        order = released(plant)
        for quantity in ("1", "2", "1"):
            confirmed(plant, order, quantity)
        awaited(lambda: told(gateway, "equal") == 6)
        looked(gateway)
        assert cases(gateway, "derived") == []
        assert (told(gateway, "different"), told(gateway, "apart")) == (0, 0)
        never_written(site.erps)


@BOTH
@pytest.mark.parametrize("site", [HALF], indirect=True, ids=["half"])
def test_other_quantities_are_one_case_that_names_both_documents(site: Deployment, code: str) -> None:
    with site.running() as gateway:
        plant = Plant(ready(gateway).client("admin"), code)
        write = confirmed(plant, order := released(plant))
        (case,) = awaited(lambda: cases(gateway, "derived"))
        ours, theirs = (movements(erp)[0] for erp in (site.erps.legacy, site.erps.cloud))
        for word in (number(ours), number(theirs), "production_receipt 4 H87", "production_receipt 2 H87", order):
            assert word in case["reason"], case["reason"]
        assert (case["operation"], case["object"], case["verb"]) == (write, "confirmation", "create")
        assert case["erp"] == ("s4" if code == "1000" else "ecc")
        looked(gateway)
        looked(gateway)
        assert len(cases(gateway, "derived")) == 1
        never_written(site.erps)
        # A person accepts it: it is not asked again.
        closed = site.cli("case", "close", str(case["case"]), "--reason", "posted by hand", content=False)
        assert closed.exit_code == 0, closed.output
        confirmed(plant, order, "1")
        awaited(lambda: told(gateway, "different") == 4)
        (second,) = cases(gateway, "derived")
        assert "production_receipt 0.5 H87" in second["reason"]
        assert number(theirs) not in second["reason"]


@BOTH
def test_what_one_erp_does_not_derive_is_one_case_whatever_restarts_in_between(stored: Deployment, code: str) -> None:
    with stored.running() as gateway:
        plant = Plant(ready(gateway).client("admin"), code)
        before = verdicts(gateway, "derived")
        write = confirmed(plant, released(plant))
        awaited(lambda: verdicts(gateway, "derived") > before)
    assert movements(stored.erps.cloud) == []
    with stored.running() as gateway:
        (case,) = awaited(lambda: cases(gateway, "derived"))
        assert case["operation"] == write
        (made,) = movements(stored.erps.legacy)
        assert f"ecc has movement {number(made)}" in case["reason"]
        assert "s4 has nothing like it" in case["reason"]
    with stored.running() as gateway:
        looked(ready(gateway))
        looked(gateway)
        assert len(cases(gateway, "derived")) == 1
        never_written(stored.erps)


@BOTH
@pytest.mark.parametrize("site", [NONE], indirect=True, ids=["none"])
def test_a_case_closes_by_itself_once_the_other_erp_has_the_same(site: Deployment, code: str) -> None:
    with site.running() as gateway:
        confirmed(plant := Plant(ready(gateway).client("admin"), code), order := released(plant))
        (case,) = awaited(lambda: cases(gateway, "derived"))
        by_hand(site.erps)
        awaited(lambda: not cases(gateway, "derived"))
        shown = gateway.admin(f"/admin/v1/cases/{case['case']}").json()
        assert (shown["state"], shown["closed_by"]) == ("closed", "gateway")
        assert told(gateway, "equal") == 2
        # The next one is a case of its own.
        confirmed(plant, order, "1")
        (second,) = awaited(lambda: cases(gateway, "derived"))
        assert second["case"] != case["case"]
        never_written(site.erps)


@BOTH
def test_a_movement_that_somebody_posts_for_an_order_in_one_erp_only_is_a_case(site: Deployment, code: str) -> None:
    with site.running() as gateway:
        plant = Plant(ready(gateway).client("admin"), code)
        confirmed(plant, order := released(plant))
        awaited(lambda: told(gateway, "equal") == 2)
        by_hand(site.erps)
        (case,) = awaited(lambda: cases(gateway, "derived"))
        assert "ecc has nothing like it" in case["reason"]
        assert order in case["reason"]
        never_written(site.erps)


@BOTH
def test_what_only_one_erp_confirmed_has_its_own_case_and_no_second_one(site: Deployment, code: str) -> None:
    follower = site.erps.cloud if code == "1000" else site.erps.legacy
    place = "ProdnOrdConf2" if follower is site.erps.legacy else "ProductionOrderConfirmation"
    with site.running() as gateway:
        plant = Plant(ready(gateway).client("admin"), code)
        order = released(plant)
        with follower.fault("status", status=400, method="POST", match=place, count=0):
            confirmed(plant, order, until="")
            (case,) = awaited(lambda: cases(gateway, "split"))
        # It may still be sent again, and derive then: nothing is told of that before somebody decides.
        looked(gateway)
        time.sleep(SETTLE_S)  # by now it would have been told
        looked(gateway)
        assert (told(gateway, "apart"), cases(gateway, "derived")) == (0, [])
        closed = site.cli("case", "close", str(case["case"]), "--reason", "not wanted there", content=False)
        assert closed.exit_code == 0, closed.output
        awaited(lambda: told(gateway, "apart") == 1)
        assert (told(gateway, "different"), cases(gateway, "derived")) == (0, [])


@BOTH
def test_a_movement_of_ours_whose_answer_was_lost_is_not_what_an_erp_derived(tmp_path: Path, code: str) -> None:
    with simulated_pair() as erps, compared(deployment(tmp_path, erps)).running() as gateway:
        plant = Plant(ready(gateway).client("admin"), code)
        line = {"type": "production_issue", "item": "SEAL-7", "plant": code, "from_location": "0001"}
        sent = {"lines": [line | {"order": released(plant), "quantity": {"value": "3", "unit": "H87"}}]}
        keyed = erps.cloud  # what waits in doubt in the other one is a person's from the start
        with keyed.fault("commit_then_drop", method="POST", match="MaterialDocument", count=3):
            answer = plant.act("movements", None, "post", sent)
            awaited(lambda: operation(plant, answer)["state"] == "done")
        looked(gateway)
        time.sleep(2 * SETTLE_S)  # by now a second document, or one that differs, would have been told
        looked(gateway)
        assert [len(movements(erp)) for erp in (erps.legacy, erps.cloud)] == [1, 1]
        assert (told(gateway, "different"), cases(gateway, "derived")) == (0, [])
