"""What the worlds of these tests are made of."""

from __future__ import annotations

import pytest

from gateway.control.content import Content, load, read_folder
from gateway.observe.logs import set_up
from gateway.settings import shipped


@pytest.fixture(scope="package")
def content() -> Content:
    set_up("critical")  # what breaks here is meant to break
    return load(read_folder(shipped()))
