"""The table of attacks names tests that there are, and leaves no attack out."""

from __future__ import annotations

import ast
import re

import pytest

from docs.generate import ROOT
from tests.e2e import test_token_attacks
from tests.integration.edge import attacks

PAGE = (ROOT / "docs/explanation/attacks.md").read_text("utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
SHOWN = {row[0]: re.findall(r"`([^`]+)`", row[2]) for row in ROWS if row[0] != "attack"}
SENT = {attack.name for attack in attacks.ATTACKS} | set(test_token_attacks.ATTACKS)


@pytest.mark.parametrize("row", SHOWN)
def test_what_a_row_names_is_a_test(row: str) -> None:
    assert SHOWN[row]
    for name in SHOWN[row]:
        file, _, function = name.partition("::")
        assert function in _tests(file) if function else name in SENT, name


def _tests(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_attack_that_is_sent_stands_in_a_row() -> None:
    assert SENT - {name for names in SHOWN.values() for name in names} == set()
