"""The README's commands, run by a stranger in an empty checkout."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.parts import free_port

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
FENCE = re.compile(r"^```(.*?)\n(.*?)^```", re.M | re.S)
IN_A_SENTENCE = re.compile(r"`((?:make|changeover|python|pip|git|curl|docker)\s[^`]+)`")
INSTEAD = {
    # All tests would run this one again, without end. That every test is found shows that all of them start here.
    "make test": 'make test ARGS="--collect-only -qq"',
    # It measures for many minutes, and what it measures depends on the machine. Make says what it would start.
    "make bench": "make -n bench",
}
IN_SENTENCES = (
    "changeover drift", "make bench", 'make bench ARGS="--quick --only writes,journal"',
    "make clean install PYTHON=python3.13",
)  # fmt: skip
"""What the README names outside its fences. The first needs the sandbox, the last runs in test_make_install.py."""


class Checkout(NamedTuple):
    """A folder as a stranger gets it, and the environment of a shell that knows nothing of this one."""

    folder: Path
    environment: Mapping[str, str]
    left_out: Sequence[str]
    """Files of the working tree that git does not track."""

    def run(self, script: str) -> str:
        """What a script prints. In a session of its own: what it started ends with it also where a command fails."""
        ran = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        stdout, stderr = ran.communicate()
        with suppress(ProcessLookupError):
            os.killpg(ran.pid, signal.SIGTERM)
        told = (
            f"\nnot in the checkout, because git does not track them: {', '.join(self.left_out)}"
            if self.left_out
            else ""
        )
        assert ran.returncode == 0, stdout[-3000:] + stderr[-3000:] + told
        return stdout


def as_run(command: str) -> str:
    return INSTEAD.get(command, command)


def in_git(*which: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z", *which], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clean checkout: what git tracks, as it stands here. Nobody else has a file that was not added."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in in_git("--cached"):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    hidden = ("CHANGEOVER_", "VIRTUAL_ENV", "PYTHONPATH", "MAKE", "MFLAGS", "ARGS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    return Checkout(folder, environment, in_git("--others", "--exclude-standard"))


@pytest.fixture(scope="module")
def said(checkout: Checkout) -> str:
    """Everything the commands in the README's fences print, run one after the other, and `drift` while the sandbox runs."""
    data, admin = free_port(), free_port()
    lines = [
        as_run(line) for language, body in FENCE.findall(README) if language == "bash" for line in body.splitlines()
    ]
    lines.insert(lines.index("kill %1"), f"{IN_SENTENCES[0]} 2>&1")
    script = "\n".join(lines)
    script = script.replace("changeover sandbox", f"changeover sandbox --port {data} --admin-port {admin}")
    script = script.replace("localhost:8080", f"localhost:{data}").replace("localhost:8081", f"localhost:{admin}")
    return checkout.run(script)


def test_every_command_of_the_readme_is_known_here() -> None:
    """A fence is run as it stands or is the drawing of the parts; what a sentence names is listed above."""
    drawings = [body for language, body in FENCE.findall(README) if language != "bash"]
    assert [body.split()[:2] for body in drawings] == [["clients", "gateway"]]
    named = {" ".join(found.split()) for found in IN_A_SENTENCE.findall(FENCE.sub("", README))}
    assert named == set(IN_SENTENCES)


def test_the_demo_loses_nothing_doubles_nothing_and_no_client_notices_though_an_erp_is_killed(said: str) -> None:
    (line,) = re.findall(r'^\{"requests".*\}$', said, re.M)
    assert '"client_errors": 0, "lost": 0, "duplicated": 0' in line
    assert '"diverged": 0' in line
    documents, translated = re.findall(r'"(?:documents|translated)": (\d+)', line)
    assert 0 < int(documents) == int(translated)


def test_the_same_call_goes_to_either_erp(said: str) -> None:
    assert re.search(r"x-route: legacy; epoch=1; phase=legacy", said)
    assert re.search(r"x-route: cloud; epoch=1; phase=cloud", said)


def test_a_wrong_unit_an_unknown_plant_and_a_missing_key_are_told(said: str) -> None:
    for word in ('"field":"quantity.unit"', '"code":"unrouted-plant"', "401 Unauthorized"):
        assert word in said


def test_the_plant_that_moved_answers_from_the_cloud(said: str) -> None:
    assert re.search(r"x-route: cloud; epoch=2; phase=cloud", said)


def test_all_tests_are_found_by_the_command_that_runs_them(said: str) -> None:
    found = dict(re.findall(r"^(tests/\S+\.py): (\d+)$", said, re.M))
    assert int(found["tests/integration/test_readme.py"]) >= 7
    assert {name.split("/")[1] for name in found} == {"contract", "e2e", "integration", "model", "sim", "unit"}


def test_the_erps_of_the_sandbox_say_what_the_dialects_rely_on(said: str) -> None:
    assert "0 differences, 0 objects whose metadata could not be read, 0 ERPs not reached" in said


def test_the_bench_is_there_and_its_quick_parts_work(checkout: Checkout) -> None:
    assert "-m tests.bench" in checkout.run(as_run("make bench"))
    told = checkout.run(as_run('make bench ARGS="--quick --only writes,journal"'))
    assert "every leg done, no case" in told
    assert "PostgreSQL, one by one" in told
