"""Which numbers an ERP gives by itself, and how it writes them: why each manifest declares its ranges."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.core.manifests import Numbers
from gateway.reads.authoritative import key_of
from gateway.sim.erps.tables.numbers import RANGES
from tests.integration.manifests.subjects import Subject, manifests
from tests.integration.real.samples_tryton import TABLES, TrytonTruth

SERIES = {
    "production_order": "order", "confirmation": "group", "movement": "movement", "receipt": "movement", "purchase_order": "purchase",
}  # fmt: skip
COUNTED = TABLES | {"confirmation": "production_work_cycle"}


def declared(wanted: Callable[[str, Numbers], bool]) -> pytest.MarkDecorator:
    """Run a test for every object whose numbers a manifest declares, where it is true."""
    found = [
        (manifest.manifest, object_, numbers)
        for manifest in manifests()
        for object_, ranges in manifest.number_ranges.items()
        for numbers in ranges
        if wanted(manifest.manifest, numbers)
    ]
    return pytest.mark.parametrize(("name", "object_", "numbers"), found, ids=[f"{m}-{o}" for m, o, _ in found])


def said_by(test: str) -> Callable[[str, Numbers], bool]:
    return lambda _, numbers: numbers.shown_by == f"test_numbers.py::{test}"


@declared(said_by("test_a_new_document_has_a_number_of_the_range"))
async def test_a_new_document_has_a_number_of_the_range(subject: Subject, object_: str, numbers: Numbers) -> None:
    # mock-sap books a movement only as the receipt of a purchase order, and numbers both together.
    made = "receipt" if object_ == "movement" and "mock-sap" in subject.manifest.manifest else object_
    number = await subject.made(made)
    assert numbers.range.holds(number)
    side = subject.side(made)
    written = str(key_of(side, number)[side.translation.plan.native["key"][0]])
    assert numbers.range.holds(written)
    digits = written.removeprefix(numbers.prefix)
    assert digits == str(int(digits)).zfill(numbers.width)


@declared(lambda manifest, _: manifest in ("ecc", "s4"))
def test_a_range_ends_where_the_simulated_erp_gives_no_more_numbers(name: str, object_: str, numbers: Numbers) -> None:
    own = RANGES["legacy" if name == "ecc" else "cloud"][SERIES[object_]]
    assert (own.prefix, own.first, own.last, own.width) == (numbers.prefix, numbers.first, numbers.last, numbers.width)


@declared(said_by("test_each_table_counts_its_rows_from_one"))
async def test_each_table_counts_its_rows_from_one(subject: Subject, object_: str, numbers: Numbers) -> None:
    assert isinstance(subject.truth, TrytonTruth)
    query = "select start_value, max_value, increment_by from pg_sequences where sequencename = %s"
    (counter,) = subject.truth.server.truth(query, f"{COUNTED[object_]}_id_seq")
    assert (counter["start_value"], counter["max_value"], counter["increment_by"]) == (numbers.first, numbers.last, 1)
