"""What the demo shows while it runs: which plant is in which phase, what goes where, and what an ERP is still owed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

from gateway.cli.demo.traffic import Tally

_SIDE_OF = {"ecc": "legacy", "s4": "cloud"}
_COLOURS = {"legacy": "yellow", "cloud": "green"}


@dataclass(slots=True)
class Watched:
    """What is known of the gateway and its ERPs. `owed` counts legs by side; `most` is the longest backlog seen."""

    phases: dict[str, str]
    owed: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    oldest_s: dict[str, int] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    down: set[str] = field(default_factory=set)

    def note(self, rows: list[dict[str, Any]]) -> None:
        """Take what the admin port says of the backlog."""
        self.owed, self.parked, self.oldest_s = Counter(), Counter(), {}
        for row in rows:
            side = _SIDE_OF[row["erp"]]
            if row["state"] == "parked":
                self.parked[side] += row["legs"]
                continue
            self.owed[side] += row["legs"]
            self.oldest_s[side] = max(self.oldest_s.get(side, 0), row["oldest_s"])
        self.most |= self.owed


def picture(tally: Tally, watched: Watched, news: list[str]) -> Table:
    """The live picture."""
    whole = Table.grid(padding=(0, 0))
    whole.add_row(_plants(tally, watched))
    whole.add_row(_erps(watched))
    recent = tally.seconds[-200:]
    typical = f"{median(recent) * 1000:.0f} ms" if recent else "-"
    whole.add_row(
        f"requests {tally.requests}   client errors {len(tally.errors)}   told to wait {tally.waited}   "
        f"accepted (202) {tally.accepted}   typical answer {typical}"
    )
    for line in news[-8:]:
        whole.add_row(f"[dim]·[/] {line}")
    return whole


def _plants(tally: Tally, watched: Watched) -> Table:
    table = Table(title="Who answers", title_justify="left")
    for name in ("plant", "phase", "legacy ERP", "cloud ERP"):
        table.add_column(name, justify="right" if "ERP" in name else "left")
    for plant, phase in watched.phases.items():
        counts = (str(tally.by_plant[plant, side]) for side in ("legacy", "cloud"))
        table.add_row(plant, f"[{_COLOURS.get(phase, 'cyan')}]{phase}[/]", *counts)
    return table


def _erps(watched: Watched) -> Table:
    table = Table(title="What the ERPs are owed", title_justify="left")
    for name in ("ERP", "state", "writes on their way", "oldest", "most so far", "parked"):
        table.add_column(name, justify="left" if name in ("ERP", "state") else "right")
    for side in ("legacy", "cloud"):
        state = "[red]killed[/]" if side in watched.down else "[green]up[/]"
        oldest = f"{watched.oldest_s[side]} s" if side in watched.oldest_s else "-"
        table.add_row(side, state, str(watched.owed[side]), oldest, str(watched.most[side]), str(watched.parked[side]))
    return table
