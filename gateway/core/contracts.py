"""API contracts: what each version offers, to whom it belongs, and how long it lives. The shape of `routes/contracts/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Verb = Literal["list", "read", "create", "change"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Action(_Strict):
    """`POST .../{key}:name` (or `.../collection:name`) and the canonical verb behind it.

    With `object` and `binds`, the body is a document of its own whose field `binds` is the key in the URL: a confirmation of an order.
    """

    verb: str
    object: str | None = None
    binds: str | None = None
    on: Literal["document", "collection"] = "document"
    body: bool = Field(default=False, description="whether the action takes a document")

    @property
    def takes_document(self) -> bool:
        return self.body or self.object is not None


class Resource(_Strict):
    """One collection of a version."""

    object: str
    verbs: list[Verb]
    actions: dict[Word, Action] = {}
    filter: list[str] = Field([], description="fields of the version that a list may filter on")
    order: list[str] = Field([], description="fields of the version that a list may be ordered by")
    changeable: list[str] = Field([], description="canonical fields a merge-patch may change")
    if_match: Literal["required", "optional"] = "required"
    idempotency_key: Literal["required", "optional"] = Field("optional", description="whether writes must carry one")


class ContractLimits(_Strict):
    """What one caller may ask of this version."""

    body_bytes: int = 1_048_576
    page_default: int = Field(50, ge=1)
    page_max: int = Field(200, ge=1, le=1000)
    deadline_s: float = Field(20.0, gt=0, le=120)
    stale_reads_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="how long after losing its store a gateway may read by the last routes it knew",
    )


class Contract(_Strict):
    """One version of the API."""

    contract: str
    version: Annotated[str, StringConstraints(pattern=r"^v[1-9][0-9]{0,2}$")]
    title: str
    owner: str
    description: str = ""
    dialect: str
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None
    successor: str | None = None
    limits: ContractLimits = ContractLimits()
    resources: dict[Word, Resource]

    def shows(self, object_: str, name: str = "") -> str | None:
        """The resource under which a document can be read, `name` if that is one; None where the version shows it nowhere."""
        shown = [each for each, rule in self.resources.items() if rule.object == object_ and "read" in rule.verbs]
        return name if name in shown else next(iter(shown), None)

    @model_validator(mode="after")
    def _ordered(self) -> Contract:
        wrong = []
        if any(moment is not None and moment.tzinfo is None for moment in (self.deprecated_at, self.sunset_at)):
            wrong.append("deprecated_at and sunset_at need a zone")
        elif self.sunset_at and (self.deprecated_at is None or self.sunset_at < self.deprecated_at):
            wrong.append("a version is deprecated before its sunset: set deprecated_at, not after sunset_at")
        if self.limits.page_default > self.limits.page_max:
            wrong.append("limits.page_default is over limits.page_max")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def gone(contract: Contract, now: datetime) -> bool:
    """Whether the version is past its sunset."""
    return contract.sunset_at is not None and now >= contract.sunset_at


def lifecycle_headers(contract: Contract, base: str) -> Mapping[str, str]:
    """`Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` (RFC 8288) of a version; none for one that stays.

    Takes: `base`, the URL prefix under which versions stand.
    """
    if contract.deprecated_at is None:
        return {}
    links = [f'<{base}/docs/{contract.version}#lifecycle>; rel="deprecation"; type="text/html"']
    headers = {"deprecation": f"@{int(contract.deprecated_at.timestamp())}"}
    if contract.sunset_at:
        # An HTTP-date is always in English, whatever the machine's locale.
        headers["sunset"] = _http_date(contract.sunset_at)
        links.append(f'<{base}/docs/{contract.version}#lifecycle>; rel="sunset"; type="text/html"')
    if contract.successor:
        links.append(f'<{base}/api/{contract.successor}>; rel="successor-version"')
    return headers | {"link": ", ".join(links)}


def _http_date(moment: datetime) -> str:
    from datetime import UTC  # noqa: PLC0415
    from email.utils import format_datetime  # noqa: PLC0415  # only here, and slow to import

    return format_datetime(moment.astimezone(UTC), usegmt=True)
