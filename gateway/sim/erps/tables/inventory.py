"""Goods movements and the stock they move. Columns as in production.py."""

from gateway.sim.erps.declare import DATE, FLAG, INSTANT, ITEM, QTY, TIME, WHOLE, Action, Column, Table, text

# fmt: off
MOVEMENT: tuple[Column, ...] = (
    ("company",       text(4),  "-",                          "-",                   "dataAreaId",             "key company fixed"),
    ("document",      text(10), "MaterialDocument",           "=",                   "-",                      "key fixed ro"),
    ("document_year", text(4),  "MaterialDocumentYear",       "=",                   "-",                      "key fixed ro"),
    ("journal",       text(20), "-",                          "-",                   "JournalNumber",          "key fixed ro"),
    ("document_date", DATE,     "DocumentDate",               "=",                   "-",                      "fixed"),
    ("posting_date",  DATE,     "PostingDate",                "=",                   "-",                      "fixed"),
    ("posted_at",     INSTANT,  "-",                          "-",                   "PostedDateTime",         "fixed"),
    ("reference",     text(16), "ReferenceDocument",          "=",                   "-",                      "index"),
    ("header_text",   text(25), "MaterialDocumentHeaderText", "=",                   "Description",            "index"),
    ("movement_code", text(2),  "GoodsMovementCode",          "=",                   "-",                      "fixed"),
    ("created_on",    DATE,     "CreationDate",               "=",                   "-",                      "ro"),
    ("created_at",    TIME,     "CreationTime",               "=",                   "-",                      "ro"),
    ("created_by",    text(12), "CreatedByUser",              "=",                   "-",                      "ro"),
)

MOVEMENT_ITEM: tuple[Column, ...] = (
    ("company",       text(4),  "-",                          "-",                   "dataAreaId",             "key fixed"),
    ("document",      text(10), "MaterialDocument",           "=",                   "-",                      "key fixed ro"),
    ("document_year", text(4),  "MaterialDocumentYear",       "=",                   "-",                      "key fixed ro"),
    ("journal",       text(20), "-",                          "-",                   "JournalNumber",          "key fixed ro"),
    ("line",          text(4),  "MaterialDocumentItem",       "=",                   "-",                      "key fixed"),
    ("line_no",       WHOLE,    "-",                          "-",                   "LineNumber",             "key fixed"),
    ("item",          ITEM,     "Material",                   "=",                   "ItemNumber",             "req item fixed index"),
    ("plant",         text(4),  "Plant",                      "=",                   "InventorySiteId",        "req plant fixed index"),
    ("location",      text(4),  "StorageLocation",            "=",                   "InventoryWarehouseId",   "location fixed"),
    ("batch",         text(10), "Batch",                      "=",                   "ItemBatchNumber",        "fixed"),
    ("movement_type", text(3),  "GoodsMovementType",          "=",                   "MovementType",           "req fixed"),
    ("supplier",      text(10), "Supplier",                   "=",                   "-",                      "supplier fixed"),
    ("purchase",      text(10), "PurchaseOrder",              "=",                   "PurchaseOrderNumber",    "fixed index"),
    ("purchase_item", text(5),  "PurchaseOrderItem",          "=",                   "-",                      "fixed"),
    ("order",         text(12), "ManufacturingOrder",         "=",                   "ProductionOrderNumber",  "fixed index"),
    ("qty",           QTY,      "QuantityInEntryUnit",        "=",                   "Quantity",               "req positive fixed"),
    ("unit",          text(3),  "EntryUnit",                  "=",                   "UnitSymbol",             "unit fixed"),
    ("to_plant",      text(4),  "IssuingOrReceivingPlant",    "=",                   "-",                      "plant fixed"),
    ("to_location",   text(4),  "IssuingOrReceivingStorageLoc", "=",                 "ToWarehouseId",          "fixed"),
    ("is_cancelled",  FLAG,     "GoodsMovementIsCancelled",   "=",                   "-",                      "ro"),
    ("reversed_doc",  text(10), "ReversedMaterialDocument",   "=",                   "-",                      "ro engine"),
    ("reversed_year", text(4),  "ReversedMaterialDocumentYear", "=",                 "-",                      "ro engine"),
    ("text",          text(50), "MaterialDocumentItemText",   "=",                   "-",                      ""),
)

STOCK: tuple[Column, ...] = (
    ("company",       text(4),  "-",                          "-",                   "dataAreaId",             "key"),
    ("item",          ITEM,     "Material",                   "Product",             "ItemNumber",             "key index"),
    ("plant",         text(4),  "Plant",                      "=",                   "InventorySiteId",        "key index"),
    ("location",      text(4),  "StorageLocation",            "=",                   "InventoryWarehouseId",   "key"),
    ("batch",         text(10), "Batch",                      "=",                   "ItemBatchNumber",        "key"),
    ("supplier",      text(10), "Supplier",                   "=",                   "-",                      "key"),
    ("customer",      text(10), "Customer",                   "=",                   "-",                      "key"),
    ("wbs",           text(8),  "WBSElementInternalID",       "=",                   "-",                      "key"),
    ("sd_document",   text(10), "SDDocument",                 "=",                   "-",                      "key"),
    ("sd_item",       text(6),  "SDDocumentItem",             "=",                   "-",                      "key"),
    ("special",       text(1),  "InventorySpecialStockType",  "=",                   "-",                      "key"),
    ("stock_type",    text(2),  "InventoryStockType",         "=",                   "-",                      "key"),
    ("unit",          text(3),  "MaterialBaseUnit",           "=",                   "InventoryUnitSymbol",    "ro"),
    ("qty",           QTY,      "MatlWrhsStkQtyInMatlBaseUnit", "=",                 "OnHandQuantity",         "ro"),
    ("available",     QTY,      "-",                          "-",                   "AvailableOnHandQuantity", "ro"),
)
# fmt: on

# The sign a movement type gives to the stock of its own location. 311 moves to `to_location` as well.
SIGN = {
    "101": 1, "102": -1, "122": -1, "201": -1, "202": 1, "261": -1, "262": 1, "301": -1, "311": -1, "501": 1,
    "551": -1, "552": 1, "561": 1, "562": -1, "601": -1, "602": 1,
}  # fmt: skip
TRANSFERS = frozenset({"301", "311"})
REVERSAL = {
    "101": "102",
    "102": "101",
    "261": "262",
    "262": "261",
    "201": "202",
    "551": "552",
    "561": "562",
    "601": "602",
}

_SERVICE = ("API_MATERIAL_DOCUMENT_SRV", "api_material_document")

TABLES = (
    Table(
        "movement", MOVEMENT,
        legacy=(_SERVICE[0], "A_MaterialDocumentHeader", ""),
        cloud=(_SERVICE[1], "MaterialDocument", ""),
        d365=("", "InventoryMovementJournalHeaders", ""),
    ),
    Table(
        "movement_item", MOVEMENT_ITEM, parent="movement", can=frozenset(),
        legacy=(_SERVICE[0], "A_MaterialDocumentItem", "to_MaterialDocumentItem"),
        cloud=(_SERVICE[1], "MaterialDocumentItem", "_MaterialDocumentItem"),
        d365=("", "InventoryMovementJournalLines", "InventoryMovementJournalLines"),
    ),
    Table(
        "stock", STOCK, can=frozenset(),
        legacy=("API_MATERIAL_STOCK_SRV", "A_MatlStkInAcctMod", ""),
        cloud=("api_material_stock", "MaterialStock", ""),
        d365=("", "InventoryOnHand", ""),
    ),
)  # fmt: skip

ACTIONS = (Action("movement", "cancel_movement", "Cancel", "Cancel"),)
