"""What a deployment starts from names what there is: settings, ports, options, secrets; and gives a gateway the time to stop."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from docs.generate import ROOT
from gateway.cli.main import app
from gateway.control.content import load, read_folder
from gateway.settings import Settings, shipped
from tests.support.packages import SYSTEMD, need
from tests.support.parts import skip_if_missing

DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.name != "README.md")
KNOWN = {f"CHANGEOVER_{name.upper()}" for name in Settings.model_fields}
INSTRUCTIONS = {
    "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD",
}  # fmt: skip


def unit() -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    read.read(DEPLOY / "changeover.service")
    return read


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def instructions() -> list[list[str]]:
    """The lines of the Dockerfile, continued ones joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    return [line.split(" ", 1) for line in text.replace("\\\n", "").splitlines() if line.strip()]


def example() -> dict[str, str]:
    lines = (DEPLOY / "changeover.env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def secrets_named() -> set[str]:
    """The environment variables that the reference content names."""
    texts = (text for name, text in read_folder(shipped()).items() if name.startswith("routes/"))
    return {name for text in texts for name in re.findall(r"env:([A-Z0-9_]+)", text)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_setting_that_is_named_is_one(path: Path) -> None:
    named = set(re.findall(r"CHANGEOVER_[A-Z0-9_]+", path.read_text("utf-8")))
    assert named <= KNOWN | secrets_named()


def test_the_example_of_an_environment_is_one_that_a_gateway_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secrets_named() <= example().keys()
    for name, value in example().items():
        monkeypatch.setenv(name, value)
    made = Settings()
    assert (made.hosts, made.max_connections_per_ip) == (["gateway.example"], None)
    assert load(read_folder(shipped())).erps


def served(words: list[str]) -> None:
    """A command line that serves, with options that there are."""
    group: Any = typer.main.get_command(app)
    command = group.get_command(typer.Context(group), words[0])
    options = {option for parameter in command.params for option in parameter.opts}
    assert words[0] == "serve"
    assert {word for word in words if word.startswith("--")} <= options


def test_the_unit_starts_the_gateway_and_gives_it_time_to_drain() -> None:
    service = unit()["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert Path(program).name == "changeover"
    served(words)
    assert int(service["TimeoutStopSec"]) > 2 * Settings().drain_s
    assert int(service["LimitNOFILE"]) >= 65_536


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    with skip_if_missing():
        need(SYSTEMD)
    copy = tmp_path / "changeover.service"
    text = (DEPLOY / "changeover.service").read_text("utf-8")
    copy.write_text(text.replace("/opt/changeover/bin/changeover", "/bin/true"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_container_is_built_of_what_there_is_and_serves() -> None:
    lines = instructions()
    assert {word for word, _ in lines} <= INSTRUCTIONS
    stages = [rest.split(" AS ")[1] for word, rest in lines if word == "FROM" and " AS " in rest]
    assert set(re.findall(r"--from=(\S+)", str(lines))) == set(stages)
    assert re.fullmatch(r"python:3\.1[123]-slim", next(rest for word, rest in lines if word == "FROM").split(" ")[0])
    (command,) = (rest for word, rest in lines if word == "CMD")
    served(yaml.safe_load(command))
    (ports,) = (rest for word, rest in lines if word == "EXPOSE")
    assert ports.split() == [str(Settings().port), str(Settings().admin_port)]
    assert [rest for word, rest in lines if word == "USER"] == ["10001"]


def test_compose_fits_together_and_gives_the_gateway_time_to_drain() -> None:
    whole = compose()
    gateway, database = whole["services"]["gateway"], whole["services"]["database"]
    assert (DEPLOY / gateway["build"]["context"] / gateway["build"]["dockerfile"]).is_file()
    assert set(gateway["depends_on"]) <= whole["services"].keys()
    assert database["healthcheck"]
    assert set(database["secrets"]) == whole["secrets"].keys()
    assert {volume.split(":")[0] for volume in database["volumes"]} == whole["volumes"].keys()
    assert {port.rsplit(":", 1)[1] for port in gateway["ports"]} == {str(Settings().port), str(Settings().admin_port)}
    assert int(gateway["stop_grace_period"].removesuffix("s")) > 2 * Settings().drain_s
    address = example()["CHANGEOVER_DATABASE_URL"]
    user, name = database["environment"]["POSTGRES_USER"], database["environment"]["POSTGRES_DB"]
    assert address.startswith(f"postgresql://{user}:")
    assert address.endswith(f"@database/{name}")


def test_the_folder_has_a_map() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    assert [path.name for path in FILES if f"`{path.name}`" not in text] == []
