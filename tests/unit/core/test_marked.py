"""Content files: a mistake is told with file, line and column."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from gateway.core.marked import parse, salvaged
from gateway.errors import ContentError


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    count: int = 0


class _File(BaseModel):
    rows: list[_Row]


def test_every_mistake_is_placed_at_its_own_line() -> None:
    marked = parse("x.yaml", "rows:\n  - name: a\n    count: many\n  - nmae: b\n")
    places = {(m.line, m.reason.split(":")[0]) for m in salvaged(marked, _File).mistakes}
    assert places == {(3, "rows.0.count"), (4, "rows.1.name"), (4, "rows.1.nmae")}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: 1\na: 2\n", "twice"),
        ("a: [1, 2\n", "not YAML"),
        ("? [1]\n: 2\n", "text"),
        ("a: !!python/object:os.system x\n", "YAML"),
    ],
)
def test_yaml_that_could_mean_two_things_is_refused(text: str, word: str) -> None:
    with pytest.raises(ContentError, match=word):
        parse("x.yaml", text)


def test_dates_stay_text_and_codes_in_quotes_keep_their_zeros() -> None:
    assert parse("x.yaml", 'day: 2026-07-01\nplant: "0001"\n').data == {"day": "2026-07-01", "plant": "0001"}


@pytest.mark.parametrize("depth", [65, 2000, 100_000])
def test_a_file_nested_deeper_than_any_is_refused_where_it_gets_too_deep(depth: int) -> None:
    with pytest.raises(ContentError, match="nested deeper than 64") as caught:
        parse("x.yaml", "a: 1\nb: " + "[" * depth + "]" * depth + "\n")
    assert [(m.line, m.column) for m in caught.value.mistakes] == [(2, 67)]


def test_a_file_may_nest_as_deep_as_any_does() -> None:
    assert parse("x.yaml", "b: " + "[" * 63 + "]" * 63 + "\n").data["b"]


def test_what_holds_itself_is_refused() -> None:
    with pytest.raises(ContentError, match="alias"):
        parse("x.yaml", "a: &here [*here]\n")
