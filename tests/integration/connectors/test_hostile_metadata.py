"""An ERP whose $metadata is an attack: read over a socket, refused as a whole, and said so."""

from __future__ import annotations

import asyncio

import pytest

from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.http import HttpTransport
from gateway.connectors.port import Gauge, Limits
from gateway.connectors.sessions import Basic
from gateway.errors import ErpDown
from gateway.protocols.edmx import metadata_of
from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.port import AnswerBroken
from tests.integration.connectors.conftest import ORDERS
from tests.integration.connectors.test_hostile_erps import erp_that_says

_EDMX = b'<edmx:Edmx xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" Version="1.0"><edmx:DataServices/></edmx:Edmx>'
ATTACKS = {
    "an entity bomb": b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
    "a file of the gateway": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
    "a DTD from elsewhere": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">' + _EDMX,
    "depth 100k": b"<x>" * 100_000 + b"</x>" * 100_000,
    "no XML": b'{"d": {}}',
    "half a document": _EDMX[:60],
    "nothing": b"",
}


async def read(body: bytes, limits: Limits) -> bytes:
    """The metadata of an ERP that says this."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with erp_that_says(head + body) as url:
        gauge = Gauge()
        erp = GuardedConnector(
            "ecc", ODataV2(), HttpTransport(url, limits, gauge), Basic("u", lambda: "p"), limits, gauge
        )
        try:
            return await erp.metadata(ORDERS, asyncio.get_running_loop().time() + 5)
        finally:
            await erp.close()


@pytest.mark.parametrize("name", ATTACKS)
async def test_metadata_that_is_an_attack_is_refused(name: str) -> None:
    found = await read(ATTACKS[name], Limits())
    with pytest.raises(AnswerBroken):
        metadata_of(found)


async def test_metadata_that_is_more_than_an_answer_may_be_is_not_read_at_all() -> None:
    body = _EDMX + b" " * 2_000_000
    assert metadata_of(await read(body, Limits())) is not None
    with pytest.raises(ErpDown):
        await read(body, Limits(max_answer_bytes=1_000_000))
