"""A bundle answers only after its files, its profile and its tests are right; what is wrong is said all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ContentError
from gateway.policy.bundle import check_bundle, check_files, load_bundle, read_files, revision_of, run_tests
from tests.unit.policy.model import POLICIES

MANIFEST = "schema: 1\npackage: shop\n"
POLICY = """package shop

default decision := {"allow": false, "reasons": ["no"], "obligations": {}}

decision := {"allow": true, "reasons": [], "obligations": {}} if "clerk" in input.subject.roles
"""
TEST = """package shop_test

test_a_clerk_may if {
	answer := data.shop.decision with input as {"subject": {"roles": ["clerk"]}}
	answer.allow == true
}
"""
GOOD = {"manifest.yaml": MANIFEST, "shop.rego": POLICY, "shop_test.rego": TEST}


def mistakes(**changed: str | None) -> list[str]:
    files = dict(GOOD)
    for name, text in changed.items():
        path = name.replace("__", ".")
        files.pop(path, None)
        if text is not None:
            files[path] = text
    report = check_files(files)
    assert report.bundle is None
    return [str(mistake) for mistake in report.mistakes]


def test_a_good_bundle_is_ready_and_leaves_its_tests_behind() -> None:
    report = check_files(GOOD)
    assert report.mistakes == ()
    assert report.bundle is not None
    assert [file for file, _ in report.bundle.modules] == ["shop.rego"]
    assert report.bundle.entry == "data.shop.decision"
    assert report.bundle.cost_us > 0


OUTSIDE = POLICY.replace('"clerk" in input.subject.roles', 'regex.match("^clerk", input.subject.id)')


def test_where_a_server_answers_the_rules_may_be_outside_the_profile_and_their_tests_are_the_servers() -> None:
    files = GOOD | {"shop.rego": OUTSIDE, "shop_test.rego": TEST.replace('"clerk"', '"guest"')}
    assert check_files(files).bundle is None
    report = check_files(files, try_out_rules=False)
    assert (report.mistakes, report.tests) == ((), ())
    assert report.bundle is not None
    assert report.bundle.manifest.package == "shop"


@pytest.mark.parametrize(("name", "text"), [("manifest.yaml", "schema: 3\n"), ("data.json", "{")])
def test_where_a_server_answers_manifest_and_data_are_checked_as_ever(name: str, text: str) -> None:
    report = check_files(GOOD | {name: text}, try_out_rules=False)
    assert [mistake.file for mistake in report.mistakes] == [name]
    assert report.bundle is None


def test_where_the_embedded_engine_is_not_to_be_had_a_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.trial.find_spec", lambda _: None)
    (found,) = mistakes()
    assert "CHANGEOVER_POLICY_ENGINE=opa" in found


def test_the_reference_bundle_passes_all_its_tests() -> None:
    results = run_tests(POLICIES)
    assert len(results) >= 25
    assert [result.name for result in results if not result.passed] == []
    assert {result.file for result in results} == {"authz_test.rego"}


def test_a_failed_test_is_named_with_its_place(tmp_path: Path) -> None:
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text.replace('["clerk"]', '["guest"]'))
    with pytest.raises(ContentError) as caught:
        load_bundle(tmp_path)
    (mistake,) = caught.value.mistakes
    assert (mistake.file, mistake.line) == ("shop_test.rego", 3)
    assert "data.shop_test.test_a_clerk_may failed" in mistake.reason


def test_every_syntax_error_is_found_with_its_place() -> None:
    found = mistakes(shop__rego="package shop\n\nx := \n", more__rego="package more\ny y y\n")
    assert [row.split(" ")[0] for row in found] == ["shop.rego:4:1:", "more.rego:2:1:"]


def test_a_builtin_outside_the_profile_is_named_with_its_place_and_a_way_out() -> None:
    (found,) = mistakes(shop__rego=POLICY + 'bad if not http.send({"url": "http://127.0.0.1"})\n')
    assert found.startswith("shop.rego:6:")
    assert "http.send" in found
    assert "OPA server" in found


def test_a_misspelt_part_of_the_question_is_refused() -> None:
    (found,) = mistakes(shop__rego=POLICY.replace("subject.roles", "subject.rolls"))
    assert "input.subject.rolls is not part of the question" in found


def test_a_misspelt_rule_is_refused() -> None:
    found = mistakes(shop__rego=POLICY + "x if not grnated\n")
    assert any("grnated is not a name known here" in row for row in found)


@pytest.mark.parametrize("loop", ["f(x) := f(x)\nx := f(1)\n", "x if y\ny if x\n", "x if { not x }\n"])
def test_recursion_is_refused_before_it_can_kill_a_process(loop: str) -> None:
    assert any("depends on itself" in row for row in mistakes(shop__rego=POLICY + loop))


def test_a_policy_that_never_ends_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.trial.CPU_LIMIT_S", 1)
    numbers = ",\n".join(str(n) for n in range(300))
    slow = f"""package shop_test

n := [{numbers}]

test_slow if count([1 | some a in n; some b in n; some c in n; some d in n; a == b; c == d]) > 1
"""
    (found,) = mistakes(shop_test__rego=slow)
    assert found.startswith("shop_test.rego:304:1: data.shop_test.test_slow did not end")


def test_a_test_that_breaks_a_builtin_fails_alone() -> None:
    report = check_files(
        GOOD | {"b_test.rego": "package b_test\n\ntest_b if startswith(1, input.x)\ntest_c if 1 == 1\n"}
    )
    assert {result.name: result.passed for result in report.tests if "b_test" in result.name} == {
        "data.b_test.test_b": False,
        "data.b_test.test_c": True,
    }
    assert report.bundle is None


def test_a_bundle_that_lets_nobody_in_is_refused() -> None:
    found = mistakes(shop__rego=POLICY.replace('if "clerk" in input.subject.roles', "if true").replace("default", "#"))
    assert found == ["manifest.yaml: data.shop.decision allows a caller who has no role and no plant"]


def test_a_bundle_without_the_rule_is_refused() -> None:
    (found,) = mistakes(manifest__yaml="schema: 1\npackage: shop\nrule: verdict\n")
    assert "data.shop.verdict cannot be evaluated" in found


def test_an_answer_of_another_shape_is_refused() -> None:
    (found,) = mistakes(shop__rego="package shop\n\ndecision := true\n", shop_test__rego=None)
    assert "does not answer" in found


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("data.json", '{"a": 1,\n "b": }', "data.json:2:7:"),
        ("data.json", '{"a": 1, "a": 2}', "data.json: an object names a key twice"),
        ("data.json", '{"a": NaN}', "data.json: NaN is not JSON"),
        ("data.json", "[1]", "data.json:1:1: must be an object"),
        pytest.param(
            "data.json", '{"a":' * 2000 + "1" + "}" * 2000, "data.json: nested too deeply", id="data.json, deep"
        ),
        pytest.param(
            "data.yaml", "a: " + "[" * 2000 + "]" * 2000, "data.yaml: nested too deeply", id="data.yaml, deep"
        ),
        ("data.json", '{"a": 0.12345678901234567}', "data.json: 0.12345678901234567 has more than 15 digits"),
        ("data.json", '{"a": 1234567890123456}', "data.json: 1234567890123456 has more than 15 digits"),
        ("data.yaml", "a: 2026-01-01\n", "data.yaml: datetime.date(2026, 1, 1) is not a JSON value"),
        ("data.yaml", "a: 1\na: 2\n", "data.yaml:2:1:"),
        ("data.yaml", "1: x\n", "data.yaml: the key 1 is not a text"),
        ("data.json", '{"shop": {}}', "shop.rego:1:1: package shop: a data document has that name"),
    ],
)
def test_wrong_data_is_refused_with_its_place(name: str, text: str, where: str) -> None:
    report = check_files(GOOD | {name: text})
    assert report.bundle is None
    assert any(str(mistake).startswith(where) for mistake in report.mistakes), report.mistakes


def test_data_lies_under_the_path_of_its_folder() -> None:
    policy = POLICY.replace('"clerk" in input.subject.roles', "data.a.b.open[input.object] == 1")
    report = check_files({"manifest.yaml": MANIFEST, "shop.rego": policy, "a/b/data.yaml": "open: {item: 1}\n"})
    assert report.mistakes == ()


def test_two_data_files_may_not_define_one_key() -> None:
    report = check_files(GOOD | {"a/data.json": '{"b": 1}', "a/data.yaml": "b: 2\n"})
    assert any("already defined" in str(mistake) for mistake in report.mistakes)


def test_mistakes_in_the_manifest_and_in_the_data_come_together() -> None:
    report = check_files(GOOD | {"manifest.yaml": "schema: 3\n", "data.json": "{"})
    assert {mistake.file for mistake in report.mistakes} == {"manifest.yaml", "data.json"}


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert [str(mistake) for mistake in check_bundle(tmp_path).mistakes] == ["manifest.yaml: missing"]


def test_the_revision_changes_with_any_file_and_only_then() -> None:
    files = read_files(POLICIES)
    assert set(files) == {"authz.rego", "authz_test.rego", "data.json", "manifest.yaml"}
    assert revision_of(files) == revision_of(dict(reversed(files.items())))
    for name in files:
        assert revision_of(files | {name: files[name] + " "}) != revision_of(files)
    assert revision_of({"a": "bc"}) != revision_of({"ab": "c"})


def test_the_environment_of_a_policys_tests_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGEOVER_SECRET", "x")
    policy = "package shop_test\n\ntest_env if count(opa.runtime().env) == 0\n"
    assert any("opa.runtime" in row for row in mistakes(shop_test__rego=policy))
