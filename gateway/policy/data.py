"""A bundle's data documents: strict JSON or YAML, each under the path of its folder, numbers no longer than exact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Never

from gateway.errors import ContentError, Mistake
from gateway.policy.manifest import TOO_DEEP, read_yaml
from gateway.policy.question import EXACT_DIGITS

DATA_FILES = frozenset({"data.json", "data.yaml"})


def read_data(files: Mapping[str, str]) -> dict[str, Any]:
    """The data documents, each under the path of its folder. Raises: ContentError."""
    root: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, text in files.items():
        *folders, last = name.split("/")
        if last not in DATA_FILES:
            continue
        try:
            _merge(root, folders, _read_document(name, text), name)
        except ContentError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ContentError(mistakes)
    return root


def _read_document(name: str, text: str) -> dict[str, Any]:
    try:
        value = read_yaml(name, text) if name.endswith(".yaml") else _read_json(text)
        if not isinstance(value, dict):
            raise ContentError([Mistake(name, 1, 1, "must be an object")])
        _check_data(name, value)
    except json.JSONDecodeError as error:
        raise ContentError([Mistake(name, error.lineno, error.colno, error.msg)]) from error
    except RecursionError as error:
        raise ContentError([Mistake(name, 0, 0, TOO_DEEP)]) from error
    except ValueError as error:
        raise ContentError([Mistake(name, 0, 0, str(error))]) from error
    return value


def _read_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_exact_float)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a key twice")
    return found


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _exact_float(text: str) -> float:
    if len(Decimal(text).normalize().as_tuple().digits) > EXACT_DIGITS:
        raise ValueError(f"{text} has more than {EXACT_DIGITS} digits")
    return float(text)


def _check_data(name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, below in value.items():
            if not isinstance(key, str):
                raise ContentError([Mistake(name, 0, 0, f"the key {key!r} is not a text")])
            _check_data(name, below)
    elif isinstance(value, list):
        for below in value:
            _check_data(name, below)
    elif isinstance(value, int) and abs(value) >= 10**EXACT_DIGITS:
        raise ContentError([Mistake(name, 0, 0, f"{value} has more than {EXACT_DIGITS} digits")])
    elif not isinstance(value, str | int | float | None):
        raise ContentError([Mistake(name, 0, 0, f"{value!r} is not a JSON value; put it in quotes")])


def _merge(root: dict[str, Any], folders: list[str], document: dict[str, Any], name: str) -> None:
    here = root
    for folder in folders:
        below = here.setdefault(folder, {})
        if not isinstance(below, dict):
            raise ContentError([Mistake(name, 0, 0, f"{folder} is already a value")])
        here = below
    for key, value in document.items():
        if key in here:
            raise ContentError([Mistake(name, 0, 0, f"{key} is already defined in another data file")])
        here[key] = value
