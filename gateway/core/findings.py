"""What pydantic finds in a value, in an operator's words: what is wrong, what would be right, and which name may have been meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_SHOWN = 40
"""Characters of a wrong value that are told."""
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is no name that is known here",
    "string_type": "must be a text{found}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}{found}",
    "int_type": "must be a whole number{found}",
    "int_parsing": "must be a whole number{found}",
    "int_from_float": "must be a whole number{found}",
    "float_type": "must be a number{found}",
    "float_parsing": "must be a number{found}",
    "bool_type": "must be true or false{found}",
    "bool_parsing": "must be true or false{found}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be {expected}{found}",
    "enum": "must be {expected}{found}",
    "greater_than": "must be more than {gt}{found}",
    "greater_than_equal": "must be at least {ge}{found}",
    "less_than": "must be less than {lt}{found}",
    "less_than_equal": "must be at most {le}{found}",
    "value_error": "{error}",
}
"""Source: pydantic's validation errors. A type that is not listed keeps pydantic's own words."""


def in_words(error: ErrorDetails, model: Any = None) -> str:
    """What is wrong with a value. Takes: `model`, what the whole of it was read as; with it a name that may have been meant is told."""
    words = _WORDS.get(error["type"])
    if words is None:
        return error["msg"]
    text = words.format_map({**error.get("ctx", {}), "found": _found(error["input"])})
    if error["type"] != "extra_forbidden" or model is None:
        return text
    *place, name = error["loc"]
    return text + _meant(str(name), names_at(model, place))


def _found(value: object) -> str:
    if isinstance(value, str | int | float | bool) and len(text := repr(value)) <= _SHOWN:
        return f", not {text}"
    return ""


def _meant(name: str, names: Sequence[str]) -> str:
    if near := get_close_matches(name, names, 1):
        return f": did you mean {near[0]}?"
    return f": known are {', '.join(names)}" if names else ""


def names_at(model: Any, place: Sequence[str | int]) -> list[str]:
    """The names that a model has at a place of its value; none where that is no model."""
    kinds = [model]
    for step in place:
        kinds = [below for kind in kinds for each in _members(kind) for below in _below(each, step)]
    found = [each for kind in kinds for each in _members(kind) if _is_model(each)]
    return sorted({field.alias or name for each in found for name, field in each.model_fields.items()})


def _members(kind: Any) -> Iterator[Any]:
    """The kinds that a value may be of: of a union all."""
    if isinstance(kind, type) or get_origin(kind) in (dict, list, tuple, Mapping):
        yield kind
        return
    for each in get_args(kind):
        yield from _members(each)


def _below(kind: Any, step: str | int) -> Iterator[Any]:
    if _is_model(kind):
        found = next((f for name, f in kind.model_fields.items() if (f.alias or name) == step), None)
        if found is not None:
            yield found.annotation
        elif kind.__name__ == step:  # of a union, pydantic names which of its members it speaks of
            yield kind
    elif (arguments := get_args(kind)) and get_origin(kind) is not None:
        yield arguments[-1] if isinstance(step, str) and len(arguments) > 1 else arguments[0]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
