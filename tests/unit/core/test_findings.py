"""An operator who wrote a wrong word reads what would be right, and not how a library sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway.control.content import load, read_folder
from gateway.core.findings import in_words, names_at
from gateway.errors import ContentError
from gateway.settings import shipped


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid")
    after_s: float = Field(1.0, gt=0, le=60)
    phase: Literal["legacy", "cloud"] = "legacy"


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    title: Annotated[str, Field(min_length=2, max_length=9)]
    count: int = 0
    steps: dict[str, list[str | _Step]] = {}
    open_: bool = Field(default=False, alias="open")

    @field_validator("title")
    @classmethod
    def _not_bad(cls, title: str) -> str:
        if title == "bad":
            raise ValueError("nobody calls a plan that")
        return title


def said(data: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        _Plan.model_validate(data)
    return {".".join(map(str, e["loc"])): in_words(e, _Plan) for e in caught.value.errors()}


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ({}, "title", "is missing"),
        ({"title": "one", "coutn": 1}, "coutn", "is no name that is known here: did you mean count?"),
        ({"title": "one", "opne": True}, "opne", "is no name that is known here: did you mean open?"),
        ({"title": "one", "x": 1}, "x", "is no name that is known here: known are count, open, steps, title"),
        ({"title": "one", "steps": {"a": [{"aftr_s": 1}]}}, "steps.a.0._Step.aftr_s",
         "is no name that is known here: did you mean after_s?"),
        ({"title": "one", "steps": {"a": [{"phase": "clod"}]}}, "steps.a.0._Step.phase", "must be 'legacy' or 'cloud', not 'clod'"),
        ({"title": "one", "steps": {"a": [{"after_s": 0}]}}, "steps.a.0._Step.after_s", "must be more than 0.0, not 0"),
        ({"title": "one", "steps": {"a": [{"after_s": 61}]}}, "steps.a.0._Step.after_s", "must be at most 60.0, not 61"),
        ({"title": "one", "steps": []}, "steps", "must be a mapping of names to values"),
        ({"title": "one", "count": "many"}, "count", "must be a whole number, not 'many'"),
        ({"title": "one", "count": "many" * 9999}, "count", "must be a whole number"),
        ({"title": 5}, "title", "must be a text, not 5"),
        ({"title": "o"}, "title", "must have at least 2 characters"),
        ({"title": "bad"}, "title", "nobody calls a plan that"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(data: Any, place: str, words: str) -> None:
    assert said(data)[place].startswith(words)


def test_where_there_is_no_model_no_name_can_be_meant() -> None:
    assert names_at(_Plan, ("title", "x")) == []
    assert names_at(_Plan, ("steps", "a", 0)) == ["after_s", "phase"]


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("routes/waves.yaml", "target:", "targt:", "targt: is no name that is known here: did you mean target?"),
        ("routes/plants.yaml", "region: apac", "regio: apac", "plants.3000.regio: is no name that is known here: did you mean region?"),
        ("routes/clients.yaml", "rate_classes:", "rateclasses:", "did you mean rate_classes?"),
        ("routes/manifests/ecc.yaml", "max_exec_s:", "max_exec:", "did you mean max_exec_s?"),
        ("routes/contracts/v2.yaml", "page_default:", "page_defualt:", "did you mean page_default?"),
        ("translators/sap-ecc/item.yaml", "group: {to: ", "group: {too: ", "did you mean to?"),
        ("translators/sap-ecc/item.yaml", "fields:", "feilds:", "did you mean fields?"),
        ("policies/manifest.yaml", "document:", "documnt:", "did you mean document?"),
    ],
)  # fmt: skip
def test_a_misspelt_name_in_any_content_file_is_told_with_the_one_that_is_near(
    file: str, old: str, new: str, words: str
) -> None:
    files = read_folder(Path(shipped()))
    assert old in files[file]
    with pytest.raises(ContentError) as caught:
        load(files | {file: files[file].replace(old, new, 1)})
    assert [str(m) for m in caught.value.mistakes if words in str(m) and m.file == file], caught.value.mistakes
