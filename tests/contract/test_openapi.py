"""The descriptions of the versions: valid OpenAPI 3.1, complete, and true to contract and dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from gateway.control.content import Content, load, read_folder
from gateway.core.canonical import OBJECTS
from gateway.core.contracts import Contract
from gateway.core.units import CURRENCIES, UNITS
from gateway.dialects.library import ENTERPRISE
from gateway.errors import CaseMoved, MethodNotAllowed, NoSuchCase, UnknownResource, UnknownVersion
from gateway.problem import codes, statuses_of
from gateway.settings import shipped
from gateway.surfaces.openapi import index, openapi

Json = dict[str, Any]
VERSIONS = ("v1", "v2")
OPERATION = {"get", "post", "patch"}


@pytest.fixture(scope="module")
def content() -> Content:
    return load(read_folder(Path(shipped())))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(content: Content, version: str) -> Json:
    contract = content.contracts[version]
    return openapi(contract, content.dialects[contract.dialect], "https://gateway.example")


def operations(api: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def walk(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def schemas(api: Json) -> Iterator[Json]:
    yield from api["components"]["schemas"].values()
    yield from (header["schema"] for header in api["components"]["headers"].values())
    for answer in api["components"]["responses"].values():
        yield from (media["schema"] for media in answer["content"].values())
    for _, _, operation in operations(api):
        yield from (parameter["schema"] for parameter in operation["parameters"])
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            yield from (media["schema"] for media in part.get("content", {}).values())


def test_the_document_has_the_members_of_openapi_3_1(api: Json, version: str) -> None:
    assert re.fullmatch(r"3\.1\.\d+", api["openapi"])
    assert api["info"]["version"] == version
    assert api["info"]["title"]
    assert api["servers"] == [{"url": f"https://gateway.example/api/{version}"}]
    assert set(api) <= {"openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs"}


def test_every_schema_is_one_of_json_schema_2020_12(api: Json) -> None:
    for schema in schemas(api):
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(api: Json) -> None:
    references = [v["$ref"] for v in walk(api) if isinstance(v, dict) and "$ref" in v]
    assert references
    for reference in references:
        place: Any = api
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_operation_has_a_name_of_its_own_a_summary_and_answers(api: Json) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(api)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(api):
        assert method in OPERATION
        assert operation["summary"], path
        assert any(status.startswith("2") for status in operation["responses"]), path
        for answer in operation["responses"].values():
            assert "$ref" in answer or answer["description"]


def test_every_parameter_of_a_path_is_declared_and_no_other(api: Json) -> None:
    for path, _, operation in operations(api):
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), path
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
        names = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(names) == len(set(names)), path


def test_every_resource_verb_and_action_of_the_contract_is_described_and_nothing_else(
    api: Json, content: Content, version: str
) -> None:
    expected = set()
    for name, rule in content.contracts[version].resources.items():
        base = f"/{name}" if OBJECTS[rule.object].scope == "enterprise" else f"/plants/{{plant}}/{name}"
        verbs = {"list": ("get", base), "create": ("post", base)}
        verbs |= {"read": ("get", base + "/{key}"), "change": ("patch", base + "/{key}")}
        expected |= {verbs[verb] for verb in rule.verbs}
        for action, made in rule.actions.items():
            expected.add(("post", f"{base}:{action}" if made.on == "collection" else f"{base}/{{key}}:{action}"))
    expected.add(("get", "/operations/{id}"))
    assert {(method, path) for path, method, _ in operations(api)} == expected


def test_a_version_that_ends_says_so_at_every_operation(api: Json, version: str) -> None:
    assert {operation.get("deprecated", False) for _, _, operation in operations(api)} == {version == "v1"}


def test_what_the_erp_sets_is_read_only_and_no_part_of_what_is_sent(api: Json) -> None:
    shown = api["components"]["schemas"]
    for name, schema in shown.items():
        if name.endswith(("_new", "_patch")):
            whole = shown[re.sub("_(new|patch)$", "", name)]
            fixed = {field for field, s in whole["properties"].items() if s.get("readOnly")}
            assert not fixed & set(schema["properties"]), name
            assert schema["additionalProperties"] is False
    assert "status" not in shown["production_order_new"]["properties"]


def test_a_change_names_no_required_field_and_is_never_empty(api: Json) -> None:
    for name, schema in api["components"]["schemas"].items():
        if name.endswith("_patch"):
            assert "required" not in schema
            assert schema["minProperties"] == 1


def fields_of(schema: Json, above: str = "") -> Iterator[str]:
    """The paths of the single values that a document may hold."""
    for name, inner in schema["properties"].items():
        yield from fields_of(inner, f"{above}{name}.") if "properties" in inner else (above + name,)


def test_a_change_offers_all_that_the_contract_lets_change_and_nothing_else(
    api: Json, content: Content, version: str
) -> None:
    contract = content.contracts[version]
    changed = {rule.object: rule.changeable for rule in contract.resources.values() if "change" in rule.verbs}
    shown = api["components"]["schemas"]
    assert {name for name in shown if name.endswith("_patch")} == {f"{object_}_patch" for object_ in changed}
    for object_, changeable in changed.items():
        translation = content.dialects[contract.dialect].of(object_, ENTERPRISE)
        assert translation is not None
        entries = [entry for name in changeable if (entry := translation.plan.level.entry(name)) is not None]
        assert entries
        assert set(fields_of(shown[f"{object_}_patch"])) == {".".join(entry.native[0]) for entry in entries}


def test_a_field_that_a_document_needs_is_never_taken_away(api: Json) -> None:
    patch = {"$ref": "#/components/schemas/production_order_patch", "components": api["components"]}
    valid = Draft202012Validator(patch).is_valid
    nested = api["info"]["version"] == "v2"
    taken = {"quantity": {"value": None}} if nested else {"quantity": None}
    assert not valid(taken)
    assert not valid({"planned": {}} if nested else {})
    assert valid({"planned": {"end": None}} if nested else {"plannedEnd": None})


def test_what_an_action_takes_from_its_path_is_not_asked_for_again(api: Json, version: str) -> None:
    needed = api["components"]["schemas"]["confirmation_new"]["required"]
    assert {"v1": "orderNumber", "v2": "order"}[version] not in needed


WRONG = {
    "base_unit": ("", "pieces", "HAR"),
    "name": ("\x07", "a" * 81),
    "id": ("", " P-1", "P-1 ", "P/1", "P\n1"),
    "list_price": ({"currency": ""}, {"currency": "EURO"}, {"amount": "1" * 14}, {"amount": "1.23456"}),
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_value_that_the_model_refuses_does_not_fit_the_description(content: Content, field: str, value: Any) -> None:
    contract = content.contracts["v2"]
    components = openapi(contract, content.dialects[contract.dialect], "")["components"]
    new = Draft202012Validator({"$ref": "#/components/schemas/item_new", "components": components})
    right = {"id": "P-1", "base_unit": "H87", "name": "Pump\t1", "list_price": {"amount": "1.2", "currency": "EUR"}}
    new.validate(right)
    assert not new.is_valid(right | {field: value})


@pytest.mark.parametrize("day", ["", "2026-13-01", "20260101", "2026-1-1"])
def test_a_day_that_is_none_does_not_fit_the_description_whatever_a_reader_makes_of_formats(
    content: Content, day: str
) -> None:
    contract = content.contracts["v2"]
    components = openapi(contract, content.dialects[contract.dialect], "")["components"]
    patch = Draft202012Validator({"$ref": "#/components/schemas/purchase_order_patch", "components": components})
    patch.validate({"ordered_on": "2026-01-01"})
    assert not patch.is_valid({"ordered_on": day})


def resolved(api: Json, answer: Json) -> Json:
    """An answer, wherever it is written."""
    found: Json = api["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]] if "$ref" in answer else answer
    return found


def told(api: Json, operation: Json) -> Iterator[tuple[int, str]]:
    """(status, code) of every problem that an operation can be answered with."""
    for status, answer in operation["responses"].items():
        if status[0] in "45":
            (schema,) = (media["schema"] for media in resolved(api, answer)["content"].values())
            base, types = "https://gateway.example/problems/", schema["allOf"][1]["properties"]["type"]["enum"]
            assert all(each.startswith(base) for each in types)
            yield from ((int(status), each.removeprefix(base)) for each in types)


def test_every_refusal_is_a_problem_document_and_its_types_are_told_with_its_status(api: Json) -> None:
    for path, _, operation in operations(api):
        for status, answer in operation["responses"].items():
            if status[0] in "45":
                assert set(resolved(api, answer)["content"]) == {"application/problem+json"}, (path, status)
        for status, code in told(api, operation):
            assert status in statuses_of(codes()[code]), (path, code)


NO_OPERATIONS = {
    UnknownVersion: "no version, no description",
    UnknownResource: "no operation stands there",
    MethodNotAllowed: "no operation has the method",
    NoSuchCase: "the admin port's",
    CaseMoved: "the admin port's",
}


def test_every_problem_is_some_operations_or_there_is_a_reason_why_not(content: Content) -> None:
    strict = {version: strictly(contract) for version, contract in content.contracts.items()}
    apis = [openapi(c, content.dialects[c.dialect], "https://gateway.example") for c in strict.values()]
    found = {code for api in apis for _, _, operation in operations(api) for _, code in told(api, operation)}
    assert found == set(codes()) - {cls.code for cls in NO_OPERATIONS}


def strictly(contract: Contract) -> Contract:
    """The contract with an Idempotency-Key required with every write."""
    rules = {name: rule.model_copy(update={"idempotency_key": "required"}) for name, rule in contract.resources.items()}
    return contract.model_copy(update={"resources": rules})


def writes(api: Json) -> Iterator[tuple[str, Json]]:
    return ((path, operation) for path, method, operation in operations(api) if method != "get")


def test_every_write_may_be_answered_before_it_is_done_and_says_where_to_ask(api: Json) -> None:
    for path, operation in writes(api):
        accepted = operation["responses"]["202"]
        assert accepted["content"]["application/json"]["schema"]["$ref"].endswith("/Accepted"), path
        assert accepted["headers"]["Location"]["required"], path


def test_every_write_names_its_operation_and_says_where_its_answer_is_a_repeated_one(api: Json) -> None:
    for path, operation in writes(api):
        for status in [status for status in operation["responses"] if status[0] == "2"]:
            headers = operation["responses"][status]["headers"]
            assert headers["X-Op-Id"]["required"], (path, status)
            assert {"Idempotent-Replayed", "X-Route"} <= set(headers), (path, status)


def test_every_write_takes_an_idempotency_key_and_needs_it_where_the_contract_says_so(
    content: Content, version: str, api: Json
) -> None:
    contract = strictly(content.contracts[version])
    strict = openapi(contract, content.dialects[contract.dialect], "https://gateway.example")
    for described, needed in ((api, False), (strict, True)):
        for path, operation in writes(described):
            (key,) = (p for p in operation["parameters"] if p["name"] == "Idempotency-Key")
            assert key["required"] is needed, path
            assert ((400, "idempotency-key-missing") in told(described, operation)) is needed, path


def test_what_is_made_is_shown_and_has_a_place_in_a_version_that_shows_such_documents(content: Content) -> None:
    contract = content.contracts["v2"]
    rules = dict(contract.resources) | {
        "confirmations": contract.resources["confirmations"].model_copy(update={"verbs": ["list"]})
    }
    api = openapi(contract.model_copy(update={"resources": rules}), content.dialects[contract.dialect], "")
    made = {path: operation["responses"]["201"] for path, operation in writes(api) if "201" in operation["responses"]}
    for path, answer in made.items():
        assert answer["content"]
        assert ("Location" in answer["headers"]) is not path.endswith(":confirm"), path


def test_a_version_with_an_end_is_gone_some_day_and_says_so_in_every_good_answer(api: Json, version: str) -> None:
    ends = version == "v1"
    for path, _, operation in operations(api):
        assert ("410" in operation["responses"]) is ends, path
        for status, answer in operation["responses"].items():
            if status[0] == "2":
                life = {
                    name
                    for name in ("Deprecation", "Sunset", "Link")
                    if answer["headers"].get(name, {}).get("required")
                }
                assert life == ({"Deprecation", "Sunset", "Link"} if ends else set()), (path, status)


def test_callers_must_show_who_they_are(api: Json) -> None:
    assert api["security"] == [{"token": []}, {"key": []}]
    assert not [path for path, _, operation in operations(api) if "security" in operation]


def test_two_runs_describe_a_version_alike(content: Content, version: str, api: Json) -> None:
    contract = content.contracts[version]
    assert openapi(contract, content.dialects[contract.dialect], "https://gateway.example") == api


def test_the_index_lists_every_version_with_its_life(content: Content) -> None:
    rows = {row["version"]: row for row in index(content.contracts)["versions"]}
    assert set(rows) == set(VERSIONS)
    assert rows["v1"]["sunset_at"] is not None
    assert rows["v2"]["deprecated_at"] is None
    assert rows["v2"]["openapi"] == "/openapi/v2.json"


def test_units_and_currencies_are_those_that_the_model_takes(api: Json) -> None:
    lists = api["components"]["schemas"]
    assert lists["Currency"]["enum"] == sorted(CURRENCIES)
    unit = re.compile(lists["Unit"]["pattern"])
    assert all(unit.search(code) for code in UNITS)
    assert not any(unit.search(code) for code in ("", "ZZZZ", "h87", "H87 ", "H8", "H871"))
    assert "eur" not in lists["Currency"]["enum"]
