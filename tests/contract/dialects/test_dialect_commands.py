"""`changeover dialect check|show|coverage`, as an operator types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from tests.contract.dialects.content import ROOT, dialects, recordings


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "400"}).invoke(app, ["dialect", *arguments])


def rows(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The shipped content, to be changed."""
    for top in ("routes", "policies", "translators"):
        shutil.copytree(ROOT.parent / top, tmp_path / top)
    return tmp_path


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text("utf-8")
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new), "utf-8")


def test_the_check_of_the_shipped_content_finds_nothing_and_says_how_much_it_read() -> None:
    done = run("check")
    assert (done.exit_code, done.stdout.strip()) == (0, ""), done.output
    documents = sum(len(found) for found in recordings().values())
    assert f"{len(dialects())} dialects, {documents} recorded documents, 0 findings" in done.stderr
    assert rows(run("check", "-o", "json")) == []


def test_a_part_list_that_was_looked_up_on_the_way_to_an_order_is_no_order() -> None:
    assert not [document for document in recordings()["tryton", "production_order"] if "code" in document]


def test_coverage_counts_every_object_of_every_dialect() -> None:
    found = {(row["dialect"], row["object"]): row for row in rows(run("coverage", "-o", "json"))}
    assert set(found) == {(d.name, name) for d in dialects().values() for name in d.objects}
    assert found["sap-ecc", "production_order"]["mapped"] > 30
    table = run("coverage", "--dialect", "tryton")
    assert table.exit_code == 0
    assert [line.split()[:2] for line in table.stdout.splitlines()[1:]] == [
        ["tryton", name] for name in dialects()["tryton"].objects
    ]


def test_show_prints_a_mapping_with_the_overlays_of_a_plant() -> None:
    base = {row["canonical"]: row["native"] for row in rows(run("show", "sap-s4", "production_order", "-o", "json"))}
    own = rows(run("show", "sap-s4", "production_order", "--plant", "1000", "-o", "json"))
    assert base["quantity"] == "OrderPlannedTotalQty"
    assert {row["canonical"]: row["native"] for row in own}["reference"] == "YY1_ExternalReference_ORD"
    assert base["reference"] == ""
    assert "YY1_ExternalReference_ORD" in run("show", "sap-s4", "production_order", "--plant", "1000").stdout


@pytest.mark.parametrize("arguments", [
    ("check", "--dialect", "sap"), ("coverage", "--dialect", "sap"), ("show", "sap", "item"), ("show", "sap-s4", "car"),
])  # fmt: skip
def test_a_dialect_or_an_object_that_is_not_there_is_a_mistake_of_whoever_types(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "no dialect 'sap'; there are " in done.stderr or "sap-s4 has no object 'car'" in done.stderr


@pytest.mark.parametrize("command", [("check",), ("coverage",), ("show", "sap-s4", "item")])
def test_a_wrong_dialect_is_refused_with_file_line_and_column(edited: Path, command: tuple[str, ...]) -> None:
    edit(
        edited,
        "translators/sap-s4/overlays/region-eu.yaml",
        "      reference: {to: YY1_ExternalReference_ORD, ",
        "      referenz: {to: YY1_ExternalReference_ORD, ",
    )
    done = run(*command, "--content", str(edited))
    assert done.exit_code == 1
    assert "sap-s4/overlays/region-eu.yaml:6:" in done.stderr


def test_a_field_that_the_erp_has_and_the_dialect_forgets_fails_the_check(edited: Path) -> None:
    edit(edited, "translators/tryton/production_order.yaml", "[bom, routing, work_center]", "[bom, work_center]")
    done = run("check", "--dialect", "tryton", "--content", str(edited), "-o", "json")
    assert done.exit_code == 1
    assert [(row["kind"], row["field"]) for row in json.loads(done.stdout)] == [("unmapped", "routing")]
