"""When what two ERPs derived may be compared."""

from __future__ import annotations

import pytest

from gateway.core.canonical.stored import dumped
from gateway.core.phases import Side
from gateway.store.derived import Write
from gateway.writes.derived import _deriving

DONE: dict[Side, str] = {"legacy": "done", "cloud": "done"}
OWED: dict[Side, str] = {"legacy": "done", "cloud": "waiting"}


@pytest.mark.parametrize(
    ("legs", "ends_us", "still_open"),
    [
        (DONE, (100, 200), False),
        (DONE, (100, 301), True),  # the other ERP has it since a moment: nobody has read what it derived
        (OWED, (100, 0), True),
    ],
)
def test_a_confirmation_that_an_erp_got_a_moment_ago_may_still_have_a_movement(
    legs: dict[Side, str], ends_us: tuple[int, int], still_open: bool
) -> None:
    document = dumped({"order": "1000001", "quantity": 1})
    write = Write("w", "confirmation", document, legs, dict(zip(legs, ends_us, strict=True)))
    found = _deriving(write, ("production_order", "1000001"), before_us=300)
    assert found is not None
    assert found.open == still_open
