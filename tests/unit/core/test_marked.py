"""Content files: a mistake is told with file, line and column."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from gateway.core.marked import parse, validated
from gateway.errors import ContentError


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    count: int = 0


class _File(BaseModel):
    rows: list[_Row]


def test_every_mistake_is_placed_at_its_own_line() -> None:
    marked = parse("x.yaml", "rows:\n  - name: a\n    count: many\n  - nmae: b\n")
    with pytest.raises(ContentError) as caught:
        validated(marked, _File)
    places = {(m.line, m.reason.split(":")[0]) for m in caught.value.mistakes}
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
