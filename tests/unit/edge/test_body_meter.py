"""The cost of a body: counted on the wire, with room for what honest clients do."""

from __future__ import annotations

import pytest

from gateway.edge.body_meter import BodyMeter
from gateway.edge.limits import EdgeLimits
from gateway.errors import Malformed, TooLarge

LIMITS = EdgeLimits(max_body_bytes=1000, max_framing_bytes=100, max_chunk_events=3, min_mean_chunk_bytes=10)


def test_a_body_of_exactly_the_limit_passes() -> None:
    BodyMeter(LIMITS, wire_bytes=1000, body_bytes=1000).check(chunked=False)
    with pytest.raises(TooLarge):
        BodyMeter(LIMITS, wire_bytes=1001, body_bytes=1001).check(chunked=False)


def test_framing_may_grow_with_the_body_by_an_eighth() -> None:
    BodyMeter(LIMITS, wire_bytes=100, body_bytes=0).check(chunked=True)
    BodyMeter(LIMITS, wire_bytes=1000, body_bytes=800).check(chunked=True)
    with pytest.raises(Malformed):
        BodyMeter(LIMITS, wire_bytes=1001, body_bytes=800).check(chunked=True)


def test_chunks_may_be_as_many_as_the_body_pays_for() -> None:
    meter = BodyMeter(LIMITS, body_bytes=20)
    for _ in range(5):
        meter.add_chunk()
    with pytest.raises(Malformed):
        meter.add_chunk()


def test_every_byte_earns_time_up_to_the_total() -> None:
    limits = EdgeLimits(body_grace_s=10, body_min_bytes_per_s=1024, body_total_s=60)
    assert BodyMeter(limits, started_s=5).deadline_s() == 15
    assert BodyMeter(limits, started_s=5, wire_bytes=2048).deadline_s() == 17
    assert BodyMeter(limits, started_s=5, wire_bytes=10_000_000).deadline_s() == 65
