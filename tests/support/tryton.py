"""A real Tryton: a clone of the prepared database, served by a trytond of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.support.parts import PartMissing, free_port, stop_process, wait_until
from tests.support.postgres import Cluster
from tests.support.tryton_base import write_config

# The same as in tryton_setup.py, which may not be imported here: it loads the ERP's own code.
LOGIN, PASSWORD, REST_KEY = "gateway", "gateway-password-0001", "test-rest-key-0001"


@dataclass(frozen=True, slots=True)
class TrytonServer:
    """A running Tryton with one database. `rest_key` is a bearer token of the same user as `user`."""

    base_url: str
    port: int
    database: str
    database_url: str
    user: str = LOGIN
    password: str = PASSWORD
    rest_key: str = REST_KEY

    @property
    def rpc_url(self) -> str:
        return f"{self.base_url}/{self.database}/rpc/"

    @property
    def rest_url(self) -> str:
        return f"{self.base_url}/{self.database}/rest/model"

    def truth(self, query: str, *values: object) -> list[dict[str, Any]]:
        """The rows the ERP really holds, asked of its database: `truth("select state from production")`."""
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def count(self, table: str) -> int:
        """How many rows a table holds."""
        return int(self.truth(f'select count(*) as n from "{table}"')[0]["n"])

    def rest(self) -> httpx.Client:
        """A client of the REST interface that is logged in."""
        headers = {"Authorization": f"Bearer {self.rest_key}"}
        return httpx.Client(base_url=self.rest_url, headers=headers, trust_env=False, timeout=60)

    def rpc(self) -> TrytonRpc:
        """A JSON-RPC session that is logged in; use it in a `with`."""
        return TrytonRpc(self)


class TrytonRpc:
    """JSON-RPC as Tryton's own client speaks it."""

    def __init__(self, server: TrytonServer) -> None:
        self._server = server
        self._client = httpx.Client(trust_env=False, timeout=60)
        self._client.headers["Authorization"] = self.authorization = self._login()
        self.context: dict[str, Any] = {}
        self.context = self("model.res.user.get_preferences", True)

    def __enter__(self) -> TrytonRpc:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, method: str, *params: Any, **context: Any) -> Any:
        """Call a method with the user's context at the end.

        Raises: TrytonError
        """
        body = self.send(method, *params, {**self.context, **context}).json()
        if "error" in body:
            raise TrytonError(*body["error"])
        return body["result"]

    def send(self, method: str, *params: Any) -> httpx.Response:
        """Send exactly this and give the raw answer."""
        body = {"id": 0, "method": method, "params": list(params)}
        return self._client.post(
            self._server.rpc_url,
            content=json.dumps(body),
            headers={
                "Content-Type": "application/json",
            },
        )

    def _login(self) -> str:
        answer = self.send("common.db.login", self._server.user, {"password": self._server.password}).json()
        user_id, token, *_ = answer["result"]
        session = f"{self._server.user}:{user_id}:{token}"
        return f"Session {base64.b64encode(session.encode()).decode()}"


class TrytonError(Exception):
    """An error that came inside an answer with status 200: `kind` and `args` as sent."""

    def __init__(self, kind: str, *details: Any) -> None:
        super().__init__(kind, *details)
        self.kind = kind


@contextlib.contextmanager
def tryton_clone(cluster: Cluster, base: str, name: str) -> Iterator[TrytonServer]:
    """A Tryton of its own for the time of the block: a clone of `base`, called `name`, and a server for it.

    Raises: PartMissing
    """
    url = cluster.create(name, template=base)
    try:
        with serve_tryton(cluster, name, url) as server:
            yield server
    finally:
        cluster.drop(name)


@contextlib.contextmanager
def serve_tryton(cluster: Cluster, database: str, url: str) -> Iterator[TrytonServer]:
    """A trytond for one database on a free port. A fixed hash seed gives its answers the same order every time.

    Raises: PartMissing
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="trytond-") as folder, (Path(folder) / "log").open("w+b") as log:
        config = write_config(Path(folder), cluster, port)
        program = str(Path(sys.executable).with_name("trytond"))
        process = subprocess.Popen(
            (program, "-c", str(config), "-d", database),
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        server = TrytonServer(f"http://127.0.0.1:{port}", port, database, url)
        try:
            wait_until(lambda: _answers(server, process, log.name), within_s=120, what=f"trytond for {database}")
            yield server
        finally:
            stop_process(process)


def _answers(server: TrytonServer, process: subprocess.Popen[bytes], log: str) -> bool:
    """One request warms the database up as well: two first ones at once fail inside the ERP."""
    if process.poll() is not None:
        raise PartMissing(f"trytond ended with {process.returncode}: {Path(log).read_text(errors='replace')[-2000:]}")
    with contextlib.suppress(httpx.TransportError), server.rest() as client:
        return client.get("/stock.location", params={"s": 1}).status_code == httpx.codes.OK
    return False
