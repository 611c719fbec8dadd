"""A gateway as an operator runs it: its own content folder, its own database, its own process."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import yaml
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.edge.api_keys import generate
from gateway.settings import shipped
from tests.support.described import Descriptions
from tests.support.parts import PartMissing, stop_process
from tests.support.simulated import SECRET, Pair
from tests.unit.identity import mint

START_WITHIN_S = 60
DUAL = {"1000": "dual_legacy", "2000": "dual_cloud"}
"""A plant in each dual phase."""
TWO_SIDED = {**DUAL, "3000": "standby"}
"""A plant in each phase that writes to both ERPs."""
_PLACES = {
    "1000": "    target: cloud\n    wave: wave-1",
    "2000": "    target: cloud\n    wave: wave-2",
    "3000": "    phase: cloud",
}
"""Where the reference deployment's cells say how a plant begins."""
UNUSED = ("recorded", "tryton*", "d365*")  # dialects no ERP of the reference deployment speaks
_INCOTERMS = '  incoterms: {to: IncotermsClassification, codec: "text(blank=true, max=3)"}\n'
PARTNER_RATE = ("partner:\n    per_s: 20\n    burst: 100", "partner:\n    per_s: 0.5\n    burst: 20")
CLIENTS: dict[str, tuple[list[str], list[str]]] = {
    "mes": (["mes"], ["1000", "2000", "3000"]),
    "hamburg": (["mes"], ["1000"]),
    "wms": (["wms"], ["1000", "2000", "3000"]),
    "planning": (["planner", "buyer"], ["*"]),
    "steward": (["master_data_steward"], ["*"]),
    "portal": (["supplier_portal"], ["*"]),
    "partner": (["supplier_portal"], ["*"]),
    "auditor": (["auditor"], ["*"]),
    "admin": (["admin"], ["*"]),
    **{f"boss-{n}": (["admin"], ["*"]) for n in (1, 2, 3)},
}


@dataclass(slots=True)
class Deployment:
    """What an operator has before the first start: content, secrets, a database address."""

    folder: Path
    erps: Pair
    keys: dict[str, str]
    database_url: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> Path:
        return self.folder / "content"

    @property
    def jwks(self) -> Path:
        return self.folder / "jwks.json"

    def publish_keys(self, *names: str) -> None:
        """What the identity provider's key file holds from now on."""
        fresh = self.folder / "jwks.new"
        fresh.write_bytes(mint.jwks(*[mint.jwk("ES256", name) for name in names]))
        fresh.replace(self.jwks)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one place of a content file."""
        text = (self.content / name).read_text("utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        (self.content / name).write_text(text.replace(old, new), "utf-8")

    def begin_in(self, phases: Mapping[str, str]) -> None:
        """Let plants begin in these phases, when their cells are first applied."""
        for plant, phase in phases.items():
            place = _PLACES[plant]
            kept = "" if "phase:" in place else f"\n{place}"
            self.edit("routes/waves.yaml", place, f"    phase: {phase}{kept}")

    def set(self, name: str, **members: Any) -> None:
        """Set top-level members of a content file."""
        document = yaml.safe_load((self.content / name).read_text("utf-8")) | members
        (self.content / name).write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")

    def cli(self, *arguments: str, content: bool = True) -> Result:
        """Run a command with the folder and database of this deployment, in this process: starting one takes seconds."""
        more = ("--content", str(self.content)) if content else ()
        return CliRunner(env=self.environ()).invoke(app, [*arguments, *more])

    def run(self, *arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own, as an operator does."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=self.environ(), cwd=self.folder, capture_output=True, text=True, timeout=within_s, check=False,
        )  # fmt: skip

    def process(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A gateway on free ports; its log is on standard error."""
        command = [sys.executable, "-m", "gateway", "serve", "--content", str(self.content), "--port", "0"]
        return subprocess.Popen(
            [*command, "--admin-port", "0", *arguments],
            env=self.environ(), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def environ(self) -> dict[str, str]:
        """The environment of every process of this deployment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHANGEOVER_", "KEY_"))}
        return kept | {
            "CHANGEOVER_DATABASE_URL": self.database_url,
            "CHANGEOVER_ERP_ECC_URL": self.erps.legacy.url,
            "CHANGEOVER_ERP_S4_URL": self.erps.cloud.url,
            "CHANGEOVER_ERP_ECC_SECRET": SECRET,
            "CHANGEOVER_ERP_S4_SECRET": SECRET,
            "CHANGEOVER_JWKS": f"file:{self.jwks}",
            "CHANGEOVER_FOLLOW_S": "0.1",
            "CHANGEOVER_FEED_POLL_S": "0",  # faults are counted out to the test's own calls
            "COLUMNS": "400",
            **self.environment,
        }

    @contextmanager
    def running(self) -> Iterator[RunningGateway]:
        """Serve for the time of the block. Raises: PartMissing: the gateway did not start; its log says why."""
        gateway = RunningGateway(self, self.process())
        try:
            gateway.await_start()
            yield gateway
        finally:
            gateway.stop()


class RunningGateway:
    """A gateway process and the ways in."""

    def __init__(self, deployment: Deployment, process: subprocess.Popen[bytes]) -> None:
        self.deployment, self.process = deployment, process
        self.lines: list[dict[str, Any]] = []
        self.base_url = self.admin_url = ""
        self._descriptions: Descriptions | None = None
        self._clients: list[httpx.Client] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": line.decode(errors="replace").rstrip()})

    def await_start(self) -> None:
        ports = self.awaited("serving", within_s=START_WITHIN_S)
        self.base_url = f"http://127.0.0.1:{ports['port']}"
        self.admin_url = f"http://127.0.0.1:{ports['admin_port']}"

    def events(self, name: str, **members: Any) -> list[dict[str, Any]]:
        """The log lines of one event."""
        wanted = {"event": name, **members}
        return [line for line in list(self.lines) if wanted.items() <= line.items()]

    def awaited(self, name: str, *, within_s: float = 20, **members: Any) -> dict[str, Any]:
        """The first log line of an event, waited for. Raises: PartMissing."""
        give_up_at_s = time.monotonic() + within_s
        while not (found := self.events(name, **members)):
            if self.process.poll() is not None or time.monotonic() > give_up_at_s:
                self._reader.join(1)
                raise PartMissing(f"the gateway said no {name!r}: {self.lines[-12:]}")
            time.sleep(0.01)
        return found[0]

    def client(self, who: str | None = "admin", **headers: str) -> httpx.Client:
        """An HTTP client of the data port with the API key of `who`; None calls without a credential.

        Whatever it is answered must be described.
        """
        own = {"X-API-Key": self.deployment.keys[who]} if who else {}
        self._descriptions = self._descriptions or Descriptions(self.base_url)
        hooks = {"response": [self._descriptions.check]}
        made = httpx.Client(base_url=self.base_url, headers=own | headers, timeout=60, event_hooks=hooks)
        self._clients.append(made)
        return made

    def token(self, key: str = "k1", **claims: Any) -> str:
        """A token of the identity provider, good for five minutes unless the claims say otherwise."""
        now = int(time.time())
        fresh: dict[str, Any] = {
            "iat": now - 5,
            "exp": now + 300,
            "client_id": "mes-7",
            "roles": ["mes"],
            "plants": ["1000"],
        }
        return mint.token("ES256", key, None, **(fresh | claims))

    def admin(self, path: str) -> httpx.Response:
        return httpx.get(self.admin_url + path, timeout=30)

    def await_revision(self, revision: int, *, within_s: float = 20) -> None:
        """Wait until this gateway serves a revision of the wave table."""
        self.awaited("table.in_force", within_s=within_s, revision=revision)

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        if self._descriptions is not None:
            self._descriptions.close()
        stop_process(self.process, within_s=40)
        self._reader.join(5)
        if self.process.stderr is not None:
            self.process.stderr.close()


def keeping_incoterms(dialect: str) -> list[tuple[str, str, str]]:
    """The edits of a SAP dialect that make an ERP one without a field for incoterms: the gateway keeps them."""
    place, lacking = f"translators/{dialect}/purchase_order.yaml", "  reference: refuse"
    return [(place, _INCOTERMS, ""), (place, lacking, f"{lacking}\n  incoterms: keep_beside")]


def deployment(
    folder: Path, erps: Pair, *, database_url: str = "", clients: Sequence[str] = tuple(CLIENTS)
) -> Deployment:
    """Write the reference content with keys of our own, and small limits towards the ERPs, into a folder."""
    for top in ("routes", "translators", "policies"):
        shutil.copytree(shipped() / top, folder / "content" / top, ignore=shutil.ignore_patterns(*UNUSED))
    keys = {name: generate(name, secrets.token_bytes)[0] for name in clients}
    made = Deployment(folder, erps, keys, database_url or f"sqlite:///{folder}/gateway.db")
    rows = [
        {"id": name, "sha256": sha256(keys[name].encode()).hexdigest(), "roles": roles, "plants": plants}
        for name, (roles, plants) in CLIENTS.items()
        if name in keys
    ]
    made.set("routes/clients.yaml", keys=rows)
    made.edit("routes/clients.yaml", PARTNER_RATE[0], PARTNER_RATE[1])
    for erp in ("ecc", "s4"):
        made.set(f"routes/erps/{erp}.yaml", limits={"call_timeout_s": 2, "breaker_open_s": 1})
        # The simulated ERPs work for milliseconds, and no test should wait for twenty seconds to be sure of that.
        manifest = made.content / f"routes/manifests/{erp}.yaml"
        manifest.write_text(manifest.read_text("utf-8").replace("max_exec_s: 20", "max_exec_s: 1"), "utf-8")
    _gone_version(made)
    made.publish_keys("k1")
    return made


def _gone_version(made: Deployment) -> None:
    """A version past its sunset, beside those of the reference deployment."""
    text = (made.content / "routes/contracts/v1.yaml").read_text("utf-8")
    for name, value in (
        ("version", "v99"),
        ("deprecated_at", "2024-01-01T00:00:00Z"),
        ("sunset_at", "2025-01-01T00:00:00Z"),
    ):
        text = re.sub(f"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)
    (made.content / "routes/contracts/v99.yaml").write_text(text, "utf-8")
