"""Deployments that crash, one pair of simulated ERPs for a module."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.support.simulated import Pair, simulated_pair


@pytest.fixture(scope="module")
def erps() -> Iterator[Pair]:
    with simulated_pair() as pair:
        yield pair


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Quantities that no order had before: by them an order is known in both ERPs, whatever its numbers are there."""
    return iter(count(101))
