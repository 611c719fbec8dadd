"""Loading: overlays, parameters and every mistake with its file, line and column."""

from __future__ import annotations

from decimal import Decimal
from textwrap import dedent

import pytest

from gateway.dialects.check import coverage, show, unmapped
from gateway.dialects.library import Dialect, load_dialects
from gateway.errors import ContentError

HEAD = """
title: An ERP
kind: erp
protocol: odata-v4
units: plain
blank: ""
parameters: {company: base}
defaults: {text: text, identifier: text, decimal: decimal_text(scale=$scale), boolean: boolean, date: date_iso,
           datetime: datetime_iso, choice: words(of=$choices), currency: text}
"""
UNITS = "title: Units\nunits: {H87: PC, KGM: KG}\nnearest: {EA: PC}\nreason: counted is counted\n"
POSITION = """
object: inventory_position
native: {set: Stock, key: [Item, Company]}
constants: {Company: $company}
fields:
  item: Item
  plant: Plant
  quantity: Quantity.Value
  unit: Quantity.Unit
ignore: {not asked for: [Weight]}
unsupported: {id: drop(made of the others), storage_location: refuse, batch: refuse, stock_type: refuse, owner: refuse, as_of: drop(now)}
"""


def load(**files: str) -> Dialect:
    texts = {"erp/dialect.yaml": HEAD, "units/plain.yaml": UNITS, "erp/inventory_position.yaml": POSITION}
    texts |= {name.replace("__", "/").replace("_yaml", ".yaml"): dedent(text) for name, text in files.items()}
    return load_dialects(texts, {"1000": "eu", "2000": None})["erp"]


def mistakes(**files: str) -> list[str]:
    with pytest.raises(ContentError) as caught:
        load(**files)
    return [str(m) for m in caught.value.mistakes]


def test_nested_fields_constants_and_units_are_written_and_read() -> None:
    found = load().of("inventory_position", "1000")
    assert found is not None
    document = {"item": "A", "plant": "1000", "quantity": Decimal("2.5"), "unit": "KGM"}
    native = {"Company": "base", "Item": "A", "Plant": "1000", "Quantity": {"Value": "2.500", "Unit": "KG"}}
    assert found.encode(document) == native
    assert found.decode(native) == document
    assert found.encode_key({"item": "A"}) == {"Item": "A", "Company": "base"}
    assert found.encode({"unit": "EA"})["Quantity"] == {"Unit": "PC"}


def test_blank_stands_for_null_in_units_and_closed_lists() -> None:
    found = load().of("inventory_position", "*")
    assert found is not None
    assert found.decode({"Quantity": {"Unit": ""}}) == {"unit": None}
    assert found.encode({"unit": None})["Quantity"] == {"Unit": ""}


def test_a_misspelt_word_for_the_protocol_is_a_mistake_and_not_left_out() -> None:
    """An ERP whose RETURN is looked for under no name says yes to everything."""
    (told,) = mistakes(erp__inventory_position_yaml=POSITION.replace("key: [Item", "retrun: Return, key: [Item"))
    assert told.startswith("erp/inventory_position.yaml:3:")
    assert "there are key, service, set" in told


def test_an_overlay_of_the_region_lies_below_that_of_the_plant() -> None:
    region = """
        overlay: region/eu
        parameters: {company: europe}
        objects:
          inventory_position:
            fields: {batch: ZZ_Batch, storage_location: Place}
        """
    plant = """
        overlay: plant/1000
        objects:
          inventory_position:
            fields: {storage_location: ZZ_Place}
        """
    dialect = load(erp__overlays__eu_yaml=region, erp__overlays__here_yaml=plant)
    here, base = dialect.of("inventory_position", "1000"), dialect.of("inventory_position", "2000")
    assert here is not None
    assert base is not None
    assert here.encode({"batch": "B", "storage_location": "1"}) == {
        "Company": "europe",
        "ZZ_Batch": "B",
        "ZZ_Place": "1",
    }
    assert base.encode({"batch": "B"}) == {"Company": "base"}
    assert "batch" in base.plan.level.unsupported


def test_a_mistake_is_placed_in_the_overlay_whose_word_counts_and_else_in_the_file_below() -> None:
    region = "overlay: region/eu\nobjects:\n  inventory_position:\n    fields: {batch: ZZ_Batch}\n"
    plant = "overlay: plant/1000\nobjects:\n  inventory_position:\n    fields: {batch: Item}\n"
    files = {"erp__overlays__eu_yaml": region, "erp__overlays__here_yaml": plant}
    assert mistakes(**files) == ["erp/overlays/here.yaml:4:14: Item is written by item too"]
    files |= {"erp__overlays__here_yaml": plant.replace("batch: Item", "storage_location: ZZ_Place")}
    dialect, batch, item = load(**files), ("fields", "batch"), ("fields", "item")
    assert dialect.mistake("inventory_position", "1000", batch, "gone").place == "erp/overlays/eu.yaml:4:14"
    assert dialect.mistake("inventory_position", "1000", item, "gone").place == "erp/inventory_position.yaml:6:3"
    assert dialect.mistake("inventory_position", "2000", ("verbs",), "gone").place == "erp/inventory_position.yaml:2:1"


def test_an_overlay_may_take_a_field_away_when_it_says_what_happens_then() -> None:
    overlay = """
        overlay: plant/1000
        objects:
          inventory_position:
            fields: {unit: null}
            unsupported: {unit: drop(always pieces)}
        """
    found = load(erp__overlays__here_yaml=overlay).of("inventory_position", "1000")
    assert found is not None
    assert found.encode({"unit": "KGM"}) == {"Company": "base"}


def test_the_rows_of_a_list_are_laid_over_field_by_field() -> None:
    receipt = """
        object: receipt
        native: {set: R, key: [Id]}
        fields:
          id: Id
          lines:
            each: Lines
            fields: {purchase_order: PO, purchase_order_line: POLine, plant: Plant, quantity: Qty, unit: Unit}
            unsupported: {line: refuse, item: refuse, storage_location: refuse, batch: refuse}
        unsupported: {plant: drop(on the lines), reference: refuse, delivery_note: refuse, document_date: refuse,
                      posting_date: refuse, note: refuse}
        """
    overlay = """
        overlay: plant/1000
        objects:
          receipt:
            fields: {lines: {fields: {batch: ZZ_Batch}}}
        """
    found = load(erp__receipt_yaml=receipt, erp__overlays__here_yaml=overlay).of("receipt", "1000")
    assert found is not None
    assert found.encode({"lines": [{"batch": "B", "unit": "H87"}]}) == {"Lines": [{"Unit": "PC", "ZZ_Batch": "B"}]}


@pytest.mark.parametrize(("old", "new", "said"), [
    ("  item: Item\n", "", "erp/inventory_position.yaml:5:1: the canonical field 'item' is neither mapped nor listed"),
    ("  item: Item\n", "  item: Item\n  colour: Colour\n", "erp/inventory_position.yaml:7:3: no canonical field 'colour'"),
    ("as_of: drop(now)", "as_of: drop", "drop needs a reason"),
    ("id: drop(made of the others)", "id: keep_beside", "it says which document it is: it cannot be kept beside"),
    ("as_of: drop(now)", "as_of: drop(now), item: refuse", "mapped and unsupported at once"),
    ("  plant: Plant\n", "  plant: Item\n", "Item is written by item too"),
    ("  plant: Plant\n", "  plant: {to: Plant, codec: rot13}\n", "no codec 'rot13'"),
    ("  plant: Plant\n", "  plant: {to: Plant, codec: text(most=3)}\n", "unexpected keyword argument 'most'"),
    ("  plant: Plant\n", "  plant: {to: Plant, codec: leading_zeros(width=$width)}\n", "nobody set the parameter $width"),
    ("  plant: Plant\n", "  plant: {to: [A, B]}\n", "the codec joins 1 with 1 fields, not 1 with 2"),
    ("  plant: Plant\n", "  plant: {to: Plant, values: shared}\n", "no value map 'shared'"),
    ("  plant: Plant\n", "  plant: {to: Plant, access: sometimes}\n", "fields.plant.access"),
    ("  plant: Plant\n", "  plant: {each: Plants}\n", "'plant' is no list"),
    ("{Company: $company}", "{Company: $nobody}", "nobody set the parameter $nobody"),
    ("object: inventory_position", "object: stock", "the file is called inventory_position.yaml"),
])  # fmt: skip
def test_a_mistake_is_found_in_its_place(old: str, new: str, said: str) -> None:
    assert old in POSITION
    found = mistakes(erp__inventory_position_yaml=POSITION.replace(old, new))
    assert any(said in text for text in found), found


def test_rows_and_clients_keep_nothing_beside() -> None:
    rows = POSITION.replace("inventory_position", "receipt").replace(
        "{set: Stock, key: [Item, Company]}", "{set: R, key: [Id]}"
    )
    head, _, _ = rows.partition("fields:")
    lines = "fields: {id: Id, lines: {each: Lines, fields: {item: Item}, unsupported: {batch: keep_beside}}}\n"
    assert any("not of its rows" in text for text in mistakes(erp__receipt_yaml=head + lines))
    client = {"erp__dialect_yaml": HEAD.replace("kind: erp", "kind: client").replace("protocol: odata-v4\n", "")}
    kept = POSITION.replace("storage_location: refuse", "storage_location: keep_beside")
    assert any(
        "keep_beside is for an ERP's dialect" in text for text in mistakes(erp__inventory_position_yaml=kept, **client)
    )
    found = load(erp__inventory_position_yaml=kept).of("inventory_position", "1000")
    assert found is not None
    assert found.plan.beside == {"storage_location"}


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    found = mistakes(
        erp__inventory_position_yaml=POSITION.replace("Quantity.Unit", "Quantity.Value"),
        units__other_yaml="title: Other\nunits: {XYZ: q}\n",
        second__dialect_yaml="title: Second\nkind: erp\nunits: nothing\n",
    )
    assert len(found) >= 2


def test_what_a_dialect_covers_is_told_by_policy() -> None:
    [covered] = coverage(load())
    assert covered.mapped == ("item", "plant", "quantity", "unit")
    assert covered.refused == ("storage_location", "batch", "stock_type", "owner")
    assert covered.dropped == ("id", "as_of")
    assert (covered.ignored, covered.verbs) == (1, ("list", "read"))


def test_a_translation_is_shown_as_its_file_says_it() -> None:
    found = load().of("inventory_position", "*")
    assert found is not None
    lines = {line.canonical: line for line in show(found)}
    assert lines["unit"].codec == "units"
    assert lines["unit"].normalising == "counted is counted"
    assert lines["quantity"].native == "Quantity.Value"
    assert lines["quantity"].codec == "decimal_text(scale=$scale)"


def test_a_native_field_that_nobody_speaks_of_is_found_at_any_depth() -> None:
    found = load().of("inventory_position", "*")
    assert found is not None
    native = {"Item": "A", "Weight": 1, "Colour": "red", "Quantity": {"Value": "1", "Grade": 2}, "Company": "base"}
    assert unmapped(found, native) == ("Colour", "Quantity.Grade")
