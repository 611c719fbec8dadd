"""Who may call, from `routes/clients.yaml`: token issuers with their keys, and API keys."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from gateway.connectors.factory import address, secret
from gateway.core.deployment import ClientsFile, IssuerRule, KeyRule
from gateway.edge.api_keys import ApiClient, ApiKeys
from gateway.edge.authenticator import Authenticator
from gateway.edge.jwks import FileKeys, KeySource, UrlKeys
from gateway.edge.tokens import Issuer, TokenVerifier
from gateway.errors import SecretMissing


def authenticator_of(clients: ClientsFile, http: httpx.AsyncClient) -> Authenticator:
    """What tells the callers apart. Takes: `http`, for keys that are fetched. Raises: SecretMissing."""
    issuers = [_issuer(rule, http) for rule in clients.issuers]
    return Authenticator(TokenVerifier(issuers), ApiKeys([_client(key) for key in clients.keys]))


def _client(key: KeyRule) -> ApiClient:
    return ApiClient(
        key_id=key.id,
        key_sha256=secret(key.sha256) if ":" in key.sha256 else key.sha256,
        subject=f"client:{key.client_id}",
        client_id=key.client_id,
        roles=tuple(key.roles),
        plants=tuple(key.plants),
    )


def _issuer(rule: IssuerRule, http: httpx.AsyncClient) -> Issuer:
    return Issuer(
        name=rule.name,
        issuer=rule.issuer,
        audiences=frozenset(rule.audiences),
        algorithms=frozenset(rule.algorithms),
        keys=_keys(rule, http),
        leeway_s=rule.leeway_s,
        client_claim=rule.client_claim,
        roles_claim=rule.roles_claim,
        plants_claim=rule.plants_claim,
    )


def _keys(rule: IssuerRule, http: httpx.AsyncClient) -> KeySource:
    place = address(rule.jwks)
    if place.startswith("file:"):
        return FileKeys(Path(place.removeprefix("file:")), time.monotonic)
    try:
        return UrlKeys(place, http, time.monotonic)
    except ValueError as err:
        raise SecretMissing(f"jwks of issuer {rule.name}: {err}") from err
