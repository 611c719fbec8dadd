"""Who numbers what: the ranges of each ERP, and the steps in which lines are numbered."""

from dataclasses import dataclass

from gateway.sim.erps.declare import Face


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers the ERP gives itself. `width` 0 is unpadded; `last` ends the range, outside it callers may choose.

    What clients see of the legacy and the cloud ERP (orders, groups of confirmations, movements, purchases) lies apart.
    """

    first: int
    width: int = 0
    prefix: str = ""
    last: int = 10**12

    def written(self, number: int) -> str:
        return self.prefix + str(number).zfill(self.width)

    def owns(self, written: str) -> bool:
        digits = written.removeprefix(self.prefix)
        return written.startswith(self.prefix) and digits.isdecimal() and self.first <= int(digits) <= self.last


RANGES: dict[Face, dict[str, NumberRange]] = {
    "legacy": {
        "order": NumberRange(1_000_000, 12, last=1_999_999),
        "group": NumberRange(10_000, 10, last=699_999),
        "reservation": NumberRange(20_000, 10),
        "movement": NumberRange(4_900_000_000, 10, last=4_999_999_999),
        "purchase": NumberRange(4_500_000_000, 10, last=4_599_999_999),
    },
    "cloud": {
        "order": NumberRange(50_000_000, last=59_999_999),
        "group": NumberRange(700_000, last=9_999_999),
        "reservation": NumberRange(90_000),
        "movement": NumberRange(5_000_000_000, last=5_099_999_999),
        "purchase": NumberRange(4_700_000_000, last=4_799_999_999),
    },
    "d365": {
        "order": NumberRange(1, 6, "P", last=999_999),
        "group": NumberRange(1, 6, "RAF-", last=999_999),
        "reservation": NumberRange(1),
        "movement": NumberRange(1, 6, "IMJ-", last=999_999),
        "purchase": NumberRange(1, 6, "PO-", last=999_999),
        "record": NumberRange(5_637_144_576),
    },
}

# role -> (field that numbers the line, step, width in legacy, width in cloud); d365 numbers lines with `..._no` 1, 2, 3
LINES: dict[str, tuple[str, int, int, int]] = {
    "operation": ("operation", 10, 4, 4),
    "component": ("line", 1, 4, 0),
    "movement_item": ("line", 1, 4, 0),
    "purchase_item": ("purchase_item", 10, 5, 5),
    "schedule": ("schedule_line", 1, 4, 4),
}
