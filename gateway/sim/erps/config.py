"""Everything one simulated ERP is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from gateway.sim.erps.declare import Face
from gateway.sim.erps.ledger import Clock
from gateway.sim.erps.tables.numbers import RANGES, NumberRange

CLOUD_REMEMBERS_S = 3600


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ErpConfig:
    """Settings of one ERP.

    With neither `users` nor `clients` nobody is asked to log on. `dedup_window_s` above 0 makes creates with a
    `Repeatability-Request-ID` (or `RequestID`) idempotent for that long; 0 is what most ERPs do: nothing. Unless told, only
    the cloud ERP does it, for an hour. `numbers` replaces number ranges of the face, by their names in `tables/numbers.py`.
    `derived_share` is how much of a confirmed quantity moves goods: all, as it should be, or less; 0 derives no movement.
    """

    face: Face = "legacy"
    name: str = ""
    seed: int = 1
    clock: Clock = wall_clock
    sap_client: str = "100"
    users: dict[str, str] = field(default_factory=dict)  # user -> password (Basic)
    clients: dict[str, str] = field(default_factory=dict)  # client id -> secret (OAuth client credentials)
    token_lifetime_s: int = 3600
    csrf: bool = True
    session_lifetime_s: int = 1800
    require_if_match: bool = True
    page_size: int = 100
    orders: int = 12
    purchases: int = 6
    dedup_window_s: int | None = None
    throttle_requests: int = 0  # 0: no throttle
    throttle_window_s: int = 300
    default_company: str = "demf"
    faults: tuple[dict[str, object], ...] = ()
    derived_share: Decimal = Decimal(1)
    numbers: Mapping[str, NumberRange] = field(default_factory=dict)

    @property
    def remembers_s(self) -> int:
        """How long an identifier of a request is remembered."""
        if self.dedup_window_s is not None:
            return self.dedup_window_s
        return CLOUD_REMEMBERS_S if self.face == "cloud" else 0

    @property
    def ranges(self) -> Mapping[str, NumberRange]:
        """Who numbers what here."""
        return {**RANGES[self.face], **self.numbers}

    @property
    def erp(self) -> str:
        return self.name or self.face
