"""Every attack of the corpus, over a socket, on both event loops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.edge.limits import EdgeLimits
from tests.integration.edge.attacks import ATTACKS, Attack, get
from tests.integration.edge.echo import Echo
from tests.integration.edge.wire import Address, ask, wire_server

LIMITS = EdgeLimits(hosts=frozenset({"gateway.example"}), linger_s=0.5)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Echo, Address]]:
    echo = Echo(LIMITS)
    with wire_server(echo, LIMITS, loop=request.param) as address:
        yield echo, address


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_the_answer_to_an_attack_is_one_of_those_allowed(served: tuple[Echo, Address], attack: Attack) -> None:
    echo, address = served
    echo.acted.clear()
    reply = ask(address, attack.raw, answers=attack.answers)
    statuses = reply.statuses
    assert set(statuses[:1]) & attack.statuses, reply.raw[:300]
    assert len(statuses) == attack.answers
    for word in attack.absent:
        assert word not in reply.raw.replace(b"%d" % address.port, b"")
    for word in attack.present:
        assert word in reply.raw
    if attack.must_not_reach_app:
        assert echo.acted == []
        assert b"application/problem+json" in reply.raw or b'"urn:changeover:problem:' in reply.raw
    else:
        assert echo.acted


@pytest.mark.parametrize("attack", [a for a in ATTACKS if len(a.raw) < 2_000], ids=lambda a: a.name.replace(" ", "-"))
def test_an_attack_sent_byte_by_byte_gets_the_same_answer(served: tuple[Echo, Address], attack: Attack) -> None:
    echo, address = served
    echo.acted.clear()
    reply = ask(address, *[bytes([byte]) for byte in attack.raw])
    assert reply.statuses[0] in attack.statuses, reply.raw[:300]
    assert attack.must_not_reach_app is not bool(echo.acted)


def test_the_server_still_answers_good_requests_after_the_corpus(served: tuple[Echo, Address]) -> None:
    _, address = served
    for attack in ATTACKS[:20]:
        ask(address, attack.raw, quiet_s=1)
    assert ask(address, get()).statuses == [200]
