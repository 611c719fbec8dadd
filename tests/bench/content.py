"""What the gateway is started with: the reference content in a folder of its own, pointed at the fixed ERP, and a token issuer."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from joserfc import jwt
from joserfc.jwk import RSAKey

REPOSITORY = Path(__file__).resolve().parents[2]
ISSUER, AUDIENCE = "https://idp.example", "changeover"
IN_FLIGHT = 2000


@dataclass(frozen=True, slots=True)
class Deployment:
    """A content folder, and tokens its gateway believes: `token` is of plants 1000 and 2000, `forged` of nobody."""

    folder: Path
    token: str
    forged: str


def deployment(place: Path) -> Deployment:
    """Write the folder and the issuer's key set below `place`."""
    folder = place / "content"
    for name in ("routes", "translators", "policies"):
        shutil.copytree(REPOSITORY / name, folder / name)
    key, other = _key(), _key()
    jwks = place / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    _change(folder / "routes/erps/ecc.yaml", limits=_limits(), base_url="env:CHANGEOVER_ERP_ECC_URL")
    clients = folder / "routes/clients.yaml"
    issuers = yaml.safe_load(clients.read_text())["issuers"]
    issuers[0] |= {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": f"file:{jwks}"}
    # No caller is slowed down: the rate limiter still counts every call.
    classes = {name: {"per_s": 1_000_000, "burst": 1_000_000} for name in ("standard", "bulk", "partner")}
    _change(clients, issuers=issuers[:1], keys=[], rate_classes=classes)
    return Deployment(folder, _token(key), _token(other))


def environment(place: Path, erp_port: int) -> dict[str, str]:
    """The environment of a gateway; nothing of the caller's own reaches it."""
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(place),
        "CHANGEOVER_ERP_ECC_URL": f"http://127.0.0.1:{erp_port}",
        "CHANGEOVER_ERP_ECC_SECRET": "pw",
        "CHANGEOVER_ERP_S4_URL": "http://127.0.0.1:9",
        "CHANGEOVER_ERP_S4_SECRET": "pw",
        "CHANGEOVER_MAX_CONNECTIONS_PER_IP": str(2 * IN_FLIGHT),
    }


def _limits() -> dict[str, int]:
    # Two thousand connects at once keep one core busy for longer than the usual 3 s: that is no fault of the ERP.
    return {"concurrency": IN_FLIGHT, "waiting": 10_000, "keep_alive_s": 60, "connect_timeout_s": 20}


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
