"""What the worlds of these tests are made of."""

from __future__ import annotations

import pytest

from gateway.control.content import load, read_folder
from gateway.observe.logs import set_up
from gateway.settings import shipped
from gateway.sim.shape import BEFORE
from gateway.sim.world import Contents


@pytest.fixture(scope="package")
def contents() -> Contents:
    """The shipped content, and no other."""
    set_up("critical")  # what breaks here is meant to break
    return {BEFORE: load(read_folder(shipped()))}
