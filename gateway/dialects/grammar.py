"""The mapping language: the shape of a dialect's files. Twelve constructs and no more; a thirteenth needs an ADR.

rename        canonical: Native
nest          to: outer.inner
each          each: Lines, fields: {...}
codec         codec: decimal_text(scale=3)
value map     values: {created: Open}
unit          a field of kind unit goes through the dialect's unit table
constant      constants: {Native: value}
split / join  to: [Date, Time], or `price + price_per: UnitPrice`
access        access: read_only | write_only
ignore        ignore: {reason: [Native, ...]}
steps         verbs: {release: [{call: ReleaseOrder}]}
overlay       overlays/*.yaml: base <- region <- plant
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


NATIVE: Mapping[str, str] = MappingProxyType(
    {
        "key": "the native fields that name a document",
        "service": "OData: the path of the service",
        "set": "OData: the entity set",
        "namespace": "OData V4: where bound actions are named",
        "options": "OData V4: query options of every read",
        "return": "OData: the member of an answer that holds a BAPI's RETURN; its errors refuse a write, also within a 200",
        "model": "Tryton: the model",
        "context": "Tryton: what every call says beside",
        "references": "Tryton: a field that names a record -> its model",
        "within": "Tryton: a reference -> the code of a record somewhere above it",
        "common": "Tryton: a field of the head -> where all rows say the same",
        "awaited": "Tryton: rows for which the ERP has records already, and how they are found",
        "borrowed": "Tryton: a field of the head -> the record of the rows that it is taken from",
        "origins": "Tryton: a field that names records of several models -> the one meant",
        "only": "Tryton: a field -> the values that records in a list have",
        "places": "Tryton: the warehouse whose places stock is counted at",
        "lock": "`compare` where the ERP keeps no lock and the gateway compares before it writes",
        "unsearchable": "fields that lists cannot be searched by",
    }
)
"""What a dialect tells its protocol of an object. A word that is none would be as if it were not there."""


def _known(word: str) -> str:
    if word not in NATIVE:
        raise ValueError(f"no protocol knows this word; there are {', '.join(NATIVE)}")
    return word


NativeWord = Annotated[str, AfterValidator(_known)]


class Normalising(_Strict):
    """Words of one side that the other has no word for."""

    reason: str
    encode: dict[str, Any] = {}
    decode: dict[str, str] = {}


class Unsupported(_Strict):
    """A canonical field the system lacks, and what happens to a value for it; short: `refuse`, `drop(reason)`, `keep_beside`.

    Kept beside is what the gateway stores for the ERP and shows with the document as if the ERP had it.
    """

    policy: Literal["refuse", "keep_beside", "drop"]
    reason: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str):
            word, _, reason = value.partition("(")
            return {"policy": word.strip(), "reason": reason.rstrip(") ") or None}
        return value


class FieldRule(_Strict):
    """How one canonical field (or a few, joined with ` + `) stands in the native document; short: the native name."""

    to: Annotated[list[str], BeforeValidator(_listed)] = []
    codec: str | None = None
    values: dict[str, Any] | str | None = None
    flags: dict[str, list[str]] | None = Field(None, description="state -> the native flags that are set in it")
    normalising: Normalising | None = None
    access: Literal["both", "read_only", "write_only"] = "both"
    each: str | None = None
    fields: dict[str, FieldRule] = {}
    constants: dict[str, Any] = {}
    ignore: dict[str, list[str]] = {}
    unsupported: dict[str, Unsupported] = {}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"to": value} if isinstance(value, str) else value


class Step(_Strict):
    """One call of a write: `create`, `change`, or the named operation of the system."""

    do: Literal["create", "change", "call"]
    name: str | None = Field(None, description="the function, action or button, for `call`")
    arguments: dict[str, str] = Field({}, description="argument -> native field of the key or of the document")
    acknowledge: list[str] = Field([], description="texts of warnings that are answered with yes")
    bound: bool = Field(default=False, description="a `call` on the document itself, not on the service")


class ObjectFile(_Strict):
    """One canonical object in one dialect."""

    object: str
    source: str | None = Field(None, description="where the field list comes from")
    native: dict[NativeWord, Any] = Field(
        {},
        description="what the protocol needs. " + "; ".join(f"{word}: {meaning}" for word, meaning in NATIVE.items()),
        json_schema_extra={"propertyNames": {"enum": list(NATIVE)}},
    )
    fields: dict[str, FieldRule]
    constants: dict[str, Any] = {}
    ignore: dict[str, list[str]] = {}
    unsupported: dict[str, Unsupported] = {}
    verbs: dict[str, list[Step]] = {}


class DialectFile(_Strict):
    """What all objects of a dialect share."""

    title: str
    kind: Literal["erp", "client"]
    protocol: str | None = None
    source: str | None = None
    parameters: dict[str, Any] = Field({}, description="named values for codecs and constants, written $name there")
    defaults: dict[str, str] = Field({}, description="kind of canonical field -> codec")
    units: str | None = Field(None, description="the unit table, a file of translators/units")
    values: dict[str, dict[str, Any]] = Field({}, description="value maps that several fields share")
    blank: str | None = Field(None, description="the native word that means null in value maps and unit fields")


class UnitFile(_Strict):
    """A system's own words for units."""

    title: str
    units: dict[str, str] = Field(description="Rec 20 code, or X and a Rec 21 code, -> the system's word")
    also: dict[str, str] = Field({}, description="further words of the system -> Rec 20 code")
    nearest: dict[str, str] = Field(
        {}, description="Rec 20 code without a word of its own -> the system's nearest word"
    )
    reason: str | None = None


class ObjectOverlay(_Strict):
    """What a region or a plant changes in one object."""

    fields: dict[str, FieldRule | None] = {}
    constants: dict[str, Any] = {}
    ignore: dict[str, list[str]] = {}
    unsupported: dict[str, Unsupported] = {}


class OverlayFile(_Strict):
    """A site's own fields and parameters."""

    overlay: str = Field(description="region/<name> or plant/<id>")
    parameters: dict[str, Any] = {}
    values: dict[str, dict[str, Any]] = {}
    objects: dict[str, ObjectOverlay] = {}
