"""Named two-way codecs: how one scalar of the canonical model is written elsewhere.

`CODECS` holds the built-in ones; others come by entry point `gateway.codecs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.dialects.codecs.codec import Codec, Schema
from gateway.dialects.codecs.days import date_compact, date_in_datetime, date_iso, date_ms, date_plain
from gateway.dialects.codecs.moments import (
    datetime_iso,
    datetime_ms,
    datetime_naive,
    datetime_wall,
    local_datetime,
    local_day,
)
from gateway.dialects.codecs.movements import sap_movement, sap_stock_owner
from gateway.dialects.codecs.numbers import (
    decimal_float,
    decimal_number,
    decimal_text,
    integer,
    unit_price,
    work_minutes,
)
from gateway.dialects.codecs.rows import in_language, row_date
from gateway.dialects.codecs.tables import boolean, boolean_text, flags, value_map, words
from gateway.dialects.codecs.text import joined, leading_zeros, plain, text
from gateway.dialects.codecs.tryton import duration_minutes, internal_transfer, made_product, twice, with_address

CODECS: Mapping[str, Callable[..., Codec]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            text,
            plain,
            leading_zeros,
            joined,
            words,
            boolean,
            boolean_text,
            decimal_text,
            decimal_number,
            decimal_float,
            integer,
            unit_price,
            work_minutes,
            date_iso,
            date_compact,
            date_ms,
            date_in_datetime,
            date_plain,
            datetime_ms,
            datetime_iso,
            datetime_naive,
            datetime_wall,
            local_datetime,
            local_day,
            in_language,
            row_date,
            sap_movement,
            sap_stock_owner,
            internal_transfer,
            duration_minutes,
            made_product,
            twice,
            with_address,
        )
    }
)

__all__ = ["CODECS", "Codec", "Schema", "datetime_ms", "flags", "value_map"]
