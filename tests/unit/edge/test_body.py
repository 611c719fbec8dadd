"""A body is read whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.edge.body import read_body
from gateway.edge.limits import EdgeLimits
from gateway.errors import Malformed, TooLarge

LIMITS = EdgeLimits(max_body_bytes=10)


class Messages:
    """What a server hands over, one message after the other."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.left = list(messages)

    async def __call__(self) -> dict[str, Any]:
        return self.left.pop(0)


def piece(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_pieces_are_joined() -> None:
    assert await read_body(Messages(piece(b"hel", more=True), piece(b"lo", more=False)), LIMITS, 5) == b"hello"
    assert await read_body(Messages({"type": "http.request"}), LIMITS) == b""


async def test_a_disconnect_in_the_middle_is_no_body() -> None:
    with pytest.raises(Malformed):
        await read_body(Messages(piece(b"hel", more=True), {"type": "http.disconnect"}), LIMITS)


async def test_a_body_over_the_limit_is_refused_at_once() -> None:
    messages = Messages(piece(b"a" * 8, more=True), piece(b"a" * 8, more=True), piece(b"a", more=False))
    with pytest.raises(TooLarge):
        await read_body(messages, LIMITS)
    assert len(messages.left) == 1


async def test_a_declared_length_over_the_limit_is_refused_before_reading() -> None:
    messages = Messages(piece(b"a", more=False))
    with pytest.raises(TooLarge):
        await read_body(messages, LIMITS, 11)
    assert messages.left


async def test_a_body_of_another_length_than_declared_is_refused() -> None:
    with pytest.raises(Malformed):
        await read_body(Messages(piece(b"abc", more=False)), LIMITS, 4)
