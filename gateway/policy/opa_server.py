"""The engine behind a URL: a real OPA server, through opa-python-client.

Nothing of a question is ever part of a path. Whatever goes wrong on the way is an engine fault, and so never a yes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from opa_client.opa_async import AsyncOpaClient  # type: ignore[import-untyped]

from gateway.policy.manifest import Manifest
from gateway.policy.port import Answered, EngineFault, Outcome, QuestionFault, Undefined

MAX_ANSWER_BYTES = 1024 * 1024
OK, SERVER_ERROR = 200, 500
PARAMS = {"strict-builtin-errors": "true", "provenance": "true"}
FAULTS: dict[str, QuestionFault] = {
    "eval_builtin_error": QuestionFault("policy-builtin-error"),
    "eval_type_error": QuestionFault("policy-builtin-error"),
    "eval_conflict_error": QuestionFault("policy-conflict"),
}


class _ExactClient(AsyncOpaClient):  # type: ignore[misc]
    """The library's client with one more call: the question goes out byte for byte, and an error's body is kept.

    Its own `query_rule` writes numbers as binary floating point and drops the body of an error.
    """

    async def ask(self, path: str, question_json: bytes) -> tuple[int, bytes]:
        body = b'{"input":' + question_json + b"}"
        headers = {"Content-Type": "application/json"}
        url = f"{self.root_url}/data/{path}"
        async with self._request(
            "POST", url, data=body, headers=headers, params=PARAMS, allow_redirects=False
        ) as answer:
            received = b""
            async for piece in answer.content.iter_chunked(65_536):
                received += piece
                if len(received) > MAX_ANSWER_BYTES:
                    raise ValueError("answer too large")
            return int(answer.status), received


@dataclass(frozen=True, slots=True)
class OpaServer:
    """Where the server is. `token` is a bearer token; `certificate` a client certificate's path, or (path, key)."""

    url: str
    timeout_s: float = 0.5
    token: str | None = None
    certificate: str | tuple[str, str] | None = None


class OpaServerEngine:
    """Answers from an OPA server. Its bundle can change at any time, so its answers are not cached."""

    cacheable = False

    def __init__(self, server: OpaServer, manifest: Manifest) -> None:
        parts = urlsplit(server.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("the OPA server's URL must be http(s)://host[:port]")
        secure = parts.scheme == "https"
        self._client = _ExactClient(
            host=f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
            port=parts.port or (443 if secure else 80),
            ssl=secure,
            cert=server.certificate,
            token=server.token,
            retries=0,
            timeout=server.timeout_s,
        )
        self._path = f"{manifest.package.replace('.', '/')}/{manifest.rule}"
        self._open = False
        self._revision = "opa-server"

    @property
    def revision(self) -> str:
        """The bundle revision the server named last."""
        return self._revision

    async def decide(self, question_json: bytes) -> Outcome:
        try:
            await self._enter()
            status, body = await self._client.ask(self._path, question_json)
            return self._read(status, json.loads(body))
        except TimeoutError:
            return EngineFault("timeout")
        except Exception:
            return EngineFault("unreachable")

    async def close(self) -> None:
        self._open = False
        await self._client.close_connection()

    async def _enter(self) -> None:
        if not self._open:
            self._open = True
            await self._client.__aenter__()

    def _read(self, status: int, body: Any) -> Outcome:
        if status == OK:
            self._note_revision(body.get("provenance"))
            return Answered(json.dumps(body["result"]).encode()) if "result" in body else Undefined()
        if status == SERVER_ERROR:
            codes = {row.get("code") for row in body.get("errors", ())}
            for code, fault in FAULTS.items():
                if codes and codes <= FAULTS.keys() and code in codes:
                    return fault
        return EngineFault(f"status-{status}")

    def _note_revision(self, provenance: Any) -> None:
        bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
        if isinstance(bundles, dict) and bundles:
            self._revision = ",".join(sorted(f"{name}@{row.get('revision', '')}" for name, row in bundles.items()))
