"""Every ERP keeps the same contract behind the gateway: what holds for the simulated ones holds for the real ones."""

from __future__ import annotations

import pytest

from tests.integration.real.conftest import LACKS
from tests.support.erp_contract import ABILITIES, System, check, check_lack, lack_of

Case = tuple[str, str, str]
EVERY = [(name, object_, ability) for name in LACKS for object_, all_ in ABILITIES.items() for ability in all_]
LACKING = [case for case in EVERY if lack_of(LACKS[case[0]], *case[1:]) is not None]
ABLE = [case for case in EVERY if case not in LACKING]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """One test a case."""
    names = ("system", "object_", "ability")
    return pytest.mark.parametrize(
        names, [pytest.param(*case, id="-".join(case)) for case in cases], indirect=["system"]
    )


@each(ABLE)
def test_an_erp_does_what_the_version_offers(system: System, object_: str, ability: str) -> None:
    check(system, object_, ability)


@each(LACKING)
def test_what_an_erp_lacks_is_refused_and_not_pretended(system: System, object_: str, ability: str) -> None:
    lack = lack_of(LACKS[system.name], object_, ability)
    assert lack is not None
    check_lack(system, object_, ability, lack)


def test_every_lack_is_of_something_the_version_offers() -> None:
    for name, lacks in LACKS.items():
        for object_, ability in lacks:
            assert ability in ("*", *ABILITIES[object_]), f"{name} cannot lack {object_}/{ability}"
