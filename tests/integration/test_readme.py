"""The README's commands, run by a stranger in an empty checkout."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.parts import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everything the README's commands print, run one after the other from a clean checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        source = ROOT / name
        if source.is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, checkout / name)
    data, admin = free_port(), free_port()
    script = "\n".join(re.findall(r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S))
    script = script.replace("changeover sandbox", f"changeover sandbox --port {data} --admin-port {admin}")
    script = script.replace("localhost:8080", f"localhost:{data}").replace("localhost:8081", f"localhost:{admin}")
    environment = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("CHANGEOVER_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "ARGS"))
    }
    # In a session of its own: the sandbox ends with it also where a command in the middle fails.
    ran = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    stdout, stderr = ran.communicate()
    with suppress(ProcessLookupError):
        os.killpg(ran.pid, signal.SIGTERM)
    assert ran.returncode == 0, stdout[-3000:] + stderr[-3000:]
    return stdout


def test_the_demo_loses_nothing_doubles_nothing_and_no_client_notices_though_an_erp_is_killed(said: str) -> None:
    (line,) = re.findall(r'^\{"requests".*\}$', said, re.M)
    assert '"client_errors": 0, "lost": 0, "duplicated": 0' in line
    assert '"diverged": 0' in line
    assert int(re.search(r'"translated": (\d+)', line)[1]) > 0  # type: ignore[index]


def test_the_same_call_goes_to_either_erp(said: str) -> None:
    assert re.search(r"x-route: legacy; epoch=1; phase=legacy", said)
    assert re.search(r"x-route: cloud; epoch=1; phase=cloud", said)


def test_a_wrong_unit_an_unknown_plant_and_a_missing_key_are_told(said: str) -> None:
    for word in ('"field":"quantity.unit"', '"code":"unrouted-plant"', "401 Unauthorized"):
        assert word in said


def test_the_plant_that_moved_answers_from_the_cloud(said: str) -> None:
    assert re.search(r"x-route: cloud; epoch=2; phase=cloud", said)
