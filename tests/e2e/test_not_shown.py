"""A write that was carried out and whose document cannot be shown is told as done, and not as failed or as a document there is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from gateway.sim.erps.wire.messages import Answer, Request
from tests.e2e.calls import Plant, good
from tests.e2e.test_dual_writes import BOTH, ORDERS, settled
from tests.support.gateway import DUAL, RunningGateway, deployment
from tests.support.simulated import Pair, SimErp, simulated_pair

CONFIRMED = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
_UNIT = re.compile(rb'"((?:Production|Confirmation)Unit)":"[A-Z]+"')


@pytest.fixture(scope="module")
def erps() -> Iterator[Pair]:
    with simulated_pair() as pair:
        yield pair


@pytest.fixture(scope="module")
def gateway(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Plant 1000 is in dual_legacy, plant 2000 in dual_cloud."""
    made = deployment(tmp_path_factory.mktemp("unshown"), erps)
    made.begin_in(DUAL)
    with made.running() as started:
        yield started


@contextmanager
def in_words_nobody_knows(erp: SimErp, *methods: str) -> Iterator[None]:
    """The ERP carries out what it is asked, and tells of it in a unit that its dialect does not have."""
    answered: Callable[[Request], Answer] = erp.app.erp.answer

    def told(request: Request) -> Answer:
        answer = answered(request)
        body = _UNIT.sub(rb'"\1":"ZZ"', answer.body) if request.method in methods else answer.body
        return Answer(answer.status, answer.headers, body, answer.content_type)

    with patch.object(erp.app.erp, "answer", told):
        yield


@BOTH
def test_a_document_that_only_the_answer_to_its_creation_garbles_is_read_once_more(
    plant: Plant, leader: SimErp, follower: SimErp, code: str
) -> None:
    key = good(plant.ordered(), 201)["id"]
    good(plant.act(ORDERS, key, "release"))
    mark = leader.length
    with in_words_nobody_knows(leader, "POST"):
        answer = plant.act(ORDERS, key, "confirm", CONFIRMED)
    assert good(answer, 201)["order"] == key
    settled(plant, answer)
    assert len([e for e in leader.since(mark, origin="api") if e["verb"] == "create"]) == 1
