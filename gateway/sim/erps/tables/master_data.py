"""Items, their descriptions and their plant segments. Columns as in production.py."""

from gateway.sim.erps.declare import FLAG, INSTANT, ITEM, QTY, STAMP, Column, Table, text

# fmt: off
PRODUCT: tuple[Column, ...] = (
    ("company",     text(4),  "-",                   "-",                  "dataAreaId",              "key company fixed"),
    ("item",        ITEM,     "Product",             "=",                  "ItemNumber",              "key req fixed"),
    ("item_type",   text(4),  "ProductType",         "=",                  "ProductType",             "req fixed"),
    ("item_group",  text(9),  "ProductGroup",        "=",                  "ProductGroupId",          ""),
    ("unit",        text(3),  "BaseUnit",            "=",                  "InventoryUnitSymbol",     "req unit fixed"),
    ("division",    text(2),  "Division",            "=",                  "-",                       ""),
    ("old_number",  text(18), "ProductOldID",        "=",                  "SearchName",              "index"),
    ("gross",       QTY,      "GrossWeight",         "=",                  "GrossProductWeight",      "nonneg"),
    ("net",         QTY,      "NetWeight",           "=",                  "NetProductWeight",        "nonneg"),
    ("weight_unit", text(3),  "WeightUnit",          "=",                  "-",                       ""),
    ("category",    text(4),  "ItemCategoryGroup",   "=",                  "-",                       ""),
    ("is_marked",   FLAG,     "IsMarkedForDeletion", "=",                  "-",                       ""),
    ("gtin",        text(18), "ProductStandardID",   "=",                  "-",                       "index"),
    ("is_batched",  FLAG,     "IsBatchManagementRequired", "=",            "-",                       ""),
    ("cross_status", text(2), "CrossPlantStatus",    "=",                  "-",                       ""),
    ("name",        text(60), "-",                   "-",                  "ProductName",             ""),
    ("created_by",  text(12), "CreatedByUser",       "=",                  "-",                       "ro"),
    ("created_on",  STAMP,    "CreationDate",        "=",                  "-",                       "ro"),
    ("changed_on",  STAMP,    "LastChangeDate",      "=",                  "-",                       "ro etag"),
    ("changed_at",  INSTANT,  "-",                   "-",                  "ModifiedDateTime",        "ro etag"),
)

DESCRIPTION: tuple[Column, ...] = (
    ("item",        ITEM,     "Product",             "=",                  "-",                       "key fixed index"),
    ("language",    text(2),  "Language",            "=",                  "-",                       "key req fixed"),
    ("description", text(40), "ProductDescription",  "=",                  "-",                       ""),
)

ITEM_PLANT: tuple[Column, ...] = (
    ("company",     text(4),  "-",                   "-",                  "dataAreaId",              "key fixed"),
    ("item",        ITEM,     "Product",             "=",                  "ItemNumber",              "key fixed index"),
    ("plant",       text(4),  "Plant",               "=",                  "OperationalSiteId",       "key req plant fixed index"),
    ("variant",     text(10), "-",                   "-",                  "ProductConfigurationId",  "key fixed"),
    ("colour",      text(10), "-",                   "-",                  "ProductColorId",          "key fixed"),
    ("size",        text(10), "-",                   "-",                  "ProductSizeId",           "key fixed"),
    ("style",       text(10), "-",                   "-",                  "ProductStyleId",          "key fixed"),
    ("version",     text(10), "-",                   "-",                  "ProductVersionId",        "key fixed"),
    ("purchasing_group", text(3), "PurchasingGroup", "=",                  "-",                       ""),
    ("profit_center", text(10), "ProfitCenter",      "=",                  "-",                       ""),
    ("availability", text(2), "AvailabilityCheckType", "=",                "-",                       ""),
    ("mrp_type",    text(2),  "MRPType",             "=",                  "-",                       ""),
    ("procurement", text(1),  "ProcurementType",     "=",                  "-",                       ""),
    ("planner",     text(3),  "MRPResponsible",      "=",                  "-",                       ""),
    ("min_lot",     QTY,      "MinimumLotSizeQuantity", "=",         "MinimumInventoryOrderQuantity", "nonneg"),
    ("max_lot",     QTY,      "MaximumLotSizeQuantity", "=",         "MaximumInventoryOrderQuantity", "nonneg"),
    ("fixed_lot",   QTY,      "FixedLotSizeQuantity", "=",           "StandardInventoryOrderQuantity", "nonneg"),
    ("is_batched",  FLAG,     "IsBatchManagementRequired", "=",            "-",                       ""),
    ("location",    text(4),  "ProductionInvtryManagedLoc", "=",     "InventoryWarehouseId",    "location"),
    ("profile",     text(2),  "ProfileCode",         "=",                  "-",                       ""),
    ("is_marked",   FLAG,     "IsMarkedForDeletion", "=",                  "-",                       ""),
)
# fmt: on

_SERVICE = ("API_PRODUCT_SRV", "api_product")

TABLES = (
    Table(
        "item", PRODUCT,
        legacy=(_SERVICE[0], "A_Product", ""),
        cloud=(_SERVICE[1], "Product", ""),
        d365=("", "ReleasedProductsV2", ""),
    ),
    Table(
        "description", DESCRIPTION, parent="item", can=frozenset({"create", "update", "delete"}),
        legacy=(_SERVICE[0], "A_ProductDescription", "to_Description"),
        cloud=(_SERVICE[1], "ProductDescription", "to_Description"),
    ),
    Table(
        "item_plant", ITEM_PLANT, parent="item",
        legacy=(_SERVICE[0], "A_ProductPlant", "to_Plant"),
        cloud=(_SERVICE[1], "ProductPlant", "to_Plant"),
        d365=("", "ProductSpecificOrderSettingsV3", ""),
    ),
)  # fmt: skip
