"""Signing keys from the identity provider's own address: they rotate, and what the provider does wrong lets nobody in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.calls import Plant, good, refused
from tests.e2e.moves import awaited
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import Pair
from tests.unit.identity import mint

Script = Callable[[BaseHTTPRequestHandler], None]
Start = Callable[[Deployment], RunningGateway]


class Provider(ThreadingHTTPServer):
    """An identity provider that answers as it is told, and counts who asks."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.asked = 0
        self.script: Script = keys("k1")
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Door)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks"


class _Door(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Provider)
        self.server.asked += 1
        self.server.script(self)

    def log_message(self, *_: object) -> None:
        """The test says what matters."""


@contextmanager
def serving() -> Iterator[Provider]:
    provider = Provider()
    thread = threading.Thread(target=provider.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        provider.closing.set()
        provider.shutdown()
        thread.join()
        provider.server_close()


def keys(*names: str) -> Script:
    return lambda door: _said(door, mint.jwks(*[mint.jwk("ES256", name) for name in names]))


def _said(door: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    door.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        door.send_header(name, value)
    door.end_headers()
    door.wfile.write(body)


def _endless(door: BaseHTTPRequestHandler) -> None:
    door.send_response(200)
    door.end_headers()
    try:
        while True:
            door.wfile.write(b" " * 65_536)
    except OSError:
        door.close_connection = True


def _silent(door: BaseHTTPRequestHandler) -> None:
    door.send_response(200)
    door.send_header("Content-Length", "1000")
    door.end_headers()
    door.wfile.write(b"{")
    assert isinstance(door.server, Provider)
    door.server.closing.wait()


WRONG: dict[str, Script] = {
    "a body without end": _endless,
    "a body that never comes": _silent,
    "a megabyte": lambda door: _said(door, b" " * 1_000_000 + mint.jwks(mint.jwk("ES256", "k1"))),
    "a page": lambda door: _said(door, b"<html>sign in</html>"),
    "a server error": lambda door: _said(door, b"", 500),
    "a compressed body": lambda door: _said(door, b"x", **{"Content-Encoding": "gzip"}),
    "no keys": lambda door: _said(door, b'{"keys": []}'),
    "a shared secret": lambda door: _said(door, b'{"keys": [{"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}]}'),
}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as started:
        yield started


@pytest.fixture
def trusting(erps: Pair, tmp_path: Path, provider: Provider) -> Deployment:
    """A deployment that fetches its keys from the provider; nothing runs yet."""
    made = deployment(tmp_path, erps)
    made.environment["CHANGEOVER_JWKS"] = provider.url
    return made


def caller(gateway: RunningGateway, key: str = "k1") -> Plant:
    return Plant(gateway.client(None, Authorization=f"Bearer {gateway.token(key)}"), "1000")


def test_keys_rotate_with_an_overlap_and_no_good_token_is_refused(
    trusting: Deployment, provider: Provider, starter: Start
) -> None:
    gateway = starter(trusting)
    good(caller(gateway).listed("production-orders", limit=1))
    provider.script = keys("k1", "k2")
    for key in ("k2", "k1", "k2", "k1"):
        good(caller(gateway, key).listed("production-orders", limit=1))
    assert provider.asked == 2


def test_tokens_of_keys_nobody_knows_do_not_make_the_gateway_ask_the_provider_each_time(
    trusting: Deployment, provider: Provider, starter: Start
) -> None:
    gateway = starter(trusting)
    good(caller(gateway).listed("production-orders", limit=1))
    began_s = time.monotonic()
    for number in range(100):
        answer = caller(gateway, f"stranger-{number % 20}").ordered()
        assert refused(answer, 401, "not-authenticated")["reason"] == "unknown-key"
    # The start, and the first stranger; the next look is half a minute later.
    assert 2 <= provider.asked <= 2 + (time.monotonic() - began_s) // 30
    good(caller(gateway).listed("production-orders", limit=1))


@pytest.mark.parametrize("what", WRONG)
def test_a_provider_that_answers_wrongly_lets_nobody_in(
    trusting: Deployment, provider: Provider, starter: Start, what: str
) -> None:
    provider.script = WRONG[what]
    gateway = starter(trusting)
    with trusting.erps.untouched():
        answer = caller(gateway).ordered()
    refused(answer, 503, "keys-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    good(Plant(gateway.client("admin"), "1000").listed("production-orders", limit=1))  # who has a key is not held up


def test_when_the_provider_is_well_again_its_tokens_are_believed_again(
    trusting: Deployment, provider: Provider, starter: Start
) -> None:
    provider.script = WRONG["a server error"]
    gateway = starter(trusting)
    refused(caller(gateway).listed("production-orders", limit=1), 503, "keys-unavailable")
    provider.script = keys("k1")
    while (answer := caller(gateway).listed("production-orders", limit=1)).status_code == 503:
        time.sleep(0.1)
    good(answer)


def test_a_redirect_of_the_provider_is_not_followed(trusting: Deployment, provider: Provider, starter: Start) -> None:
    with serving() as inside:
        provider.script = lambda door: _said(door, b"", 302, Location=inside.url)
        gateway = starter(trusting)
        with trusting.erps.untouched():
            refused(caller(gateway).ordered(), 503, "keys-unavailable")
        assert (provider.asked, inside.asked) == (1, 0)


@pytest.mark.parametrize("what", ["a body that never comes", "a page", "gone"])
def test_a_provider_in_trouble_does_not_lock_out_whom_its_last_keys_let_in(
    trusting: Deployment, provider: Provider, starter: Start, what: str
) -> None:
    gateway = starter(trusting)
    good(caller(gateway).listed("production-orders", limit=1))
    provider.script = WRONG.get(what, lambda door: door.connection.close())
    stranger = caller(gateway, "stranger")
    refused(stranger.listed("production-orders", limit=1), 401, "not-authenticated")  # that made it look
    assert provider.asked == 2
    for _ in range(3):
        good(caller(gateway).listed("production-orders", limit=1))
    awaited(lambda: "keys of plant-idp" in gateway.admin("/readyz").text)
    metrics = gateway.admin("/metrics").text
    assert 'changeover_token_keys_failing{issuer="plant-idp"} 1.0' in metrics
    assert 'changeover_token_keys_age_seconds{issuer="plant-idp"}' in metrics


def test_keys_are_not_fetched_in_the_clear(trusting: Deployment) -> None:
    trusting.environment["CHANGEOVER_JWKS"] = "http://idp.example/jwks"
    process = trusting.process()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"jwks of issuer plant-idp: a JWKS URL must be https" in said
    assert b"Traceback" not in said
