"""What is told of identity providers whose keys cannot be read."""

from __future__ import annotations

from gateway.edge.jwks import KeysState
from gateway.observe.key_alarm import tell_keys
from gateway.observe.metrics import Metrics

WELL, GONE = KeysState(1, 5.0, 0, None), KeysState(1, 90.0, 3, "unreachable")


def test_a_provider_in_trouble_is_told_until_it_is_well_again_and_other_trouble_stays() -> None:
    trouble = {"store": "gone"}
    tell_keys(trouble, {"plant-idp": GONE, "other-idp": WELL})
    assert trouble == {"store": "gone", "keys of plant-idp": "unreachable"}
    tell_keys(trouble, {"plant-idp": WELL, "other-idp": WELL})
    assert trouble == {"store": "gone"}


def test_a_provider_that_new_content_trusts_no_more_is_in_no_trouble() -> None:
    trouble: dict[str, str] = {}
    tell_keys(trouble, {"plant-idp": GONE})
    tell_keys(trouble, {})
    assert trouble == {}


async def test_a_provider_that_is_trusted_no_more_is_in_no_metric() -> None:
    metrics = Metrics()
    metrics.keys({"plant-idp": ("unreachable", 90.0)})
    assert b'changeover_token_keys_failing{issuer="plant-idp"} 1.0' in await metrics.text()
    metrics.keys({"other-idp": (None, None)})
    assert b"plant-idp" not in await metrics.text()
