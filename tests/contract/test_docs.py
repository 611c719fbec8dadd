"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import ROOT, generated

PAGES = sorted(
    p for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("gateway/**/*.md")) if p.is_file()
)


def test_the_generated_reference_is_what_the_code_says_now() -> None:
    stale = [
        str(p) for p, text in generated().items() if not (ROOT / p).is_file() or (ROOT / p).read_text("utf-8") != text
    ]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
