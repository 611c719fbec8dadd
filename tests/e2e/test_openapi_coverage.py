"""Every limit that a description names is tried on both sides of it: schemathesis's coverage phase, and what fits is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import missing_required_header

from tests.e2e.calls import Json
from tests.e2e.test_openapi_fuzz import CHECKS, loaded, narrowed
from tests.support.gateway import RunningGateway

BOTH = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
HELD = [check for check in CHECKS if check is not missing_required_header]
"""All but one: it has no room for 428 (RFC 6585), which is what a change without If-Match is told."""
OURS = ("The document breaks the contract.", "The document does not fit this version.", "The patch changes nothing.")
"""What the gateway itself says of a document; any other refusal is an ERP's, or of what is there already."""
UNSAID = ("no more than 3 decimal places", "no more than 4 decimal places")
"""Digits after the point of a JSON number (version 1): `multipleOf` would make many validators refuse right ones."""


def published(gateway: RunningGateway, version: str) -> Json:
    """The description, without the credentials: the test gives its own, and `ignored_auth` is run elsewhere."""
    api: Json = httpx.get(f"{gateway.base_url}/openapi/{version}.json").raise_for_status().json()
    del api["security"], api["components"]["securitySchemes"]
    return api


def cases(api: Any) -> Iterator[schemathesis.Case[Any]]:
    """The cases of the coverage phase, of all operations."""
    for result in api.get_all_operations():
        operation = result.ok()
        config = api.config.generation_for(operation=operation)
        yield from api.iter_coverage_cases(operation, generation_modes=BOTH, generation_config=config)


def flaw(case: schemathesis.Case[Any], key: str) -> str | None:
    """What of the answer is not as described; None where it is."""
    answer = case.call(headers={"X-API-Key": key})
    try:
        case.validate_response(answer, checks=HELD)
    except BaseExceptionGroup as err:
        return str(err.exceptions[0])
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return None
    return turned_down(answer)


def turned_down(answer: Any) -> str | None:
    """Why the gateway did not take what fits the description; None where it did, or where an ERP or the present state said no."""
    if answer.status_code not in (400, 415, 422):
        return None
    problem = answer.json()
    reasons = [each["reason"] for each in problem.get("errors", ())]
    if reasons and all(any(word in reason for word in UNSAID) for reason in reasons):
        return None
    if answer.status_code == 422 and problem["detail"] not in OURS:
        return None
    return f"{answer.request.url} {answer.request.body!r}: {answer.text}"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("there", [True, False], ids=["what-is-there", "anything"])
def test_on_both_sides_of_every_limit_the_answer_is_as_described(
    gateway: RunningGateway, version: str, there: bool
) -> None:
    api = published(gateway, version)
    key = gateway.deployment.keys["admin"]
    tried, found = 0, dict[str, str]()
    for case in cases(loaded(gateway, version, narrowed(gateway, api) if there else api)):
        tried += 1
        if (wrong := flaw(case, key)) is not None:
            found.setdefault(f"{case.operation.label}: {wrong[:80]}", wrong)
    assert tried
    assert found == {}
