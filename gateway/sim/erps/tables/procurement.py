# ruff: noqa: E501 - a declaration is read by its columns
"""Purchase orders, their items and schedule lines. Columns as in production.py."""

from gateway.sim.erps.declare import (
    DATE,
    FLAG,
    INSTANT,
    ITEM,
    MONEY,
    QTY,
    RECORD,
    STAMP,
    WHOLE,
    Action,
    Column,
    Table,
    text,
)

# fmt: off
PURCHASE: tuple[Column, ...] = (
    ("company",      text(4),  "-",                          "-",                         "dataAreaId",              "key company fixed"),
    ("purchase",     text(10), "PurchaseOrder",              "=",                         "PurchaseOrderNumber",     "key fixed"),
    ("order_type",   text(4),  "PurchaseOrderType",          "=",                         "PurchaseOrderPoolId",     "fixed"),
    ("company_code", text(4),  "CompanyCode",                "=",                         "-",                       "fixed"),
    ("organisation", text(4),  "PurchasingOrganization",     "=",                         "-",                       "fixed"),
    ("purchasing_group", text(3), "PurchasingGroup",         "=",                         "BuyerGroupId",            ""),
    ("supplier",     text(10), "Supplier",                   "=",                         "OrderVendorAccountNumber", "req supplier fixed index"),
    ("currency",     text(5),  "DocumentCurrency",           "=",                         "CurrencyCode",            ""),
    ("language",     text(2),  "Language",                   "=",                         "LanguageId",              ""),
    ("terms",        text(4),  "PaymentTerms",               "=",                         "PaymentTermsName",        ""),
    ("incoterms",    text(3),  "IncotermsClassification",    "=",                         "-",                       ""),
    ("delivery_terms", text(10), "-",                        "-",                         "DeliveryTermsId",         ""),
    ("net_days",     WHOLE,    "NetPaymentDays",             "=",                         "-",                       "nonneg"),
    ("order_date",   STAMP,    "PurchaseOrderDate",          "=",                         "AccountingDate",          ""),
    ("your_ref",     text(12), "CorrespncExternalReference", "=",                         "VendorOrderReference",    "index"),
    ("our_ref",      text(12), "CorrespncInternalReference", "=",                         "-",                       "index"),
    ("reference",    text(40), "ZZExternalReference",        "YY1_ExternalReference_PDH", "ExternalReference",       "index"),
    ("gateway_id",   text(40), "ZZGatewayId",                "YY1_GatewayId_PDH",         "-",                       "index"),
    ("created_by",   text(12), "CreatedByUser",              "=",                         "-",                       "ro"),
    ("created_on",   STAMP,    "CreationDate",               "=",                         "-",                       "ro"),
    ("proc_status",  text(2),  "PurchasingProcessingStatus", "=",                         "-",                       "ro"),
    ("unreleased",   FLAG,     "ReleaseIsNotCompleted",      "=",                         "-",                       "ro engine"),
    ("status",       text(20), "-",                          "-",                         "PurchaseOrderStatus",     "ro"),
    ("changed_at",   INSTANT,  "LastChangeDateTime",         "=",                         "ModifiedDateTime",        "ro etag"),
)

PURCHASE_ITEM: tuple[Column, ...] = (
    ("company",       text(4),  "-",                         "-",                         "dataAreaId",              "key fixed"),
    ("purchase",      text(10), "PurchaseOrder",             "=",                         "PurchaseOrderNumber",     "key fixed index"),
    ("purchase_item", text(5),  "PurchaseOrderItem",         "=",                         "-",                       "key fixed"),
    ("line_no",       WHOLE,    "-",                         "-",                         "LineNumber",              "key fixed"),
    ("item_text",     text(40), "PurchaseOrderItemText",     "=",                         "LineDescription",         ""),
    ("item",          ITEM,     "Material",                  "=",                         "ItemNumber",              "req item fixed index"),
    ("item_group",    text(9),  "MaterialGroup",             "=",                         "-",                       ""),
    ("plant",         text(4),  "Plant",                     "=",                         "ReceivingSiteId",         "req plant fixed index"),
    ("location",      text(4),  "StorageLocation",           "=",                         "ReceivingWarehouseId",    "location"),
    ("qty",           QTY,      "OrderQuantity",             "=",                         "OrderedPurchaseQuantity", "req positive"),
    ("unit",          text(3),  "PurchaseOrderQuantityUnit", "=",                         "PurchaseUnitSymbol",      "unit"),
    ("price",         MONEY,    "NetPriceAmount",            "=",                         "PurchasePrice",           "nonneg"),
    ("price_per",     QTY,      "NetPriceQuantity",          "=",                         "PurchasePriceQuantity",   "nonneg"),
    ("currency",      text(5),  "DocumentCurrency",          "=",                         "-",                       "ro"),
    ("tax_code",      text(2),  "TaxCode",                   "=",                         "-",                       ""),
    ("is_complete",   FLAG,     "IsCompletelyDelivered",     "=",                         "-",                       "engine"),
    ("delivery_at",   INSTANT,  "-",                         "-",                         "RequestedDeliveryDate",   ""),
    ("received",      QTY,      "-",                         "-",                         "-",                       "engine"),
)

SCHEDULE: tuple[Column, ...] = (
    ("purchase",      text(10), "PurchasingDocument",        "=",                         "-",                       "key fixed index"),
    ("purchase_item", text(5),  "PurchasingDocumentItem",    "=",                         "-",                       "key fixed"),
    ("schedule_line", text(4),  "ScheduleLine",              "=",                         "-",                       "key fixed"),
    ("date_category", text(1),  "DelivDateCategory",         "=",                         "-",                       ""),
    ("delivery_date", DATE,     "ScheduleLineDeliveryDate",  "=",                         "-",                       ""),
    ("unit",          text(3),  "PurchaseOrderQuantityUnit", "=",                         "-",                       "ro"),
    ("qty",           QTY,      "ScheduleLineOrderQuantity", "=",                         "-",                       "positive"),
)

# What was received of a purchase order. D365 lets its users post it; the entity shows what was posted.
RECEIPT: tuple[Column, ...] = (
    ("company",      text(4),  "-",                          "-",                         "dataAreaId",              "key company fixed"),
    ("record",       RECORD,   "-",                          "-",                         "RecordId",                "key ro"),
    ("receipt",      text(20), "-",                          "-",                         "ProductReceiptNumber",    "req fixed index"),
    ("purchase",     text(20), "-",                          "-",                         "PurchaseOrderNumber",     "req fixed index"),
    ("supplier",     text(20), "-",                          "-",                         "OrderVendorAccountNumber", "ro"),
    ("received_at",  INSTANT,  "-",                          "-",                         "ProductReceiptDate",      "fixed"),
)

RECEIPT_LINE: tuple[Column, ...] = (
    ("company",      text(4),  "-",                          "-",                         "dataAreaId",              "key fixed"),
    ("record",       RECORD,   "-",                          "-",                         "ProductReceiptHeaderRecordId", "key ro"),
    ("line_no",      WHOLE,    "-",                          "-",                         "LineNumber",              "key fixed"),
    ("receipt",      text(20), "-",                          "-",                         "ProductReceiptNumber",    "ro"),
    ("purchase",     text(20), "-",                          "-",                         "PurchaseOrderNumber",     "ro"),
    ("purchase_line", WHOLE,   "-",                          "-",                         "PurchaseOrderLineNumber", "fixed"),
    ("item",         ITEM,     "-",                          "-",                         "ItemNumber",              "ro"),
    ("plant",        text(10), "-",                          "-",                         "ReceivingSiteId",         "ro index"),
    ("location",     text(10), "-",                          "-",                         "ReceivingWarehouseId",    "ro"),
    ("batch",        text(20), "-",                          "-",                         "ItemBatchNumber",         "fixed"),
    ("qty",          QTY,      "-",                          "-",                         "ReceivedPurchaseQuantity", "positive fixed"),
    ("ordered",      QTY,      "-",                          "-",                         "OrderedPurchaseQuantity", "ro"),
    ("remaining",    QTY,      "-",                          "-",                         "RemainingPurchaseQuantity", "ro"),
    ("unit",         text(10), "-",                          "-",                         "PurchaseUnitSymbol",      "ro"),
    ("received_at",  INSTANT,  "-",                          "-",                         "ProductReceiptDate",      "ro"),
)
# fmt: on

_SERVICE = ("API_PURCHASEORDER_PROCESS_SRV", "api_purchaseorder")

TABLES = (
    Table(
        "purchase", PURCHASE, can=frozenset({"create", "update", "delete"}),
        legacy=(_SERVICE[0], "A_PurchaseOrder", ""),
        cloud=(_SERVICE[1], "PurchaseOrder", ""),
        d365=("", "PurchaseOrderHeadersV2", ""),
    ),
    Table(
        "purchase_item", PURCHASE_ITEM, parent="purchase", can=frozenset({"create", "update", "delete"}),
        legacy=(_SERVICE[0], "A_PurchaseOrderItem", "to_PurchaseOrderItem"),
        cloud=(_SERVICE[1], "PurchaseOrderItem", "to_PurchaseOrderItem"),
        d365=("", "PurchaseOrderLinesV2", "PurchaseOrderLines"),
    ),
    Table(
        "schedule", SCHEDULE, parent="purchase_item",
        legacy=(_SERVICE[0], "A_PurchaseOrderScheduleLine", "to_ScheduleLine"),
        cloud=(_SERVICE[1], "PurchaseOrderScheduleLine", "to_ScheduleLine"),
    ),
    Table("receipt", RECEIPT, can=frozenset({"create on screen"}), d365=("", "ProductReceiptHeaders", "")),
    Table(
        "receipt_line", RECEIPT_LINE, parent="receipt", can=frozenset(),
        d365=("", "ProductReceiptLinesV2", "ProductReceiptLinesV2"),
    ),
)  # fmt: skip

ACTIONS = (Action("purchase", "release_purchase", "ReleasePurchaseOrder", "Release", "Confirm"),)
