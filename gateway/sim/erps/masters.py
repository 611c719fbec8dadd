"""What an ERP knows before the first order: plants, units, suppliers, bills, routings. The same in all ERPs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gateway.sim.erps.declare import Face


@dataclass(frozen=True, slots=True)
class Plant:
    plant: str
    name: str
    company_code: str
    company: str  # D365 legal entity
    currency: str
    locations: tuple[str, ...]
    zone: str  # SAP keeps days and times of day as they are on the plant's wall


@dataclass(frozen=True, slots=True)
class Item:
    number: str
    name: str
    item_type: str
    group: str
    unit: str
    weight: str
    price: str
    price_per: int


PLANTS = {
    "1000": Plant("1000", "Hamburg", "1000", "demf", "EUR", ("0001", "0002", "0088"), "Europe/Berlin"),
    "2000": Plant("2000", "Milwaukee", "2000", "gbmf", "GBP", ("0001", "0002"), "America/Chicago"),
    "3000": Plant("3000", "Pune", "3000", "usmf", "USD", ("0001", "0002"), "Asia/Kolkata"),
}

ITEMS = (
    Item("1234", "Hydraulic cylinder 40 bar", "FERT", "L001", "PC", "12.500", "240.00", 1),
    Item("1235", "Hydraulic cylinder 63 bar", "FERT", "L001", "PC", "18.250", "310.00", 1),
    Item("PUMP-100", "Centrifugal pump 100", "FERT", "L001", "PC", "45.000", "890.00", 1),
    Item("PUMP-200", "Centrifugal pump 200", "FERT", "L001", "PC", "61.000", "1150.00", 1),
    Item("4711", "Cylinder tube", "HALB", "L002", "PC", "6.100", "48.00", 1),
    Item("HOUSING-3", "Pump housing, cast", "HALB", "L002", "PC", "22.000", "130.00", 1),
    Item("MOTOR-50", "Motor 5 kW", "ROH", "L003", "PC", "17.500", "275.00", 1),
    Item("SEAL-7", "Shaft seal 7 mm", "ROH", "L003", "PC", "0.020", "185.00", 100),
    Item("BOLT-M8", "Bolt M8x40", "ROH", "L003", "PC", "0.015", "6.20", 100),
    Item("5001", "Hydraulic oil HLP 46", "ROH", "L004", "L", "0.880", "3.95", 1),
    Item("STEEL-10", "Steel bar 10 mm", "ROH", "L004", "M", "0.617", "412.50", 1000),
)

BILLS: dict[str, tuple[tuple[str, str], ...]] = {
    "1234": (("4711", "1"), ("SEAL-7", "2"), ("5001", "0.250")),
    "1235": (("4711", "1"), ("SEAL-7", "4"), ("5001", "0.400")),
    "PUMP-100": (("HOUSING-3", "1"), ("MOTOR-50", "1"), ("SEAL-7", "2"), ("BOLT-M8", "8")),
    "PUMP-200": (("HOUSING-3", "1"), ("MOTOR-50", "2"), ("SEAL-7", "4"), ("BOLT-M8", "12")),
    "4711": (("STEEL-10", "1.200"),),
}

# item -> (text, work center, setup minutes, run minutes); what is not here has the one operation below
ROUTINGS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "PUMP-100": (("Machine housing", "MILL-01", "30", "12"), ("Assemble and test", "ASSY-01", "10", "25")),
    "PUMP-200": (("Machine housing", "MILL-01", "30", "18"), ("Assemble and test", "ASSY-02", "10", "40")),
}
ONE_OPERATION = (("Produce", "WORK-01", "15", "5"),)

SUPPLIERS = ("100010", "100020", "100030", "BRAKE-CO")

# unit in ITEMS -> (legacy, cloud, d365, ISO). SAP's internal code for a piece is ST, its ISO code PCE
UNITS = {
    "PC": ("ST", "PC", "ea", "PCE"),
    "KG": ("KG", "KG", "kg", "KGM"),
    "L": ("L", "L", "l", "LTR"),
    "M": ("M", "M", "m", "MTR"),
    "H": ("STD", "H", "h", "HUR"),
    "MIN": ("MIN", "MIN", "min", "MIN"),
}
_COLUMN: dict[Face, int] = {"legacy": 0, "cloud": 1, "d365": 2}


class Masters:
    """The master data as one ERP writes it."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.plants = PLANTS
        self.units = {codes[_COLUMN[face]]: codes[3] for codes in UNITS.values()}
        self.suppliers = frozenset(self.supplier(s) for s in SUPPLIERS)
        self.bills = {
            self.item(parent): tuple((self.item(part), Decimal(qty)) for part, qty in parts)
            for parent, parts in BILLS.items()
        }
        self.routings = {self.item(number): steps for number, steps in ROUTINGS.items()}

    def item(self, number: str) -> str:
        """The item number as this ERP stores it: the legacy ERP pads numeric ones to 18 digits."""
        return number.zfill(18) if self.face == "legacy" and number.isdecimal() else number

    def supplier(self, number: str) -> str:
        return number.zfill(10) if self.face == "legacy" and number.isdecimal() else number

    def unit(self, code: str) -> str:
        return UNITS[code][_COLUMN[self.face]]

    def price_unit(self, item: str) -> tuple[Decimal, Decimal]:
        """Price and the quantity it is for."""
        found = next((i for i in ITEMS if self.item(i.number) == item), None)
        return (Decimal(found.price), Decimal(found.price_per)) if found else (Decimal(0), Decimal(1))
