"""The descriptions that the gateway publishes are true: whatever fits them is answered as they say, whatever does not is refused."""

from __future__ import annotations

from collections.abc import Callable
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

from tests.e2e.calls import Json, Plant, good, order, refused
from tests.e2e.moves import awaited
from tests.support.gateway import Deployment, RunningGateway

EXAMPLES = 5  # of each operation and mode; the tester itself, as a stranger runs it, adds its own (test_openapi_cli.py)
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
    """The published description, narrowed."""
    api = httpx.get(f"{gateway.base_url}/openapi/{version}.json").raise_for_status().json()
    return loaded(gateway, version, narrowed(gateway, api))


def narrowed(gateway: RunningGateway, api: Json) -> Json:
    """A description with what exists in places of what is only allowed, so that more than refusals is seen."""
    made = Plant(gateway.client("admin"), "1000").ordered()
    there = {
        "plant": ["1000", "3000"],
        "key": [good(made, 201)["id"], *KEYS],
        "If-Match": [made.headers["etag"], '"L1n.eA"'],
        "id": [made.headers["x-op-id"], "0" * 32],
    }
    for operations in api["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in there:
                    parameter["schema"] = {"type": "string", "enum": there[parameter["name"]]}
    return api


def loaded(gateway: RunningGateway, version: str, api: Json) -> Any:
    """A description, to be called with."""
    project = ProjectConfig(
        base_url=f"{gateway.base_url}/api/{version}",
        headers={"X-API-Key": gateway.deployment.keys["admin"]},
        generation=GenerationConfig(deterministic=True, max_examples=EXAMPLES),
    )
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    return schemathesis.openapi.from_dict(api, config=config)


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


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("plant", ["1000", "3000"])
def test_every_field_and_every_order_that_is_described_is_taken(
    gateway: RunningGateway, plant: str, version: str
) -> None:
    http = gateway.client("admin")
    for path, operations in httpx.get(f"{gateway.base_url}/openapi/{version}.json").json()["paths"].items():
        url = f"/api/{version}{path.replace('{plant}', plant)}"
        if "{" in url or "get" not in operations:
            continue
        words = {p["name"]: p["schema"] for p in operations["get"]["parameters"]}
        names = words["fields"]["items"]["enum"]
        for row in good(http.get(url, params={"fields": ",".join(names), "limit": 1}))["items"]:
            assert set(row) <= set(names)
        for word in words.get("order", {}).get("items", {}).get("enum", ()):
            good(http.get(url, params={"order": word, "limit": 1}))
        assert refused(http.get(url, params={"fields": ""}), 400, "malformed")["field"] == "fields"


@pytest.fixture
def hurried(own: Deployment, starter: Callable[[Deployment], RunningGateway]) -> RunningGateway:
    """A gateway whose clients wait for a second only."""
    own.edit("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 1")
    return starter(own)


@pytest.mark.parametrize("code", ["1000", "3000"])
def test_a_write_that_its_erp_does_not_answer_in_time_is_answered_as_described(
    hurried: RunningGateway, code: str
) -> None:
    """Whether it makes, changes or carries out something, when it is sent and when it is sent again."""
    api = httpx.get(f"{hurried.base_url}/openapi/v2.json").raise_for_status().json()
    calls, base = loaded(hurried, "v2", api), "/plants/{plant}/production-orders"
    plant, key = Plant(hurried.client("admin"), code), {"Idempotency-Key": "slow-1"}
    erp = hurried.deployment.erps.legacy if code == "1000" else hurried.deployment.erps.cloud
    made = plant.ordered()
    there = {"plant": code, "key": good(made, 201)["id"]}
    media, patch = "application/merge-patch+json", {"quantity": {"value": "12"}}
    slow = [
        calls[base]["POST"].Case(path_parameters={"plant": code}, headers=key, body=order(), media_type="application/json"),
        calls[base + "/{key}"]["PATCH"].Case(
            path_parameters=there, headers={"If-Match": made.headers["etag"]}, body=patch, media_type=media
        ),
        calls[base + "/{key}:release"]["POST"].Case(path_parameters=there),
    ]  # fmt: skip
    credential = {"X-API-Key": hurried.deployment.keys["admin"]}
    for case in slow:
        with erp.fault("commit_then_delay", delay_s=1.6, method=case.method):
            answer = case.call_and_validate(checks=CHECKS, headers=credential)
            assert answer.status_code == httpx.codes.ACCEPTED, answer.content
            watched = calls["/operations/{id}"]["GET"].Case(path_parameters={"id": answer.json()["operation"]})
            assert watched.call_and_validate(checks=CHECKS, headers=credential).json()["state"] == "pending"
        awaited(lambda answer=answer: good(plant.http.get(answer.json()["status"]))["state"] == "done")  # type: ignore[misc]  # bound now
    again = slow[0].call_and_validate(checks=CHECKS, headers=credential)
    assert again.headers["idempotent-replayed"] == ["true"]


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
