"""Codecs of a scalar that another system keeps in a row of a list."""

from __future__ import annotations

from typing import Any

from gateway.dialects.codecs.codec import Codec, as_text
from gateway.dialects.codecs.days import date_iso, date_ms


def in_language(*, language: str, key: str, value: str, max: int = 0) -> Codec:  # noqa: A002  # the word dialect files use
    """A text of which the system keeps one row per language: `key` is the row's language, `value` its text."""

    def encode(text: str) -> list[dict[str, str]]:
        if max and len(text) > max:
            raise ValueError(f"longer than {max} characters")
        return [{key: language, value: text}]

    def decode(rows: Any) -> str | None:
        return next((as_text(row[value]) or None for row in _rows(rows) if row.get(key) == language), None)

    return Codec(
        encode,
        decode,
        rows=(key, value),
        comparable=False,
        max_length=max,
        normalising=f"texts in other languages than {language} are left aside",
        domain=lambda v: v != "" and (not max or len(v) <= max),
    )


def row_date(*, value: str, form: str) -> Codec:
    """A date that stands in the one row of a list, such as a line's only schedule line; the first row is read.

    `form` is `ms` (OData V2) or `iso`.
    """
    days = date_ms() if form == "ms" else date_iso()

    def decode(rows: Any) -> Any:
        found = [row.get(value) for row in _rows(rows)]
        return days.decode(found[0]) if found and found[0] is not None else None

    return Codec(
        lambda v: [{value: days.encode(v)}],
        decode,
        rows=(value,),
        comparable=False,
        normalising="of several rows only the first is read",
    )


def _rows(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("a list of rows expected")
    return rows
