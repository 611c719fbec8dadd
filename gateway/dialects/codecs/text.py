"""Codecs of text: as it is, padded with zeros, or the parts of a key."""

from __future__ import annotations

from typing import Any

from gateway.dialects.codecs.codec import TEXT, Codec, as_text


def text(*, blank: bool = False, max: int = 0) -> Codec:  # noqa: A002  # the word dialect files use
    """Text as it is. With `blank`, empty text is null there; with `max`, longer text is refused."""

    def encode(value: str) -> str:
        if max and len(value) > max:
            raise ValueError(f"longer than {max} characters")
        return value

    def domain(value: str) -> bool:
        return (not max or len(value) <= max) and not (blank and value == "")

    schema = {"type": "string"} | ({"maxLength": max} if max else {})
    return Codec(
        encode, as_text, blank="" if blank else None, schema=(schema,), domain=domain, same=not max, max_length=max
    )


def plain() -> Codec:
    """The value itself: the protocol already carries exact numbers and dates."""
    return Codec(lambda v: v, lambda v: v, literal="plain", ordered=True, schema=({},), same=True)


def _digits(value: str) -> bool:
    return value.isascii() and value.isdigit()


def leading_zeros(*, width: int, max: int = 0, blank: bool = True) -> Codec:  # noqa: A002  # the word dialect files use
    """All-digit values padded with zeros to `width` there, bare here; other values as they are, up to `max` characters.

    A number that has leading zeros of its own is refused: padding would lose them.
    """
    longest = max or width

    def encode(value: str) -> str:
        if len(value) > longest:
            raise ValueError(f"longer than {longest} characters")
        if not (value.isdigit() and value.isascii()):
            return value
        if value[0] == "0" and value != "0":
            raise ValueError("leading zeros of its own cannot be told from the padding")
        return value.zfill(width)

    def decode(value: str) -> str:
        if type(value) is str and value[:1] != "0":
            return value
        return (value.lstrip("0") or "0") if as_text(value).isdigit() and value.isascii() else value

    def domain(value: str) -> bool:
        return 0 < len(value) <= longest and (value == "0" or not (_digits(value) and value[0] == "0"))

    return Codec(
        encode,
        decode,
        blank="" if blank else None,
        domain=domain,
        max_length=longest,
        schema=({"type": "string", "maxLength": longest},),
        normalising="numbers are padded to a fixed width",
    )


def joined(*, separator: str = "-", parts: int = 2, empty: bool = False) -> Codec:
    """A key whose parts are several native fields; with `empty`, a part may be empty text."""

    def encode(value: str) -> tuple[str, ...]:
        found = tuple(value.split(separator))
        if len(found) != parts or not (all(found) or empty):
            raise ValueError(f"a key of {parts} parts with {separator!r} between them")
        return found

    def decode(values: tuple[Any, ...]) -> str | None:
        if all(v is None or v == "" for v in values):
            return None
        texts = [as_text("" if v is None and empty else v) for v in values]
        if any(separator in v or not (v or empty) for v in texts):
            raise ValueError(f"a part of the key is empty or holds {separator!r}")
        return separator.join(texts)

    return Codec(
        encode,
        decode,
        native=parts,
        nothing=("",) * parts if empty else (),
        schema=(TEXT,) * parts,
        domain=lambda v: v.count(separator) == parts - 1 and (any if empty else all)(v.split(separator)),
    )
