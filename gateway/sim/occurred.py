"""Which rows of the failure table a history met. Source: the table F1 to F28 of the write protocol's reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.sim.world import World

_NOTED = "SELECT COUNT(*) FROM step s JOIN leg l USING (intent, side)"
_PAIRS = "SELECT COUNT(*) FROM crosswalk a JOIN crosswalk b USING (object, canonical)"


def occurred(w: World) -> frozenset[str]:
    """Which rows of the failure table this history met."""
    seen, faults, db = w.seen, w.fate.faults, w.connection

    def rows(sql: str) -> bool:
        return bool(db.execute(sql).fetchone()[0])

    two = {s: sum(v for k, v in seen.items() if k.startswith(s)) for s in ("doubt-", "put_back-")}
    met = {
        "F1": faults["crash-before-commit"],
        "F2": faults["crash-after-commit"] or faults["crash-before-send"],
        "F3": faults["crash-after-answer"],
        "F4": two["doubt-"] and rows(f"{_NOTED} WHERE l.authoritative AND s.note IS NOT NULL"),
        "F5": two["doubt-"] and rows(f"{_NOTED} WHERE NOT l.authoritative AND s.note IS NOT NULL"),
        "F6": two["doubt-"] and "reference" in w.shape.settle.values(),
        "F7": rows("SELECT COUNT(*) FROM case_ WHERE reason LIKE '%remembers a key%'"),
        "F8": seen["known"],
        "F9": rows("SELECT COUNT(*) FROM intent WHERE lane_seq > 1"),
        "F10": rows("SELECT COUNT(*) FROM intent WHERE object = 'confirmation'"),
        "F11": seen["move-lost"],
        "F12": seen["epoch-moved"],
        "F13": seen["flip"] or seen["rollback"],
        "F14": faults["pause"] or faults["nap"],
        "F15": seen["known"] and w.flips,
        "F16": rows(f"{_PAIRS} WHERE a.space < b.space AND a.key <> b.key"),
        "F17": seen["case-split"],
        "F18": any(w.shape.skew_s),
        "F19": rows("SELECT COUNT(*) FROM leg WHERE state = 'parked'") and w.shape.keys > 1,
        "F20": faults["down-other"] > 0,
        "F21": faults["down-authoritative"] > 0,
        "F22": seen["rollback"],
        "F24": rows("SELECT COUNT(*) FROM intent WHERE origin = 'erp'"),
        "F26": seen["other-words"],
        "F27": seen["case-partial"],
        "F25": faults["store-down"] or faults["store-unsure"],
    }  # fmt: skip
    return frozenset(name for name, value in met.items() if value)
