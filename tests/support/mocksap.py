"""mock-sap in a process of its own: its clock and its lock are one per process.

Run as a program it serves until it is stopped: `python -m tests.support.mocksap SEED CLOCK AUTH`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from tests.support.parts import PartMissing, stop_process

REPO = Path(__file__).parents[2]
USER, PASSWORD = "gateway", "gateway-password-0001"


@dataclass(frozen=True, slots=True)
class MockSap:
    """A running mock-sap. `v2` and `v4` build the root URLs of its services."""

    base_url: str
    user: str
    password: str
    seed: int
    clock: str

    def v2(self, service: str) -> str:
        """The root of an OData V2 service, such as API_PRODUCT_SRV."""
        return f"{self.base_url}/sap/opu/odata/sap/{service}"

    def v4(self, api: str) -> str:
        """The root of an OData V4 service, such as api_product."""
        return f"{self.base_url}/sap/opu/odata4/sap/{api}/srvd_a2x/sap/{api}/0001"

    def client(self) -> httpx.Client:
        """A client that is logged in. It answers no CSRF question by itself."""
        return httpx.Client(base_url=self.base_url, auth=(self.user, self.password), trust_env=False)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the faults in force; without arguments, none. The path is a regex under the key `match`."""
        for rule in rules:
            if not rule.get("match"):
                raise ValueError(f"a fault without `match` would hit every request: {rule}")
        with self.client() as client:
            client.delete("/_mock/faults").raise_for_status()
            for rule in rules:
                client.post("/_mock/faults", json=rule).raise_for_status()

    def requests_seen(self) -> list[dict[str, Any]]:
        """What clients sent since the start or the last reset, oldest first."""
        with self.client() as client:
            answer = client.get("/_mock/requests", params={"verbose": "1", "limit": "10000"}).raise_for_status()
        return sorted(answer.json()["results"], key=lambda seen: int(seen["id"]))

    def reset(self) -> None:
        """Back to the rows of the seed."""
        with self.client() as client:
            client.delete("/_mock/faults").raise_for_status()
            client.post("/_mock/reset", json={"seed": self.seed}).raise_for_status()


@contextlib.contextmanager
def mock_sap(*, seed: int = 1, clock: str = "2026-10-02T16:00") -> Iterator[MockSap]:
    """A mock-sap for the time of the block, on a free port, asking for If-Match and for a login.

    Raises: PartMissing
    """
    if find_spec("mocksap") is None:
        raise PartMissing("mock-sap is not installed: it is in the test extra")
    command = (sys.executable, "-m", "tests.support.mocksap", str(seed), clock, f"{USER}:{PASSWORD}")
    process = subprocess.Popen(command, cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise PartMissing(f"mock-sap ended with {process.wait()} before it listened")
        yield MockSap(f"http://127.0.0.1:{int(port)}", USER, PASSWORD, seed, clock)
    finally:
        stop_process(process)
        assert process.stdout is not None
        process.stdout.close()


def serve(seed: str, clock: str, auth: str) -> None:
    """Serve until stopped; the first line of output is the port."""
    from mocksap import Config, make_server  # type: ignore[import-untyped]

    server = make_server(
        Config(
            port=0,
            db_path=":memory:",
            quiet=True,
            seed_value=int(seed),
            clock=clock,
            basic_auth=auth,
            require_if_match=True,
        )
    )
    # Nagle and delayed acknowledgements together cost a kept-alive connection about 45 ms a request.
    server.RequestHandlerClass.disable_nagle_algorithm = True
    server.handle_error = lambda *_: None  # a reset connection is what the tests are about, not news
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(*sys.argv[1:4])
