"""An API key is known by its digest only, and only while it lasts."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Any

import pytest

from gateway.edge.api_keys import ApiClient, ApiKeys, generate
from gateway.edge.tokens import Caller
from gateway.errors import NotAuthenticated

KEY, DIGEST = generate("mes-7", secrets.token_bytes)


def client(**changes: Any) -> ApiClient:
    facts: dict[str, Any] = {"key_id": "mes-7", "key_sha256": DIGEST, "subject": "mes", "client_id": "mes-7"}
    return ApiClient(**(facts | {"roles": ("mes",), "plants": ("2000", "1000")} | changes))


def reason(key: str, *clients: ApiClient, now: float = 0) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        ApiKeys(clients or [client()]).verify(key, now)
    assert key not in str(caught.value) + repr(caught.value.extra) or not key
    return str(caught.value.extra["reason"])


def test_a_good_key_says_who_calls() -> None:
    caller = ApiKeys([client()]).verify(KEY, 0)
    assert caller == Caller("mes", "mes-7", "api-keys", ("mes",), ("1000", "2000"), "api-key", None)


def test_a_made_key_holds_32_random_bytes_and_its_digest_is_all_one_keeps() -> None:
    asked: list[int] = []
    key, digest = generate("a", lambda size: asked.append(size) or b"\xff" * size)  # type: ignore[func-returns-value]
    assert asked == [32]
    assert key == "co_a_" + "_" * 42 + "8"
    assert digest == sha256(key.encode()).hexdigest()


@pytest.mark.parametrize("key_id", ["", "A", "a_b", "a" * 33, "é"])
def test_a_key_id_that_would_not_read_back_is_refused(key_id: str) -> None:
    with pytest.raises(ValueError, match="key id"):
        generate(key_id, secrets.token_bytes)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        KEY + "A",
        KEY[:-1],
        KEY.upper(),
        " " + KEY,
        KEY + "\n",
        "co_mes-7_",
        "co_mes-7_short",
        "é" * 50,
        "\ud800",
    ],
)
def test_anything_but_the_key_is_refused(key: str) -> None:
    assert reason(key) == "unknown-key"


def test_another_clients_secret_is_refused() -> None:
    other, _ = generate("wms-1", secrets.token_bytes)
    assert reason("co_mes-7_" + other.removeprefix("co_wms-1_")) == "unknown-key"
    assert reason(other) == "unknown-key"


def test_a_key_ends() -> None:
    assert ApiKeys([client(expires_at=10.0)]).verify(KEY, 9.9).expires_at == 10.0
    assert reason(KEY, client(expires_at=10.0), now=10.0) == "expired"


def test_two_keys_of_one_client_hold_side_by_side_while_it_changes_over() -> None:
    newer, digest = generate("mes-8", secrets.token_bytes)
    keys = ApiKeys([client(), client(key_id="mes-8", key_sha256=digest)])
    assert keys.verify(KEY, 0).client_id == keys.verify(newer, 0).client_id


def test_two_rows_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="share one id"):
        ApiKeys([client(), client()])


@pytest.mark.parametrize("digest", ["", KEY, DIGEST.upper(), DIGEST[:-1]])
def test_a_configured_value_that_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        client(key_sha256=digest)
