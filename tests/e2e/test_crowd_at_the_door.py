"""Many connections that never say what they want: whoever does is served among them."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.support.gateway import Deployment, RunningGateway

HALF_OPEN = 900
MORE_FILES = 4096
PATIENT = {"CHANGEOVER_HEADER_TIMEOUT_S": "600"}  # so that none of the crowd is gone before the last has come
NEIGHBOUR = "127.0.0.2"  # another address of this machine: the crowd stands at 127.0.0.1


@pytest.fixture(autouse=True)
def room_for_sockets() -> Iterator[None]:
    """This process and the gateway, which inherits it, may hold the crowd's connections open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = max(soft, MORE_FILES if hard == resource.RLIM_INFINITY else min(MORE_FILES, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def crowd(gateway: RunningGateway) -> Iterator[None]:
    """Connections that have each sent half a header, and stay."""
    place = urlsplit(gateway.base_url)
    with ExitStack() as stack:
        for _ in range(HALF_OPEN):
            wire = stack.enter_context(socket.create_connection((place.hostname or "", place.port or 0), timeout=10))
            wire.sendall(b"GET /api/v2/items HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        yield


def called(gateway: RunningGateway, source: str) -> bytes:
    """The first line of the answer to a good request from an address."""
    place = urlsplit(gateway.base_url)
    with socket.create_connection((place.hostname or "", place.port or 0), 60, (source, 0)) as wire:
        key = gateway.deployment.keys["admin"]
        wire.sendall(
            f"GET /api/v2/items?limit=1 HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n".encode()
        )
        return wire.makefile("rb").readline().rstrip()


def test_nine_hundred_half_open_connections_of_one_address_do_not_keep_another_one_out(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    own.environment |= PATIENT
    gateway = starter(own)
    with crowd(gateway):
        assert called(gateway, NEIGHBOUR) == b"HTTP/1.1 200 OK"
        assert called(gateway, "127.0.0.1").startswith(b"HTTP/1.1 503")  # one address may have 512
    while called(gateway, "127.0.0.1") != b"HTTP/1.1 200 OK":
        time.sleep(0.05)  # the gateway has not heard of all goodbyes yet


def test_where_a_load_balancer_is_the_only_peer_nobody_counts_and_good_requests_are_served_among_the_half_open(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    own.environment |= {"CHANGEOVER_MAX_CONNECTIONS_PER_IP": "null", **PATIENT}
    gateway = starter(own)
    with crowd(gateway):
        assert {called(gateway, "127.0.0.1") for _ in range(20)} == {b"HTTP/1.1 200 OK"}
