"""The numbers of years come in from a list: all of them, or none where one contradicts another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.control.content import load, read_folder
from gateway.control.crosswalk_import import Pair as Numbered
from gateway.control.crosswalk_import import Refused, Wrong, pair_of, take
from gateway.core.intents import Names
from gateway.settings import shipped
from gateway.store.crosswalk import Crosswalk
from gateway.store.crosswalk_bulk import Audit, Overtaken, learn
from gateway.store.engine import Store
from tests.e2e.calls import Plant, good
from tests.integration.operator.site import ORDERS, QUANTITY, Desk
from tests.support.gateway import Deployment, deployment
from tests.support.postgres import Cluster
from tests.support.simulated import Pair

BY = ("--plant", "1000", "--reason", "go-live", "--actor", "anna")
HEAD = "object,canonical,legacy,cloud,shown\n"


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Content that is applied, and no gateway yet."""
    cluster: Cluster | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = cluster.create("crosswalk") if cluster else ""
    addresses = SimpleNamespace(
        legacy=SimpleNamespace(url="http://127.0.0.1:1"), cloud=SimpleNamespace(url="http://127.0.0.1:1")
    )
    made = deployment(tmp_path_factory.mktemp("crosswalk"), cast(Pair, addresses), database_url=url)
    made.edit(
        "routes/manifests/s4.yaml",
        "  purchase_order:\n    create: {",
        "  purchase_order:\n    create: {external_number: id, ",
    )
    assert made.cli("apply").exit_code == 0
    yield made
    if cluster:
        cluster.drop("crosswalk")


def run(site: Deployment, *arguments: str, exit_code: int = 0) -> Any:
    done = site.cli(*arguments, content=False)
    assert done.exit_code == exit_code, done.output
    return json.loads(done.stdout)


def taken(site: Deployment, lines: str, *more: str, exit_code: int = 0, head: str = HEAD) -> Any:
    """Import a file with these lines."""
    path = site.folder / "numbers.csv"
    path.write_text(head + lines, "utf-8")
    return run(site, "crosswalk", "import", str(path), "--json", *BY, *more, exit_code=exit_code)


def names(site: Deployment, object_: str, number: str, *more: str) -> dict[str, str]:
    return {row["space"]: row["number"] for row in run(site, "crosswalk", "show", object_, number, "-o", "json", *more)}


def test_ten_thousand_numbers_come_in_and_once_only(site: Deployment) -> None:
    lines = "".join(f"purchase_order,,{4500000000 + n},{7000000000 + n},\n" for n in range(10_000))
    assert taken(site, lines, "--dry-run") == {"rows": 10_000, "names": 30_000, "wrong": [], "dry_run": True}
    assert taken(site, lines)["names"] == 30_000
    assert taken(site, lines)["names"] == 0
    assert names(site, "purchase_order", "4500000042") == {
        "erp:ecc": "4500000042", "erp:s4": "7000000042", "shown": "4500000042",
    }  # fmt: skip


def test_numbers_are_read_as_the_erp_shows_them(site: Deployment) -> None:
    taken(site, "production_order,,000001004711,9004711,\n")
    assert names(site, "production_order", "1004711")["erp:s4"] == "9004711"


def test_a_document_that_only_the_new_erp_has_is_shown_with_its_number(site: Deployment) -> None:
    taken(site, "item,,,CLOUD-ONLY,\nitem,given-id,OLD-1,NEW-1,SHOWN-1\n")
    assert names(site, "item", "CLOUD-ONLY") == {"erp:s4": "CLOUD-ONLY", "shown": "CLOUD-ONLY"}
    assert names(site, "item", "SHOWN-1") == {"erp:ecc": "OLD-1", "erp:s4": "NEW-1", "shown": "SHOWN-1"}
    assert names(site, "item", "OLD-1", "--erp", "ecc") == names(site, "item", "SHOWN-1")


KNOWN = "item,known-a,A-1,B-1,\nitem,known-b,A-2,B-2,\n"


@pytest.fixture(scope="module")
def pair() -> Numbered:
    return pair_of(load(read_folder(shipped())), "ecc", "s4")


async def offered(site: Deployment, pair: Numbered, lines: str, head: str = HEAD) -> list[Wrong]:
    """Offer lines to the store. Gives: what is wrong with them."""
    database = Store(site.database_url).journal_database()
    try:
        await take(database, StringIO(head + lines), pair, Audit(1, "anna", "go-live"))
    except Refused as err:
        return err.wrong
    finally:
        await database.close()
    return []


async def holder(site: Deployment, number: str) -> str | None:
    database = Store(site.database_url).journal_database()
    try:
        return await Crosswalk(database).holder("item", "erp:ecc", number)
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("lines", "line", "kind", "word"),
    [
        ("invoice,,1,2,\n", 2, "object", "invoice"),
        ("item,,,,\n", 2, "empty", "neither"),
        ("item,,X-1\n", 2, "columns", "3 cells"),
        ("item,,X-1,Y-1,\nitem,,X-1,Y-2,\n", 3, "twice", "line 2"),
        ("item,,X-1,Y-1,\nitem,,X-2,Y-1,\n", 3, "twice", "line 2"),
        ("item,,X-1,Y-1,S\nitem,,X-2,Y-2,S\n", 3, "twice", "line 2"),
        ("item,same,X-1,Y-1,\nitem,same,X-2,Y-2,\n", 3, "twice", "same"),
        ("item,,A-1,Y-1,\n", 2, "store", "B-1"),
        ("item,,A-1,B-2,\n", 2, "store", "known-b"),
        ("item,other,A-1,,\n", 2, "store", "known-a"),
        ("item,,A-1,B-1,S-9\n", 2, "store", "shown"),
        ("purchase_order,,TOO-LONG-FOR-A-PURCHASE-ORDER,,\n", 2, "number", "TOO-LONG"),
        ("item,,X\x00-1,,\n", 2, "number", "legacy"),
        ('item,,Y-1,"X\n-1",\n', 2, "number", "cloud"),
        ("item,,X\u200b-1,,\n", 2, "number", "legacy"),
        ("item,,X-1,,X\u200b-1\n", 2, "number", "shown"),
        ('item,,X-1,Y-1,\nitem,,"X-2,Y-2,\n' + "item,,Z-1,Z-2,\n" * 20_000, 3, "quotes", "never closed"),
        ('item,,"X-2,Y-2,\nitem,,X-3,Y-3,\n', 2, "quotes", "never closed"),
    ],
)
async def test_one_wrong_line_and_nothing_is_taken(
    site: Deployment, pair: Numbered, lines: str, line: int, kind: str, word: str
) -> None:
    assert await offered(site, pair, KNOWN) == []
    (wrong,) = await offered(site, pair, f"{lines}item,,FINE-1,FINE-2,\n")
    assert (wrong.line, wrong.kind) == (line, kind)
    assert word in wrong.reason
    assert await holder(site, "A-1") == "known-a"
    assert await holder(site, "FINE-1") is None


async def test_a_number_that_a_write_learned_meanwhile_stops_the_whole_import(site: Deployment) -> None:
    database = Store(site.database_url).journal_database()
    try:
        names = [Names("item", f"race-{n}", "erp:ecc", f"RACE-{n}") for n in range(3)]
        await learn(database, names[2:], Audit(1, "anna", "first"), "{}")
        with pytest.raises(Overtaken):
            await learn(database, names, Audit(2, "anna", "second"), "{}")
    finally:
        await database.close()
    assert await holder(site, "RACE-0") is None
    assert await holder(site, "RACE-2") == "race-2"


def test_a_dry_run_that_is_refused_says_that_it_was_one(site: Deployment) -> None:
    assert taken(site, "item,,,,\n", "--dry-run", exit_code=1)["dry_run"] is True


def test_a_list_that_is_not_there_is_no_store_that_cannot_be_reached(site: Deployment) -> None:
    done = site.cli("crosswalk", "import", str(site.folder / "nothing.csv"), *BY, content=False)
    assert (done.exit_code, "nothing.csv" in done.output) == (2, True), done.output


def test_every_wrong_line_is_named_at_once(site: Deployment) -> None:
    report = taken(site, "invoice,,1,2,\nitem,,,,\n\nitem,,OK-1,OK-2,\nitem,,OK-1,OK-3,\n", exit_code=1)
    assert [w["line"] for w in report["wrong"]] == [2, 3, 6]


@pytest.mark.parametrize("head", ["object,legacy\n", "object,legacy,cloud,colour\n", "object,legacy,cloud,cloud\n", ""])
async def test_a_file_with_another_heading_is_refused(site: Deployment, pair: Numbered, head: str) -> None:
    (wrong,) = await offered(site, pair, "", head)
    assert (wrong.line, wrong.kind) == (1, "heading")


def test_the_two_erps_must_be_known(site: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HEAD, "utf-8")
    for more in ((), ("--plant", "9999"), ("--legacy-erp", "ecc", "--cloud-erp", "nobody")):
        done = site.cli("crosswalk", "import", str(path), "--reason", "x", *more, content=False)
        assert done.exit_code == 2, done.output


def test_ranges_that_overlap_are_found(site: Deployment) -> None:
    found = run(site, "crosswalk", "check", "-o", "json")
    before = [o["object"] for o in found["overlaps"]]
    assert "purchase_order" not in before
    taken(site, "purchase_order,,7000000005,4500000005,\n")
    found = run(site, "crosswalk", "check", "--exit-code", "-o", "json", exit_code=3)
    assert {"object": "purchase_order", "number": "7000000005", "erps": ["ecc", "s4"]} in found["clashes"]
    (overlap,) = [o for o in found["overlaps"] if o["object"] == "purchase_order"]
    assert overlap["ranges"]["ecc"] == [4500000000, 7000000005]
    assert "item" not in {o["object"] for o in found["overlaps"]}  # one number everywhere, says the manifest


def test_a_number_that_an_erp_was_given_is_not_taken_for_one_of_its_own(site: Deployment) -> None:
    """The new ERP takes purchase orders under the old one's number: only what it has and the old one has not is strange."""

    def outside() -> dict[str, Any]:
        found = run(site, "crosswalk", "check", "-o", "json")["outside"]
        return next(
            (each for each in found if each["object"] == "purchase_order" and _erp(each) == "s4"), {"numbers": 0}
        )

    before = outside()["numbers"]
    taken(site, "".join(f"purchase_order,,{4510000000 + n},{4510000000 + n},\n" for n in range(5)))
    assert outside()["numbers"] == before
    taken(site, "purchase_order,,4510000007,4510000008,\n")
    assert outside()["numbers"] == before + 1


def _erp(unfit: dict[str, Any]) -> str:
    return str(unfit["ranges"][0]["erp"])


def test_an_order_that_both_erps_had_before_is_changed_in_both_under_their_own_numbers(desk_1000: Desk) -> None:
    desk, site = desk_1000, desk_1000.gateway.deployment
    old, new = (desk.make_order(side, "PUMP-100") for side in ("legacy", "cloud"))
    path = site.folder / "orders.csv"
    path.write_text(f"object,legacy,cloud\nproduction_order,{old},{new}\n", "utf-8")
    desk.run("crosswalk", "import", str(path), *BY)
    key = old.lstrip("0")
    read = desk.plant.read("production-orders", key)
    good(read)
    mark = desk.follower.length
    changed = desk.plant.change("production-orders", key, {"quantity": {"value": "31"}}, read.headers["etag"])
    desk.done(changed)
    (entry,) = desk.orders("cloud", mark, "update")
    assert entry["entity"] == ORDERS["cloud"]
    assert new in entry["key"].values()
    assert Decimal(entry["after"][QUANTITY["cloud"]]) == 31


def test_a_case_about_a_write_that_both_erps_have_asks_for_no_number_and_says_so(desk_1000: Desk) -> None:
    """The list gave the order's number in the new ERP to another one: a number told with the close would be dropped in silence."""
    desk, site = desk_1000, desk_1000.gateway.deployment
    taken_number = str(int(desk.make_order("cloud", "PUMP-100")) + 1)
    path = site.folder / "taken.csv"
    path.write_text(f"object,legacy,cloud\nproduction_order,1999999,{taken_number}\n", "utf-8")
    desk.run("crosswalk", "import", str(path), *BY)
    answer = desk.plant.ordered()
    desk.done(answer)
    (case,) = [c for c in desk.cases("--kind", "crosswalk") if c["operation"] == answer.headers["x-op-id"]]
    assert case["leg"] == "done"
    close = ("case", "close", str(case["case"]), "--reason", "looked it up", "--actor", "anna")
    for more in (("--happened", "yes", "--key", taken_number), ("--happened", "no"), ("--key", taken_number)):
        assert "has ended" in desk.run(*close, *more, exit_code=1)
    assert desk.audited(case) == []
    desk.run(*close)
    assert desk.shown(case)["state"] == "closed"


def test_numbers_that_come_in_before_any_plant_moves_count_at_once(erps: Pair, tmp_path: Path) -> None:
    """A plant that was born in the new ERP shows an order by the number that the list gives it, and finds it under that."""
    own = deployment(tmp_path, erps)
    path = own.folder / "orders.csv"
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "3000")
        made = good(plant.ordered(), 201)
        path.write_text(f"object,legacy,cloud,shown\nproduction_order,,{made['id']},OLD-1\n", "utf-8")
        before = json.loads(own.cli("wave", "-o", "json", content=False).stdout)
        refusal = own.cli("crosswalk", "import", str(path), *BY, content=False)
        assert refusal.exit_code == 1, "clients know it under another number"
        number = Desk(gateway, erps, plant).make_order("cloud", "PUMP-100")
        path.write_text(f"object,legacy,cloud,shown\nproduction_order,,{number},OLD-1\n", "utf-8")
        assert own.cli("crosswalk", "import", str(path), *BY, content=False).exit_code == 0
        gateway.await_revision(2)
        assert good(plant.read("production-orders", "OLD-1"))["id"] == "OLD-1"
        assert {row["id"] for row in plant.rows("production-orders")} >= {"OLD-1", made["id"]}
        assert json.loads(own.cli("wave", "-o", "json", content=False).stdout) == before
