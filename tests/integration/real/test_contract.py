"""Every ERP keeps the same contract behind the gateway: what holds for the simulated ones holds for the real ones."""

from __future__ import annotations

import pytest

from tests.integration.real.conftest import LACKS
from tests.support.erp_contract import ABILITIES, System, check, check_lack, lack_of

EVERY = [(name, object_, ability) for name in LACKS for object_, all_ in ABILITIES.items() for ability in all_]
ABLE = [case for case in EVERY if lack_of(LACKS[case[0]], *case[1:]) is None]
LACKING = [case for case in EVERY if case not in ABLE]


def named(case: tuple[str, str, str]) -> str:
    return f"{case[1]}-{case[2]}"


@pytest.mark.parametrize(
    ("system", "object_", "ability"), [pytest.param(*c, id=f"{c[0]}-{named(c)}") for c in ABLE], indirect=["system"]
)
def test_an_erp_does_what_the_version_offers(system: System, object_: str, ability: str) -> None:
    check(system, object_, ability)


@pytest.mark.parametrize(
    ("system", "object_", "ability"), [pytest.param(*c, id=f"{c[0]}-{named(c)}") for c in LACKING], indirect=["system"]
)
def test_what_an_erp_lacks_is_refused_and_not_pretended(system: System, object_: str, ability: str) -> None:
    lack = lack_of(LACKS[system.name], object_, ability)
    assert lack is not None
    check_lack(system, object_, ability, lack)


def test_every_lack_is_of_something_the_version_offers() -> None:
    for name, lacks in LACKS.items():
        for object_, ability in lacks:
            assert ability in ("*", *ABILITIES[object_]), f"{name} cannot lack {object_}/{ability}"
