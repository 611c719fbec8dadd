"""The tutorial's commands, run one after the other in a sandbox."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.integration.test_readme import ROOT, Checkout
from tests.support.parts import free_port

FENCE = re.compile(r"^( *)```bash\n(.*?)^\1```", re.M | re.S)
START = """
changeover sandbox --port 8080 --admin-port 8081 > sandbox.log 2>&1 &
until curl -sf localhost:8081/readyz > /dev/null; do sleep 1; done
. sandbox/env
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that the commands print, from two ERPs in a fresh sandbox to the cloud ERP in charge."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHANGEOVER_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}", "PYTHONPATH": str(ROOT)}
    fences = [dedent(body) for _, body in FENCE.findall((ROOT / "docs/tutorial.md").read_text("utf-8"))]
    script = "\n".join([START, *fences]).replace("8080", str(free_port())).replace("8081", str(free_port()))
    return Checkout(tmp_path_factory.mktemp("tutorial"), environment, []).run(script)


def test_a_plain_apply_moves_nothing_and_an_unsafe_one_moves_all_four_domains(said: str) -> None:
    assert said.count("phase legacy -> dual_legacy") == 2 * 4  # the plan, and the apply that moved
    assert "exit code 4" in said


def test_what_a_killed_erp_is_owed_arrives_when_it_is_back(said: str) -> None:
    owed, arrived = re.search(r"^s4 +\w+ +1 ", said, re.M), re.findall(r" create .* ecc done, s4 done", said)
    assert owed is not None
    assert len(arrived) == 2


def test_a_persons_edit_is_carried_over_like_any_write(said: str) -> None:
    assert re.search(r" change +\d+ .* 2 +ecc done, s4 done", said)


def test_what_one_erp_refused_is_sent_again_by_a_person(said: str) -> None:
    assert re.search(r"^1 +open +split .*Period closed", said, re.M)
    assert re.search(r"case\.replay +the period is open again", said)


def test_a_lost_answer_is_found_again(said: str) -> None:
    (shown,) = re.findall(r'\{"operation":.*\}', said)
    assert '"state":"done"' in shown
    assert shown.count('"state":"done","sent_at"') == 2


def test_the_order_keeps_its_number_and_its_edit_in_the_other_erp(said: str) -> None:
    number = re.search(r"shown +(\d+)", said)
    assert number is not None
    assert "x-route: cloud; epoch=3; phase=dual_cloud" in said
    assert f'{{"id":"{number[1]}","quantity":{{"value":"9.000","unit":"H87"}}}}' in said
