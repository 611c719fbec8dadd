"""A manifest says what it declares, and its mistakes say where they stand."""

from __future__ import annotations

import pytest

from gateway.errors import ContentError
from gateway.policy.manifest import read_manifest


def mistakes(text: str) -> list[str]:
    with pytest.raises(ContentError) as caught:
        read_manifest("manifest.yaml", text)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_smallest_manifest_is_enough() -> None:
    assert read_manifest("manifest.yaml", "schema: 1\n").package == "changeover.authz"


def test_every_mistake_is_found_with_its_place() -> None:
    found = mistakes("schema: 2\nobligations: [mask, fly]\ndocument:\n  item: ['A B']\nmore: 1\n")
    assert [row.split(" ")[0] for row in sorted(found)] == [
        "manifest.yaml:1:9:",
        "manifest.yaml:2:21:",
        "manifest.yaml:4:10:",
        "manifest.yaml:5:7:",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("schema: 1\nschema: 1\n", "duplicate key 'schema'"),
        ("schema: [\n", "expected the node content"),
        ("[]", "mapping of names"),
        ("", "mapping of names"),
        ("schema: 1\ndocument: {item: [a, a.b]}", "as a field and as a group"),
        ("schema: 1\ndocument: {item: [a.b, a]}", "as a field and as a group"),
        ("schema: 1\ndocument: {item: ['a[]'], order: [a]}", "as a list and as a single value"),
        (
            "schema: 1\ndocument: {item: [t]}\ntotals: {item: {t: {over: lines, multiply: [q]}}}",
            "as a field and as a total",
        ),
        ("schema: 1\npackage: Data-X", "package"),
        ("schema: 1\ntime_bucket_s: 1", "time_bucket_s"),
    ],
)
def test_a_contradiction_is_refused(text: str, reason: str) -> None:
    assert any(reason in row for row in mistakes(text))
