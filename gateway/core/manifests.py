"""What an ERP can really do, per object and verb: the shape of `routes/manifests/*.yaml`. Doubt is settled by this, never by hope."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.core.number_ranges import NumberRange

Settle = Literal["key", "reference", "conditional", "none"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """How one verb of one object behaves at this ERP, and the test that showed it."""

    settle: Settle = "none"
    key_header: str | None = Field(None, description="settle key: the request header that carries the step's id")
    dedup_window_s: float = Field(0.0, ge=0, description="settle key: how long the ERP remembers an id")
    max_exec_s: float = Field(60.0, gt=0, description="a request still takes effect at most this long after its end")
    lookup_by: str | None = Field(None, description="settle reference: the native field that holds the intent's id")
    evidence: dict[str, list[str]] = Field(
        {},
        description="canonical field -> all values it has once the verb was carried out, and only then: settle conditional looks "
        "for them, and in the change feed a verb is seen by them, and taken back where none is left",
    )
    steps: dict[str, dict[str, list[str]]] = Field(
        {},
        description="verbs of several calls: call -> native field -> values it has only once that call was carried out",
    )
    atomic_document: bool = Field(
        default=True,
        description="a document is taken with all its lines, or not at all; where it is not, a new one is read and its lines are counted",
    )
    derives: list[str] = Field([], description="objects the ERP makes by itself when it takes this one")
    external_number: str | None = Field(None, description="the canonical field that may carry a number of ours")
    simulate: bool = Field(
        default=False,
        description="the ERP can check a document without keeping it; flips will ask it to, writes do not",
    )
    shown_by: str | None = Field(None, description="the test that shows it")

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        if self.settle == "key" and (self.key_header is None or self.dedup_window_s <= 0):
            raise ValueError("settle: key needs key_header and dedup_window_s")
        if self.settle == "reference" and self.lookup_by is None:
            raise ValueError("settle: reference needs lookup_by")
        return self


NOTHING_KNOWN = Rule()


class Numbers(_Strict):
    """The numbers that an ERP gives documents of one object by itself, and the test that showed it."""

    prefix: str = Field("", max_length=20, pattern=r"^(.*[^0-9])?$", description="what stands before the digits")
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    width: int = Field(
        0, ge=0, le=40, description="the ERP writes so many digits, with leading zeros; 0: as many as it needs"
    )
    shown_by: str | None = Field(None, description="the test that shows it")

    @model_validator(mode="after")
    def _complete(self) -> Numbers:
        if self.last < self.first:
            raise ValueError(f"a range ends at {self.last} and begins at {self.first}")
        if self.width and len(str(self.last)) > self.width:
            raise ValueError(f"{self.last} has more than {self.width} digits")
        return self

    @property
    def range(self) -> NumberRange:
        return NumberRange(self.first, self.last, self.prefix)


class Manifest(_Strict):
    """`routes/manifests/<name>.yaml`: object -> verb -> rule. What is not listed settles by a person."""

    manifest: str
    source: str | None = None
    same_numbers: list[str] = Field([], description="objects that have the same number in every ERP of the company")
    number_ranges: dict[str, list[Numbers]] = Field(
        {},
        description="object -> the numbers that the ERP gives by itself: those of its document types, and older ones too",
    )
    delta_feed: dict[str, str] = Field({}, description="object -> canonical field that tells when a document changed")
    objects: dict[str, dict[str, Rule]] = {}

    def rule(self, object_: str, verb: str) -> Rule:
        return self.objects.get(object_, {}).get(verb, NOTHING_KNOWN)

    def ranges(self, object_: str) -> tuple[NumberRange, ...]:
        """The numbers that the ERP gives by itself; none where nobody said."""
        return tuple(numbers.range for numbers in self.number_ranges.get(object_, ()))


EMPTY = Manifest(manifest="none")
