"""Numbers as people know them from an ERP's screens and lists, read into canonical form by the ERP's dialect. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.dialects.compile import Translation
from gateway.dialects.running import Mismatch
from gateway.protocols.port import NativeKey


class NoSuchNumber(ValueError):
    """The ERP has no such numbers."""


@dataclass(frozen=True, slots=True)
class Told:
    """A number in canonical form, and as the ERP's key fields."""

    number: str
    native: NativeKey


def told(translation: Translation, text: str, plant: str) -> Told:
    """Read a number.

    Takes: `text` in canonical form, or as the ERP shows it (`000001000123`). Raises: NoSuchNumber.
    """
    spec = translation.plan.spec
    try:
        native = translation.encode_key({spec.key: text, "plant": plant})
    except Mismatch as err:
        own = _from_native(translation, text)
        if own is None or own == text:
            raise NoSuchNumber(err.reason) from err
        return told(translation, own, plant)
    return Told(str(translation.decode_key(native).get(spec.key, text)), native)


def _from_native(translation: Translation, text: str) -> str | None:
    """The canonical number, where one native field holds it."""
    spec = translation.plan.spec
    entry = translation.plan.level.entry(spec.key)
    if entry is None or len(entry.native) != 1 or len(entry.native[0]) != 1:
        return None
    try:
        return str(translation.decode_key({entry.native[0][0]: text})[spec.key])
    except (Mismatch, KeyError):
        return None
