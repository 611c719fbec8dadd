"""A system's metadata against its dialect: nothing where they fit, a named change where they do not."""

from __future__ import annotations

import pytest

from gateway.dialects.drift import Change, drift
from gateway.dialects.metadata import Metadata
from gateway.protocols.edmx import metadata_of
from gateway.protocols.port import AnswerBroken
from gateway.sim.erps.tables import model_of
from gateway.sim.erps.wire.metadata2 import metadata2
from gateway.sim.erps.wire.metadata4 import metadata4
from tests.contract.dialects.content import RECORDED, bases, translation

SERVED = [(dialect, name) for dialect, name in bases() if dialect in {"sap-ecc", "sap-s4", "d365"}]
RECORDED_FILES = sorted(RECORDED.glob("*/metadata/*.xml"))


def _simulated(dialect: str, name: str) -> bytes:
    service = str(translation(dialect, name).plan.native["service"])
    if dialect == "sap-ecc":
        return metadata2(model_of("legacy"), service.rpartition("/")[2])
    if dialect == "d365":
        return metadata4(model_of("d365"), "")
    return metadata4(model_of("cloud"), service.split("/")[-2])


@pytest.mark.parametrize(("dialect", "name"), SERVED)
@pytest.mark.parametrize("plant", ["*", "1000"])
def test_no_dialect_has_drifted_from_the_simulated_system(dialect: str, name: str, plant: str) -> None:
    metadata = metadata_of(_simulated(dialect, name))
    assert drift(translation(dialect, name, plant).plan, metadata, metadata) == []


@pytest.mark.parametrize("file", RECORDED_FILES, ids=lambda f: f"{f.parts[-3]}/{f.stem}")
def test_recorded_metadata_is_read_with_its_sets_types_and_navigations(file: object) -> None:
    metadata = metadata_of(file.read_bytes())  # type: ignore[attr-defined]
    assert metadata.sets
    for type_ in metadata.sets.values():
        assert metadata.types[type_].keys
        assert set(metadata.types[type_].navigations.values()) <= set(metadata.types)


NOT_IN_MOCK_SAP = {
    "LastChangeDateTime", "Release", "ReleasePurchaseOrder", "ProductStandardID", "IsBatchManagementRequired",
    "IncotermsClassification",
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "name", "file"), [
    ("sap-ecc", "item", "API_PRODUCT_SRV"), ("sap-ecc", "purchase_order", "API_PURCHASEORDER_PROCESS_SRV"),
    ("sap-s4", "item", "api_product"), ("sap-s4", "purchase_order", "api_purchaseorder"),
])  # fmt: skip
def test_a_smaller_system_only_lacks_properties_and_operations(dialect: str, name: str, file: str) -> None:
    metadata = metadata_of((RECORDED / dialect / "metadata" / f"{file}.xml").read_bytes())
    changes = drift(translation(dialect, name).plan, metadata)
    assert {c.kind for c in changes} <= {"property-gone", "operation-gone"}
    assert {c.where.rpartition(".")[2] for c in changes} <= NOT_IN_MOCK_SAP


def _changed(replace: dict[bytes, bytes], dialect: str = "sap-ecc", name: str = "production_order") -> list[Change]:
    before = _simulated(dialect, name)
    after = before
    for old, new in replace.items():
        assert old in after
        after = after.replace(old, new)
    return drift(translation(dialect, name).plan, metadata_of(after), metadata_of(before))


def test_a_property_that_is_gone_is_named() -> None:
    [new, gone] = sorted(_changed({b'Name="GoodsRecipientName"': b'Name="Recipient"'}), key=lambda c: c.kind)
    assert (gone.kind, gone.where) == ("property-gone", "A_ProductionOrder_2.GoodsRecipientName")
    assert gone.breaks
    assert (new.kind, new.where, new.breaks) == ("new-property", "A_ProductionOrder_2.Recipient", False)


def test_a_property_that_a_constant_is_written_to_is_missed_when_it_is_gone() -> None:
    gone = _changed({b'Name="GoodsMovementType"': b'Name="MovementType"'}, name="receipt")
    assert [c.where for c in gone if c.breaks] == ["A_MaterialDocumentHeader.to_MaterialDocumentItem.GoodsMovementType"]
    assert [c.rule for c in gone if c.breaks] == [("fields", "lines", "constants", "GoodsMovementType")]


def test_a_property_of_a_row_that_is_gone_is_named_with_its_list() -> None:
    changes = _changed({b'Name="RequiredQuantity"': b'Name="Quantity"'})
    assert "A_ProductionOrder_2.to_ProductionOrderComponent.RequiredQuantity" in {c.where for c in changes}


@pytest.mark.parametrize(("old", "new", "kind"), [
    (b'Name="TotalQuantity" Type="Edm.Decimal"', b'Name="TotalQuantity" Type="Edm.String"', "type-changed"),
    (b'Name="GoodsRecipientName" Type="Edm.String" MaxLength="12"',
     b'Name="GoodsRecipientName" Type="Edm.String" MaxLength="8"', "too-short"),
    (b'Name="TotalQuantity" Type="Edm.Decimal" Precision="13" Scale="3"',
     b'Name="TotalQuantity" Type="Edm.Decimal" Precision="13" Scale="1"', "too-coarse"),
    (b'Name="CostCenter" Type="Edm.String"', b'Name="CostCenter" Nullable="false" Type="Edm.String"',
     "became-required"),
    (b'FunctionImport Name="ReleaseOrder"', b'FunctionImport Name="Release"', "operation-gone"),
    (b'EntitySet Name="A_ProductionOrder_2"', b'EntitySet Name="A_ProductionOrder_3"', "set-gone"),
])  # fmt: skip
def test_each_kind_of_change_is_found(old: bytes, new: bytes, kind: str) -> None:
    changes = [c for c in _changed({old: new}) if c.kind == kind]
    assert len(changes) == 1
    assert changes[0].breaks


def test_a_description_list_that_is_gone_is_named() -> None:
    changes = _changed({b'NavigationProperty Name="to_Description"': b'NavigationProperty Name="to_Text"'}, name="item")
    assert Change("navigation-gone", "A_Product.to_Description", "name has no rows to read") in changes


@pytest.mark.parametrize("body", [
    b"", b"<html/>", b"not xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    b'<edmx:Edmx xmlns:edmx="e"><Schema xmlns="s"><EntityType/></Schema></edmx:Edmx>',
])  # fmt: skip
def test_what_is_no_metadata_is_refused(body: bytes) -> None:
    with pytest.raises(AnswerBroken):
        metadata_of(body)


def test_a_type_has_the_properties_of_its_base() -> None:
    body = b"""<Edmx xmlns="e"><DataServices><Schema Namespace="N" xmlns="s">
      <EnumType Name="Colour"/>
      <EntityType Name="Base"><Key><PropertyRef Name="Id"/></Key>
        <Property Name="Id" Type="Edm.String" MaxLength="max"/></EntityType>
      <EntityType Name="Part" BaseType="N.Base"><Property Name="Colour" Type="N.Colour" Nullable="false"/></EntityType>
      <EntityContainer Name="C"><EntitySet Name="Parts" EntityType="N.Part"/></EntityContainer>
    </Schema></DataServices></Edmx>"""
    found: Metadata = metadata_of(body)
    part = found.of_set("Parts")
    assert part is not None
    assert part.keys == ("Id",)
    assert part.properties["Id"].max_length == 0
    assert (part.properties["Colour"].type, part.properties["Colour"].nullable) == ("enum", False)
