"""What the gateway is started with: the reference content in a folder of its own, pointed at the fixed ERP, and a token issuer."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from joserfc import jwt
from joserfc.jwk import RSAKey

REPOSITORY = Path(__file__).resolve().parents[2]
ISSUER, AUDIENCE = "https://idp.example", "changeover"
IN_FLIGHT = 2000
ERPS = ("ecc", "s4")
NOBODY = 9
"""A port that nobody listens on."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A content folder, and tokens its gateway believes: `token` is of plants 1000 and 2000, `forged` of nobody."""

    folder: Path
    token: str
    forged: str


def deployment(place: Path, phase: str = "legacy") -> Deployment:
    """Write the folder and the issuer's key set below `place`; plant 1000 begins in `phase`."""
    folder = place / "content"
    for name in ("routes", "translators", "policies"):
        shutil.copytree(REPOSITORY / name, folder / name)
    key, other = _key(), _key()
    jwks = place / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    for erp in ERPS:
        _change(folder / f"routes/erps/{erp}.yaml", limits=_limits(), base_url=f"env:CHANGEOVER_ERP_{erp.upper()}_URL")
    table = folder / "routes/waves.yaml"
    _change(table, waves={}, cells=[_begun(cell, phase) for cell in yaml.safe_load(table.read_text())["cells"]])
    clients = folder / "routes/clients.yaml"
    issuers = yaml.safe_load(clients.read_text())["issuers"]
    issuers[0] |= {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": f"file:{jwks}"}
    # No caller is slowed down: the rate limiter still counts every call.
    classes = {name: {"per_s": 1_000_000, "burst": 1_000_000} for name in ("standard", "bulk", "partner")}
    _change(clients, issuers=issuers[:1], keys=[], rate_classes=classes)
    return Deployment(folder, _token(key), _token(other))


def environment(place: Path, erps: Mapping[str, int]) -> dict[str, str]:
    """The environment of a gateway; nothing of the caller's own reaches it. Takes: the ports of the ERPs that are there."""
    found = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(place),
        "CHANGEOVER_MAX_CONNECTIONS_PER_IP": str(2 * IN_FLIGHT),
    }
    for erp in ERPS:
        found[f"CHANGEOVER_ERP_{erp.upper()}_URL"] = f"http://127.0.0.1:{erps.get(erp, NOBODY)}"
        found[f"CHANGEOVER_ERP_{erp.upper()}_SECRET"] = "pw"
    return found


def _limits() -> dict[str, int]:
    return {"concurrency": IN_FLIGHT, "waiting": 10_000, "keep_alive_s": 60}


def _begun(cell: dict[str, Any], phase: str) -> dict[str, Any]:
    """A cell that no wave moves; plant 1000's is in `phase`."""
    kept = {name: value for name, value in cell.items() if name != "wave"}
    return kept | ({"phase": phase} if "1000" in cell["plants"] else {})


def _change(file: Path, **values: Any) -> None:
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values, sort_keys=False))


def _key() -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": "bench", "use": "sig", "alg": "RS256"})


def _token(key: RSAKey) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "mes-1", "client_id": "mes", "iat": now, "exp": now + 36_000,
        "roles": ["mes"], "plants": ["1000", "2000"],
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "kid": "bench", "typ": "JWT"}, claims, key)
