"""What a customer declares beside contracts: plants, ERPs, cells and waves, callers. The shape of `routes/*.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.core.canonical import DOMAINS
from gateway.core.canonical.kinds import PLANT_ID
from gateway.core.phases import DECLARABLE
from gateway.core.waves import Cell

PlantCode = Annotated[str, StringConstraints(pattern=rf"^(?:\*|{PLANT_ID})$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^(?:env:[A-Z][A-Z0-9_]*|file:/.+)$")]
Url = Annotated[str, StringConstraints(pattern=r"^(?:https?://[^\s@?#]+|env:[A-Z][A-Z0-9_]*)$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Plant(_Strict):
    """A site."""

    name: str
    region: Name | None = None


class PlantsFile(_Strict):
    """`routes/plants.yaml`."""

    plants: dict[PlantCode, Plant]


class Auth(_Strict):
    """How the gateway logs in. Secrets are only ever named: `env:NAME` or `file:/path`."""

    kind: Literal["none", "basic", "bearer", "client-credentials", "tryton"]
    user: str | None = None
    secret: Reference | None = None
    token_path: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Auth:
        needs = {"none": (), "basic": ("user", "secret"), "bearer": ("secret",), "tryton": ("user", "secret")}
        wanted = needs.get(self.kind, ("user", "secret", "token_path"))
        if missing := [name for name in wanted if getattr(self, name) is None]:
            raise ValueError(f"auth of kind {self.kind} needs {', '.join(missing)}")
        return self


class CsrfRule(_Strict):
    """Where SAP's token is fetched."""

    fetch: str


class ErpLimits(_Strict):
    """What the gateway may ask of this ERP."""

    concurrency: int = Field(32, ge=1, le=2000, description="calls at once, of all instances together")
    calls_per_s: float | None = Field(None, gt=0, description="calls a second, of all instances together")
    calls_burst: int = Field(1, ge=1, description="with calls_per_s: how many of them may come together")
    waiting: int = Field(256, ge=0, le=10_000, description="calls of one priority that wait for their turn")
    call_timeout_s: float = Field(15.0, gt=0, le=300)
    connect_timeout_s: float = Field(3.0, gt=0, le=60)
    keep_alive_s: float = Field(4.0, ge=0, le=300)
    breaker_failures: int = Field(5, ge=1)
    breaker_open_s: float = Field(10.0, gt=0)


class Erp(_Strict):
    """One ERP: `routes/erps/<name>.yaml`."""

    erp: Name
    title: str
    dialect: str
    manifest: Name | None = Field(None, description="what it can really do: a file of routes/manifests")
    base_url: Url
    auth: Auth
    csrf: CsrfRule | None = None
    headers: dict[str, str] = {}
    limits: ErpLimits = ErpLimits()


class Wave(_Strict):
    """Cells planned to move together."""

    title: str
    on: date | None = None


class CellRule(_Strict):
    """Some plants times some domains, on the same two ERPs."""

    plants: list[PlantCode]
    domains: list[str]
    legacy: Name
    cloud: Name | None = None
    phase: str = "legacy"
    target: str | None = None
    wave: Name | None = None

    @model_validator(mode="after")
    def _sound(self) -> CellRule:
        wrong = [f"no domain {d!r}; there are {', '.join(DOMAINS)}" for d in self.domains if d not in DOMAINS]
        wrong += [
            f"no phase {phase!r} to declare; there are {', '.join(DECLARABLE)}"
            for phase in (self.phase, self.target)
            if phase is not None and phase not in DECLARABLE
        ]
        if self.cloud is None and self.phase != "legacy":
            wrong.append("a cell without a cloud ERP stays in phase legacy")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def cells(self) -> Iterator[Cell]:
        for plant in self.plants:
            for domain in self.domains:
                yield Cell(plant, domain, self.legacy, self.cloud, self.phase, self.target, self.wave)


class WavesFile(_Strict):
    """`routes/waves.yaml`."""

    waves: dict[Name, Wave] = {}
    cells: list[CellRule]


class IssuerRule(_Strict):
    """Who issues tokens that are believed here."""

    name: Name
    issuer: str
    audiences: list[str]
    algorithms: list[Literal["RS256", "ES256", "EdDSA"]]
    jwks: Annotated[str, StringConstraints(pattern=r"^(?:https?://.+|file:.+|env:[A-Z][A-Z0-9_]*)$")]
    client_claim: str = "client_id"
    roles_claim: str = "roles"
    plants_claim: str = "plants"
    leeway_s: int = Field(30, ge=0, le=60)


class KeyRule(_Strict):
    """A client that calls with an API key; only the key's SHA-256 is ever written down."""

    id: KeyId
    client: KeyId | None = None
    """Whose key it is, where that client has several; default: the id."""
    sha256: Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{64}|env:[A-Z][A-Z0-9_]*|file:/.+)$")]
    roles: list[str]
    plants: list[PlantCode]

    @property
    def client_id(self) -> str:
        """Who calls with it, whatever key it is: Idempotency-Keys, operations and rates are this client's."""
        return self.client or self.id


class RateRule(_Strict):
    """How often a caller of a rate class may call."""

    per_s: float = Field(gt=0)
    burst: int = Field(ge=1)


class ClientsFile(_Strict):
    """`routes/clients.yaml`."""

    issuers: list[IssuerRule] = []
    keys: list[KeyRule] = []
    rate_classes: dict[str, RateRule] = {}
