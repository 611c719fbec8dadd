"""Content is wrong in many places: one run tells all of them, each where it stands, and none that follows from another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.control.content import load, load_folder, read_folder
from gateway.errors import ContentError
from gateway.settings import shipped

Edit = tuple[str, str, str, str]  # file, old, new, what is said of it
NO_YAML = "cells: [1, 2\n"
ECC, ITEM, V2 = "routes/erps/ecc.yaml", "translators/sap-ecc/item.yaml", "routes/contracts/v2.yaml"
TOGETHER: list[Edit] = [
    (ECC, "title:", "titel:", "titel: is no name that is known here: did you mean title?"),
    (ECC, "title:", "titel:", "title: is missing"),
    (ECC, "dialect: sap-ecc", "dialect: sap-ec", "no ERP dialect 'sap-ec'"),
    ("routes/waves.yaml", "phase: cloud", "phase: clouds", "no phase 'clouds'"),
    ("routes/waves.yaml", "domains: [master_data], legacy: ecc", "domains: [master_data], legacy: eccc", "no ERP 'eccc'"),
    ("routes/plants.yaml", "region: apac", "regio: apac", "plants.3000.regio"),
    (V2, "page_default: 50", "page_default: 0", "limits.page_default"),
    (V2, "filter: [id, item, status, planned.start]", "filter: [id, colour]", "no field 'colour'"),
    ("routes/manifests/ecc.yaml", "same_numbers: [item]", "same_numbers: [itme]", "no object 'itme'"),
    ("routes/manifests/ecc.yaml", "create: {settle: none, max", "create: {settle: hope, max", "settle"),
    (ITEM, "group: {to: ProductGroup", "group: {too: ProductGroup", "fields.group.too"),
    (ITEM, "  net_weight: NetWeight\n", "", "'net_weight' is neither mapped"),
    (ITEM, "base_unit: BaseUnit", "base_unit: ProductType", "ProductType is written by"),
    ("policies/authz.rego", "default allow := false", "default allow := tru", "tru"),
]  # fmt: skip


@pytest.fixture(scope="module")
def good() -> dict[str, str]:
    return read_folder(shipped())


def told(files: dict[str, str]) -> list[str]:
    with pytest.raises(ContentError) as caught:
        load(files)
    return [str(m) for m in caught.value.mistakes]


def edited(files: dict[str, str], edits: list[Edit]) -> dict[str, str]:
    made = dict(files)
    for name, old, new, _ in edits:
        if new not in made[name] or old in made[name]:
            assert made[name].count(old) >= 1, (name, old)
            made[name] = made[name].replace(old, new, 1)
    return made


def test_content_as_it_is_shipped_has_no_mistake(good: dict[str, str]) -> None:
    assert load(good).revision


def test_shape_names_and_rules_are_told_together(good: dict[str, str]) -> None:
    found = told(edited(good, TOGETHER))
    for name, _, _, said in TOGETHER:
        assert [line for line in found if line.startswith(f"{name}:") and said in line], (name, said, found)
    assert len(found) == len(TOGETHER), found


UNREADABLE = (
    "routes/plants.yaml", "routes/waves.yaml", "routes/clients.yaml", V2, ECC, "routes/manifests/ecc.yaml",
    "translators/sap-ecc/dialect.yaml", ITEM, "translators/sap-ecc/overlays/plant-1000.yaml", "translators/units/sap-ecc.yaml",
    "translators/api-v2/dialect.yaml", "policies/manifest.yaml", "policies/data.json", "policies/authz.rego",
)  # fmt: skip
ELSEWHERE: list[Edit] = [
    ("routes/erps/s4.yaml", "dialect: sap-s4", "dialect: sap-s5", "no ERP dialect 'sap-s5'"),
    ("routes/contracts/v1.yaml", "successor: v2", "successor: v7", "no version 'v7'"),
    ("translators/sap-s4/item.yaml", "object: item\n", "object: item\ncolour: red\n", "colour"),
    ("policies/authz_test.rego", "import data.changeover.authz\n", "import data.changeover.authz\n\nx := time.now_ns()\n",
     "the builtin time.now_ns is outside the embedded profile"),
]  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_hides_no_other_and_nothing_follows_from_it(good: dict[str, str], name: str) -> None:
    found = told(edited(good, ELSEWHERE) | {name: NO_YAML})
    for file, _, _, said in ELSEWHERE:
        assert [line for line in found if line.startswith(f"{file}:") and said in line], (file, found)
    (own,) = [line for line in found if line.startswith(f"{name}:")]
    assert own.split(":")[1].isdigit()
    assert len(found) == len(ELSEWHERE) + 1, found


def test_files_that_are_no_text_and_folders_that_are_missing_hide_no_mistake_either(tmp_path: Path) -> None:
    for top in ("routes", "translators"):
        shutil.copytree(shipped() / top, tmp_path / top, ignore=shutil.ignore_patterns("recorded"))
    (tmp_path / ECC).write_bytes(b"erp: \xff\n")
    (tmp_path / ITEM).write_text("object: item\n" + "#" * 5_000_000)
    waves = tmp_path / "routes/waves.yaml"
    waves.write_text(waves.read_text("utf-8").replace("legacy: ecc", "legacy: eccc", 1), "utf-8")
    with pytest.raises(ContentError) as caught:
        load_folder(tmp_path)
    found = [str(m) for m in caught.value.mistakes]
    assert sorted(line.partition(":")[0] for line in found) == ["policies", ECC, "routes/waves.yaml", ITEM], found


def test_every_key_that_stands_twice_is_told(good: dict[str, str]) -> None:
    plants = 'plants:\n  "1000": {name: A, name: B}\n  "1000": {name: C}\n  "2000": {name: D, name: E}\n'
    found = told(good | {"routes/plants.yaml": plants})
    assert [line.split(": ")[0] for line in found] == [
        "routes/plants.yaml:2:21",
        "routes/plants.yaml:3:3",
        "routes/plants.yaml:4:21",
    ]
