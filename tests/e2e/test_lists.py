"""Lists show every document of the plant once, nothing of another plant, and nothing the caller may not see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.calls import Json, Plant, good, purchase_line, refused
from tests.e2e.changes import MOVE, SWITCH, await_applied
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.witness import witness, witnessed_pair

BOTH = pytest.mark.parametrize("code", ["1000", "3000"])


@pytest.fixture
def plant(gateway: RunningGateway, code: str) -> Plant:
    made = Plant(gateway.client("admin"), code)
    for number in range(5):
        good(made.ordered(reference=f"LIST-{number}", item="1234" if number % 2 else "PUMP-100"), 201)
    return made


@BOTH
@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_going_through_all_pages_shows_every_row_once(plant: Plant, limit: int) -> None:
    ids = [row["id"] for row in plant.rows("production-orders", limit=limit, fields="id")]
    assert len(ids) == len(set(ids))
    assert set(ids) == {row["id"] for row in plant.rows("production-orders", limit=200)}
    assert len(ids) >= 5


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_page_is_empty_where_another_plant_bought_much_in_between(hamburg: Plant, limit: int) -> None:
    """The ERP lists the purchase orders of all its plants: only their lines tell whose they are."""
    own = []
    for plant, orders in (("1000", 1), ("2000", 8), ("1000", 2), ("2000", 8), ("1000", 1)):
        made = [good(hamburg.at(plant).bought(), 201)["id"] for _ in range(orders)]
        own += made if plant == "1000" else []
    pages = list(hamburg.pages("purchase-orders", limit=limit))
    assert all(page["items"] for page in pages[:-1])
    ids = [row["id"] for page in pages for row in page["items"]]
    assert len(ids) == len(set(ids))
    assert set(own) <= set(ids) == {row["id"] for row in hamburg.rows("purchase-orders", limit=200)}


def test_a_list_that_would_have_to_go_on_for_long_asks_the_erp_so_often_only_and_the_next_page_goes_on(
    tmp_path: Path, starter: Callable[[Deployment], RunningGateway]
) -> None:
    with witnessed_pair() as pair:
        plant = Plant(starter(deployment(tmp_path, pair)).client("admin"), "1000")
        first = good(plant.bought(), 201)["id"]
        for _ in range(30):
            good(plant.at("2000").bought(), 201)
        last = good(plant.bought(), 201)["id"]
        calls = witness(pair.legacy).calls
        seen, pages = [], 0
        cursor: dict[str, str] = {}
        while True:
            mark = len(calls)
            page = good(plant.listed("purchase-orders", limit=1, **cursor))
            assert len(calls) - mark <= 20
            pages += 1
            seen += [row["id"] for row in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
    assert (seen.count(first), seen.count(last)) == (1, 1)
    assert len(seen) == len(set(seen))
    assert pages < len(calls)


@BOTH
def test_the_link_to_the_next_page_is_the_cursor_of_the_answer(plant: Plant) -> None:
    first = plant.listed("production-orders", limit=2, filter="item eq 'PUMP-100'", order="id desc")
    followed = good(plant.http.get(first.links["next"]["url"]))
    asked = good(
        plant.listed(
            "production-orders", limit=2, filter="item eq 'PUMP-100'", order="id desc", cursor=first.json()["next"]
        )
    )
    assert followed == asked
    assert len(first.json()["items"]) == 2


@BOTH
def test_a_filter_keeps_exactly_the_rows_it_describes(plant: Plant) -> None:
    rows = plant.rows("production-orders")
    some = rows[0]
    filters: dict[str, Callable[[Json], bool]] = {
        "item eq '1234'": lambda r: r["item"] == "1234",
        "item ne '1234'": lambda r: r["item"] != "1234",
        "item in ('1234', 'PUMP-200')": lambda r: r["item"] in ("1234", "PUMP-200"),
        "not (item eq '1234')": lambda r: r["item"] != "1234",
        f"id eq '{some['id']}'": lambda r: r["id"] == some["id"],
        "status eq 'created'": lambda r: r["status"] == "created",
        "status eq 'released'": lambda r: r["status"] == "released",
        "item eq '1234' and status eq 'created'": lambda r: (r["item"], r["status"]) == ("1234", "created"),
        "item eq '1234' or item eq 'PUMP-100'": lambda r: r["item"] in ("1234", "PUMP-100"),
        "planned.start ge 2026-12-01T06:00:00Z": lambda r: r["planned"]["start"] >= "2026-12-01T06:00:00Z",
        "planned.start lt 2026-12-01T06:00:00Z": lambda r: r["planned"]["start"] < "2026-12-01T06:00:00Z",
    }
    for text, keeps in filters.items():
        found = plant.rows("production-orders", filter=text)
        assert [r["id"] for r in found] == [r["id"] for r in rows if keeps(r)], text


@BOTH
@pytest.mark.parametrize("order", ["id", "id desc", "planned.start", "planned.start desc"])
def test_an_order_is_kept_over_all_pages(plant: Plant, order: str) -> None:
    rows = plant.rows("production-orders", order=order, limit=3)
    name, _, direction = order.partition(" ")
    values = [r["planned"]["start"] if name == "planned.start" else r["id"].zfill(12) for r in rows]
    assert values == sorted(values, reverse=direction == "desc")
    assert len(rows) == len(plant.rows("production-orders"))


@BOTH
def test_fields_chooses_what_is_shown_and_nothing_else_changes(plant: Plant) -> None:
    page = good(plant.listed("production-orders", fields="id,quantity", limit=2))
    assert all(set(row) == {"id", "quantity"} for row in page["items"])
    key = page["items"][0]["id"]
    assert set(good(plant.read("production-orders", key, fields="status"))) == {"status"}
    assert refused(plant.listed("production-orders", fields="id,colour"), 400, "malformed")["field"] == "fields"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"), ({"limit": "201"}, "limit"), ({"limit": "x"}, "limit"), ({"limit": "-1"}, "limit"),
        ({"order": "priority"}, "order"), ({"order": "id up"}, "order"), ({"colour": "blue"}, "colour"),
        ({"filter": "priority eq '1'"}, "filter"), ({"filter": "item eq"}, "filter"), ({"filter": "("}, "filter"),
        ({"filter": "item eq '1' or"}, "filter"), ({"filter": "status eq 'unheard'"}, "filter"),
        ({"filter": "planned.start eq 'x'"}, "filter"), ({"filter": "item eq 'a' ; drop"}, "filter"),
        ({"filter": "(" * 400 + "item eq '1'" + ")" * 400}, "filter"),
        *[({"filter": text}, "filter") for text in (
            "item/any(x: x eq '1')", "item/any()", "item/all(x: x eq '1')", "cast(item,'Edm.Int32') eq 1",
            "contains(item,'1')", "now() eq now()", "item eq '1' or 1 eq 1", "1 eq 1", "item eq '1", "item eq '1')",
            "plant eq '2000'",
        )],
        ({"filter": "not (plant ne '2000')"}, "plant"),
    ],
    ids=str,
)  # fmt: skip
def test_a_query_that_means_nothing_is_refused_with_its_parameter(
    hamburg: Plant, query: dict[str, str], field: str
) -> None:
    problem = refused(hamburg.listed("production-orders", **query), 400, "malformed")
    assert problem["field"] in (field, *query["filter"].split()[:1]) if field == "filter" else problem["field"] == field


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ("item eq '" + "x" * 2048 + "'", "more than 2048 bytes"),
        ("(" * 2500, "more than 2048 bytes"),
        ("item in (" + ",".join(["'1'"] * 101) + ")", "more than 100 parts"),
        (" or ".join(["item eq '1'"] * 60), "more than 100 parts"),
        ("not (" * 17 + "item eq '1'" + ")" * 17, "nested deeper than 16"),
    ],
    ids=["2 KiB", "2,500 parentheses", "a list of 101", "a chain of 60", "17 deep"],
)
def test_a_filter_that_costs_too_much_to_read_is_refused(hamburg: Plant, filter_: str, said: str) -> None:
    problem = refused(hamburg.listed("production-orders", filter=filter_), 400, "malformed")
    assert problem["field"] == "filter"
    assert said in problem["detail"]


def test_a_parameter_given_twice_is_refused(hamburg: Plant) -> None:
    refused(hamburg.http.get(hamburg.url("production-orders") + "?limit=1&limit=2"), 400, "malformed")


@pytest.mark.parametrize(
    "cursor", ["", "abc", "W10", "WyJ4Il0", "ü", pytest.param("W1tb" * 1500, id="4,500 opening brackets")]
)
def test_a_cursor_that_no_page_gave_leads_nowhere(hamburg: Plant, cursor: str) -> None:
    problem = refused(hamburg.listed("production-orders", cursor=cursor), 404, "no-such-page")
    assert problem["field"] == "cursor"


@BOTH
def test_a_cursor_belongs_to_its_list(plant: Plant) -> None:
    cursor = good(plant.listed("production-orders", limit=1))["next"]
    for other in ({"limit": 2}, {"limit": 1, "filter": "item eq '1234'"}, {"limit": 1, "order": "id"}):
        assert (
            refused(plant.listed("production-orders", cursor=cursor, **other), 404, "no-such-page")["field"] == "cursor"
        )


@pytest.mark.parametrize("resource", ["production-orders", "purchase-orders"])
def test_a_cursor_of_one_side_means_nothing_on_the_other(hamburg: Plant, pune: Plant, resource: str) -> None:
    cursor = good(hamburg.listed(resource, limit=1))["next"]
    problem = refused(pune.listed(resource, limit=1, cursor=cursor), 404, "no-such-page")
    assert (problem["field"], problem["code"]) == ("cursor", "cursor-expired")


def test_a_cursor_of_before_the_plant_moved_is_refused(changing: RunningGateway) -> None:
    own, running = changing.deployment, changing
    plant = Plant(running.client("admin"), "1000")
    cursor = good(plant.listed("production-orders", limit=1))["next"]
    etag = plant.read("production-orders", "1000000").headers["etag"]
    own.edit("routes/waves.yaml", *MOVE)
    assert own.cli(*SWITCH).exit_code == 0
    await_applied(running)
    problem = refused(plant.listed("production-orders", limit=1, cursor=cursor), 404, "no-such-page")
    assert (problem["code"], problem["field"]) == ("cursor-expired", "cursor")
    key = good(plant.ordered(), 201)["id"]
    refused(plant.change("production-orders", key, {"quantity": {"value": "1"}}, etag), 412, "stale-etag")


@BOTH
@pytest.mark.parametrize(
    "resource",
    [
        "production-orders",
        "purchase-orders",
        "item-plants",
        "inventory-positions",
        "movements",
        "receipts",
        "confirmations",
    ],
)
def test_a_list_shows_the_plants_own_documents_only(plant: Plant, resource: str) -> None:
    for other in ("1000", "2000", "3000"):
        for row in plant.at(other).rows(resource):
            assert row["plant"] == other
            assert other in {line["plant"] for line in row.get("lines", [{"plant": other}])}


@pytest.mark.parametrize(
    "where", ["id ne '0'", "item ne 'x' or id ne '0'", "not (id eq '0')", "item eq 'x' or status ne 'closed'"]
)
def test_no_filter_shows_another_plants_rows(hamburg: Plant, where: str) -> None:
    """Plants 1000 and 2000 are kept by the same ERP."""
    theirs = {row["id"] for row in hamburg.at("2000").rows("production-orders")}
    found = {row["id"] for row in hamburg.rows("production-orders", filter=where)}
    assert theirs
    assert found
    assert not theirs & found


def test_prices_are_not_shown_to_the_warehouse(gateway: RunningGateway, hamburg: Plant) -> None:
    number = good(hamburg.bought(), 201)["id"]
    warehouse = hamburg.by(gateway.client("wms"))
    for row in (good(warehouse.read("purchase-orders", number)), *warehouse.rows("purchase-orders")):
        assert row["buyer_group"]
        for line in row["lines"]:
            assert "quantity" in line
            assert not line.get("price"), line


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_supplier_sees_neither_prices_nor_buyer_in_any_version(gateway: RunningGateway, version: str) -> None:
    portal = Plant(gateway.client("portal"), "1000", version)
    rows = portal.rows("purchase-orders")
    assert rows
    for row in rows:
        text = str(row)
        assert "buyer" not in text
        assert "rice" not in text


def test_a_caller_whose_one_role_sees_the_price_sees_it(gateway: RunningGateway) -> None:
    token = gateway.token(roles=["wms", "buyer"], plants=["1000"])
    both = Plant(gateway.client(None, Authorization=f"Bearer {token}"), "1000")
    assert all(line["price"]["amount"] for row in both.rows("purchase-orders") for line in row["lines"])


def test_nobody_filters_or_orders_by_a_field_that_is_hidden_from_them(changing: RunningGateway) -> None:
    """No version offers a filter on a hidden field, so this one is made to."""
    own, running = changing.deployment, changing
    old = "filter: [id, supplier]\n    order: [id]"
    own.edit("routes/contracts/v2.yaml", old, "filter: [id, supplier, buyer_group]\n    order: [id, buyer_group]")
    assert own.cli("apply").exit_code == 0
    await_applied(running)
    portal, buyer = (Plant(running.client(who), "1000") for who in ("portal", "planning"))
    for query in (
        {"filter": "buyer_group eq '001'"},
        {"order": "buyer_group"},
        {"filter": "id ne '1' and not (buyer_group eq '001')"},
    ):
        good(buyer.listed("purchase-orders", **query))
        problem = refused(portal.listed("purchase-orders", **query), 403, "denied")
        assert problem["reasons"] == ["masked-field"]


def test_a_document_with_lines_for_two_plants_of_one_erp_is_shown_to_both(hamburg: Plant) -> None:
    lines = [purchase_line("1000"), purchase_line("2000", "20")]
    number = good(hamburg.bought(lines=lines), 201)["id"]
    for plant in ("1000", "2000"):
        assert number in {row["id"] for row in hamburg.at(plant).rows("purchase-orders")}


def test_what_one_caller_asked_is_never_the_answer_to_another(gateway: RunningGateway, hamburg: Plant) -> None:
    number = good(hamburg.bought(), 201)["id"]
    masked, full = Plant(gateway.client("wms"), "1000"), Plant(gateway.client("planning"), "1000")
    for _ in range(3):
        assert not good(masked.read("purchase-orders", number))["lines"][0].get("price")
        assert good(full.read("purchase-orders", number))["lines"][0]["price"]["amount"] == "185.0000"


def test_a_caller_of_one_plant_does_not_see_the_lines_of_another(gateway: RunningGateway) -> None:
    key, caller = _for_two(gateway), _buyer_of_1000(gateway)
    assert refused(caller.read("purchase-orders", key), 403, "denied")["reasons"] == ["plant-not-granted"]
    seen = {row["id"]: row for row in caller.rows("purchase-orders")}
    assert seen
    assert key not in seen
    assert {line["plant"] for row in seen.values() for line in row["lines"]} == {"1000"}


def test_a_caller_of_one_plant_does_not_release_what_another_buys(gateway: RunningGateway) -> None:
    key, caller = _for_two(gateway), _buyer_of_1000(gateway)
    with gateway.deployment.erps.untouched():
        refused(caller.act("purchase-orders", key, "release"), 403, "denied")


def _for_two(gateway: RunningGateway) -> str:
    """A purchase order with lines for two plants of the same ERP; not made by the caller that is looked at."""
    lines = [purchase_line("1000"), purchase_line("2000", "20")]
    key: str = good(Plant(gateway.client("admin"), "1000").bought(lines=lines), 201)["id"]
    return key


def _buyer_of_1000(gateway: RunningGateway) -> Plant:
    token = gateway.token(roles=["buyer", "buyer_senior"], plants=["1000"])
    return Plant(gateway.client(None, Authorization=f"Bearer {token}"), "1000")


def test_what_one_plant_hides_is_not_shown_in_a_document_of_another_plant(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    rule = 'mask contains "lines[].price" if {\n\tinput.cell.plant == "2000"\n\tsome role in granting_roles\n\trole == "buyer"\n}\n'
    own.edit("policies/authz.rego", "mask contains path if {", rule + "\nmask contains path if {")
    gateway = starter(own)
    key = _for_two(gateway)
    token = gateway.token(roles=["buyer", "buyer_senior"], plants=["1000", "2000"])
    buyer = Plant(gateway.client(None, Authorization=f"Bearer {token}"), "1000")
    problem = refused(buyer.read("purchase-orders", key), 403, "denied")
    assert problem["reasons"] == ["obligation-not-enforceable:mask"]
    assert (problem["plant"], problem["fields"]) == ("2000", ["lines[].price"])
    assert key not in {row["id"] for row in buyer.rows("purchase-orders")}
    assert good(Plant(gateway.client("admin"), "1000").read("purchase-orders", key))["lines"][1]["price"]
