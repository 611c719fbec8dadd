"""`python -m gateway.sim.erps` in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import httpx


def test_the_command_serves_one_erp_until_it_is_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gateway.sim.erps", "legacy", "--port", str(port), "--seed", "7"]
    options = [
        "--auth",
        "basic:GATEWAY:secret",
        "--clock",
        "2026-10-02T16:00",
        "--throttle",
        "1000/60",
        "--orders",
        "3",
    ]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE)
    try:
        base = f"http://127.0.0.1:{port}"
        _wait(base, process)
        orders = f"{base}/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
        assert httpx.get(orders).status_code == 401
        found = httpx.get(orders, auth=("GATEWAY", "secret")).json()["d"]["results"]
        assert [o["MfgOrderCreationDate"] for o in found] == ["/Date(1790899200000)/"] * 3
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert b"Traceback" not in errors


def _wait(base: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if httpx.get(f"{base}/_health").json() == {"erp": "legacy", "face": "legacy", "entries": 0}:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(process.communicate()[1])
