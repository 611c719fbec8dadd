"""An ERP whose $metadata is an attack: read over a socket, refused as a whole, and said so."""

from __future__ import annotations

import asyncio

import pytest

from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.http import HttpTransport
from gateway.connectors.port import Gauge, Limits
from gateway.connectors.sessions import Basic
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


@pytest.mark.parametrize("name", ATTACKS)
async def test_metadata_that_is_an_attack_is_refused(name: str) -> None:
    body = ATTACKS[name]
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with erp_that_says(head + body) as url:
        limits, gauge = Limits(), Gauge()
        erp = GuardedConnector(
            "ecc", ODataV2(), HttpTransport(url, limits, gauge), Basic("u", lambda: "p"), limits, gauge
        )
        found = await erp.metadata(ORDERS, asyncio.get_running_loop().time() + 5)
        await erp.close()
    with pytest.raises(AnswerBroken):
        metadata_of(found)
