"""The descriptions that the gateway publishes are true: whatever fits them is answered as they say, whatever does not is refused."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.e2e.calls import Plant, good
from tests.support.gateway import RunningGateway

EXAMPLES = 8
KEYS = ["1000000", "50000004", "4500000001", "1234", "0"]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
]


def described(gateway: RunningGateway, version: str) -> Any:
    """The published description, with plants and keys that exist, so that more than refusals is seen."""
    published = httpx.get(f"{gateway.base_url}/openapi/{version}.json").raise_for_status().json()
    narrowed = copy.deepcopy(published)
    for operations in narrowed["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "plant":
                    parameter["schema"] = {"type": "string", "enum": ["1000", "3000"]}
                if parameter["name"] == "key":
                    parameter["schema"] = {"type": "string", "enum": KEYS}
    project = ProjectConfig(
        base_url=f"{gateway.base_url}/api/{version}",
        headers={"X-API-Key": gateway.deployment.keys["admin"]},
        generation=GenerationConfig(deterministic=True, max_examples=EXAMPLES),
    )
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    return schemathesis.openapi.from_dict(narrowed, config=config)


def unlike(gateway: RunningGateway, version: str, mode: GenerationMode) -> dict[str, str]:
    """What each operation answered otherwise than its description says: operation -> the first failure."""
    found: dict[str, str] = {}
    for result in described(gateway, version).get_all_operations():
        operation = result.ok()
        try:
            answered(operation.as_strategy(generation_mode=mode), gateway.deployment.keys["admin"])
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing about it can be wrong
        except BaseExceptionGroup as err:
            found[operation.label] = str(err)
    return found


def answered(cases: Any, key: str) -> None:
    """Send the cases of one operation and hold every answer against the description."""

    @given(case=cases)
    @BOUNDED
    def each(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, headers={"X-API-Key": key})

    each()


BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_fits_the_description_is_answered_as_it_says(gateway: RunningGateway, version: str) -> None:
    assert unlike(gateway, version, GenerationMode.POSITIVE) == {}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_does_not_fit_the_description_is_refused_as_it_says(gateway: RunningGateway, version: str) -> None:
    assert unlike(gateway, version, GenerationMode.NEGATIVE) == {}


RESOURCES = {
    "production-orders": "production_order",
    "confirmations": "confirmation",
    "item-plants": "item_plant",
    "inventory-positions": "inventory_position",
    "movements": "movement",
    "purchase-orders": "purchase_order",
    "receipts": "receipt",
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("plant", ["1000", "3000"])
def test_the_documents_of_a_worked_plant_are_as_described(gateway: RunningGateway, plant: str, version: str) -> None:
    _worked(gateway, plant)
    published = httpx.get(f"{gateway.base_url}/openapi/{version}.json").json()
    http = gateway.client("admin")
    for resource, object_ in RESOURCES.items():
        schema = {"$ref": f"#/components/schemas/{object_}", "components": published["components"]}
        rows = Plant(http, plant, version).rows(resource)
        assert rows, resource
        for row in rows:
            Draft202012Validator(schema).validate(row)


def _worked(gateway: RunningGateway, code: str) -> None:
    """An order made and confirmed, goods bought and received."""
    plant = Plant(gateway.client("admin"), code)
    key = good(plant.ordered(), 201)["id"]
    good(plant.act("production-orders", key, "release"))
    confirmation = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
    good(plant.act("production-orders", key, "confirm", confirmation), 201)
    number = good(plant.bought(), 201)["id"]
    good(plant.act("purchase-orders", number, "release"))
    line = {"purchase_order": {"number": number, "line": "10"}, "item": "SEAL-7", "plant": code}
    line |= {"quantity": {"value": "5", "unit": "H87"}, "storage_location": "0001"}
    good(plant.act("receipts", None, "post", {"lines": [line]}), 201)
