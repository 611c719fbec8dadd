"""Codecs by the names that dialect files use: `decimal_text(scale=3)`, `$name` for a parameter, unit tables."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from gateway.core.units import UNITS
from gateway.dialects.codecs import CODECS, Codec, value_map
from gateway.dialects.grammar import UnitFile


def unit_codec(units: UnitFile, blank: str | None = None) -> Codec:
    """The codec of a unit table."""
    wrong = [code for code in (*units.units, *units.also.values(), *units.nearest) if code not in UNITS]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no unit code of Rec 20, and no package code of Rec 21 behind an X")
    return value_map(units.units, encode_also=units.nearest, decode_also=units.also, reason=units.reason, blank=blank)


_CALL = re.compile(r"([a-z_][a-z0-9_.]*)(?:\((.*)\))?")


def codec_of(text: str, parameters: Mapping[str, Any]) -> Codec:
    """Make the codec a file names, such as `decimal_text(scale=3)`; `$name` stands for a parameter.

    Raises: ValueError: unknown codec, wrong arguments, or a parameter nobody set.
    """
    found = _CALL.fullmatch(text.strip())
    maker = available_codecs().get(found[1]) if found else None
    if found is None or maker is None:
        raise ValueError(f"no codec {text!r}; there are {', '.join(available_codecs())}")
    try:
        made: Codec = maker(**_arguments(found[2] or "", parameters))
    except TypeError as err:
        raise ValueError(f"{text}: {err}") from err
    return made


def _arguments(text: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} is not name=value")
        made[name.strip()] = _argument(value.strip(), parameters)
    return made


def _argument(value: str, parameters: Mapping[str, Any]) -> Any:
    if value.startswith("$"):
        return parametrised(value, parameters)
    if value in ("true", "false"):
        return value == "true"
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def parametrised(value: Any, parameters: Mapping[str, Any]) -> Any:
    """The value with every `$name` in it replaced. Raises: ValueError: nobody set the parameter."""
    if isinstance(value, Mapping):
        return {k: parametrised(v, parameters) for k, v in value.items()}
    if isinstance(value, list):
        return [parametrised(v, parameters) for v in value]
    if isinstance(value, str) and value.startswith("$"):
        if value[1:] not in parameters:
            raise ValueError(f"nobody set the parameter {value}")
        return parameters[value[1:]]
    return value


@lru_cache(maxsize=1)
def available_codecs() -> Mapping[str, Any]:
    """The built-in codecs, and those that installed packages add."""
    return {**CODECS, **{point.name: point.load() for point in entry_points(group="gateway.codecs")}}
