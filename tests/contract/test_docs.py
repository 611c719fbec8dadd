"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import ROOT, generated
from docs.maps import folders, held, said_of

PAGES = sorted(
    p
    for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("gateway/**/*.md"))
    if p.is_file()
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


ROOMS = folders(ROOT / "gateway")


@pytest.mark.parametrize("folder", ROOMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_folder_has_a_map_that_names_all_it_holds(folder: Path) -> None:
    text = (folder / "README.md").read_text("utf-8")
    names = [f"{path.name}/" if path.is_dir() else path.name for path in held(folder)]
    assert [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}", text)] == []


def test_every_kind_of_case_is_explained_and_no_other() -> None:
    page = (ROOT / "docs/how-to/cases-and-audit.md").read_text("utf-8")
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    code = "".join(p.read_text("utf-8") for p in ROOT.glob("gateway/**/*.py"))
    assert set(re.findall(r'NewCase\(\s*"([a-z-]+)"', code)) - explained == set()
    assert {kind for kind in explained if f'"{kind}"' not in code} == set()


def test_every_module_says_what_it_holds() -> None:
    modules = [path for folder in ROOMS for path in folder.glob("*.py") if path.read_text("utf-8").strip()]
    assert [str(path) for path in modules if not said_of(path)] == []
