"""A gateway dies between taking a change and looking at the document: the next one holds it to what its client had read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import Plant, good, purchase
from tests.e2e.moves import awaited, operation
from tests.support.crashes import Site, died, dual_site
from tests.support.gateway import keeping_incoterms
from tests.support.simulated import Pair

ORDERS = "purchase-orders"
LACKING = [edit for dialect in ("sap-ecc", "sap-s4") for edit in keeping_incoterms(dialect)]
PATCHES = pytest.mark.parametrize("more", [{}, {"payment_terms": "0002"}], ids=["kept-alone", "and-of-the-erp"])


def killed(site: Site, more: dict[str, str]) -> tuple[str, str]:
    """A purchase order, and the change of it that a gateway took and did not carry: their number and operation."""
    gateway = site.started()
    plant = Plant(gateway.client("admin"), "1000")
    answer = plant.create(ORDERS, purchase("1000", incoterms="FCA"))
    made = good(answer, 201)
    awaited(lambda: operation(plant, answer)["state"] == "done")
    site.crash_at("accept.after_commit", 1)
    with suppress(httpx.HTTPError):
        plant.change(ORDERS, made["id"], {"incoterms": "EXW", **more}, answer.headers["etag"])
    died(gateway)
    (row,) = site.rows("SELECT id FROM intent WHERE verb = 'change'")
    return made["id"], str(row[0])


def state(plant: Plant, operation_: str) -> str:
    return str(good(plant.http.get(f"/api/v2/operations/{operation_}"))["state"])


@PATCHES
def test_it_is_carried_out_where_nobody_changed_the_document(erps: Pair, tmp_path: Path, more: dict[str, str]) -> None:
    site = dual_site(tmp_path, erps, edits=LACKING)
    key, taken = killed(site, more)
    with site.running() as gateway:
        site.settled(gateway)
        plant = Plant(gateway.client("admin"), "1000")
        assert state(plant, taken) == "done"
        assert good(plant.read(ORDERS, key)).items() >= {"incoterms": "EXW", **more}.items()


@PATCHES
def test_it_is_refused_where_somebody_changed_the_document(erps: Pair, tmp_path: Path, more: dict[str, str]) -> None:
    site = dual_site(tmp_path, erps, edits=LACKING)
    key, taken = killed(site, more)
    erps.legacy.screen("A_PurchaseOrder", key={"PurchaseOrder": key}, values={"PaymentTerms": "0003"})
    with site.running() as gateway:
        site.settled(gateway)
        plant = Plant(gateway.client("admin"), "1000")
        assert state(plant, taken) == "refused"
        found = good(plant.read(ORDERS, key))
    assert (found["incoterms"], found["payment_terms"]) == ("FCA", "0003")
