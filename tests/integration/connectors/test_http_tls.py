"""ERPs behind TLS: the certificate is checked, for the name of the URL, before a byte of a request is written."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.connectors.http import HttpTransport
from gateway.connectors.port import Gauge, Limits, NoAnswer, NotSent
from gateway.connectors.wire import Wire
from gateway.protocols.port import HttpCall
from tests.integration.connectors.scripted import WHOLE, Seen, erp, listening, transport

CALL = HttpCall("POST", "/x", {}, b"{}")
LONG_S = 30.0
MOST_DIALS = 64
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "erp")])


class Authority:
    """A certificate authority of the test's own. `server` gives the ERP's context, `client` one that trusts this authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self._certificate = (
            _builder(self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def server(self, address: str = "127.0.0.1", *, days: int = 30) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = _builder(key, days).add_extension(name, critical=False).add_extension(issuer, critical=False)
        place = self._folder / "server.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        place.write_bytes(secret + made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(place)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(
            cadata=self._certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        )


def _builder(key: ec.EllipticCurvePrivateKey, days: int = 30) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(NAME, NAME, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=90))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def at(seen: Seen) -> str:
    return seen.url.replace("http:", "https:")


async def test_calls_go_through_tls_on_one_connection(authority: Authority) -> None:
    gauge = Gauge()
    async with erp(tls=authority.server()) as seen:
        http = HttpTransport(at(seen), Limits(), gauge, tls=authority.client())
        for size in (2, 200_000, 2_000_000):
            body = b"x" * size
            assert (await http.exchange(HttpCall("POST", "/x", {}, body), LONG_S)).body == b"{}"
            assert seen.requests[-1].endswith(b"\r\n\r\n" + body)
        await http.close()
        await seen.ended.acquire()
    assert (gauge.opened, gauge.reused) == (1, 2)


async def test_many_calls_at_once_go_through_tls(authority: Authority) -> None:
    async with erp(tls=authority.server()) as seen, transport(at(seen), tls=authority.client()) as http:
        replies = await asyncio.gather(*(http.exchange(CALL, LONG_S) for _ in range(200)))
    assert {reply.status for reply in replies} == {200}
    assert len(seen.requests) == 200


BAD = {
    "nobody knows who signed it": lambda authority: (authority.server(), None),
    "it is of another address": lambda authority: (authority.server("127.0.0.3"), authority.client()),
    "it has expired": lambda authority: (authority.server(days=-1), authority.client()),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_certificate_gets_no_request(name: str, authority: Authority) -> None:
    server, client = BAD[name](authority)
    async with erp(tls=server) as seen, transport(at(seen), tls=client) as http:
        with pytest.raises(NotSent, match="certificate"):
            await http.exchange(CALL, LONG_S)
        assert seen.requests == []


async def test_an_erp_that_speaks_no_tls_gets_no_request(authority: Authority) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE)
        received.append(await reader.read())
        writer.close()

    received: list[bytes] = []
    async with listening(greet) as port, transport(f"https://127.0.0.1:{port}", tls=authority.client()) as http:
        with pytest.raises(NotSent):
            await http.exchange(CALL, LONG_S)
    assert b"POST" not in b"".join(received)


async def test_an_erp_that_never_ends_the_handshake_got_no_request(authority: Authority) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    gone = asyncio.Event()
    async with (
        listening(listen) as port,
        transport(f"https://127.0.0.1:{port}", tls=authority.client(), connect_timeout_s=0.2) as http,
    ):
        with pytest.raises(NotSent, match="no connection in"):
            await http.exchange(CALL, LONG_S)
        await gone.wait()


async def test_only_so_many_dials_are_under_way_at_once_and_the_others_wait_their_time(authority: Authority) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.append(writer)
        if len(knocked) == MOST_DIALS:
            full.set()
        await reader.read()
        writer.close()

    knocked: list[asyncio.StreamWriter] = []
    full = asyncio.Event()
    limits = {"connect_timeout_s": 60, "concurrency": 300}
    async with (
        listening(listen) as port,
        transport(f"https://127.0.0.1:{port}", tls=authority.client(), **limits) as http,
    ):
        first = [asyncio.create_task(http.exchange(CALL, LONG_S)) for _ in range(MOST_DIALS)]
        await full.wait()
        ends = await asyncio.gather(*(http.exchange(CALL, 0.3) for _ in range(200)), return_exceptions=True)
        assert {type(end) for end in ends} == {NotSent}
        assert len(knocked) == MOST_DIALS
        for call in first:
            call.cancel()
        await asyncio.gather(*first, return_exceptions=True)


async def test_a_connection_that_breaks_under_tls_is_no_answer_and_is_not_asked_again(authority: Authority) -> None:
    def say(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if len(seen.requests) == 1:
            writer.write(WHOLE)
        else:
            writer.write(WHOLE[:-1])
            writer.close()

    async with erp(say, tls=authority.server()) as seen, transport(at(seen), tls=authority.client()) as http:
        await http.exchange(CALL, LONG_S)
        with pytest.raises(NoAnswer):
            await http.exchange(CALL, LONG_S)
        assert (seen.connections, len(seen.requests)) == (1, 2)


async def test_a_cancelled_call_takes_its_tls_connection_with_it(authority: Authority) -> None:
    async def say(_: Seen, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await writer.wait_closed()

    asked = asyncio.Event()
    async with erp(say, tls=authority.server()) as seen, transport(at(seen), tls=authority.client()) as http:
        call = asyncio.create_task(http.exchange(CALL, LONG_S))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await seen.ended.acquire()


async def test_session_tickets_are_no_goodbye() -> None:
    class Secured(asyncio.Transport):
        def is_closing(self) -> bool:
            return False

    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(0, lambda _: None)
        wire.connection_made(Secured({"sslcontext": object(), "socket": ours}))
        theirs.send(b"a ticket")
        assert wire.fit(), "they follow the handshake"
        wire.served = 1
        assert not wire.fit(), "whatever follows an answer is not asked for"
